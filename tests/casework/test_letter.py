"""函告: numbered without a gap by the office of the district, signed by another, answered in time or late, on paper as DOCX and PDF (办法10(四))."""

from __future__ import annotations

import io
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from docx import Document
from pypdf import PdfReader
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from workflow.casework.letter_files import letter_docx, letter_pdf
from workflow.casework.letters import letter_of, open_letter
from workflow.casework.weekly_audit import audit_figures
from workflow.clock import business_date
from workflow.db import writing
from workflow.engine.actors import Person
from workflow.engine.judging import verdicts_for
from workflow.engine.models import CASE, Case, Outbox
from workflow.engine.steps import require_moved, take_step
from workflow.engine.timers import fire_due
from workflow.errors import NotAllowed, Refused
from workflow.operations.models import JobRequest
from workflow.quality.explain import message
from workflow.quality.models import ENTRY, TICKET
from workflow.quality.run import run_check
from workflow.registry import records
from workflow.registry.tables import TABLES

CODES = {"330282101": "330282", "330282102": "330282", "330200101": "330200", "330203101": "330203"}
REVIEWER, LEADER = Person("reviewer", {"reviewer": None}), Person("leader", {"leader": None})
FOUND = [{"record": f"P{n:08d}", "label": "实有人员", "says": "任免文件为副科长", "remedy": ""} for n in range(1, 41)]

OF_LETTERS = (
    select(ENTRY.c.unit_id, ENTRY.c.fixed_on)
    .join(TICKET, TICKET.c.id == ENTRY.c.ticket_id)
    .where(TICKET.c.rule_id == "D06")
)  # entries on the negative list


@pytest.fixture
def city(engine: Engine, now: datetime) -> Engine:
    with writing(engine) as session:
        office: dict[str, Any] = {"by": "reviewer", "now": now, "may_write_locked": True, "may_create": True}
        units = [{"unit_code": c, "name": f"示例单位{c}", "district_code": d} for c, d in CODES.items()]
        records.write(session, "unit", units, **office)
    return engine


def unit_id(session: Session, code: str) -> int:
    return int(session.scalar(select(TABLES["unit"].c.id).where(TABLES["unit"].c.unit_code == code)) or 0)


def drafted(city: Engine, now: datetime, code: str = "330282101") -> int:
    with writing(city) as session:
        about = "2026年上半年交叉检查"
        return open_letter(session, unit_id(session, code), FOUND, round_case=None, about=about, now=now)


def step(city: Engine, case_id: int, do: str, who: Person, now: datetime, **more: Any) -> None:
    with writing(city) as session:
        require_moved(take_step(session, "letter", do, [case_id], now=now, actor=who, **more))


def issued(city: Engine, now: datetime, code: str = "330282101", who: Person | None = None) -> int:
    case_id = drafted(city, now, code)
    step(city, case_id, "submit", REVIEWER, now)
    step(city, case_id, "issue", who or county_leader(city, CODES[code]), now)
    return case_id


def county_leader(city: Engine, district: str) -> Person:
    """The leader of the office of a district: the city's everywhere, a county's over the units of the county."""
    if district == "330200":
        return LEADER
    with writing(city) as session:
        unit = TABLES["unit"].c
        ours = session.scalars(select(unit.id).where(unit.district_code == district)).all()
    return Person(f"leader@{district}", {"leader": frozenset(ours)})


def case(city: Engine, case_id: int) -> Case:
    with writing(city) as session:
        found = session.get_one(Case, case_id)
        session.expunge(found)
        return found


def head(city: Engine, code: str = "330282101") -> Person:
    with writing(city) as session:
        return Person(f"head@{code}", {"unit_head": frozenset({unit_id(session, code)})})


def test_each_office_numbers_its_own_without_a_gap(city: Engine, now: datetime) -> None:
    told = [case(city, issued(city, now, code)).data["number"] for code in list(CODES)[:3]]
    assert told == ["慈编办函〔2026〕1号", "慈编办函〔2026〕2号", "甬编办函〔2026〕1号"]


