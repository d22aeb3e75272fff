"""What a set of rows would change, compared with what is stored: creates, changes, revivals, errors. Reads only; apply.py writes it.

A row is a dict of field name → stored value (references as ids, ID numbers plain), with `id` and `version` where a form names its record.
Fields that a row does not name stay as they are. Order of matching: id, key, identity (whole), identity of a removed record (revival).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from workflow.access.crypto import field_cipher, is_mask, mask_id
from workflow.errors import Conflict, NotFound
from workflow.registry import closing
from workflow.registry.dictionary import DataSet, Field, dictionary
from workflow.registry.history import who_changed_since
from workflow.registry.origin import Origin, RowError
from workflow.registry.storage import Stored, fetch, hold
from workflow.registry.values import clip, mask_text, show

Row = Mapping[str, Any]


@dataclass
class New:
    """A record to be made; `id` where the caller drew it beforehand."""

    place: int
    row: Row
    id: int | None = None


@dataclass
class Change:
    """A record to be changed: field name → (old, new), encrypted fields with their plain numbers."""

    place: int
    stored: Stored
    changed: dict[str, tuple[Any, Any]]
    revived: bool = False


@dataclass
class Plan:
    """Everything that the rows would do, in their order."""

    dataset: DataSet
    creates: list[New] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    unchanged: list[tuple[int, Stored]] = field(default_factory=list)
    errors: list[RowError] = field(default_factory=list)


def make_plan(
    session: Session,
    dataset: str,
    rows: Sequence[Row],
    origin: Origin,
    *,
    numbers: Sequence[int] | None = None,
    ids: Mapping[str, int] | None = None,
    lock: bool = True,
) -> Plan:
    """The plan for rows. `numbers`: row numbers for messages (default 1, 2, …); `ids`: key → id drawn beforehand for new records.

    `lock`: the rows that change stay locked until the end of the transaction; those that do not are never touched.
    """
    plan = _planned(session, dataset, rows, origin, numbers, ids or {}, lock=False)
    held = {change.stored["id"]: change.stored["version"] for change in plan.changes}
    if lock and not hold(session, plan.dataset, held):
        return _planned(session, dataset, rows, origin, numbers, ids or {}, lock=True)  # another writer was in between
    return plan


def _planned(
    session: Session,
    dataset: str,
    rows: Sequence[Row],
    origin: Origin,
    numbers: Sequence[int] | None,
    ids: Mapping[str, int],
    *,
    lock: bool,
) -> Plan:
    planner = _Planner(session, dictionary()[dataset], origin, rows, lock=lock)
    for place, row in enumerate(rows):
        planner.take(place, row, numbers[place] if numbers else place + 1, ids.get(row.get(planner.key) or ""))
    planner.check_closings()
    return planner.plan


class _Planner:
    """One comparison: the stored rows that the given ones may mean, and the plan as it grows."""

    def __init__(self, session: Session, dataset: DataSet, origin: Origin, rows: Sequence[Row], *, lock: bool) -> None:
        self.session, self.dataset, self.origin, self.lock = session, dataset, origin, lock
        self.key = dataset.key
        self.units = None if origin.units is None else frozenset(origin.units)
        self.plan = Plan(dataset)
        self.cipher = field_cipher()
        self.by_id: dict[int, Stored] = {}
        self.by_key: dict[str, Stored] = {}
        self.by_identity: dict[tuple[Any, ...], Stored] = {}
        self.renewed: dict[bytes, bytes] = {}  # digest under an older key → under the newest
        self.taken: dict[int, int] = {}  # record id → number of the row that means it
        self.closing: dict[
            int, tuple[int, str]
        ] = {}  # inner organisation that a row closes → number of the row, its key
        self.fields = {name: (f, f.column) for name, f in dataset.fields.items() if not f.derived}
        self.sensitive_names = [name for name, (f, _) in self.fields.items() if f.sensitive]
        self._load(rows)

    def _load(self, rows: Sequence[Row]) -> None:
        """Fetch every record that a row may mean, in id order, so that two writers never wait for each other crosswise."""
        self._remember(self._fetch("id", (row.get("id") for row in rows)))
        self._remember(self._fetch(self.key, (row.get(self.key) for row in rows)))
        lost = [row for row in rows if "id" not in row and row.get(self.key) not in self.by_key]
        if self.dataset.identity and lost:
            column, values = self._identity_probe(lost)
            for stored in self._fetch(column, values):
                known = self.by_identity.get(identity := self._identity_of_stored(stored))
                if known is None or known["removed_on"]:
                    self.by_identity[identity] = stored

    def _fetch(self, column: str, values: Any) -> list[Stored]:
        return fetch(self.session, self.dataset, column, values, lock=self.lock)

    def _remember(self, found: list[Stored]) -> None:
        for stored in found:
            self.by_id[stored["id"]] = stored
            self.by_key[stored[self.key]] = stored

    def _identity_probe(self, rows: Sequence[Row]) -> tuple[str, list[Any]]:
        """The indexed column of the identity, and the rows' values in it."""
        fields = [self.dataset.fields[name] for name in self.dataset.identity]
        for f in fields:
            if f.type == "id":
                numbers = {str(row[f.name]) for row in rows if row.get(f.name)}
                found = {number: self.cipher.digests(number) for number in numbers}
                self.renewed = {old: digests[0] for digests in found.values() for old in digests}
                return f"{f.name}_hash", list(self.renewed)
        first = next(f for f in fields if f.type == "ref")
        return first.column, [row.get(first.name) for row in rows]

    def _identity_of_stored(self, stored: Stored) -> tuple[Any, ...]:
        names = (
            f"{n}_hash" if self.dataset.fields[n].type == "id" else self.dataset.fields[n].column
            for n in self.dataset.identity
        )
        return tuple(self.renewed.get(bytes(v), v) if isinstance(v, bytes) else v for v in map(stored.get, names))

    def identity_of(self, row: Row) -> tuple[Any, ...] | None:
        """The row's identity, ID numbers as digests; None where a part is missing."""
        values = [row.get(name) for name in self.dataset.identity]
        if not values or any(value is None for value in values):
            return None
        typed = zip(self.dataset.identity, values, strict=True)
        return tuple(self.cipher.digest(str(v)) if self.dataset.fields[n].type == "id" else v for n, v in typed)

    def take(self, place: int, row: Row, number: int, drawn: int | None) -> None:
        """Put one row into the plan."""
        stored, revived = self._match(row)
        before = len(self.plan.errors)
        if stored is None:
            self._check_new(row, number)
            if len(self.plan.errors) == before:
                self.plan.creates.append(New(place, row, drawn))
            return
        if self.origin.key_is_new and self._is_anothers(row, stored):
            self._refuse(number, self.key, stored[self.key], "key_taken", "已有记录使用，请填写新的编码")
            return
        if stored["id"] in self.taken:
            label = self.dataset.fields[self.key].label
            self._refuse(
                number,
                self.key,
                stored[self.key],
                "duplicate_key",
                f"与第 {self.taken[stored['id']]} 行是同一条记录（{label} {stored[self.key]}）",
            )
            return
        self.taken[stored["id"]] = number
        self._check_version(row, stored)
        changed = self._compare(row, stored, number)
        self._check_change(row, stored, changed, number, revived)
        if len(self.plan.errors) > before:
            return
        if self.dataset.name == closing.DATASET and changed.get(closing.FIELD, ("", ""))[1] == closing.closed_code():
            self.closing[stored["id"]] = number, stored[self.key]
        if changed or revived:
            self.plan.changes.append(Change(place, stored, changed, revived))
        else:
            self.plan.unchanged.append((place, stored))

    def check_closings(self) -> None:
        """Inner organisations that the rows close are empty by now, or refused by row (办法4(一)1)."""
        inside = {} if self.origin.trial else closing.people_inside(self.session, self.closing)
        for record_id, left in inside.items():
            number, key = self.closing[record_id]
            says = f"不能改为撤销：{key} {closing.still_inside(len(left), [person for _, person in left])}"
            self._refuse(number, closing.FIELD, "撤销", "not_empty", says)
        self.plan.changes = [change for change in self.plan.changes if change.stored["id"] not in inside]

    def _match(self, row: Row) -> tuple[Stored | None, bool]:
        if "id" in row:
            if row["id"] not in self.by_id:
                raise NotFound
            return self.by_id[row["id"]], bool(self.by_id[row["id"]]["removed_on"])
        stored = self.by_key.get(row.get(self.key) or "")
        if stored is None and self.by_identity:
            identity = self.identity_of(row)
            stored = self.by_identity.get(identity) if identity else None
            if stored and row.get(self.key) and not stored["removed_on"]:
                stored = None  # another code for a person who is there already: a new record, which rule P08 then finds
        return stored, bool(stored and stored["removed_on"])

    def _is_anothers(self, row: Row, stored: Stored) -> bool:
        """Whether a new record's key is that of one that is there, or was in another unit: a removed one comes back to its own unit only."""
        unit = self.dataset.unit
        elsewhere = unit is not None and row.get(unit) != stored[self.dataset.fields[unit].column]
        return row.get(self.key) == stored[self.key] and (stored["removed_on"] is None or elsewhere)

    def _compare(self, row: Row, stored: Stored, number: int) -> dict[str, tuple[Any, Any]]:
        """Field name → (old, new) of what differs. A mask that fits the stored number changes nothing."""
        changed: dict[str, tuple[Any, Any]] = {}
        for name, value in row.items():
            f, column = self.fields.get(name, (None, ""))
            if f is None:
                continue
            if f.type == "id":
                self._compare_id(f, value, stored, number, changed)
            elif f.sensitive == "masked" and value and is_mask(value):
                if mask_text(stored[column] or "") != value:
                    self._refuse(number, name, value, "masked", "是掩码，与原值不符，请填写完整内容")
            elif stored[column] != value:
                old = bool(stored[column]) if f.type == "bool" and stored[column] is not None else stored[column]
                changed[name] = (old, value)
        if changed.get(self.key, ("", ""))[1] is None:
            del changed[self.key]  # a row without key keeps the key of the record that it means
        return changed

    def _compare_id(self, f: Field, value: str | None, stored: Stored, number: int, changed: dict[str, Any]) -> None:
        digest, sealed = stored[f"{f.name}_hash"], stored[f.column]
        if value and is_mask(value):
            if not sealed or mask_id(self.cipher.open(sealed)) != value:
                self._refuse(number, f.name, value, "masked", "是掩码，与原号码不符，请填写完整号码")
        elif (bytes(digest) if digest else None) not in (self.cipher.digests(value) if value else [None]):
            changed[f.name] = (self.cipher.open(sealed) if sealed else None, value)

    def _check_new(self, row: Row, number: int) -> None:
        may = self.origin.may_create
        if may is None:
            may = self.origin.may_write_locked or self.dataset.create_by == "unit"
        if not may:
            self._refuse(
                number, self.key, row.get(self.key) or "", "create", f"没有此编码；{self.dataset.title}只能由编办新增"
            )
        if not row.get(self.key) and not self.dataset.key_pattern:
            self._refuse(number, self.key, "", "key_missing", "不能为空")
        elif not row.get(self.key) and self.dataset.identity and self.identity_of(row) is None:
            self._refuse_unknown(row, number)
        for name in self.sensitive_names:
            if row.get(name) and is_mask(row[name]):
                self._refuse(number, name, row[name], "masked", "是掩码，新增记录须填写完整内容")
        self._check_unit(row, None, number)

    def _refuse_unknown(self, row: Row, number: int) -> None:
        """Without key and identity nobody could tell which record it is; told at what is asked for."""
        if self.origin.key_is_new:
            missing = next(name for name in self.dataset.identity if row.get(name) is None)
            self._refuse(number, missing, "", "identity_missing", "须填写，才能认定是哪条记录")
            return
        labels = "、".join(f"「{self.dataset.fields[name].label}」" for name in self.dataset.identity)
        self._refuse(number, self.key, "", "key_missing", f"为空时，{labels}都须填写，才能认定是哪条记录")

    def _check_change(self, row: Row, stored: Stored, changed: Mapping[str, Any], number: int, revived: bool) -> None:
        for name in changed:
            f = self.dataset.fields[name]
            if name == self.key and not revived:
                self._refuse(number, name, str(row[name]), "key_change", "不能更改")
            elif f.locked and not self.origin.may_write_locked:
                self._refuse(
                    number, name, show(f, row[name]) if f.type != "ref" else "", "locked", "为锁定字段，只能由编办修改"
                )
        self._check_unit(row, stored, number)

    def _check_unit(self, row: Row, stored: Stored | None, number: int) -> None:
        """A writer stays inside the own units, with the record as it was and as it would be."""
        units = self.units
        if units is None:
            return
        name = self.dataset.unit or self.key
        if self.dataset.unit:
            column = self.dataset.fields[name].column
            concerned = [row[name]] if name in row else []
            concerned += [stored[column]] if stored else []
        else:
            concerned = [stored["id"]] if stored else [row.get("parent")]
        if any(unit not in units for unit in concerned):
            self._refuse(number, name, "", "out_of_scope", "不在您可维护的单位范围内")

    def _check_version(self, row: Row, stored: Stored) -> None:
        if row.get("version") in (None, stored["version"]):
            return
        raise Conflict(
            who_changed_since(self.session, self.dataset, stored["id"], row["version"]),
            id=stored["id"],
            version=stored["version"],
        )

    def _refuse(self, number: int, name: str, value: str, rule: str, says: str) -> None:
        label = self.dataset.fields[name].label
        self.plan.errors.append(RowError(number, name, label, clip(value), rule, f"第 {number} 行「{label}」{says}"))
