"""填报 beside the rest: a suspension blocks none, and of two who accept at once the register is written once."""

from __future__ import annotations

import threading
from datetime import date

from sqlalchemy import Engine, select

from tests.casework.suspended_room import SECOND, proposal, red_city
from tests.casework.suspended_room import step as step_of
from tests.quality.ticket_room import OFFICE, at
from workflow.casework.filing_drafting import Opening, open_filing, save_draft
from workflow.casework.holds import band_on, spans_of
from workflow.casework.models import Filing
from workflow.db import reading, writing
from workflow.engine.actors import Person
from workflow.engine.models import CASE
from workflow.engine.steps import require_moved, take_step
from workflow.errors import Conflict, Refused
from workflow.registry.models import RecordVersion
from workflow.registry.queries import find_by_key

DAY = date(2026, 3, 12)
CLERK = Person("clerk@1", {"unit_clerk": frozenset({OFFICE})})
HEAD = Person("head@1", {"unit_head": frozenset({OFFICE})})
REVIEWER = Person("reviewer", {"reviewer": None})


def take(engine: Engine, case_id: int, do: str, actor: Person) -> None:
    with writing(engine) as session:
        require_moved(take_step(session, "filing", do, [case_id], now=at(DAY), actor=actor))


def filed(engine: Engine, key: str, **texts: str) -> int:
    with writing(engine) as session:
        record = find_by_key(session, "person", key)
        assert record is not None
        case_id = open_filing(session, Opening("person", OFFICE, record), actor=CLERK, now=at(DAY))
        save_draft(session, case_id, texts, actor=CLERK, now=at(DAY))
    for do, actor in (("submit", CLERK), ("confirm", HEAD)):
        take(engine, case_id, do, actor)
    return case_id


def test_a_suspended_unit_still_files_corrections_and_exits(engine: Engine) -> None:
    red_city(engine, SECOND)
    step_of(engine, proposal(engine), "confirm", SECOND)
    with reading(engine) as session:
        assert band_on(spans_of(session, [OFFICE])[OFFICE], DAY) is not None
    correction = filed(engine, "P00000003", name="王小明")
    basis = {"_doc_no": "甬人社〔2026〕3号", "_doc_on": "2026-03-10"}
    leaving = filed(
        engine, "P00000004", estab_status="3", exit_reason="08", exit_date="2026-03-10", exit_dest="某公司", **basis
    )
    for case_id in (correction, leaving):
        take(engine, case_id, "accept", REVIEWER)
    with reading(engine) as session:
        states = session.scalars(select(CASE.c.state).where(CASE.c.id.in_([correction, leaving]))).all()
        assert set(states) == {"accepted"}
        assert session.get_one(Filing, leaving).kind == "exit"


def test_two_who_accept_at_once_write_the_register_once(engine: Engine) -> None:
    red_city(engine, SECOND)
    case_id = filed(engine, "P00000003", name="王小明")
    lost: list[str] = []

    def accept(name: str) -> None:
        try:
            take(engine, case_id, "accept", Person(name, {"reviewer": None}))
        except (Refused, Conflict) as refused:
            lost.append(refused.says)

    both = [threading.Thread(target=accept, args=(name,)) for name in ("reviewer", "reviewer2")]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert lost == ["当前状态为“已入库”，不能办理“审核通过入库”"]
    with reading(engine) as session:
        written = select(RecordVersion.case_id).where(RecordVersion.case_id == case_id)
        assert len(session.scalars(written).all()) == 1