def test_the_citys_leader_signs_in_the_citys_name_whatever_the_county(city: Engine, now: datetime) -> None:
    case_ids = [issued(city, now, code, LEADER) for code in CODES]
    assert [case(city, id_).data["number"] for id_ in case_ids] == [f"甬编办函〔2026〕{n}号" for n in (1, 2, 3, 4)]
    with writing(city) as session:
        offices = {letter_of(session, session.get_one(Case, id_)).office for id_ in case_ids}
    assert offices == {"中共宁波市委机构编制委员会办公室"}


def test_a_county_without_numbers_of_its_own_does_not_sign_with_the_citys(city: Engine, now: datetime) -> None:
    case_id, leader = drafted(city, now, "330203101"), county_leader(city, "330203")
    step(city, case_id, "submit", REVIEWER, now)
    with pytest.raises(Refused, match=r"还没有自己的文号.*请由市编办领导签发"):
        step(city, case_id, "issue", leader, now)
    with writing(city) as session:
        (verdict,) = [
            v for v in verdicts_for(session, case_id, "issue", leader, now) if v.guard == "office_has_its_own_number"
        ]
    assert not verdict.holds
    assert case(city, case_id).state == "signing"
    step(city, case_id, "issue", LEADER, now)
    assert case(city, case_id).data["number"] == "甬编办函〔2026〕1号"


def test_a_draft_has_no_number_and_only_a_leader_who_took_no_part_signs(city: Engine, now: datetime) -> None:
    case_id = drafted(city, now)
    step(city, case_id, "submit", REVIEWER, now)
    assert "number" not in case(city, case_id).data
    with pytest.raises(NotAllowed):
        step(city, case_id, "issue", REVIEWER, now)
    with pytest.raises(Refused, match="不得再作决定"):
        step(city, case_id, "issue", Person("reviewer", {"leader": None}), now)


def test_a_reply_is_asked_for_until_the_fifteenth_working_day_and_stays_late_after(city: Engine, now: datetime) -> None:
    case_id = issued(city, now)
    found = case(city, case_id)
    assert found.data["due_on"] == "2026-03-23"
    assert found.due_at is not None
    fire_due(city, found.due_at - timedelta(minutes=1))
    assert case(city, case_id).state == "sent"
    fire_due(city, found.due_at)
    assert case(city, case_id).state == "overdue"
    later = found.due_at + timedelta(days=2)
    step(city, case_id, "reply", head(city), later, inputs={"answer": "已更正"})
    step(city, case_id, "ask_again", REVIEWER, later, reason="未附任免文件")
    step(city, case_id, "reply", head(city), later, inputs={"answer": "已更正，附文件"})
    step(city, case_id, "accept", REVIEWER, later)
    told = case(city, case_id)
    assert (told.state, told.data["late"], told.data["reply"]) == ("closed", True, "已更正，附文件")


def test_a_reply_in_time_is_not_late_and_needs_words(city: Engine, now: datetime) -> None:
    case_id = issued(city, now)
    with pytest.raises(Refused, match="须填写整改情况"):
        step(city, case_id, "reply", head(city), now)
    with pytest.raises(NotAllowed):
        step(city, case_id, "reply", head(city, "330282102"), now, inputs={"answer": "x"})
    step(city, case_id, "reply", head(city), now, inputs={"answer": "已更正"})
    assert case(city, case_id).data["late"] is False


def test_both_files_hold_number_unit_and_every_problem(city: Engine, now: datetime) -> None:
    case_id = issued(city, now)
    with writing(city) as session:
        letter = letter_of(session, session.get_one(Case, case_id))
    assert letter.office == "中共慈溪市委机构编制委员会办公室"
    word = "".join(paragraph.text for paragraph in Document(io.BytesIO(letter_docx(letter))).paragraphs)
    pdf = letter_pdf(letter)
    reader = PdfReader(io.BytesIO(pdf))
    printed = "".join(page.extract_text() for page in reader.pages).replace("\n", "")
    assert pdf.startswith(b"%PDF")
    assert len(reader.pages) > 1
    for text in (word, printed):
        for told in ("慈编办函〔2026〕1号", "示例单位330282101", "2026年3月2日", *(p["record"] for p in FOUND)):
            assert told in text


def test_the_day_of_issue_is_that_of_the_city(city: Engine, now: datetime) -> None:
    assert case(city, issued(city, now.replace(hour=17))).data["issued_on"] == date(2026, 3, 3).isoformat()


