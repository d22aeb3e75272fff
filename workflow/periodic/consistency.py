"""市县数据贯通校验 (办法10(三)): do the units' figures, the ledger and the units among themselves agree? Set-based; reads only, six statements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session, aliased

from workflow.access.scopes import CITY
from workflow.engine.sets import among
from workflow.insight.units import code
from workflow.periodic.figures import in_post_on, label_of, ledger_on, moved
from workflow.periodic.months import first_day, last_day
from workflow.registry.dictionary import dictionary
from workflow.registry.tables import TABLES

UNIT, PERSON, LEDGER = TABLES["unit"], TABLES["person"], TABLES["ledger"]
KINDS = {
    "balance": "台账控编数与累计不符",
    "orphan": "台账所属机构已不存在或没有政区",
    "double": "同一人占用两个单位编制",
    "left": "调出未见调入",
    "came": "调入未见调出",
}
# The data set whose record a discrepancy of a kind names.
OF = {"balance": "ledger", "orphan": "unit", "double": "person", "left": "person", "came": "person"}
MOST = 2000  # discrepancies of one kind; a city with more has another problem


@dataclass(frozen=True)
class Discrepancy:
    """One thing that does not agree: of which unit, of which kind, about which record."""

    kind: str
    unit_id: int | None
    district: str
    unit_code: str
    unit_name: str
    key: str
    says: str


@dataclass(frozen=True)
class Sum:
    """The figures of one district and quota type, by units and by the ledger."""

    district: str
    quota_type: str
    label: str
    approved: int
    occupied: int
    ledger: int

    @property
    def agrees(self) -> bool:
        """Whether the units' sum is the ledger's."""
        return self.approved == self.ledger


def discrepancies(
    session: Session, month: str, district: str | None = None, units: Collection[int] | None = None
) -> list[Discrepancy]:
    """Everything that does not agree as of the end of a month, in the city, one district of it, or some units."""
    day, place = last_day(month), _place(district) if units is None else among(session, UNIT.c.id, units)
    found = [*_balances(session, day, place), *_orphans(session, day, place), *_doubles(session, day, place)]
    return [*found, *_left(session, month, place), *_came(session, month, place)]


def _place(district: str | None) -> ColumnElement[bool]:
    return UNIT.c.district_code == district if district else or_(UNIT.c.id.is_not(None), UNIT.c.id.is_(None))


def _one(kind: str, row: Any, key: str, says: str) -> Discrepancy:
    return Discrepancy(kind, row.unit_id, row.district_code or "", row.unit_code or "", row.name or "", key, says)


WHO = (UNIT.c.id.label("unit_id"), UNIT.c.district_code, UNIT.c.unit_code, UNIT.c.name)


def _balances(session: Session, day: date, place: ColumnElement[bool]) -> list[Discrepancy]:
    """The balance written on the last ledger row of a unit and quota type against the sum of its rows."""
    row = LEDGER.c
    order = func.row_number().over(
        partition_by=(row.unit_id, row.quota_type), order_by=(row.doc_date.desc(), row.ledger_no.desc())
    )
    total = func.sum(func.coalesce(row.delta_plus, 0) - func.coalesce(row.delta_minus, 0)).over(
        partition_by=(row.unit_id, row.quota_type)
    )
    rows = select(row.unit_id, row.quota_type, row.ledger_no, row.balance_after, total.label("total"), order.label("n"))
    last = rows.where(ledger_on(row, day)).subquery()
    wrong = select(*WHO, last.c.ledger_no, last.c.quota_type, last.c.balance_after, last.c.total)
    wrong = wrong.join(UNIT, UNIT.c.id == last.c.unit_id).where(
        last.c.n == 1, last.c.balance_after != last.c.total, place
    )
    return [
        _one("balance", r, r.ledger_no, f"{label_of('quota', r.quota_type)}：台账 {r.ledger_no} 控编数 {r.balance_after}，历次增减累计 {r.total}")
        for r in session.execute(wrong.order_by(UNIT.c.unit_code, last.c.ledger_no).limit(MOST))
    ]  # fmt: skip


def _orphans(session: Session, day: date, place: ColumnElement[bool]) -> list[Discrepancy]:
    """Quotas in the ledger that no present unit of a district carries."""
    gone = or_(UNIT.c.removed_on.is_not(None), UNIT.c.district_code.is_(None))
    number = moved(LEDGER.c)
    lost = select(*WHO, LEDGER.c.quota_type, number.label("number")).join(UNIT, UNIT.c.id == LEDGER.c.unit_id)
    lost = lost.where(ledger_on(LEDGER.c, day), gone, place).group_by(*WHO, LEDGER.c.quota_type).having(number != 0)
    return [
        _one("orphan", r, r.unit_code, f"{label_of('quota', r.quota_type)} {r.number} 名仍在台账，所属机构已移除或没有政区")
        for r in session.execute(lost.order_by(UNIT.c.unit_code).limit(MOST))
    ]  # fmt: skip


def _doubles(session: Session, day: date, place: ColumnElement[bool]) -> list[Discrepancy]:
    """One ID number in post in two units: told to each of them, without the other's name of the person."""
    person, other = PERSON.c, aliased(PERSON)
    theirs = aliased(UNIT)
    twice = (
        select(*WHO, person.person_code, theirs.c.name.label("other_name"), theirs.c.unit_code.label("other_code"))
        .join(PERSON, person.unit_id == UNIT.c.id)
        .join(other, (other.c.id_no_hash == person.id_no_hash) & (other.c.unit_id != person.unit_id))
        .join(theirs, theirs.c.id == other.c.unit_id)
        .where(person.id_no_hash.is_not(None), in_post_on(person, day), in_post_on(other.c, day), place)
    )
    return [
        _one("double", r, r.person_code, f"人员 {r.person_code} 同时占用 {r.other_name or r.other_code} 的编制")
        for r in session.execute(twice.order_by(UNIT.c.unit_code, person.person_code).limit(MOST))
    ]  # fmt: skip


