"""Open cases go to a new version with their dates as they are; a mapping that is not complete moves none; nothing fires twice."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from tests.engine.conftest import COURIER, SENDER
from tests.engine.migration_room import FIRST, MAPPING, SECOND, case, first, migration, move, put, release, step, timers
from tests.engine.test_timers import race
from workflow.db import reading, writing
from workflow.engine.claiming import claim
from workflow.engine.inbox import history
from workflow.engine.mapping import CaseMapping, Onto, read_mapping
from workflow.engine.mapping_proof import suggested
from workflow.engine.migrating import migrate_cases
from workflow.engine.migration import prove_migration, standing, versions_named
from workflow.engine.migration_preview import preview
from workflow.engine.models import CASE, TIMER, CaseHistory, Outbox
from workflow.engine.pauses import pause, resume
from workflow.engine.registry import using
from workflow.engine.steps import NewCase, open_cases, require_moved, take_step
from workflow.engine.timers import fire_due
from workflow.errors import BadInput, Conflict, NotFound, Refused

DUE_AT = datetime(2026, 3, 5, 16, 0, tzinfo=UTC)  # three working days after Monday 2 March, in Ningbo
NUMBERS = itertools.count()
REMIND_AT = datetime(2026, 3, 3, 16, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def first_release() -> Iterator[None]:
    with using(release(FIRST)):
        yield


def refused(session: Session, mapping: str = MAPPING, text: str = SECOND) -> list[str]:
    with pytest.raises(BadInput, match="未作任何改动") as found:
        prove_migration(session, migration(mapping, text))
    return list(found.value.facts["errors"])


def opened(session: Session, now: datetime, **data: object) -> int:
    return open_cases(session, "parcel", [NewCase(1, "p", day_zero=now.date(), data=data)], now=now, actor=SENDER)[0]


def test_a_complete_mapping_moves_every_open_case_and_keeps_its_dates_to_the_second(
    both_engines: Engine, now: datetime
) -> None:
    engine = both_engines
    waiting, held, done = put(engine, now, 3, held_until="2026-04-01")
    step(engine, held, "hold", now)
    with writing(engine) as session:
        for do in ("hold", "lose"):
            require_moved(take_step(session, "parcel", do, [done], now=now, actor=COURIER))
    before = {id_: timers(engine, id_) for id_ in (waiting, held)}
    with using(release(SECOND)):
        with reading(engine) as session:
            assert prove_migration(session, migration()).cases == {"waiting": 1, "held": 1}
        assert move(engine, [waiting, held, done], now + timedelta(hours=1)).moved == [waiting, held]
        assert (
            timers(engine, waiting)
            == {
                "miss": before[waiting]["delay"],
                "remind": before[waiting]["remind"],
            }
            == {"miss": DUE_AT, "remind": REMIND_AT}
        )
        assert timers(engine, held) == before[held]
        found: Any = case(engine, waiting)
        assert (found.state, found.version, found.due_at) == ("underway", 3, REMIND_AT)
        assert found.state_since == now
        assert case(engine, done).definition == first().hash
        with reading(engine) as session:
            *earlier, last = history(session, waiting)
        assert [act["to_title"] for act in earlier] == ["已打包", "等待"]  # as the first version calls them
        assert (last["title"], last["from_state"], last["to_state"], last["actor"], last["reason"]) == (
            "改用新版流程", "waiting", "underway", SENDER.account, "新版",
        )  # fmt: skip
        assert last["facts"] == {
            "from": {"version": 1, "hash": first().hash},
            "to": {"version": 2, "hash": migration().new.hash},
            "mapping": {"states": "underway", "timers": {"delay": "miss", "remind": "remind"}},
        }


def test_carried_over_timers_fire_under_the_new_version_at_their_moment(both_engines: Engine, now: datetime) -> None:
    (case_id,) = put(both_engines, now)
    with using(release(SECOND)):
        move(both_engines, [case_id], now)
        assert fire_due(both_engines, REMIND_AT - timedelta(seconds=1)).touched == 0
        assert fire_due(both_engines, REMIND_AT).fired == {"parcel.remind": 1}
        assert fire_due(both_engines, DUE_AT - timedelta(seconds=1)).touched == 0
        assert fire_due(both_engines, DUE_AT).fired == {"parcel.miss": 1}
        assert case(both_engines, case_id).state == "late"


def test_a_timer_that_fired_is_never_armed_again(engine: Engine, now: datetime) -> None:
    (case_id,) = put(engine, now)
    fire_due(engine, REMIND_AT)
    assert timers(engine, case_id) == {"delay": DUE_AT}
    with using(release(SECOND)):
        with reading(engine) as session:
            mapping = "{states: {waiting: underway}, timers: {waiting: {delay: miss}}}"
            assert prove_migration(session, migration(mapping)).timers == {("waiting", "delay"): 1}
            (shown,) = preview(session, migration(mapping), now=REMIND_AT)
        assert shown.spent == ("remind",)
        move(engine, [case_id], REMIND_AT, mapping)
        assert timers(engine, case_id) == {"miss": DUE_AT}
        assert fire_due(engine, DUE_AT + timedelta(days=30)).fired == {"parcel.miss": 1}


def test_moving_again_does_nothing(engine: Engine, now: datetime) -> None:
    ids = put(engine, now, 3)
    with using(release(SECOND)):
        assert move(engine, ids[:2], now).moved == ids[:2]
        assert move(engine, ids, now).moved == ids[2:]
        assert move(engine, ids, now).moved == []
        with reading(engine) as session:
            moves = select(func.count()).select_from(CaseHistory).where(CaseHistory.do == "migrate")
            assert session.scalar(moves) == 3
            assert standing(session, migration()).cases == {}


def test_a_paused_timer_stays_paused_and_is_counted_on_under_its_new_name(engine: Engine, now: datetime) -> None:
    (case_id,) = put(engine, now)
    with writing(engine) as session:
        pause(session, [case_id], "审核中", from_on=date(2026, 3, 3), by="a", now=now)
    with using(release(SECOND)):
        move(engine, [case_id], now)
        assert set(timers(engine, case_id, "paused")) == {"miss", "remind"}
        with writing(engine) as session:
            resume(session, [case_id], "审核中", on=date(2026, 3, 4), now=now)
        assert timers(engine, case_id)["miss"] == DUE_AT + timedelta(days=4)  # two days stopped, and a weekend


def test_a_dropped_timer_ends_and_a_new_one_begins_from_the_day_of_the_state(engine: Engine, now: datetime) -> None:
    more = SECOND + "  - {in: underway, after: more, do: press}\n"
    more = more.replace("timers:", "  - {do: press, title: 再催, from: underway, to: underway, by: clock}\ntimers:", 1)
    mapping = """