def test_head_and_clerk_both_learn_that_a_letter_has_come_and_that_it_is_late(city: Engine, now: datetime) -> None:
    case_id = issued(city, now)
    due = case(city, case_id).due_at
    assert due is not None
    fire_due(city, due)
    with writing(city) as session:
        told = [row for row in session.scalars(select(Outbox.payload)) if "items" in row]
    roles = {
        (item["kind"], item["role"]) for row in told for item in row["items"] if item["kind"].startswith("letter.")
    }
    assert {(kind, role) for kind in ("letter.sent", "letter.overdue") for role in ("unit_head", "unit_clerk")} <= roles


def test_a_letter_past_its_term_is_counted_in_the_weekly_audit_of_the_unit(city: Engine, now: datetime) -> None:
    case_id = issued(city, now)
    found = case(city, case_id)
    assert found.due_at is not None
    for moment, letters in ((found.due_at - timedelta(minutes=1), 0), (found.due_at, 1)):
        fire_due(city, moment)
        with writing(city) as session:
            assert audit_figures(session, found.unit_id or 0).letters == letters
    step(city, case_id, "reply", head(city), found.due_at, inputs={"answer": "已更正"})
    with writing(city) as session:
        assert audit_figures(session, found.unit_id or 0).letters == 0


def checked(city: Engine, moment: datetime, *, kind: str = "full") -> list[Any]:
    """What a check at that moment says of letters: part, light, state, message."""
    run_check(city, business_date(moment), moment, kind=kind)
    with writing(city) as session:
        joined = select(TICKET, CASE.c.light, CASE.c.state).join(CASE, CASE.c.id == TICKET.c.case_id)
        rows = session.execute(joined.where(TICKET.c.rule_id == "D06").order_by(TICKET.c.part)).all()
        return [(row.part, row.light, row.state, message("D06", "unit", row.facts, row.part)) for row in rows]


@pytest.mark.parametrize("kind", ["full", "incremental"])
def test_a_letter_past_its_term_lights_its_unit_turns_red_and_is_listed_and_is_green_once_answered(
    city: Engine, now: datetime, kind: str
) -> None:
    first, second = issued(city, now), issued(city, now)
    due = case(city, first).due_at
    assert due is not None
    assert checked(city, due - timedelta(minutes=1)) == []
    fire_due(city, due)
    says = "慈编办函〔2026〕{}号 应于 2026-03-23 前回函，至今没有回函"
    told = [(str(id_), "yellow", "yellow", says.format(n)) for n, id_ in enumerate((first, second), 1)]
    assert checked(city, due + timedelta(hours=1), kind=kind) == told
    step(city, second, "reply", head(city), due + timedelta(hours=2), inputs={"answer": "已更正"})
    assert [light for _, light, *_ in checked(city, due + timedelta(hours=3), kind=kind)] == ["yellow", "green"]
    late = due + timedelta(days=6)  # past the county's two working days
    fire_due(city, late)
    assert [light for _, light, *_ in checked(city, late, kind=kind)] == ["red", "green"]
    with writing(city) as session:
        listed = session.execute(OF_LETTERS).all()
    assert [tuple(row) for row in listed] == [(case(city, first).unit_id, None)]
    step(city, first, "reply", head(city), late, inputs={"answer": "已更正"})
    assert [light for _, light, *_ in checked(city, late + timedelta(hours=1), kind=kind)] == ["green", "green"]
    with writing(city) as session:
        assert [row.fixed_on for row in session.execute(OF_LETTERS)] == [business_date(late)]


def test_the_unit_is_judged_again_as_soon_as_a_letter_is_late_and_as_soon_as_it_is_answered(
    city: Engine, now: datetime
) -> None:
    case_id = issued(city, now)
    due = case(city, case_id).due_at
    assert due is not None
    fire_due(city, due)
    step(city, case_id, "reply", head(city), due, inputs={"answer": "已更正"}, on_behalf_of="head@other")
    with writing(city) as session:
        asked = session.execute(
            select(JobRequest.kind, JobRequest.params, JobRequest.by, JobRequest.on_behalf_of)
        ).all()
    unit = case(city, case_id).unit_id
    records = {"records": [["unit", unit]]}
    assert [tuple(row) for row in asked] == [
        ("check", records, "clock", None), ("check", records, "head@330282101", "head@other"),
    ]  # fmt: skip