def _left(session: Session, month: str, place: ColumnElement[bool]) -> list[Discrepancy]:
    """Left for a unit of the city in the month, and in post nowhere."""
    person, there = PERSON.c, aliased(PERSON)
    aim = aliased(UNIT)
    reasons = [code("exit_reason", label) for label in ("调出", "机构划转")]
    arrived = select(there.c.id).where(
        there.c.id_no_hash == person.id_no_hash, there.c.id != person.id, there.c.removed_on.is_(None),
        there.c.estab_status == code("estab_status", "在编"),
    )  # fmt: skip
    gone = (
        select(*WHO, person.person_code, aim.c.name.label("aim"))
        .join(PERSON, person.unit_id == UNIT.c.id)
        .join(aim, (aim.c.name == person.exit_dest) & aim.c.removed_on.is_(None))
        .where(person.removed_on.is_(None), person.estab_status == code("estab_status", "出编"), place)
        .where(
            person.exit_reason.in_(reasons),
            person.exit_date.between(first_day(month), last_day(month)),
            ~arrived.exists(),
        )
    )
    return [
        _one("left", r, r.person_code, f"人员 {r.person_code} 调往 {r.aim}，全市未见入编登记")
        for r in session.execute(gone.order_by(UNIT.c.unit_code, person.person_code).limit(MOST))
    ]


def _came(session: Session, month: str, place: ColumnElement[bool]) -> list[Discrepancy]:
    """Came from a unit of the city in the month, which never let the person go."""
    person, there = PERSON.c, aliased(PERSON)
    home = aliased(UNIT)
    let_go = select(there.c.id).where(
        there.c.id_no_hash == person.id_no_hash, there.c.unit_id == home.c.id,
        there.c.estab_status == code("estab_status", "出编"),
    )  # fmt: skip
    came = (
        select(*WHO, person.person_code, home.c.name.label("home"))
        .join(PERSON, person.unit_id == UNIT.c.id)
        .join(home, (home.c.name == person.entry_source) & (home.c.id != UNIT.c.id) & home.c.removed_on.is_(None))
        .where(person.removed_on.is_(None), person.estab_status == code("estab_status", "在编"), place)
        .where(
            person.entry_way == code("entry_way", "调入"),
            person.entry_date.between(first_day(month), last_day(month)),
            ~let_go.exists(),
        )
    )
    return [
        _one("came", r, r.person_code, f"人员 {r.person_code} 由 {r.home} 调入，该单位未见出编登记")
        for r in session.execute(came.order_by(UNIT.c.unit_code, person.person_code).limit(MOST))
    ]


def sums(session: Session, month: str) -> list[Sum]:
    """District × quota type: the sum over the present units against the whole ledger, the city last. Three statements."""
    day = last_day(month)
    present = (UNIT.c.removed_on.is_(None), UNIT.c.district_code.is_not(None))
    by_units = _by_district(session, LEDGER, moved(LEDGER.c), ledger_on(LEDGER.c, day), *present)
    people = _by_district(session, PERSON, func.count(), in_post_on(PERSON.c, day), *present)
    ledger = _by_district(session, LEDGER, moved(LEDGER.c), ledger_on(LEDGER.c, day))
    lines = [
        Sum(d, q, label_of("quota", q), by_units.get((d, q), 0), people.get((d, q), 0), ledger.get((d, q), 0))
        for d, q in sorted({*by_units, *people, *ledger})
    ]  # fmt: skip
    return [*lines, *_city(lines)]


def _by_district(session: Session, table: Any, number: Any, *conditions: Any) -> dict[tuple[str, str], int]:
    joined = select(UNIT.c.district_code, table.c.quota_type, number).join(UNIT, UNIT.c.id == table.c.unit_id)
    rows = session.execute(joined.where(*conditions).group_by(UNIT.c.district_code, table.c.quota_type))
    return {(row[0] or "", row[1] or ""): int(row[2] or 0) for row in rows}


def _city(lines: list[Sum]) -> list[Sum]:
    totals: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for line in lines:
        for n, value in enumerate((line.approved, line.occupied, line.ledger)):
            totals[line.quota_type][n] += value
    return [Sum("", q, label_of("quota", q), *totals[q]) for q in sorted(totals)]


def district_name(district: str) -> str:
    """The name of a district; 市直 for the city's own units, 合计 for the sum."""
    return "全市合计" if not district else "市直" if district == CITY else dictionary().codes["region"].label(district)
