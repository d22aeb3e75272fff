"""机构编制申请事项: along the road to the notice, refused with every reason, exceptions by four people, the clock stopped by a hold."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select

from tests.casework.approval_room import (
    CLERK,
    HEAD,
    LEADER,
    MON,
    NEXT_MON,
    OFFICE,
    OTHER,
    PAPER,
    QUOTA,
    REVIEWER,
    SECOND,
    TUE,
    applied,
    audit,
    brought_to,
    case,
    counter,
    facts,
    ledger_row,
    notice,
    person_row,
    settle,
    step,
)
from tests.quality.ticket_room import at
from workflow.casework.can import can
from workflow.casework.models import LINK, SIGNATURE
from workflow.db import reading, writing
from workflow.engine.actors import SYSTEM, Person
from workflow.engine.models import CASE
from workflow.engine.steps import NewCase, open_cases
from workflow.engine.timers import fire_due
from workflow.errors import BadInput, NotAllowed, Refused
from workflow.registry.tree import rebuild


@pytest.fixture
def city(engine: Engine) -> Engine:
    settle(engine)
    return engine


def says(city: Engine, case_id: int, do: str, actor: Person, on: date = MON, **more: Any) -> str:
    with pytest.raises((Refused, BadInput)) as refused:
        step(city, case_id, do, actor, on, **more)
    return refused.value.says


def held(city: Engine, on: date, months: int = 3) -> int:
    """The office suspended on a day."""
    with writing(city) as session:
        rebuild(session)
        hold = open_cases(
            session, "suspension", [NewCase(OFFICE, f"s{on}", data={"months": months})], now=at(on), actor=SYSTEM
        )[0]
    step(city, hold, "confirm", LEADER, on, process="suspension")
    return hold


def test_an_application_is_carried_to_its_notice_and_sets_its_heads_aside(city: Engine) -> None:
    case_id = brought_to(city, "end")
    granted, found = notice(city, case_id), case(city, case_id)
    assert (found.state, found.open, granted.number, granted.n) == ("issued", False, "甬编办核〔2026〕1号", 1)
    assert granted.valid_until == date(2026, 9, 2)
    assert counter(city) == (2, 0, 1, 0)


def test_the_decision_opens_its_ledger_filing_due_in_five_working_days(city: Engine) -> None:
    case_id = brought_to(city, "end")
    with reading(city) as session:
        tie = session.execute(select(LINK).where(LINK.c.case_id == case_id)).one()
        filing = session.execute(select(CASE).where(CASE.c.id == tie.other_id)).one()
    assert (tie.kind, filing.process, filing.state, filing.unit_id) == ("leads_to", "filing", "draft", OFFICE)
    assert filing.data["due_on"] == "2026-03-09"


def test_a_plan_opens_no_ledger_filing_and_sets_nothing_aside(city: Engine) -> None:
    case_id = brought_to(city, "end", kind="plan", plan_year="2026", minutes=[PAPER])
    assert "ledger_filing" not in case(city, case_id).data
    assert counter(city)[2] == 0


@pytest.mark.parametrize(
    "texts",
    [
        {"kind": "leader_posts", "scope": "1", "post_level": "1A41", "rank_kind": "1", "posts": "1", "leaving": "1", "posts_table": [PAPER]},
        {"kind": "unit", "change": "04", "org_name": "示例新局", "scheme": [PAPER]},
        {"kind": "inner_org", "org_name": "综合处", "scheme": [PAPER]},
        {"kind": "quota_change", "delta_plus": "3", "scheme": [PAPER]},
        {"kind": "contract_quota", "category": "1", "n_control": "6"},
    ],
)  # fmt: skip
def test_every_kind_that_the_ledger_books_opens_a_filing(city: Engine, texts: dict[str, Any]) -> None:
    facts(city, "leader_quota", {"leader_quota_no": "Z1", "unit": OFFICE, "scope": "1", "post_level": "1A41", "rank_kind": "1", "n_approved": 1, "status": "1", "doc_no": "x", "doc_date": 20200101})  # fmt: skip
    case_id = brought_to(city, "end", minutes=[PAPER], **texts)
    assert case(city, case_id).data["ledger_filing"]
    assert counter(city)[2] == 0


def test_what_is_required_depends_on_the_kind(city: Engine) -> None:
    case_id = applied(city, kind="inner_org", org_name="", request=[])
    told = says(city, case_id, "submit", CLERK)
    assert "还须填写：机构名称、申请文件、党组（党委）会议纪要、调整方案" in told


def test_a_change_of_quota_says_by_how_many(city: Engine) -> None:
    case_id = applied(city, kind="quota_change", minutes=[PAPER], scheme=[PAPER])
    assert "须填写增编数或减编数" in says(city, case_id, "submit", CLERK)


def test_a_cut_below_people_and_notices_is_refused_before_it_is_filed(city: Engine) -> None:
    brought_to(city, "end", n="2")
    case_id = applied(city, kind="quota_change", delta_minus="1", minutes=[PAPER], scheme=[PAPER])
    assert "调整后核定 1 名，在编 0 名、已核准未用 2 名，减编后不足" in says(city, case_id, "submit", CLERK)


def test_what_is_not_free_is_not_granted(city: Engine) -> None:
    facts(city, "person", person_row("P1"))
    told = says(city, applied(city, n="2"), "submit", CLERK)
    assert "全额事业编制核定 2 名、在编 1 名、已核准未用 0 名，空编 1 名，不足 2 名" in told


def test_a_unit_over_its_establishment_takes_nobody_in(city: Engine) -> None:
    facts(city, "person", *(person_row(f"P{n}") for n in range(3)))
    assert "单位超编（全额事业编制超 1 名）" in says(city, applied(city), "submit", CLERK)
    assert counter(city) == (2, 3, 0, 1)


def test_posts_beyond_those_approved_are_refused(city: Engine) -> None:
    texts = {"kind": "leader_posts", "scope": "1", "post_level": "1A41", "rank_kind": "1", "posts": "1"}
    case_id = applied(city, minutes=[PAPER], posts_table=[PAPER], **texts)
    assert "核定职数 0，现配 0，拟免 0，拟配 1，配备后 1，超职数" in says(city, case_id, "submit", CLERK)


def test_an_application_that_names_a_plan_stays_within_it(city: Engine) -> None:
    plan = brought_to(city, "end", kind="plan", plan_year="2026", minutes=[PAPER])
    number = notice(city, plan).number
    assert "没有本单位该类编制的有效用编计划 无此号" in says(city, applied(city, plan_no="无此号"), "submit", CLERK)
    assert "余 1 名" in says(city, applied(city, plan_no=number, n="2"), "submit", CLERK)
    brought_to(city, "end", plan_no=number)
    assert "已核准使用 1 名，余 0 名" in says(city, applied(city, plan_no=number), "submit", CLERK)


def test_without_this_weeks_audit_nothing_goes_on(city: Engine) -> None:
    case_id = brought_to(city, "audit")
    assert "2026-W10 周审核为“待审核”" in says(city, case_id, "pass_audit", REVIEWER)
    step(city, audit(city).id, "pass", REVIEWER, process="weekly_audit")
    step(city, case_id, "pass_audit", REVIEWER)


def test_an_audit_of_last_week_does_not_open_this_weeks_gate(city: Engine) -> None:
    case_id = brought_to(city, "approve")
    assert "2026-W11 周尚未建立审核" in says(city, case_id, "approve", LEADER, NEXT_MON)
    step(city, case_id, "return_audit", LEADER, NEXT_MON, reason="跨周")
    assert audit(city, NEXT_MON).state == "due"


def test_nobody_decides_who_took_part(city: Engine) -> None:
    case_id = brought_to(city, "approve")
    both = Person("reviewer", {"leader": None})
    assert "不得再作决定" in says(city, case_id, "approve", both)
    with pytest.raises(Refused, match="不得再作决定"):
        step(city, case_id, "approve", LEADER, on_behalf_of="head@1")
    with pytest.raises(NotAllowed):
        step(city, case_id, "approve", SECOND)


def test_a_colleague_of_another_unit_touches_nothing(city: Engine) -> None:
    case_id = applied(city)
    with pytest.raises(NotAllowed):
        step(city, case_id, "submit", Person("clerk@2", {"unit_clerk": frozenset({OTHER})}))


@pytest.mark.parametrize(
    ("do", "there"),
    [("return", "draft"), ("return_receive", "submitted"), ("return_audit", "auditing"), ("return_review", "reviewing"), ("return_meeting", "meeting")],
)  # fmt: skip
def test_the_leader_sends_it_back_to_any_earlier_step_with_a_reason(city: Engine, do: str, there: str) -> None:
    case_id = brought_to(city, "approve")
    with pytest.raises(Refused, match="须填写理由"):
        step(city, case_id, do, LEADER)
    step(city, case_id, do, LEADER, reason="材料不全")
    assert case(city, case_id).state == there


def test_the_clerk_takes_it_back_or_withdraws_it(city: Engine) -> None:
    case_id = brought_to(city, "receive")
    step(city, case_id, "recall", CLERK)
    step(city, case_id, "submit", CLERK)
    step(city, case_id, "withdraw", CLERK)
    assert case(city, case_id).state == "withdrawn"


def asked(city: Engine, *names: str) -> int:
    """An application at countersigning, its signers asked for by accounts that exist."""
    from workflow.access.models import Account, Grant

    with writing(city) as session:
        for name, role in (("reviewer2", "reviewer"), ("leader", "leader"), ("clerk@1", "unit_clerk")):
            session.add(Account(name=name, person_name=name, district="330200", created_at=at(MON), created_by="x"))
            session.flush()
            scope = (
                {"scope": "unit", "unit_id": OFFICE}
                if role == "unit_clerk"
                else {"scope": "district", "district": "330200"}
            )
            session.add(Grant(account=name, role=role, from_on=MON, granted_by="x", granted_at=at(MON), **scope))
    case_id = brought_to(city, "endorse")
    step(city, case_id, "countersign", REVIEWER, inputs={"signers": " ".join(names)})
    return case_id


def test_whoever_is_asked_signs_once_and_all_sign_before_it_goes_on(city: Engine) -> None:
    case_id = asked(city, "reviewer2")
    step(city, case_id, "add_signer", REVIEWER, inputs={"signers": "leader、reviewer2"})
    assert "尚未签署：reviewer2、leader" in says(city, case_id, "gather", REVIEWER)
    assert "没有请您会签" in says(city, case_id, "sign", REVIEWER, inputs={"opinion": "agree"})
    step(city, case_id, "sign", SECOND, inputs={"opinion": "agree"})
    assert "已签署" in says(city, case_id, "sign", SECOND, inputs={"opinion": "agree"})
    step(city, case_id, "sign", LEADER, inputs={"opinion": "agree_if"}, reason="先核减")
    step(city, case_id, "gather", REVIEWER)
    with reading(city) as session:
        rows = session.execute(select(SIGNATURE.c.account, SIGNATURE.c.opinion, SIGNATURE.c.says)).all()
    assert rows == [("reviewer2", "agree", ""), ("leader", "agree_if", "先核减")]


def test_who_cannot_be_asked_is_named(city: Engine) -> None:
    with pytest.raises(BadInput, match="不能请 clerk@1、nobody 会签"):
        asked(city, "reviewer2", "clerk@1", "nobody")


def test_a_suspension_stops_the_matter_and_its_clock_but_not_a_notice_that_was_issued(city: Engine) -> None:
    issued = brought_to(city, "end")
    case_id = brought_to(city, "receive")
    due = case(city, case_id).due_at
    hold = held(city, TUE)
    assert "暂停办理机构编制申请事项至 2026-06-03" in says(city, case_id, "receive", REVIEWER, TUE)
    assert "暂停办理" in says(city, applied(city, TUE), "submit", CLERK, TUE)
    assert case(city, case_id).due_at is None
    assert case(city, issued).state == "issued"
    step(city, hold, "request_lift", REVIEWER, NEXT_MON, process="suspension", reason="已整改")
    step(city, hold, "lift", LEADER, NEXT_MON, process="suspension")
    assert case(city, case_id).due_at == due + timedelta(4)  # Tuesday to Friday stood still
    step(city, case_id, "receive", REVIEWER, NEXT_MON)


def test_an_exception_takes_four_people_a_ground_and_reasons(city: Engine) -> None:
    held(city, MON)
    case_id = applied(city, entry_way="04", what="安置军转干部")
    with pytest.raises(Refused, match="例外情形"):
        step(city, case_id, "plead", CLERK, reason="安置任务")
    step(city, case_id, "plead", CLERK, inputs={"ground": "policy"}, reason="年度军转安置任务")
    step(city, case_id, "confirm_plea", HEAD)
    step(city, case_id, "propose_exception", REVIEWER, reason="属实，安置计划在册")
    assert "不得再作决定" in says(city, case_id, "grant_exception", Person("reviewer", {"leader": None}), reason="x")
    step(city, case_id, "grant_exception", LEADER, reason="同意安置")
    found = case(city, case_id)
    assert found.state == "issued"
    assert found.data["exception"] == {
        "ground": "政策性安置", "why": "年度军转安置任务", "granted_by": "leader", "granted_on": "2026-03-02", "granted_why": "同意安置"
    }  # fmt: skip


def test_an_exception_makes_no_quota(city: Engine) -> None:
    case_id = applied(city, entry_way="04", n="3")
    step(city, case_id, "plead", CLERK, inputs={"ground": "policy"}, reason="x")
    step(city, case_id, "confirm_plea", HEAD)
    step(city, case_id, "propose_exception", REVIEWER, reason="x")
    assert "不足 3 名" in says(city, case_id, "grant_exception", LEADER, reason="x")


def test_a_notice_lapses_after_its_last_day_and_frees_its_heads(city: Engine) -> None:
    case_id = brought_to(city, "end")
    due = case(city, case_id).due_at
    assert due == at(date(2026, 9, 3), 0)
    fire_due(city, due - timedelta(minutes=1))
    assert (case(city, case_id).state, counter(city)) == ("issued", (2, 0, 1, 0))
    fire_due(city, due)
    assert (case(city, case_id).state, counter(city)) == ("expired", (2, 0, 0, 0))


@pytest.mark.parametrize(("do", "actor"), [("revoke", LEADER), ("give_back", HEAD)])
def test_a_notice_revoked_or_given_back_frees_its_heads(city: Engine, do: str, actor: Person) -> None:
    case_id = brought_to(city, "end")
    step(city, case_id, do, actor, TUE, reason="不再使用")
    assert counter(city) == (2, 0, 0, 0)
    assert notice(city, case_id).closed_on == TUE


@pytest.mark.parametrize(("state", "days"), [("receive", 5), ("pass_audit", 20)])
def test_the_office_is_pressed_when_its_term_is_over(city: Engine, state: str, days: int) -> None:
    case_id = brought_to(city, state)
    due = case(city, case_id).due_at
    fire_due(city, due - timedelta(minutes=1))
    before = case(city, case_id).version
    fire_due(city, due)
    assert case(city, case_id).version == before + 1
    assert due == at(date(2026, 3, 10) if days == 5 else date(2026, 3, 31), 0)


def test_can_says_before_the_click_what_stands_against_a_submission(city: Engine) -> None:
    applied(city, n="3")
    with reading(city) as session:
        answer = can(session, "submit", "approval", "330200101", None, at(MON))
    assert not answer.allowed
    assert [verdict.guard for verdict in answer.verdicts if not verdict.holds] == ["quota_is_free"]
    assert answer.ways[0].says.endswith("不足 3 名")


def test_numbers_of_notices_run_on(city: Engine) -> None:
    assert [notice(city, brought_to(city, "end")).number for _ in range(2)] == [
        "甬编办核〔2026〕1号",
        "甬编办核〔2026〕2号",
    ]


def test_a_ledger_row_that_books_a_notice_is_not_counted_twice(city: Engine) -> None:
    number = notice(city, brought_to(city, "end")).number
    facts(city, "ledger", ledger_row("L2") | {"plan_approved_quota": 1, "doc_no": number})
    assert counter(city) == (2, 0, 1, 0)
    facts(city, "ledger", ledger_row("L3") | {"plan_approved_quota": 1, "doc_no": "甬编〔2020〕9号"})
    assert counter(city) == (2, 0, 2, 0)
    assert QUOTA == "221"


def moved_to(city: Engine, district: str) -> Person:
    """The office lies in that district now; the leader of the district's office."""
    facts(city, "unit", {"id": OFFICE, "district_code": district})
    return Person(f"leader@{district}", {"leader": frozenset({OFFICE})})


def test_a_countys_leader_numbers_notices_in_the_countys_own_series(city: Engine) -> None:
    waiting, another = brought_to(city, "approve"), brought_to(city, "approve")
    step(city, waiting, "approve", moved_to(city, "330282"))
    assert notice(city, waiting).number == "慈编办核〔2026〕1号"
    step(city, another, "approve", LEADER)
    assert notice(city, another).number == "甬编办核〔2026〕1号"


def test_a_county_without_numbers_of_its_own_issues_no_notice_with_the_citys(city: Engine) -> None:
    waiting = brought_to(city, "approve")
    with pytest.raises(Refused, match=r"还没有自己的文号.*请由市编办领导签发"):
        step(city, waiting, "approve", moved_to(city, "330205"))
    assert case(city, waiting).state == "deciding"
    step(city, waiting, "approve", LEADER)
    assert notice(city, waiting).number == "甬编办核〔2026〕1号"
