"""Drafts of filings: opened for a record or a new one, saved as typed, judged by the same rules as the register, corrected. Never commits."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from workflow.access.crypto import field_cipher
from workflow.casework.filing import (
    EDITABLE,
    KINDS,
    LEFT,
    PROCESS,
    Content,
    content_of,
    due_dates,
    fields_of,
    held_texts,
    id_field,
    kind_of,
    sealed_number,
    term_of,
    typed_texts,
)  # fmt: skip
from workflow.casework.filing_corrections import Proposal, corrected_number, proposals, title_of
from workflow.casework.models import Filing
from workflow.clock import SHANGHAI, business_date
from workflow.engine.actors import Actor
from workflow.engine.context import CaseRow
from workflow.engine.judging import may_act, reaches
from workflow.engine.models import CASE
from workflow.engine.registry import book
from workflow.engine.steps import NewCase, lock_cases, open_cases, require_moved, take_step
from workflow.errors import BadInput, Conflict, NotAllowed, NotFound, Refused
from workflow.insight.editing import Finding, blocking, judged
from workflow.registry.dictionary import DataSet, code_of, dictionary
from workflow.registry.history import who_changed_since
from workflow.registry.origin import RowsRefused
from workflow.registry.queries import Record, find_by_id
from workflow.registry.records import write
from workflow.registry.tables import TABLES

CLERK = "unit_clerk"
DOC_NO = "_doc_no"
LENGTHS = {"_doc_no": 100, "_reason": 500, "_late_reason": 200}


@dataclass(frozen=True)
class Opening:
    """What a filing is to be about: a record or, without one, a new record of the unit; `texts` fill the form in advance."""

    dataset: str
    unit_id: int
    record: Record | None = None
    leaving: bool = False
    ticket_id: int | None = None
    fact_on: date | None = None
    texts: Mapping[str, str] = field(default_factory=dict)


def open_filing(
    session: Session, opening: Opening, *, actor: Actor, now: datetime, on_behalf_of: str | None = None
) -> int:
    """A draft, or the one that is open for that record already: one at a time. Returns its case. Raises NotAllowed, Refused."""
    record, dataset, today = opening.record, dictionary()[opening.dataset], business_date(now)
    if record is not None and record.removed:
        raise Refused("记录已移除，不能填报变更")
    if record is not None and (other := open_for(session, opening.dataset, record.id)) is not None:
        return other
    kind, fact_on = kind_of(dataset.name, new=record is None, leaving=opening.leaving), opening.fact_on or today
    dates = due_dates(term_of(session, dataset.name, opening.unit_id, fact_on))
    key = record.key if record else ""
    facts: dict[str, Any] = {"dataset": dataset.name, "record_key": key, "kind": kind, **dates}
    title = f"{KINDS[kind]}（{dataset.title} {key or '新增'}）"
    new = NewCase(opening.unit_id, _subject(session, opening), title, day_zero=fact_on, data=facts)
    case_id = open_cases(session, PROCESS, [new], now=now, actor=actor, on_behalf_of=on_behalf_of)[0]
    filing = Filing(
        case_id=case_id, kind=kind, dataset=dataset.name, unit_id=opening.unit_id, ticket_id=opening.ticket_id,
        record_id=record.id if record else None, record_key=key, base_version=record.version if record else None,
        texts=_prefilled(session, dataset, opening), fact_on=fact_on, due_on=date.fromisoformat(dates["due_on"]),
        authors=_with([], actor, on_behalf_of), saved_at=now, auto={}, lines=[], findings=[], revision=1, late_days=0,
    )  # fmt: skip
    session.add(filing)
    if filing.texts:
        check_filing(session, filing, actor, now)
    session.flush()
    return case_id


def may_file(session: Session, actor: Actor, unit_id: int | None) -> bool:
    """Whether the person may begin a filing for a unit, as the process table says."""
    if unit_id is None:
        return False
    held, reached = may_act(session, actor, book().process(PROCESS).opened_by, {unit_id})
    return held and unit_id in reached


def open_for(session: Session, dataset: str, record_id: int) -> int | None:
    """The case of the filing that is open for a record."""
    mine = select(Filing.case_id).join(CASE, CASE.c.id == Filing.case_id)
    return session.scalar(mine.where(Filing.dataset == dataset, Filing.record_id == record_id, CASE.c.open).limit(1))


def _subject(session: Session, opening: Opening) -> str:
    about = f"{opening.record.id}" if opening.record else f"new:{opening.unit_id}"
    subject = f"{opening.dataset}:{about}:"
    earlier = select(func.count()).where(CASE.c.process == PROCESS, CASE.c.subject.like(f"{subject}%"))
    return f"{subject}{(session.scalar(earlier) or 0) + 1}"


def _prefilled(session: Session, dataset: DataSet, opening: Opening) -> dict[str, Any]:
    """What follows from how the filing was begun: the unit, 出编 or 离职, 在编 at entry."""
    fields = fields_of(dataset, new=opening.record is None)
    texts = {name: text for name, text in opening.texts.items() if name in fields and fields[name].type != "id"}
    if opening.leaving and dataset.name in LEFT:
        name, label = LEFT[dataset.name]
        texts[name] = code_of(dataset.name, name, label)
    if opening.record is None:
        if dataset.name == "person":
            texts.setdefault("estab_status", code_of("person", "estab_status", "在编"))
        if dataset.unit:
            unit = TABLES["unit"].c
            texts[dataset.unit] = session.scalar(select(unit.unit_code).where(unit.id == opening.unit_id)) or ""
    return texts


def to_edit(session: Session, case_id: int, actor: Actor) -> tuple[CaseRow, Filing]:
    """A draft that the person may write in, locked. Raises NotFound out of reach, NotAllowed, Refused once it is submitted."""
    found = lock_cases(session, PROCESS, [case_id])
    filing = session.get(Filing, case_id, populate_existing=True)
    if not found or filing is None:
        raise NotFound
    held, reached = may_act(session, actor, [CLERK], {filing.unit_id})
    if not held:
        raise NotAllowed("填报由单位经办人起草")
    if filing.unit_id not in reached:
        raise NotFound
    if found[0].state not in EDITABLE:
        raise Refused("填报已提交，请先取回再修改")
    return found[0], filing


def save_draft(
    session: Session, case_id: int, form: Mapping[str, str], *, actor: Actor, now: datetime, check: bool = True,
    on_behalf_of: str | None = None,
) -> Filing:  # fmt: skip
    """Keeps what was typed, whether or not it can be stored already; with `check` the rules judge it.

    `form`: field → text, and _revision, _doc_no, _doc_on, _fact_on, _reason, _late_reason; what it leaves out stays.
    Raises Conflict where somebody else saved since, BadInput for a date that is none, a foreign unit or a mask that does not fit.
    """
    case, filing = to_edit(session, case_id, actor)
    _prove_revision(filing, form)
    record = find_by_id(session, filing.dataset, filing.record_id) if filing.record_id else None
    _keep_texts(session, filing, record, form)
    _keep_basis(session, case, filing, form, now, {"actor": actor, "on_behalf_of": on_behalf_of})
    _touched(filing, actor, now, on_behalf_of)
    if check:
        check_filing(session, filing, actor, now)
    session.flush()
    return filing


def _prove_revision(filing: Filing, form: Mapping[str, str]) -> None:
    seen = form.get("_revision", "")
    if seen and seen != str(filing.revision):
        at = filing.saved_at.astimezone(SHANGHAI)
        raise Conflict(f"您打开之后，{filing.authors[-1]} 已于 {at:%Y-%m-%d %H:%M} 保存了此草稿，请刷新后重试")


def _touched(filing: Filing, actor: Actor, now: datetime, on_behalf_of: str | None) -> None:
    filing.revision += 1
    filing.saved_at = now
    filing.authors = _with(filing.authors, actor, on_behalf_of)


def _with(authors: Collection[str], actor: Actor, on_behalf_of: str | None) -> list[str]:
    """The authors with whom it is written for and who writes, each once, the latest last: none of them confirms it."""
    latest = [name for name in (on_behalf_of, actor.account) if name]
    return [*(name for name in authors if name not in latest), *latest]


def _keep_texts(session: Session, filing: Filing, record: Record | None, form: Mapping[str, str]) -> None:
    dataset = dictionary()[filing.dataset]
    fields = fields_of(dataset, new=record is None)
    held = held_texts(session, record) if record else {}
    texts, before = dict(filing.texts), dict(filing.texts)
    for name, f in fields.items():
        if name not in form:
            continue
        text = form[name].replace("\r\n", "\n").strip()
        if f.type == "id":
            filing.sealed = sealed_number(f, text, filing, record)
        elif text == held.get(name, ""):
            texts.pop(name, None)
        else:
            texts[name] = text[:10_000]
    _prove_unit(session, filing, dataset, texts, held)
    changed = {name for name in texts.keys() | before.keys() if texts.get(name) != before.get(name)}
    filing.texts = texts
    filing.auto = {name: rule for name, rule in filing.auto.items() if name not in changed}
    filing.returned = {name: why for name, why in filing.returned.items() if name not in changed}


def _prove_unit(
    session: Session, filing: Filing, dataset: DataSet, texts: Mapping[str, str], held: Mapping[str, str]
) -> None:
    """A filing stays within its unit: who moves leaves here (出编) and enters there (入编)."""
    if dataset.unit is None or dataset.unit not in texts or texts[dataset.unit] == held.get(dataset.unit):
        return
    unit = TABLES["unit"].c
    own = session.scalar(select(unit.unit_code).where(unit.id == filing.unit_id))
    if texts[dataset.unit].split("（")[-1].rstrip("）") != own:
        label = dataset.fields[dataset.unit].label
        raise BadInput(
            f"「{label}」须为本填报的单位 {own}；调往其他单位的，由调出单位办理出编登记、调入单位办理入编登记",
            errors=[{"field": dataset.unit}],
        )


def _keep_basis(
    session: Session, case: CaseRow, filing: Filing, form: Mapping[str, str], now: datetime, by: Mapping[str, Any]
) -> None:
    for name, most in LENGTHS.items():
        if name in form:
            setattr(filing, name[1:], form[name].strip()[:most])
    if "_doc_on" in form:
        filing.doc_on = _day(form["_doc_on"], "依据文件日期")
    fact_on = _day(form.get("_fact_on", ""), "事实或文件日期") or filing.fact_on
    if fact_on != filing.fact_on:
        _redate(session, case, fact_on, now, by)


def _redate(session: Session, case: CaseRow, fact_on: date, now: datetime, by: Mapping[str, Any]) -> None:
    """Another day of the fact: out of the draft and back, so that the old term's timers end and the new ones begin."""
    zero, given = {case.id: fact_on}, {"fact_on": fact_on.isoformat()}
    for do, inputs in (("redate", given), ("resume", {})):
        result = take_step(session, PROCESS, do, [case.id], now=now, inputs=inputs, day_zero=zero, **by)
        require_moved(result)


