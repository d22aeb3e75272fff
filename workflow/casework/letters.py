"""书面函告 (办法10(四)): drafted from findings, signed by a leader under a number without gaps, answered in time or late, closed when verified.

Guards and effects of definitions/processes/letter.yaml; its words stand in definitions/documents/letter.yaml.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import orjson
import yaml
from sqlalchemy import select
from sqlalchemy.orm import Session

from workflow.calendar.deadline import deadline
from workflow.casework.links import link
from workflow.casework.matters import title_for, titled
from workflow.casework.offices import offices_of, own_number
from workflow.casework.serials import next_number
from workflow.clock import business_date
from workflow.engine.actors import SYSTEM
from workflow.engine.context import StepContext
from workflow.engine.models import Case
from workflow.engine.registry import book, effect
from workflow.engine.steps import NewCase, open_cases
from workflow.errors import NotFound
from workflow.operations.requests import ask
from workflow.quality.terms import policies_of
from workflow.registry.dictionary import DEFINITIONS, dictionary
from workflow.registry.tables import TABLES

PROCESS = "letter"
UNIT = TABLES["unit"].c


@dataclass(frozen=True)
class Letter:
    """A letter as it is put on paper."""

    office: str
    number: str
    subject: str
    addressee: str
    opening: str
    problems: tuple[str, ...]
    demand: str
    closing: str
    issued_on: date | None


@functools.cache
def words() -> dict[str, str]:
    """The sentences of a letter (definitions/documents/letter.yaml)."""
    read: dict[str, str] = yaml.load(
        (DEFINITIONS / "documents" / "letter.yaml").read_text(encoding="utf-8"), Loader=yaml.CSafeLoader
    )
    return read


@titled(PROCESS)
def title(values: Mapping[str, Any], unit_name: str) -> str:
    """As lists show it."""
    return f"{values.get('subject', '函')}（{unit_name}）"


def open_letter(
    session: Session,
    unit_id: int,
    problems: Sequence[Mapping[str, str]],
    *,
    round_case: int | None,
    about: str,
    now: datetime,
) -> int:
    """A draft to a unit about problems (record, label, says), tied to the round that it comes of. Returns the case."""
    says, days = words(), _days(session, unit_id)
    lines = [
        says["problem"].format(n=n, **{k: p[k] for k in ("label", "record", "says")}) for n, p in enumerate(problems, 1)
    ]
    form = {
        "subject": says["subject"].format(about=about),
        "opening": says["opening"].format(about=about),
        "problems": "\n".join(lines),
        "demand": says["demand"].format(days=days),
    }
    name = session.scalar(select(UNIT.name).where(UNIT.id == unit_id)) or ""
    year = business_date(now).year
    subject = f"{year}-{next_number(session, PROCESS, year):04d}"
    new = NewCase(
        unit_id, subject, title_for(session, PROCESS, form, name), data={"form": form, "problems": len(lines)}
    )
    case_id = open_cases(session, PROCESS, [new], now=now, actor=SYSTEM)[0]
    if round_case is not None:
        link(session, case_id, round_case, "belongs_to", now)
    return case_id


def _days(session: Session, unit_id: int) -> int:
    return policies_of(session, [unit_id])[unit_id].term("letter.reply").n


@effect("number_the_letter")
def number_the_letter(context: StepContext) -> None:
    """The number of the signer's own office, the day, the digest of what was signed, and the last day of the reply.

    Raises Refused where that office has no numbers of its own.
    """
    offices = offices_of(context)
    for case in context.cases:
        if case.unit_id is None:
            raise NotFound("函没有收函单位")
        district = offices[case.id]
        number = own_number(context, district)
        due = deadline(context.today, _days(context.session, case.unit_id), book().calendar).due_on
        signed = orjson.dumps({"number": number, **case.data["form"]}, option=orjson.OPT_SORT_KEYS)
        context.keep(
            case, number=number, office=district, issued_on=context.today.isoformat(),
            sha256=hashlib.sha256(signed).hexdigest(), due_on=due.isoformat() if due else None,
        )  # fmt: skip


@effect("judge_the_unit_again")
def judge_the_unit_again(context: StepContext) -> None:
    """The unit is judged by the rules at once: a letter past its term is a problem of the unit's, until it is answered (rule D06)."""
    units = sorted({case.unit_id for case in context.cases if case.unit_id is not None})
    if units:
        records = [["unit", unit_id] for unit_id in units]
        behalf = context.request.on_behalf_of
        ask(context.session, "check", {"records": records}, by=context.account, now=context.now, on_behalf_of=behalf)


@effect("keep_reply")
def keep_reply(context: StepContext) -> None:
    """What the unit answered, when, and whether that was late; lateness stays."""
    for case in context.cases:
        given = context.request.inputs
        late = case.state == "overdue" or context.today.isoformat() > case.data["due_on"] or bool(case.data.get("late"))
        context.keep(
            case, reply=given["answer"], evidence=given.get("papers", []), replied_on=context.today.isoformat(), late=late
        )  # fmt: skip


def letter_of(session: Session, case: Case) -> Letter:
    """The letter of a case, for paper. Raises NotFound for another process."""
    if case.process != PROCESS:
        raise NotFound
    form, says = case.data.get("form", {}), words()
    row = session.execute(select(UNIT.name, UNIT.district_code).where(UNIT.id == case.unit_id)).one()
    district = case.data.get("office") or policies_of(session, [case.unit_id])[case.unit_id].district
    place = dictionary().codes["region"].label(district)
    issued = case.data.get("issued_on")
    return Letter(
        office=says["office"].format(place=place),
        number=case.data.get("number", "（未签发）"),
        subject=form.get("subject", ""),
        addressee=row.name,
        opening=form.get("opening", ""),
        problems=tuple(form.get("problems", "").splitlines()),
        demand=form.get("demand", ""),
        closing=says["closing"],
        issued_on=date.fromisoformat(issued) if issued else None,
    )
