"""填报 (办法5, 办法7, 办法8): what one filing is about, which fields it may change, what it changes, by when it is due. Reads only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from sqlalchemy.orm import Session

from workflow.access.crypto import field_cipher, is_mask, mask_id
from workflow.calendar.deadline import Deadline, deadline
from workflow.casework.models import Filing
from workflow.db import ymd
from workflow.engine.registry import book
from workflow.errors import BadInput
from workflow.insight.editing import WRITES, typed, writable_fields
from workflow.quality.terms import policies_of
from workflow.registry.dictionary import DataSet, Field, dictionary
from workflow.registry.queries import Record, titles_of
from workflow.registry.values import choices, show

PROCESS = "filing"
KINDS = {
    "change": "人员信息变更",
    "entry": "入编登记",
    "exit": "出编登记",
    "position": "任职变动",
    "contract": "编外用工",
    "other": "机构和台账数据",
}
OFFICE_DATA = (
    "unit",
    "inner_org",
    "ledger",
    "leader_quota",
    "contract_quota",
)  # their term counts from the document, 办法7
LEFT = {"person": ("estab_status", "出编"), "contract": ("status", "离职")}
EDITABLE = ("draft", "returned")


@dataclass
class Content:
    """What a filing would write: field → stored value; field → old and new as shown; field → why it cannot be stored."""

    values: dict[str, Any] = field(default_factory=dict)
    lines: list[dict[str, Any]] = field(default_factory=list)
    faults: dict[str, str] = field(default_factory=dict)


def kind_of(dataset: str, *, new: bool, leaving: bool) -> str:
    """The kind under which a filing is listed."""
    if dataset == "person":
        return "exit" if leaving and not new else "entry" if new else "change"
    return dataset if dataset in ("position", "contract") else "other"


def fields_of(dataset: DataSet, *, new: bool) -> dict[str, Field]:
    """The fields that a filing may change: all but derived ones, locked ones included; the key at first entry where none is drawn."""
    fields = writable_fields(dataset, WRITES, new=new)
    return {name: f for name, f in fields.items() if name != dataset.key or not dataset.key_pattern}


def id_field(dataset: DataSet) -> Field | None:
    """The field that holds an ID number."""
    return next((f for f in dataset.fields.values() if f.type == "id"), None)


def held_texts(session: Session, record: Record) -> dict[str, str]:
    """Field → what an input holds of a record: codes as codes, references as keys, ID numbers as their mask."""
    titles = _titles(session, record)
    return {name: _held(f, record.values[name], titles) for name, f in record.dataset.fields.items()}


def _held(f: Field, value: Any, titles: Mapping[tuple[str, int], str]) -> str:
    if value is None or isinstance(value, bytes):
        return ""
    if f.type == "ref":
        return titles.get((f.ref or "", value), "").split("（")[-1].rstrip("）")
    return str(value) if f.type == "code" or f.sensitive == "masked" else show(f, value)


def _titles(session: Session, record: Record) -> dict[tuple[str, int], str]:
    wanted: dict[str, set[int]] = {}
    for f in record.dataset.fields.values():
        if f.type == "ref" and f.ref and isinstance(record.values[f.name], int):
            wanted.setdefault(f.ref, set()).add(record.values[f.name])
    return {(ref, i): title for ref, ids in wanted.items() for i, title in titles_of(session, ref, ids).items()}


def typed_texts(filing: Filing) -> dict[str, str]:
    """Field → text of the filing, the ID number in full: for conversion only, never for a page."""
    texts = dict(filing.texts)
    sealed = id_field(dictionary()[filing.dataset])
    if filing.sealed and sealed:
        texts[sealed.name] = field_cipher().open(filing.sealed)
    return texts


def shown_texts(filing: Filing) -> dict[str, str]:
    """Field → text of the filing as an input may hold it: the ID number masked."""
    texts, sealed = typed_texts(filing), id_field(dictionary()[filing.dataset])
    if sealed and sealed.name in texts:
        texts[sealed.name] = mask_id(texts[sealed.name])
    return texts


def content_of(
    session: Session, filing: Filing, record: Record | None, may_name: Callable[[int], bool] | None = None
) -> Content:
    """What the filing would write over the record as it is now. `may_name`: unit id → whether the drafter may name its records."""
    dataset = dictionary()[filing.dataset]
    fields = fields_of(dataset, new=record is None)
    held = record.values if record else None
    found = typed(session, fields, typed_texts(filing), may_name=may_name, held=held)
    content = Content(faults=found.faults)
    old = _display(session, dataset, record.values if record else {})
    new = _display(session, dataset, found.values)
    for name in (n for n in fields if n in found.values or n in found.faults):
        if name in found.faults:
            content.lines.append(_line(filing, fields[name], old.get(name, ""), filing.texts.get(name, "")))
        elif differs(fields[name], found.values[name], record):
            content.values[name] = found.values[name]
            content.lines.append(_line(filing, fields[name], old.get(name, ""), new[name]))
    return content


def differs(f: Field, value: Any, record: Record | None) -> bool:
    """Whether a stored value differs from what the record holds; ID numbers are compared by their digests."""
    if record is None:
        return value is not None
    old = record.values[f.name]
    if f.type == "id":
        digest = record.columns[f"{f.name}_hash"]
        return value is not None and (digest is None or bytes(digest) not in field_cipher().digests(value))
    return value != (ymd(old) if isinstance(old, date) else old)


def _display(session: Session, dataset: DataSet, values: Mapping[str, Any]) -> dict[str, str]:
    """Field → value as a person reads it: labels, names of references, masks."""
    shown = {}
    for name, value in values.items():
        f = dataset.fields[name]
        if value is None or isinstance(value, bytes):
            shown[name] = ""
        elif f.type == "ref" and f.ref:
            shown[name] = titles_of(session, f.ref, [value]).get(value, f"#{value}")
        else:
            shown[name] = show(f, value)
    return shown


def _line(filing: Filing, f: Field, old: str, new: str) -> dict[str, Any]:
    marks = {"locked": f.locked, "important": f.important, "auto": filing.auto.get(f.name, "")}
    return {"field": f.name, "label": f.label, "old": old, "new": new, **marks}


def why_review(filing: Filing) -> str:
    """Why the office has to review a filing, in words; empty where the unit's confirmation is enough (办法17)."""
    dataset = dictionary()[filing.dataset]
    if filing.record_id is None and filing.dataset in ("person", *OFFICE_DATA):
        return f"新增{dataset.title}须经编办审核"
    if filing.kind == "exit":
        return "出编登记须经编办审核"
    named = [line["label"] for line in filing.lines if line["locked"] or line["important"]]
    named += [line["label"] for line in filing.lines if line["field"] == dataset.unit and filing.record_id is not None]
    return f"涉及锁定或重要字段：{'、'.join(named)}" if named else ""


