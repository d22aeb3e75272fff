"""One writer: steps move sets of cases, refuse with every reason, and leave nothing out of the history."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import Engine, event, func, select, text
from sqlalchemy.orm import Session

from tests.engine.conftest import COURIER, SENDER, parcel_book
from workflow.db import writing
from workflow.engine.actors import CLOCK, Person
from workflow.engine.inbox import history, timers_of
from workflow.engine.judging import open_steps
from workflow.engine.models import Case, CaseHistory, Outbox, Timer
from workflow.engine.registry import using
from workflow.engine.steps import NewCase, open_cases, require_moved, take_step
from workflow.errors import Conflict, NotAllowed, NotFound, Refused


def opened(session: Session, now: datetime, n: int = 1, **data: object) -> list[int]:
    new = [NewCase(1, f"parcel {i}", day_zero=date(2026, 2, 27), data=data) for i in range(n)]
    return open_cases(session, "parcel", new, now=now, actor=SENDER)


def test_a_term_of_no_days_acts_at_once_and_both_steps_are_in_the_history(session: Session, now: datetime) -> None:
    (case_id,) = opened(session, now)
    assert [(act["do"], act["to_state"]) for act in history(session, case_id)] == [
        ("open", "packed"),
        ("send", "waiting"),
    ]
    case = session.get_one(Case, case_id)
    assert (case.state, case.light, case.open, case.inbox, case.version) == ("waiting", "yellow", True, "sender", 2)


def test_the_next_timer_counts_from_the_day_of_the_fact_over_the_makeup_saturday(
    session: Session, now: datetime
) -> None:
    (case_id,) = opened(session, now)
    (timer,) = timers_of(session, case_id)
    # day zero Friday 27 February 2026; 28 February is a make-up Saturday and counts
    assert (timer["due_on"], timer["due_at"]) == (date(2026, 3, 3), datetime(2026, 3, 3, 16, 0, tzinfo=UTC))
    assert session.get_one(Case, case_id).due_at == timer["due_at"]


def test_a_refusal_carries_the_reasons_of_all_guards(session: Session, now: datetime) -> None:
    (case_id,) = opened(session, now, kilos=30, stranger=True)
    result = take_step(session, "parcel", "arrive", [case_id], now=now, actor=COURIER)
    assert result.moved == []
    assert [(v.guard, v.holds) for v in result.refused[case_id]] == [("is_light", False), ("is_known", False)]
    with pytest.raises(Refused, match="不超过20公斤；收件人已登记"):
        require_moved(result)


def test_a_mixed_set_moves_those_that_may_and_tells_of_the_others(session: Session, now: datetime) -> None:
    light = opened(session, now, 3)
    (heavy,) = open_cases(session, "parcel", [NewCase(1, "heavy", data={"kilos": 99})], now=now, actor=SENDER)
    result = take_step(session, "parcel", "arrive", [*light, heavy], now=now, actor=COURIER)
    assert (sorted(result.moved), list(result.refused)) == (light, [heavy])
    kept = session.scalar(select(CaseHistory.facts).where(CaseHistory.case_id == light[0], CaseHistory.do == "arrive"))
    assert kept is not None
    assert [v["guard"] for v in kept["verdicts"]] == ["is_light", "is_known"]


def test_nobody_acts_without_the_role_for_that_unit(session: Session, now: datetime) -> None:
    (case_id,) = opened(session, now)
    elsewhere = Person("courier@2", {"courier": frozenset({2})})
    for actor in (SENDER, elsewhere, CLOCK):
        result = take_step(session, "parcel", "arrive", [case_id], now=now, actor=actor)
        assert result.refused[case_id][0].guard == "role"
        with pytest.raises(NotAllowed):
            require_moved(result)


def test_only_the_roles_of_opened_by_open_a_case(session: Session, now: datetime) -> None:
    with pytest.raises(NotAllowed):
        open_cases(session, "parcel", [NewCase(1, "x")], now=now, actor=COURIER)


def test_a_subject_has_one_case(session: Session, now: datetime) -> None:
    opened(session, now)
    with pytest.raises(Conflict):
        opened(session, now)
    with pytest.raises(Conflict):
        open_cases(session, "parcel", [NewCase(1, "twice"), NewCase(1, "twice")], now=now, actor=SENDER)


def test_many_opened_at_once_on_tables_never_counted_are_looked_up_by_their_subjects(
    pg_engine: Engine, now: datetime
) -> None:
    with writing(pg_engine) as session:
        opened(session, now, 5000)
        read = text("SELECT pg_stat_get_xact_tuples_returned(CAST('ix_case_file_process_state_due_at' AS regclass))")
        assert session.scalar(read) == 0


def test_a_needed_reason_is_asked_for(session: Session, now: datetime) -> None:
    (case_id,) = opened(session, now)
    take_step(session, "parcel", "arrive", [case_id], now=now, actor=COURIER)
    result = take_step(session, "parcel", "return", [case_id], now=now, actor=COURIER, reason="  ")
    assert [v.says for v in result.refused[case_id]] == ["须填写理由"]
    assert take_step(session, "parcel", "return", [case_id], now=now, actor=COURIER, reason="地址不详").moved == [
        case_id
    ]
    assert session.get_one(Case, case_id, populate_existing=True).state == "waiting"  # packed, and sent at once


def test_leaving_a_state_cancels_its_timers_and_entering_arms_new_ones(session: Session, now: datetime) -> None:
    (case_id,) = opened(session, now, held_until="2026-03-31")
    take_step(session, "parcel", "hold", [case_id], now=now, actor=COURIER)
    assert [(t["name"], t["state"]) for t in timers_of(session, case_id)] == [("delay", "cancelled"), ("lose", "armed")]
    assert timers_of(session, case_id)[1]["due_at"] == datetime(2026, 3, 31, 16, 0, tzinfo=UTC)
    take_step(session, "parcel", "release", [case_id], now=now, actor=COURIER)
    assert [t["state"] for t in timers_of(session, case_id)] == ["cancelled", "cancelled", "armed"]


def test_a_conflict_says_who_changed_what(session: Session, now: datetime) -> None:
    (case_id,) = opened(session, now)
    take_step(session, "parcel", "arrive", [case_id], now=now, actor=COURIER)
    with pytest.raises(Conflict, match="courier@1 已办理“送达”"):
        take_step(session, "parcel", "return", [case_id], now=now, actor=COURIER, reason="x", versions={case_id: 2})


def test_an_unknown_case_is_not_found(session: Session, now: datetime) -> None:
    with pytest.raises(NotFound):
        take_step(session, "parcel", "arrive", [4711], now=now, actor=COURIER)


def test_open_steps_come_from_the_rows_that_permit_them(session: Session, now: datetime) -> None:
    (case_id,) = opened(session, now, kilos=30)
    steps = {step.do: step.allowed for step in open_steps(session, case_id, COURIER, now)}
    assert steps == {"arrive": False, "hold": True}
    assert open_steps(session, case_id, SENDER, now) == []


def test_a_step_takes_effect_when_it_says_and_never_before_the_state_it_leaves(session: Session, now: datetime) -> None:
    (case_id,) = opened(session, now)
    long_ago = now - timedelta(days=30)
    take_step(session, "parcel", "delay", [case_id], now=now, actor=CLOCK, effective_at=long_ago)
    assert history(session, case_id)[-1]["effective_at"] == now


def test_a_chunk_of_500_takes_at_most_15_statements(session: Session, now: datetime) -> None:
    ids = opened(session, now, 500)
    statements: list[str] = []
    listen = lambda *args: statements.append(args[2])  # noqa: E731
    event.listen(session.get_bind(), "before_cursor_execute", listen)
    take_step(session, "parcel", "delay", ids, now=now, actor=CLOCK)
    event.remove(session.get_bind(), "before_cursor_execute", listen)
    assert len(statements) <= 15, statements
    assert session.scalar(select(func.count()).select_from(Outbox)) == 1000


def test_a_set_larger_than_a_chunk_moves_whole(session: Session, now: datetime) -> None:
    ids = opened(session, now, 1203)
    assert len(take_step(session, "parcel", "delay", ids, now=now, actor=CLOCK).moved) == 1203
    assert session.scalar(select(func.count()).select_from(CaseHistory).where(CaseHistory.do == "delay")) == 1203


def test_a_case_stays_with_the_version_it_began_under(session: Session, now: datetime) -> None:
    (case_id,) = opened(session, now)
    newer = parcel_book().process("parcel").text.replace('"version":1', '"version":2').replace("扣留", "留置")
    with using(parcel_book(newer)):
        (later,) = open_cases(session, "parcel", [NewCase(1, "later")], now=now, actor=SENDER)
        titles = {id_: open_steps(session, id_, COURIER, now)[1].title for id_ in (case_id, later)}
    assert titles == {case_id: "扣留", later: "留置"}


EVERY = parcel_book().process("parcel")
FORBIDDEN = [
    (state, do) for state in EVERY.states for do in {step.do for step in EVERY.steps} if (state, do) not in EVERY.rows
]
WAYS = {
    "waiting": [],
    "late": ["delay"],
    "held": ["hold"],
    "arrived": ["arrive"],
    "lost": ["delay", "lose"],
}


def test_no_unlisted_action_moves_a_case(session: Session, now: datetime) -> None:
    everything = Person("all", {"courier": None, "sender": None, "clock": None})
    for number, (state, do) in enumerate(sorted(FORBIDDEN)):
        if state == "packed":  # left at once
            continue
        data = {"held_until": "2026-05-01"}
        (case_id,) = open_cases(session, "parcel", [NewCase(1, f"f{number}", data=data)], now=now, actor=SENDER)
        for step in WAYS[state]:
            assert take_step(session, "parcel", step, [case_id], now=now, actor=everything).moved
        result = take_step(session, "parcel", do, [case_id], now=now, actor=everything, reason="x")
        assert result.moved == []
        assert result.refused[case_id][0].guard == "state"
        assert session.get_one(Case, case_id, populate_existing=True).state == state


def test_timers_are_unique_per_arming(session: Session, now: datetime) -> None:
    (case_id,) = opened(session, now)
    assert session.scalar(select(func.count()).select_from(Timer).where(Timer.case_id == case_id)) == 1