def _day(text: str, label: str) -> date | None:
    try:
        return date.fromisoformat(text.strip()) if text.strip() else None
    except ValueError:
        raise BadInput(f"{label}“{text[:20]}”不是 YYYY-MM-DD 格式") from None


def check_filing(session: Session, filing: Filing, actor: Actor, now: datetime) -> None:
    """Has the rules judge the record as it would be, and keeps what they said with the filing (办法9); nothing is written to the register.

    What the drafter may not see is unknown to the draft.
    """
    record = find_by_id(session, filing.dataset, filing.record_id) if filing.record_id else None
    own = reaches(session, actor, book().process(PROCESS).opened_by)
    content = content_of(session, filing, record, own)
    filing.lines = content.lines
    filing.kind = _kind(filing, record, content)
    faults = [_told(Finding("", "B", name, why, ""), blocks=True) for name, why in content.faults.items()]
    session.flush()
    filing.findings = faults or _judged_as_if(session, filing, record, content, now)
    filing.checked_revision = filing.revision
    session.flush()


def _kind(filing: Filing, record: Record | None, content: Content) -> str:
    name, label = LEFT.get(filing.dataset, ("", ""))
    leaving = bool(name) and content.values.get(name) == code_of(filing.dataset, name, label)
    return kind_of(filing.dataset, new=record is None, leaving=leaving)


