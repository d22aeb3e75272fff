"""月报 (办法10(三)): opened on its day, answered one by one, confirmed by another, compared, corrected in time, locked under a digest."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import Engine, func, insert, select

from tests.periodic.month_room import (
    AFTER,
    LAST,
    MONTH,
    OPENS,
    REVIEWER,
    A,
    B,
    C,
    answer_all,
    at,
    city,
    clerk,
    confirmed,
    head,
    items_of,
    ledger,
    locked,
    midnight,
    of,
    open_on,
    person,
    put,
    report,
    snapshot,
    step,
    tamper,
)  # fmt: skip
from workflow.casework.models import HOLD
from workflow.db import reading, writing
from workflow.engine.actors import Person
from workflow.engine.models import CASE, OUTBOX
from workflow.engine.registry import book, using
from workflow.errors import BadInput, NotAllowed, Refused
from workflow.periodic.locking import any_locked, canonical, digest, locked_verdict, month_locked, verify
from workflow.periodic.models import REPORT, MonthSnapshot
from workflow.periodic.monthly import open_month
from workflow.periodic.months import month_before, terms_of_month
from workflow.policy import Policies, Policy
from workflow.quality.models import TICKET
from workflow.registry.models import RecordVersion


@pytest.fixture
def u(engine: Engine) -> dict[str, int]:
    """Unit code → id of the city, its reports of March 2026 open."""
    units = city(engine)
    open_on(engine)
    return units


def test_the_window_opens_on_its_day_for_every_living_unit_and_only_once(engine: Engine) -> None:
    city(engine)
    assert open_on(engine, date(2026, 3, 24)) == 0
    assert open_on(engine, OPENS) == 3
    assert open_on(engine, OPENS) == open_on(engine, LAST) == 0
    assert open_on(engine, date(2026, 4, 25)) == 3


def test_a_day_that_was_missed_is_made_up_on_the_next(engine: Engine) -> None:
    city(engine)
    assert open_on(engine, date(2026, 3, 28)) == 3


@pytest.mark.parametrize("news", [0, 1, 3])
@pytest.mark.parametrize("olds", [0, 1, 4])
def test_a_first_report_begins_with_the_first_version_of_its_month(both_engines: Engine, olds: int, news: int) -> None:
    written = [date(2026, 2, 28)] * olds + [date(2026, 3, 1)] * news
    for n, day in enumerate(written):
        put(both_engines, "unit", [{"unit_code": f"33020390{n}", "name": f"单位{n}", "district_code": "330203"}], day)
    with writing(both_engines) as session:
        open_month(session, MONTH, ["330203"], at(OPENS))
        since = session.scalars(select(REPORT.c.since_version).distinct()).all()
        earlier = select(func.max(RecordVersion.id)).where(RecordVersion.at < at(date(2026, 3, 1), 0))
        assert since == ([session.scalar(earlier) or 0] if written else [])


def test_a_stricter_county_opens_earlier(engine: Engine) -> None:
    units = city(engine)
    policies = book().policies
    early = policies.city.entry("monthly.opens_on").model_copy(update={"value": 20})
    cixi = Policy("330282", "慈溪市", {**policies.of("330282").entries, "monthly.opens_on": early})
    with using(replace(book(), policies=Policies(policies.city, {"330282": cixi}))):
        assert open_on(engine, date(2026, 3, 20)) == 1
    assert report(engine, units[C]) is not None
    assert report(engine, units[A]) is None


def test_the_dates_of_a_month_are_those_of_the_reading() -> None:
    terms = terms_of_month("2026-02", book().policies.city, book().calendar)
    assert (terms["opens_on"], terms["confirm_by"]) == (date(2026, 2, 25), date(2026, 2, 28))
    assert (terms["compare_by"], terms["consistent_by"]) == (date(2026, 3, 6), date(2026, 3, 13))
    assert terms["remind_on"] == date(2026, 2, 26)  # two working days before Saturday the 28th, whatever day that is
    assert month_before("2026-01") == "2025-12"


def test_the_items_are_the_units_own_totals_changes_and_problems(engine: Engine) -> None:
    units = city(engine)
    put(engine, "person", [person(6, units[A])], date(2026, 3, 10), case_id=77)
    gone = {"person_code": "P00000001", "estab_status": of("estab_status", "出编"), "exit_date": date(2026, 3, 11)}
    put(engine, "person", [gone], date(2026, 3, 11))
    put(engine, "person", [{"person_code": "P00000002", "position_name": "科长"}], date(2026, 3, 12))
    put(engine, "person", [{"person_code": "P00000003", "unit": units[A]}], date(2026, 3, 12))
    put(engine, "ledger", [ledger(4, units[A], 1, 4, doc_date=date(2026, 3, 2))], date(2026, 3, 13))
    open_on(engine)
    said = {(i.kind, i.key): i for i in items_of(engine, report(engine, units[A]).case_id)}
    assert {kind for kind, _ in said} == {"quota", "entry", "exit", "post", "transfer", "ledger"}
    assert "核定 4、实有 3、空编 1、超编 0" in said["quota", "11"].says
    assert "填报事项 77" in said["entry", "person:P00000006"].says
    assert said["entry", "person:P00000006"].link == "/filings/77"
    assert "未经填报" in said["exit", "person:P00000001"].says
    school = {(i.kind, i.key) for i in items_of(engine, report(engine, units[B]).case_id)}
    assert school == {("quota", "11"), ("transfer", "person:P00000003")}


def test_very_many_changes_of_a_kind_are_one_item(engine: Engine) -> None:
    units = city(engine)
    put(engine, "person", [person(n, units[A]) for n in range(100, 121)], date(2026, 3, 10))
    open_on(engine)
    entries = [i for i in items_of(engine, report(engine, units[A]).case_id) if i.kind == "entry"]
    assert [(i.key, "共 21 条" in i.says) for i in entries] == [("all", True)]


def test_each_change_stands_in_exactly_one_report(engine: Engine, u: dict[str, int]) -> None:
    put(engine, "person", [person(6, u[A])], date(2026, 3, 28))
    open_on(engine, date(2026, 4, 25))
    kinds = [[i.kind for i in items_of(engine, report(engine, u[A], m).case_id)] for m in (MONTH, "2026-04")]
    assert kinds == [["quota"], ["quota", "entry"]]


def test_comparing_again_finds_what_came_and_keeps_the_answers(engine: Engine, u: dict[str, int]) -> None:
    case_id = report(engine, u[B]).case_id
    answer_all(engine, case_id, OPENS, clerk(u, B))
    put(engine, "person", [{"person_code": "P00000003", "position_name": "教师"}], date(2026, 3, 26))
    step(engine, case_id, "refresh", date(2026, 3, 26), clerk(u, B))
    assert [(i.kind, i.answer) for i in items_of(engine, case_id)] == [("quota", "true"), ("post", None)]
    put(engine, "person", [person(7, u[B])], date(2026, 3, 27))
    step(engine, case_id, "refresh", date(2026, 3, 27), clerk(u, B))
    quota = next(i for i in items_of(engine, case_id) if i.kind == "quota")
    assert ("超编 1" in quota.says, quota.answer) == (True, None)  # another figure is another question


def test_nothing_is_sent_on_before_every_item_is_answered(engine: Engine, u: dict[str, int]) -> None:
    case_id = report(engine, u[A]).case_id
    with pytest.raises(Refused, match="已答复 0 项，须逐条答复"):
        step(engine, case_id, "submit", OPENS, clerk(u))
    answer_all(engine, case_id, OPENS, clerk(u))
    step(engine, case_id, "submit", OPENS, clerk(u))
    assert report(engine, u[A]).state == "confirming"


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("maybe", "答复应为"), ({"answer": "explained"}, "须写明情况"), ({"answer": "corrected", "text": " "}, "须写明情况"),
        ({"answer": "explained", "text": "长" * 501}, "最多 500 个字"),
    ],
)  # fmt: skip
def test_an_answer_that_says_nothing_is_refused(engine: Engine, u: dict[str, int], answer: object, says: str) -> None:
    case_id = report(engine, u[A]).case_id
    item = items_of(engine, case_id)[0]
    with pytest.raises(BadInput, match=says):
        step(engine, case_id, "answer", OPENS, clerk(u), inputs={"answers": {str(item.id): answer}})
    assert items_of(engine, case_id)[0].answer is None


def test_an_item_of_another_unit_is_not_answered(engine: Engine, u: dict[str, int]) -> None:
    theirs = items_of(engine, report(engine, u[C]).case_id)[0]
    for key in (str(theirs.id), "x", "9" * 20):
        with pytest.raises(BadInput):
            step(engine, report(engine, u[A]).case_id, "answer", OPENS, clerk(u), inputs={"answers": {key: "true"}})
    assert items_of(engine, report(engine, u[C]).case_id)[0].answer is None


def test_whoever_answered_does_not_confirm(engine: Engine, u: dict[str, int]) -> None:
    both = Person("both", {"unit_clerk": frozenset({u[A]}), "unit_head": frozenset({u[A]})})
    case_id = report(engine, u[A]).case_id
    answer_all(engine, case_id, OPENS, both)
    step(engine, case_id, "submit", OPENS, both)
    with pytest.raises(Refused, match="不得自行确认"):
        step(engine, case_id, "confirm", OPENS, both)
    with pytest.raises(Refused, match="不得自行确认"):
        step(engine, case_id, "confirm", OPENS, head(u), on_behalf_of="both")
    step(engine, case_id, "confirm", OPENS, head(u))
    assert (report(engine, u[A]).state, report(engine, u[A]).confirmed_on) == ("comparing", OPENS)


def test_a_neighbours_clerk_answers_nothing(engine: Engine, u: dict[str, int]) -> None:
    with pytest.raises(NotAllowed):
        answer_all(engine, report(engine, u[A]).case_id, OPENS, clerk(u, C))


def test_a_held_unit_reports_all_the_same(engine: Engine, u: dict[str, int]) -> None:
    hold = {"source_unit_id": u[A], "kind": "HOLD_APPLY", "from_on": OPENS, "until_on": date(2026, 9, 1)}
    with writing(engine) as session:
        row = hold | {"case_id": report(engine, u[A]).case_id, "unit_id": u[A], "written_at": at(OPENS)}
        session.execute(insert(HOLD), [row])
    assert locked(engine, u) == report(engine, u[A]).case_id


def test_an_unconfirmed_month_is_reminded_then_late_to_the_minute_and_stays_late(
    engine: Engine, u: dict[str, int]
) -> None:
    def kinds() -> list[str]:
        with reading(engine) as session:
            payloads = session.scalars(select(OUTBOX.c.payload).order_by(OUTBOX.c.id))
            return [p["items"][0]["kind"] for p in payloads if p["items"][0].get("unit_id") == u[A]]

    confirmed(engine, u, C)
    midnight(engine, date(2026, 3, 28))
    assert kinds() == ["monthly.remind"]
    midnight(engine, date(2026, 4, 1), before=True)
    assert report(engine, u[A]).late_on is None
    midnight(engine, date(2026, 4, 1))
    assert (report(engine, u[A]).late_on, report(engine, u[A]).state) == (date(2026, 4, 1), "checking")
    assert report(engine, u[C]).late_on is None
    assert kinds() == ["monthly.remind", "monthly.late"]
    confirmed(engine, u, A, date(2026, 4, 2))
    assert report(engine, u[A]).late_on == date(2026, 4, 1)


def test_the_office_is_pressed_after_the_fifth_working_day(engine: Engine, u: dict[str, int]) -> None:
    case_id = confirmed(engine, u)

    def pressed() -> int:
        with reading(engine) as session:
            keys = OUTBOX.c.key.startswith(f"monthly_report.comparing:{case_id}:")
            return session.scalar(select(func.count()).where(keys)) or 0

    assert report(engine, u[A]).compare_by == date(2026, 4, 8)
    midnight(engine, date(2026, 4, 9), before=True)
    assert pressed() == 1
    midnight(engine, date(2026, 4, 9))
    assert pressed() == 2


def demand(engine: Engine, u: dict[str, int], **inputs: str) -> tuple[int, int]:
    """A confirmed report of whose first item correction is demanded on 1 April; the report and the correction."""
    case_id = confirmed(engine, u)
    item = items_of(engine, case_id)[0]
    given = {"items": str(item.id)} | inputs
    step(engine, case_id, "demand", date(2026, 4, 1), REVIEWER, inputs=given, reason="与任免文件不符")
    return case_id, items_of(engine, case_id)[0].correction_id


def state_of(engine: Engine, case_id: int) -> str:
    with reading(engine) as session:
        return session.scalars(select(CASE.c.state).where(CASE.c.id == case_id)).one()


CORRECTION = "monthly_correction"


@pytest.mark.parametrize(("inputs", "late_from"), [({}, date(2026, 4, 10)), ({"days": "2"}, date(2026, 4, 4))])
def test_a_correction_is_overdue_at_the_end_of_its_own_term(
    engine: Engine, u: dict[str, int], inputs: dict[str, str], late_from: date
) -> None:
    """5 working days from 1 April 2026 pass over 清明 (4 to 6 April)."""
    _, correction = demand(engine, u, **inputs)
    midnight(engine, late_from, before=True)
    assert state_of(engine, correction) == "open"
    midnight(engine, late_from)
    assert state_of(engine, correction) == "overdue"
    step(engine, correction, "answer", late_from, clerk(u), process=CORRECTION, inputs={"text": "已更正"})
    with reading(engine) as session:
        assert session.scalars(select(CASE.c.data).where(CASE.c.id == correction)).one()["late_days"] == 1


def test_the_comparison_passes_only_when_every_correction_is_settled(engine: Engine, u: dict[str, int]) -> None:
    case_id, correction = demand(engine, u)
    with pytest.raises(Refused, match="还有 1 项整改未办结"):
        step(engine, case_id, "pass", AFTER, REVIEWER)
    step(engine, correction, "answer", AFTER, clerk(u), process=CORRECTION, inputs={"text": "已按任免文件更正"})
    step(engine, correction, "refuse", AFTER, REVIEWER, process=CORRECTION, reason="附任免文件")
    step(engine, correction, "answer", AFTER, clerk(u), process=CORRECTION, inputs={"text": "已补附件"})
    step(engine, correction, "accept", AFTER, REVIEWER, process=CORRECTION)
    assert (items_of(engine, case_id)[0].answer, items_of(engine, case_id)[0].text) == ("corrected", "已补附件")
    step(engine, case_id, "pass", AFTER, REVIEWER)
    assert report(engine, u[A]).compared_on == AFTER


@pytest.mark.parametrize("inputs", [{"items": "0"}, {"items": "x"}, {"items": "1", "days": "21"}, {"items": "1", "days": "0"}])  # fmt: skip
def test_a_demand_out_of_bounds_is_refused(engine: Engine, u: dict[str, int], inputs: dict[str, str]) -> None:
    case_id = confirmed(engine, u)
    first = str(items_of(engine, case_id)[0].id)
    given = {**inputs, "items": first} if inputs["items"] == "1" else inputs
    with pytest.raises(BadInput):
        step(engine, case_id, "demand", date(2026, 4, 1), REVIEWER, inputs=given, reason="x")


def test_the_same_item_is_not_demanded_twice_at_once_but_again_after_it_was_withdrawn(
    engine: Engine, u: dict[str, int]
) -> None:
    case_id, correction = demand(engine, u)
    item = str(items_of(engine, case_id)[0].id)
    with pytest.raises(BadInput, match="已在整改中"):
        step(engine, case_id, "demand", AFTER, REVIEWER, inputs={"items": item}, reason="x")
    step(engine, correction, "withdraw", AFTER, REVIEWER, process=CORRECTION, reason="误提")
    step(engine, case_id, "demand", AFTER, REVIEWER, inputs={"items": item}, reason="确有问题")
    assert items_of(engine, case_id)[0].correction_id != correction


def test_a_month_is_not_locked_before_it_is_over(engine: Engine, u: dict[str, int]) -> None:
    case_id = confirmed(engine, u)
    step(engine, case_id, "pass", LAST, REVIEWER)
    with pytest.raises(Refused, match="2026-03 尚未结束"):
        step(engine, case_id, "lock", LAST, REVIEWER)
    step(engine, case_id, "lock", date(2026, 4, 1), REVIEWER)
    assert report(engine, u[A]).state == "locked"


def test_the_snapshot_holds_figures_answers_and_versions_under_its_digest(engine: Engine, u: dict[str, int]) -> None:
    kept = snapshot(engine, locked(engine, u))
    content = json.loads(kept.content)
    assert content["figures"]["quota"]["11"] == {"approved": 3, "occupied": 2, "vacant": 1, "over": 0}
    assert (content["unit"], content["month"], content["as_of"]) == (A, MONTH, "2026-03-31")
    assert content["records"]["person"] == {"P00000001": 1, "P00000002": 1}
    assert content["items"][0][3:5] == ["true", ""]
    assert kept.sha256 == digest(canonical(content)) == report(engine, u[A]).data["sha256"]


def test_any_other_figure_has_another_digest(engine: Engine, u: dict[str, int]) -> None:
    content = json.loads(snapshot(engine, locked(engine, u)).content)
    seen = {digest(canonical(content))}
    for change in (
        lambda c: c["figures"]["quota"]["11"].update(occupied=3), lambda c: c["figures"]["posts"].update(held=1),
        lambda c: c["records"]["person"].update(P00000001=2), lambda c: c["items"][0].__setitem__(4, "x"),
        lambda c: c.update(late_on="2026-04-01"), lambda c: c["confirmed"].__setitem__(0, "clerk"),
    ):  # fmt: skip
        other = json.loads(canonical(content))
        change(other)
        seen.add(digest(canonical(other)))
    assert len(seen) == 7


def test_the_snapshot_is_of_the_months_end_whatever_came_later(engine: Engine, u: dict[str, int]) -> None:
    put(engine, "person", [person(8, u[A], entry_date=date(2026, 4, 2))], date(2026, 4, 2))
    gone = {"person_code": "P00000001", "estab_status": of("estab_status", "出编"), "exit_date": date(2026, 4, 3)}
    put(engine, "person", [gone], date(2026, 4, 3))
    content = json.loads(snapshot(engine, locked(engine, u)).content)
    assert content["figures"]["quota"]["11"]["occupied"] == 2


def verified(engine: Engine, case_id: int) -> tuple[bool, list[tuple[str, str, int | None, int | None]]]:
    with reading(engine) as session:
        found = verify(session, session.get_one(MonthSnapshot, case_id))
        return found.intact, found.changed


def test_verifying_tells_a_changed_snapshot_from_changed_records(engine: Engine, u: dict[str, int]) -> None:
    case_id = locked(engine, u)
    assert verified(engine, case_id) == (True, [])
    put(engine, "person", [{"person_code": "P00000002", "position_name": "科长"}, person(9, u[A])], date(2026, 4, 9))
    assert verified(engine, case_id) == (True, [("person", "P00000002", 1, 2), ("person", "P00000009", None, 1)])
    with writing(engine) as session:
        tamper(session, case_id, '"occupied":2', '"occupied":3')
    assert verified(engine, case_id)[0] is False


def test_a_change_as_of_a_locked_month_needs_a_request_first(engine: Engine, u: dict[str, int]) -> None:
    case_id = locked(engine, u)
    with reading(engine) as session:
        assert month_locked(session, u[A], MONTH).case_id == case_id  # type: ignore[union-attr]
        assert month_locked(session, u[B], MONTH) is None
        found = locked_verdict(session, u[A], LAST)
        assert (found.holds, "须先请示" in found.says, found.link) == (False, True, f"/monthly/{case_id}")
        assert locked_verdict(session, u[A], date(2026, 4, 1)).holds
        assert locked_verdict(session, u[B], LAST).holds
        pairs = any_locked(session, list(u.values()), [MONTH, "2026-04"])
        assert (pairs, any_locked(session, [u[A]], [])) == ({(u[A], MONTH)}, set())


def test_the_next_month_is_compared_with_the_locked_one(engine: Engine, u: dict[str, int]) -> None:
    locked(engine, u)
    put(engine, "person", [person(6, u[A], entry_date=date(2026, 4, 10))], date(2026, 4, 10))
    open_on(engine, date(2026, 4, 25))
    says = items_of(engine, report(engine, u[A], "2026-04").case_id)[0].says
    assert "上月核定 3（+0）、实有 2（+1）" in says
    assert "尚无已锁定" in items_of(engine, report(engine, u[B], "2026-04").case_id)[0].says


def test_open_problems_are_items_by_rule(engine: Engine) -> None:
    from tests.quality.ticket_room import check, finding

    units = city(engine)
    check(engine, date(2026, 3, 23), [finding(1, unit=units[A]), finding(2, unit=units[A])])
    open_on(engine)
    problems = [i for i in items_of(engine, report(engine, units[A]).case_id) if i.kind == "finding"]
    assert [(i.key, "2 项" in i.says) for i in problems] == [("T03", True)]
    with reading(engine) as session:
        assert session.scalar(select(func.count()).select_from(TICKET)) == 2


def test_many_units_are_opened_set_based(both_engines: Engine) -> None:
    from sqlalchemy import event

    city(both_engines)
    living = of("unit_status", "正常")
    more = [{"unit_code": f"33028290{n}", "name": f"单位{n}", "district_code": "330282", "status": living} for n in range(100, 160)]  # fmt: skip
    put(both_engines, "unit", more)
    seen: list[str] = []
    event.listen(both_engines, "before_cursor_execute", lambda *args: seen.append(args[2]))
    with writing(both_engines) as session:
        assert open_month(session, MONTH, ["330282", "330200"], at(OPENS)) == 63
    assert len(seen) < 110  # one a case is the engine opening it; the items come for all together
