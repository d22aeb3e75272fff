"""What a case rests on beside its own rows: the filing with its differences, the ticket with its rule, holds, notice, signatures, record versions. Reads only."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Table, select
from sqlalchemy.orm import Session

from workflow.access.scopes import Actor, may_at
from workflow.casework.models import HOLD, SIGNATURE, Filing
from workflow.engine.models import Case
from workflow.insight.case import ticket_of
from workflow.insight.record import text_of
from workflow.insight.wording import rule_named, said, spoken
from workflow.periodic.models import SNAPSHOT
from workflow.quality.models import Ticket
from workflow.registry.dictionary import dictionary
from workflow.registry.history import versions
from workflow.registry.models import NOTICE, RecordVersion
from workflow.registry.queries import find_by_id, titles_of

FILED = (
    "kind", "dataset", "record_key", "base_version", "doc_no", "doc_on", "fact_on", "reason", "late_reason", "due_on", "submitted_on",
    "late_days", "authors", "confirmer", "revision", "checked_revision", "lines", "findings", "returned", "accepted_on",
)  # fmt: skip
TICKETED = (
    "id", "rule_id", "dataset", "record_key", "part", "level", "field", "present", "first_found_on", "found_on", "deadline_on", "red_on",
    "resolved_on", "resolved_how", "recurrences",
)  # fmt: skip
LATEST = 30  # versions of a record at most; the whole history stands on the record's page


def grounds_of(session: Session, asker: Actor, case: Case) -> dict[str, Any]:
    """Each ground that the case has, by its name; those that it has not are left out."""
    filing, ticket = session.get(Filing, case.id), ticket_of(session, case)
    found = {
        "filing": {name: getattr(filing, name) for name in FILED} if filing else None,
        "ticket": _ticket(ticket) if ticket else None,
        "holds": _rows(session, HOLD, case.id),
        "notice": _rows(session, NOTICE, case.id),
        "signatures": _rows(session, SIGNATURE, case.id),
        "snapshot": [
            {name: row[name] for name in ("month", "sha256", "locked_at", "locked_by")}
            for row in _rows(session, SNAPSHOT, case.id)
        ],
        "versions": _versions(session, asker, case, filing, ticket),
    }
    return {name: ground for name, ground in found.items() if ground}


def _rows(session: Session, table: Table, case_id: int) -> list[dict[str, Any]]:
    return [dict(row) for row in session.execute(select(table).where(table.c.case_id == case_id)).mappings()]


def _ticket(ticket: Ticket) -> dict[str, Any]:
    rule = rule_named(ticket.rule_id, ticket.dataset)
    told = {name: getattr(ticket, name) for name in TICKETED}
    if rule is None:
        return told
    shown = [[label, str(value)] for label, value in spoken(rule, ticket.part, ticket.facts)]
    about = {"title": rule.title, "text": rule.text, "basis": list(rule.basis), "level": rule.level}
    return {**told, "says": said(rule, ticket.part, ticket.facts), "values": shown, "rule": about}


def _versions(
    session: Session, asker: Actor, case: Case, filing: Filing | None, ticket: Ticket | None
) -> list[dict[str, Any]]:
    """The versions of the record that the case is about: what was written until it was closed, newest last; values where one may see them."""
    about = filing if filing and filing.record_id else ticket
    if about is None or about.record_id is None:
        return []
    record = find_by_id(session, about.dataset, about.record_id)
    written = [
        one
        for one in versions(session, about.dataset, about.record_id)
        if case.closed_at is None or one.at <= case.closed_at
    ]
    seen = record is not None and record.unit_id is not None and may_at(session, asker, "record.read", record.unit_id)
    titles = _titles(session, about.dataset, written) if seen else {}
    return [_version(about.dataset, one, titles if seen else None) for one in written[-LATEST:]]


def _version(dataset: str, one: RecordVersion, titles: dict[tuple[str, int], str] | None) -> dict[str, Any]:
    fields = dictionary()[dataset].fields
    known = {name: change for name, change in one.changes.items() if name in fields}
    told = {
        fields[name].label: [text_of(fields[name], value, titles) for value in change] if titles is not None else None
        for name, change in known.items()
    }
    return {"dataset": dataset, "version": one.version, "kind": one.kind, "at": one.at, "effective_on": one.effective_on, "by": one.by,
            "on_behalf_of": one.on_behalf_of, "basis": one.basis, "source": one.source, "case": one.case_id, "changes": told}  # fmt: skip


def _titles(session: Session, dataset: str, written: list[RecordVersion]) -> dict[tuple[str, int], str]:
    wanted: dict[str, set[int]] = {}
    for name, f in dictionary()[dataset].fields.items():
        if f.type == "ref" and f.ref:
            values = [value for one in written for value in one.changes.get(name, ())]
            wanted.setdefault(f.ref, set()).update(value for value in values if isinstance(value, int))
    return {(ref, i): title for ref, ids in wanted.items() if ids for i, title in titles_of(session, ref, ids).items()}