def _judged_as_if(
    session: Session, filing: Filing, record: Record | None, content: Content, now: datetime
) -> list[dict[str, Any]]:
    """Writes inside a savepoint, judges, and takes the writing back."""
    if not content.values:
        return []
    today = business_date(now)
    before = judged(session, filing.dataset, record.id, today) if record else []
    row = ({"id": record.id, "version": record.version} if record else {}) | content.values
    trial = session.begin_nested()
    try:
        written = write(
            session,
            filing.dataset,
            [row],
            by=filing.authors[0],
            now=now,
            may_write_locked=True,
            may_create=True,
            key_is_new=record is None,
            trial=True,
        )
        after = judged(session, filing.dataset, written.ids[0], today)
    except RowsRefused as refused:
        told = [Finding("", "B", e.field, e.message.removeprefix(f"第 {e.row} 行"), "") for e in refused.errors]
        return [_told(one, blocks=True) for one in told]
    except (Refused, Conflict, BadInput) as refused:
        return [_told(Finding("", "B", "", refused.says, ""), blocks=True)]
    finally:
        trial.rollback()
    blocked = blocking(before, after)
    known = {(f.rule_id, f.field) for f in before}
    return [_told(f, blocks=f in blocked, known=(f.rule_id, f.field) in known) for f in after if f.level != "H"]