states: {waiting: underway}
timers: {waiting: {delay: miss, remind: {drop: 新版改为再催}}}
"""
    begins = mapping + "begin: {waiting: {press: start}}"
    (case_id,) = put(engine, now)
    with using(release(more)):
        with reading(engine) as session:
            (fault,) = refused(session, mapping, more)
            assert "begin.waiting.press：新版在“等待”另有期限“press”" in fault
            (shown,) = preview(session, migration(begins, more), now=now)
        assert [(t.before, t.after, t.why) for t in shown.timers] == [
            ("remind", "", "新版改为再催"), ("delay", "miss", ""), ("", "press", ""),
        ]  # fmt: skip
        move(engine, [case_id], now + timedelta(days=1), begins, more)
        assert timers(engine, case_id) == {"miss": DUE_AT, "press": REMIND_AT + timedelta(days=1)}
        assert timers(engine, case_id, "cancelled") == {"delay": DUE_AT, "remind": REMIND_AT}
        assert case(engine, case_id).due_at == REMIND_AT + timedelta(days=1)


def test_a_term_of_no_days_that_begins_with_the_move_happens_with_it(both_engines: Engine, now: datetime) -> None:
    at_once = SECOND + "  - {in: underway, after: send, do: press}\n"
    at_once = at_once.replace(
        "timers:", "  - {do: press, title: 再催, from: underway, to: underway, by: clock}\ntimers:", 1
    )
    mapping = "{states: {waiting: underway}, timers: {waiting: {delay: miss, remind: remind}}, begin: {waiting: {press: start}}}"
    ids = put(both_engines, now, 2)
    with using(release(at_once)):
        with reading(both_engines) as session:
            shown = preview(session, migration(mapping, at_once), now=now)
        assert [each.timers[-1].state for each in shown] == ["at once"] * 2
        move(both_engines, ids, now, mapping, at_once)
        for case_id in ids:
            with reading(both_engines) as session:
                assert [act["do"] for act in history(session, case_id)] == ["open", "send", "migrate", "press"]
            assert timers(both_engines, case_id) == {"miss": DUE_AT, "remind": REMIND_AT}
        assert move(both_engines, ids, now, mapping, at_once).moved == []


def test_two_timers_may_change_names_with_each_other(engine: Engine, now: datetime) -> None:
    swapped = FIRST.replace("version: 1", "version: 2")
    mapping = "{states: {waiting: waiting}, timers: {waiting: {delay: remind, remind: delay}}}"
    (case_id,) = put(engine, now)
    with using(release(swapped)):
        move(engine, [case_id], now, mapping, swapped)
        assert timers(engine, case_id) == {"delay": REMIND_AT, "remind": DUE_AT}


WRONG = {
    "a state is missing": (
        "{states: {late: late}}",
        "states.waiting：有 1 件停在“等待”，没有写明去向（可用：packed、underway",
    ),
    "an unknown old state": (
        "{states: {waiting: underway, lurking: late}, timers: {waiting: {delay: miss, remind: remind}}}",
        "states.lurking：第 1 版没有状态“lurking”（可用：packed、waiting",
    ),
    "an unknown new state": ("{states: {waiting: waiting}}", "states.waiting：第 2 版没有状态“waiting”（可用：packed、underway"),
    "an end": ("{states: {waiting: lost}}", "states.waiting：“遗失”是终结状态，迁移不能替人办结"),
    "another light": ("{states: {waiting: late}}", "states.waiting：“等待”与“迟到”的灯或是否未了不同"),
    "a timer is missing": (
        "{states: {waiting: underway}, timers: {waiting: {delay: miss}}}",
        "timers.waiting.remind：有 1 个期限在走，没有写明去向（可用：remind、miss，或 {drop: 理由}）",
    ),
    "an unknown old timer": (
        "{states: {waiting: underway}, timers: {waiting: {delay: miss, remind: remind, nag: remind}}}",
        "timers.waiting.nag：第 1 版的“等待”没有期限“nag”（可用：remind、delay）",
    ),
    "an unknown new timer": (
        "{states: {waiting: underway}, timers: {waiting: {delay: delay, remind: remind}}}",
        "timers.waiting.delay：第 2 版的“等待”没有期限“delay”（可用：remind、miss，或 {drop: 理由}）",
    ),
    "two timers onto one": (
        "{states: {waiting: underway}, timers: {waiting: {delay: miss, remind: miss}}}",
        "timers.waiting.delay：有两个期限都改作“miss”",
    ),
    "a timer of a state that goes nowhere": (
        "{states: {waiting: underway}, timers: {waiting: {delay: miss, remind: remind}, held: {lose: lose}}}",
        "timers.held：states 没有写明它的去向（可用：waiting）",
    ),
    "a beginning that is none": (
        "{states: {waiting: underway}, timers: {waiting: {delay: miss, remind: remind}}, begin: {waiting: {remind: start}}}",
        "begin.waiting.remind：不是只有新版才有的期限（可用：无）",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("mapping", "says"), WRONG.values(), ids=list(WRONG))
def test_a_mapping_at_fault_is_refused_by_row_with_the_known_names(
    session: Session, now: datetime, mapping: str, says: str
) -> None:
    opened(session, now)
    with using(release(SECOND)):
        assert any(fault.startswith(says) for fault in refused(session, mapping)), refused(session, mapping)


UNREADABLE = {
    "not a table": ("- a", "应为“键: 值”"),
    "no states": ("{timers: {}}", "须有 states"),
    "an unknown key": ("{states: {}, steps: {}}", "steps：不认识的键（可用：states、timers、begin）"),
    "a state twice": ("{states: {a: b, a: c}}", "写了两次"),
    "a drop without reason": ("{states: {a: b}, timers: {a: {t: {drop: ''}}}}", "timers.a.t：应写新版期限名，或 {drop: 理由}"),
    "a beginning of another kind": ("{states: {a: b}, begin: {a: {t: maybe}}}", "begin.a.t：应写start，或 {leave: 理由}"),
    "timers not by state": ("{states: {a: b}, timers: {a: t}}", "timers.a：应为“期限名"),
    "no yaml": ("{states: [", "不是可读的 YAML"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "says"), UNREADABLE.values(), ids=list(UNREADABLE))
def test_a_mapping_that_cannot_be_read_says_where(text: str, says: str) -> None:
    with pytest.raises(BadInput) as found:
        read_mapping(text)
    assert says in "；".join(found.value.facts["errors"])


def test_a_date_timer_and_a_term_do_not_take_each_others_place(session: Session, now: datetime) -> None:
    dated = SECOND.replace("{in: underway, after: remind, do: remind}", "{in: underway, until: remind_on, do: remind}")
    opened(session, now)
    with using(release(dated)):
        faults = refused(session, text=dated)
    assert faults == ["timers.waiting.remind：一个按期限条目计算，一个到给定日期为止，不能互换"]


def test_a_state_that_only_the_clock_leaves_is_not_left_without_a_timer(session: Session, now: datetime) -> None:
    bare = SECOND.replace("from: [underway, late]", "from: late").replace("{do: remind,  title: 催促, from: underway, to: underway, by: clock}", "{do: nag, title: 催促, from: late, to: late, by: courier}").replace("  - {in: underway, after: remind, do: remind}\n", "")  # fmt: skip
    opened(session, now)
    with using(release(bare)):
        timers = "timers: {waiting: {delay: {drop: 不再计时}, remind: {drop: 不再计时}}}"
        mapping = f"{{states: {{waiting: underway}}, {timers}, begin: {{waiting: {{miss: {{leave: 不再计时}}}}}}}}"
        (fault,) = refused(session, mapping, bare)
    assert fault.startswith("states.waiting：新版的“等待”只由时钟办理，却没有期限在走")


def test_what_the_new_version_asks_for_on_the_way_must_have_been_given(session: Session, now: datetime) -> None:
    weighed = SECOND.replace("title: 扣留, from: [underway, late],  to: held,    by: courier}", "title: 扣留, from: [underway, late], to: held, by: courier, needs: [grams, text]}")  # fmt: skip
    weighed += "inputs:\n  - {name: grams, label: 克数, type: int}\n"
    case_id = opened(session, now, held_until="2026-04-01", text="有说明")
    require_moved(take_step(session, "parcel", "hold", [case_id], now=now, actor=COURIER))
    with using(release(weighed)):
        (fault,) = refused(session, text=weighed)
        assert (
            fault
            == f"states.held：新版的“扣留”须已填写克数（grams），有 1 件没有：{case_id}（新版的填写项：克数（grams））"
        )
        result = migrate_cases(session, migration(text=weighed), [case_id], now=now, actor=SENDER, reason="新版")
        assert result.left == {case_id: "须已填写克数（grams）"}


def test_a_form_that_the_new_version_wants_complete_must_be_complete(session: Session, now: datetime) -> None:
    formed = SECOND.replace("when: [is_light, is_insured]", "when: [form_is_complete]")
    formed += "form:\n  - {name: shelf, label: 货架, required: true}\n  - {name: note, label: 备注}\n"
    full, bare = (
        open_cases(session, "parcel", [NewCase(1, name, data={"form": form})], now=now, actor=SENDER)[0]
        for name, form in (("full", {"shelf": "甲"}), ("bare", {"note": "无"}))
    )
    for case_id in (full, bare):
        require_moved(take_step(session, "parcel", "arrive", [case_id], now=now, actor=COURIER))
    with using(release(formed)):
        assert refused(session, text=formed) == [
            f"states.arrived：新版的“送达”须已填写货架（shelf），有 1 件没有：{bare}"
        ]


def test_a_date_that_a_timer_runs_until_must_be_there(session: Session, now: datetime) -> None:
    renamed = SECOND.replace("until: held_until", "until: kept_until")
    case_id = opened(session, now, held_until="2026-04-01")
    require_moved(take_step(session, "parcel", "hold", [case_id], now=now, actor=COURIER))
    with using(release(renamed)):
        (fault,) = refused(session, text=renamed)
    assert "须已填写kept_until（kept_until），有 1 件没有" in fault


def test_a_case_that_came_to_an_unmapped_state_meanwhile_is_left_with_the_reason(engine: Engine, now: datetime) -> None:
    here, away = put(engine, now, 2, held_until="2026-04-01")
    step(engine, away, "hold", now)
    with using(release(SECOND)):
        mapping = "{states: {waiting: underway}, timers: {waiting: {delay: miss, remind: remind}}}"
        result = move(engine, [here, away], now, mapping)
        assert result.moved == [here]
        assert "states.held：有 1 件停在“扣留”，没有写明去向" in result.left[away]
        assert case(engine, away).definition == first().hash


def test_the_dry_run_shows_state_timers_steps_and_verdicts_and_changes_nothing(engine: Engine, now: datetime) -> None:
    (case_id,) = put(engine, now)
    before = everything(engine)
    with using(release(SECOND)), reading(engine) as session:
        prove_migration(session, migration())
        (shown,) = preview(session, migration(), now=now)
    assert (shown.case, shown.before, shown.after) == (case_id, "waiting", "underway")
    assert [(t.before, t.after, t.due_at) for t in shown.timers] == [
        ("remind", "remind", REMIND_AT), ("delay", "miss", DUE_AT),
    ]  # fmt: skip
    assert shown.steps == ("miss", "arrive", "hold", "remind")
    assert {(d.do, d.guard, d.before, d.after) for d in shown.differences} == {
        ("arrive", "is_known", True, None), ("arrive", "is_insured", None, False),
    }  # fmt: skip
    assert everything(engine) == before


def everything(engine: Engine) -> list[Any]:
    with reading(engine) as session:
        return [
            session.execute(select(table)).all() for table in (CASE, TIMER, CaseHistory.__table__, Outbox.__table__)
        ]


def test_who_holds_a_case_keeps_it_and_who_opened_it_before_is_told_that_it_moved(
    engine: Engine, now: datetime
) -> None:
    (case_id,) = put(engine, now)
    with writing(engine) as session:
        claim(session, case_id, "sender@1")
    with using(release(SECOND)):
        move(engine, [case_id], now)
        assert case(engine, case_id).assignee == "sender@1"
        with pytest.raises(Conflict, match="sender@1 已办理“改用新版流程”"), writing(engine) as session:
            take_step(session, "parcel", "hold", [case_id], now=now, actor=COURIER, versions={case_id: 2})


def test_a_version_is_named_by_its_number_or_its_hash(engine: Engine, now: datetime) -> None:
    put(engine, now)
    with using(release(SECOND)), reading(engine) as session:
        assert versions_named(session, "parcel", "1")[0].hash == first().hash
        assert versions_named(session, "parcel", "2")[0].hash == migration().new.hash
        assert versions_named(session, "parcel", first().hash[:10])[0].version == 1
        with pytest.raises(NotFound, match="没有第 3 版（可用：1、2）"):
            versions_named(session, "parcel", "3")


def test_equal_names_are_suggested_and_the_rest_is_left_to_a_person(engine: Engine, now: datetime) -> None:
    waiting, held = put(engine, now, 2, held_until="2026-04-01")
    step(engine, held, "hold", now)
    with using(release(SECOND)), reading(engine) as session:
        there = standing(session, migration())
        found = suggested(first(), migration().new, there)
    assert found == CaseMapping({"held": "held"}, {"held": {"lose": Onto("lose")}})
    assert read_mapping(found.as_text()) == found
    assert waiting


def test_a_step_and_a_migration_at_the_same_case_come_one_after_the_other(both_engines: Engine, now: datetime) -> None:
    engine = both_engines
    ids = put(engine, now, 12, held_until="2026-04-01", insured=True)
    with using(release(SECOND)):
        for case_id in ids:

            def deliver(case_id: int = case_id) -> None:
                with writing(engine) as session:
                    require_moved(take_step(session, "parcel", "hold", [case_id], now=now, actor=COURIER))

            works = [deliver, lambda: move(engine, ids, now)]
            assert race(engine, 2, works.pop) == []
        with reading(engine) as session:
            assert set(session.scalars(select(CASE.c.definition))) == {migration().new.hash}
            assert set(session.scalars(select(CASE.c.state))) == {"held"}
            acts = [tuple(act["do"] for act in history(session, case_id)) for case_id in ids]
        assert set(acts) <= {("open", "send", "migrate", "hold"), ("open", "send", "hold", "migrate")}


def test_the_clock_and_a_migration_at_many_cases_neither_lose_nor_double_a_timer(
    both_engines: Engine, now: datetime
) -> None:
    engine = both_engines
    ids = put(engine, now, 60)
    with using(release(SECOND)):

        def all_of_them() -> None:
            for at in range(0, len(ids), 7):
                move(engine, ids[at : at + 7], now)

        works = [all_of_them, lambda: fire_due(engine, DUE_AT, limit=9), lambda: fire_due(engine, DUE_AT, limit=9)]
        assert race(engine, 3, works.pop) == []
        move(engine, ids, now)
        fire_due(engine, DUE_AT)
        with reading(engine) as session:
            counted = select(CaseHistory.do, func.count()).group_by(CaseHistory.do)
            acts = {row[0]: row[1] for row in session.execute(counted)}
            assert set(session.scalars(select(CASE.c.state))) == {"late"}
        assert (acts["remind"], acts["migrate"]) == (60, 60)
        assert acts.get("delay", 0) + acts["miss"] == 60


WALKS = st.lists(
    st.lists(st.sampled_from(["hold", "release", "arrive", "return", "fire"]), max_size=5), min_size=1, max_size=4
)
FATES = st.tuples(st.booleans(), st.booleans())  # is `delay`, is `remind` dropped?


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(walks=WALKS, fates=FATES)
def test_whatever_came_before_no_date_moves_nothing_is_armed_and_one_act_is_added(
    engine: Engine, now: datetime, walks: list[list[str]], fates: tuple[bool, bool]
) -> None:
    ids = put(engine, now, len(walks), name=f"walk{next(NUMBERS)}-", held_until="2026-04-01")
    for case_id, walk in zip(ids, walks, strict=True):
        for do in walk:
            with suppress(Refused):
                fire_due(engine, REMIND_AT) if do == "fire" else step(engine, case_id, do, now, "回")
    drops = {do: "{drop: 试}" if fate else do for do, fate in zip(("miss", "remind"), fates, strict=True)}
    mapping = MAPPING.replace("delay: miss, remind: remind", f"delay: {drops['miss']}, remind: {drops['remind']}")
    if fates[0]:
        mapping += "begin: {waiting: {miss: {leave: 试}}}"
    before = {case_id: (case(engine, case_id), timers(engine, case_id), spent(engine, case_id)) for case_id in ids}
    with using(release(SECOND)):
        assert move(engine, ids, now, mapping).moved == ids
        for case_id in ids:
            was, ran, fired = before[case_id]
            found: Any = case(engine, case_id)
            kept = {"miss" if do == "delay" else do: at for do, at in ran.items()}
            assert timers(engine, case_id) == {
                do: at for do, at in kept.items() if not drops.get(do, do).startswith("{")
            }
            assert spent(engine, case_id) == fired
            assert (found.version, found.light, found.open) == (was.version + 1, was.light, was.open)
            assert (found.state_since, found.day_zero, found.data) == (was.state_since, was.day_zero, was.data)
            assert found.due_at == min(timers(engine, case_id).values(), default=None)
        assert move(engine, ids, now, mapping).moved == []


def spent(engine: Engine, case_id: int) -> list[Any]:
    with reading(engine) as session:
        fired = select(TIMER.c.id, TIMER.c.due_at, TIMER.c.ended_at).where(TIMER.c.case_id == case_id)
        return list(session.execute(fired.where(TIMER.c.state == "fired").order_by(TIMER.c.id)).all())