def important(filing: Filing) -> list[str]:
    """The labels of the important fields that a filing changes (重, 办法17)."""
    return [line["label"] for line in filing.lines if line["important"]]


def term_of(session: Session, dataset: str, unit_id: int, fact_on: date) -> Deadline:
    """The filing term with its derivation: working days after the document was issued (办法7) or formalities were completed (办法8)."""
    name = "filing.ledger" if dataset in OFFICE_DATA else "filing.person"
    n = policies_of(session, [unit_id])[unit_id].term(name).n
    return deadline(fact_on, n, book().calendar)


def due_dates(term: Deadline) -> dict[str, str]:
    """The last day in time, and the day after which the reminder goes out: as the last two working days begin."""
    assert term.due_on is not None
    counted = [day.date for day in term.days if day.counted]
    remind = (counted[-2] if len(counted) > 1 else counted[-1]) - timedelta(1) if counted else term.due_on
    return {"due_on": term.due_on.isoformat(), "remind_on": remind.isoformat()}


def days_late(filing: Filing, today: date) -> int:
    """Calendar days past the term on a day; never less than what is recorded already."""
    return max(filing.late_days, (today - filing.due_on).days, 0)


def sealed_number(f: Field, text: str, filing: Filing, record: Record | None) -> bytes | None:
    """The ID number of a form, sealed: a mask keeps what the draft holds, nothing typed means no change."""
    text = text.strip()
    if not text:
        return None
    if is_mask(text):
        kept = field_cipher().open(filing.sealed) if filing.sealed else None
        stored = record.values[f.name] if record else None
        if text not in (mask_id(kept), stored):
            raise BadInput(f"「{f.label}」是掩码，与原号码不符，请填写完整号码", errors=[{"field": f.name}])
        return filing.sealed
    if len(text) > 40:
        raise BadInput(f"「{f.label}」过长", errors=[{"field": f.name}])
    return field_cipher().seal(text)


def code_offers(f: Field, present: str, today: date) -> list[tuple[str, str]]:
    """The codes that a form offers, and what stands there now even where it is no code or retired."""
    offered = [(item.code, item.label) for item in choices(f, today)]
    if present and present not in dict(offered):
        label = dictionary().codes_of(f).label(present)
        offered.append((present, f"{label}（已停用）" if label != present else f"{present}（不在代码表中）"))
    return offered


def field_named(dataset: DataSet, told: str) -> str:
    """The name of the field that a finding points at: it tells a name, a label, or a path that begins with one."""
    first = told.split(".")[0]
    return dataset.by_label[first].name if first in dataset.by_label else first