def _told(finding: Finding, *, blocks: bool, known: bool = False) -> dict[str, Any]:
    return {**finding._asdict(), "blocks": blocks, "known": known}


def offered_corrections(session: Session, filing: Filing, record: Record | None) -> list[Proposal]:
    """The safe corrections that the draft could take over."""
    held = held_texts(session, record) if record else {}
    basis = {"doc_no": corrected_number(filing.doc_no), "fact_on": filing.fact_on.isoformat()}
    found = proposals(dictionary()[filing.dataset], typed_texts(filing), held, kind=filing.kind, basis=basis)
    if basis["doc_no"] != filing.doc_no:
        better = basis["doc_no"]
        found.append(Proposal(DOC_NO, "依据文号", "brackets", title_of("brackets"), filing.doc_no, better, better))
    return found


def adopt_corrections(
    session: Session, case_id: int, chosen: Collection[str], *, actor: Actor, now: datetime, on_behalf_of: str | None = None
) -> list[Proposal]:  # fmt: skip
    """Takes over the chosen proposals; the rule stays with each field until it is typed anew."""
    _, filing = to_edit(session, case_id, actor)
    record = find_by_id(session, filing.dataset, filing.record_id) if filing.record_id else None
    taken = [p for p in offered_corrections(session, filing, record) if p.field in chosen]
    sealed = id_field(dictionary()[filing.dataset])
    for proposal in taken:
        if proposal.field == DOC_NO:
            filing.doc_no = proposal.becomes
            continue
        if sealed and proposal.field == sealed.name:
            filing.sealed = field_cipher().seal(proposal.becomes)
        else:
            filing.texts = {**filing.texts, proposal.field: proposal.becomes}
        filing.auto = {**filing.auto, proposal.field: proposal.rule}
    if taken:
        _touched(filing, actor, now, on_behalf_of)
        check_filing(session, filing, actor, now)
    return taken


def rebase(session: Session, case_id: int, *, actor: Actor, now: datetime, on_behalf_of: str | None = None) -> Filing:
    """Puts the draft on the record's newest version: what was typed stays, the differences are told anew."""
    _, filing = to_edit(session, case_id, actor)
    record = find_by_id(session, filing.dataset, filing.record_id) if filing.record_id else None
    if record is None or record.removed:
        raise Refused("记录已移除，不能填报变更；请撤回本填报")
    filing.base_version = record.version
    _touched(filing, actor, now, on_behalf_of)
    check_filing(session, filing, actor, now)
    return filing


def changed_meanwhile(session: Session, filing: Filing) -> str:
    """Who changed the record since the draft was opened, and what; empty where nobody did."""
    if filing.record_id is None or filing.base_version is None:
        return ""
    table = TABLES[filing.dataset].c
    version = session.scalar(select(table.version).where(table.id == filing.record_id))
    if version == filing.base_version:
        return ""
    return who_changed_since(session, dictionary()[filing.dataset], filing.record_id, filing.base_version)
