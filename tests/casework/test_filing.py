"""填报: drafted, confirmed and reviewed by three people; judged before it is submitted; late for good; written with its case."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest
from sqlalchemy import Engine, select

from tests.conftest import Staged
from tests.quality.ticket_room import at
from workflow.casework.can import can
from workflow.casework.filing_drafting import (
    Opening,
    adopt_corrections,
    offered_corrections,
    open_filing,
    rebase,
    save_draft,
)
from workflow.casework.models import Filing
from workflow.db import reading, writing
from workflow.engine.actors import Person
from workflow.engine.judging import open_steps
from workflow.engine.models import CASE, OUTBOX
from workflow.engine.steps import require_moved, take_step
from workflow.engine.timers import fire_due
from workflow.errors import BadInput, Conflict, NotAllowed, NotFound, Refused
from workflow.registry.dictionary import code_of
from workflow.registry.history import versions
from workflow.registry.queries import Record, find_by_key
from workflow.registry.records import remove, write

MON, TUE, WED, NEXT_MON, NEXT_TUE = (date(2026, 3, day) for day in (2, 3, 4, 9, 10))
OFFICE, OTHER = 1, 2
NUMBER = "330282198506150013"
BASIS = {"_doc_no": "甬人社〔2026〕3号", "_doc_on": "2026-03-02"}
CLERK = Person("clerk@1", {"unit_clerk": frozenset({OFFICE})})
OUTSIDER = Person("clerk@2", {"unit_clerk": frozenset({OTHER})})
HEAD = Person("head@1", {"unit_head": frozenset({OFFICE})})
REVIEWER = Person("reviewer", {"reviewer": None})


def two_bureaus(engine: Engine) -> None:
    """Two bureaus; one person of the first."""
    with writing(engine) as session:
        office: dict[str, Any] = {
            "by": "office",
            "now": at(date(2026, 1, 5)),
            "may_write_locked": True,
            "may_create": True,
        }
        units = [{"unit_code": f"33020010{n}", "name": f"示例{n}局", "district_code": "330200"} for n in (1, 2)]
        assert write(session, "unit", units, **office).ids == {0: OFFICE, 1: OTHER}
        write(
            session,
            "person",
            [{"person_code": "P1", "name": "王小明", "unit": OFFICE, "native_place": "余姚"}],
            **office,
        )
        write(session, "inner_org", [{"inner_org_code": "N1", "name": "办公室", "unit": OFFICE}], **office)


@pytest.fixture
def city(engine: Engine, staged: Staged) -> Engine:
    staged(engine, two_bureaus)
    return engine


def person(city: Engine, key: str = "P1") -> Record:
    with reading(city) as session:
        found = find_by_key(session, "person", key, removed=True)
        assert found is not None
        return found


def opened(city: Engine, *, new: bool = False, on: date = TUE, actor: Person = CLERK, **more: Any) -> int:
    record = None if new else person(city)
    with writing(city) as session:
        return open_filing(session, Opening("person", OFFICE, record, fact_on=MON, **more), actor=actor, now=at(on))


def saved(city: Engine, case_id: int, form: Mapping[str, str], *, on: date = TUE, actor: Person = CLERK) -> Filing:
    with writing(city) as session:
        filing = save_draft(session, case_id, form, actor=actor, now=at(on))
        session.expunge(filing)
        return filing


def step(city: Engine, case_id: int, do: str, actor: Person, on: date = TUE, **more: Any) -> None:
    with writing(city) as session:
        require_moved(take_step(session, "filing", do, [case_id], now=at(on), actor=actor, **more))


def state(city: Engine, case_id: int) -> str:
    with reading(city) as session:
        return session.scalar(select(CASE.c.state).where(CASE.c.id == case_id)) or ""


def filing(city: Engine, case_id: int) -> Filing:
    with reading(city) as session:
        found = session.get_one(Filing, case_id)
        session.expunge(found)
        return found


def submitted(city: Engine, form: Mapping[str, str], on: date = TUE) -> int:
    case_id = opened(city, on=on)
    saved(city, case_id, form, on=on)
    step(city, case_id, "submit", CLERK, on)
    return case_id


def says(city: Engine, case_id: int, do: str, actor: Person, on: date = TUE) -> str:
    with pytest.raises(Refused) as refused:
        step(city, case_id, do, actor, on)
    return refused.value.says


def test_a_locked_field_goes_through_head_and_office_and_leaves_its_case_in_the_version(city: Engine) -> None:
    case_id = submitted(city, {"name": "王晓明"})
    assert "涉及锁定或重要字段：姓名" in says(city, case_id, "settle", HEAD)
    step(city, case_id, "confirm", HEAD)
    assert person(city).values["name"] == "王小明"
    step(city, case_id, "accept", REVIEWER, WED)
    assert (state(city, case_id), person(city).values["name"]) == ("accepted", "王晓明")
    with reading(city) as session:
        last = versions(session, "person", person(city).id)[-1]
        assert (last.by, last.case_id, last.source, last.effective_on) == ("clerk@1", case_id, "form", MON)
        asked = session.scalars(select(OUTBOX.c.key).where(OUTBOX.c.topic == "job")).all()
        assert [key.split(":")[1] for key in asked] == ["check"]


def test_a_free_field_is_accepted_on_the_heads_word(city: Engine) -> None:
    case_id = submitted(city, {"native_place": "慈溪", "_reason": "个人档案"})
    assert "不涉及锁定、重要字段" in says(city, case_id, "confirm", HEAD)
    step(city, case_id, "settle", HEAD)
    assert person(city).values["native_place"] == "慈溪"
    with reading(city) as session:
        assert versions(session, "person", person(city).id)[-1].basis == "个人档案"


def test_three_different_people_also_behind_a_substitute(city: Engine) -> None:
    every = Person("clerk@1", {"unit_clerk": None, "unit_head": None, "reviewer": None})
    case_id = submitted(city, {"name": "王晓明"})
    assert "经办人不得确认自己起草的填报" in says(city, case_id, "confirm", every)
    with pytest.raises(Refused, match="经办人不得确认"):
        step(city, case_id, "confirm", HEAD, on_behalf_of="clerk@1")
    both = Person("head@1", {"unit_head": None, "reviewer": None})
    step(city, case_id, "confirm", both)
    for one in (every, both):
        assert "审核人不得是起草人或确认人" in says(city, case_id, "accept", one)
    with pytest.raises(Refused, match="审核人不得是"):
        step(city, case_id, "accept", REVIEWER, on_behalf_of="head@1")
    step(city, case_id, "accept", REVIEWER)


def test_whoever_wrote_in_the_draft_is_an_author_too(city: Engine) -> None:
    second = Person("clerk@1b", {"unit_clerk": None, "unit_head": None})
    case_id = opened(city)
    saved(city, case_id, {"native_place": "慈溪"})
    saved(city, case_id, {"native_place": "奉化"}, actor=second)
    step(city, case_id, "submit", CLERK)
    assert "经办人不得确认" in says(city, case_id, "settle", second)


def test_another_units_clerk_neither_opens_nor_writes_nor_takes_it_back(city: Engine) -> None:
    with pytest.raises(NotAllowed):
        opened(city, actor=OUTSIDER)
    case_id = opened(city)
    with pytest.raises(NotFound):
        saved(city, case_id, {"name": "某"}, actor=OUTSIDER)
    with pytest.raises(NotAllowed):
        saved(city, case_id, {"name": "某"}, actor=HEAD)
    with pytest.raises(NotAllowed):
        step(city, case_id, "withdraw", OUTSIDER)


def test_it_comes_back_with_a_reason_for_each_field_which_goes_as_the_field_is_put_right(city: Engine) -> None:
    case_id = submitted(city, {"name": "王晓明", "native_place": "慈溪"})
    step(city, case_id, "confirm", HEAD)
    with pytest.raises(BadInput, match="须对应本填报的字段"):
        step(city, case_id, "send_back", REVIEWER, reason="见字段", inputs={"fields": {"phone": "?"}})
    back = {"name": "与户口簿不符", "native_place": "应写到县"}
    step(city, case_id, "send_back", REVIEWER, WED, reason="两处有误", inputs={"fields": back})
    assert (state(city, case_id), filing(city, case_id).returned) == ("returned", back)
    left = saved(city, case_id, {"name": "王笑明"}, on=WED)
    assert left.returned == {"native_place": "应写到县"}
    step(city, case_id, "submit", CLERK, WED)
    step(city, case_id, "confirm", HEAD, WED)
    step(city, case_id, "accept", REVIEWER, WED)  # who sent it back may review it again
    assert person(city).values["name"] == "王笑明"


def test_a_blocking_rule_keeps_it_from_being_submitted_in_the_rules_own_words(city: Engine) -> None:
    case_id = opened(city)
    kept = saved(city, case_id, {"grad_date": "2031-01-01"})
    assert [f["rule_id"] for f in kept.findings if f["blocks"]] == ["T07"]
    assert "T07" in says(city, case_id, "submit", CLERK)
    assert person(city).version == 1  # the trial left nothing behind
    saved(city, case_id, {"grad_date": "2008-06-30"})
    step(city, case_id, "submit", CLERK)


def test_what_stands_against_a_step_is_told_with_where_to_clear_it(city: Engine) -> None:
    case_id = opened(city)
    saved(city, case_id, {"grad_date": "2031-01-01", "notice_no": "甬编核〔2026〕1号"})
    with reading(city) as session:
        asked = can(session, "submit", "filing", "330200101", CLERK, at(NEXT_TUE))
    assert asked.case_id == case_id
    assert not asked.allowed
    place = f"/filings/{case_id}/edit"
    assert {way.link for way in asked.ways} == {f"{place}#f-grad_date", f"{place}#i-doc", f"{place}#i-late"}


def test_what_only_warns_is_told_and_does_not_block(city: Engine) -> None:
    case_id = opened(city)
    kept = saved(city, case_id, {"native_place": "慈溪"})
    assert kept.findings
    assert not any(f["blocks"] for f in kept.findings)
    with reading(city) as session:
        verdicts = next(s for s in open_steps(session, case_id, CLERK, at(TUE)) if s.do == "submit").verdicts
    assert any(v.guard == "filing_passes_the_rules" and v.holds and "项提示" in v.says for v in verdicts)


def test_what_cannot_be_stored_is_kept_in_the_draft_and_told_at_its_field(city: Engine) -> None:
    case_id = opened(city)
    kept = saved(city, case_id, {"grad_date": "昨天"})
    assert kept.texts == {"grad_date": "昨天"}
    assert [(f["field"], f["blocks"]) for f in kept.findings] == [("grad_date", True)]
    assert "“昨天”不是日期" in says(city, case_id, "submit", CLERK)


def test_nothing_changed_or_never_judged_is_not_submitted(city: Engine) -> None:
    case_id = opened(city)
    assert "没有与现存记录不同的内容" in says(city, case_id, "submit", CLERK)
    with writing(city) as session:
        save_draft(session, case_id, {"native_place": "慈溪"}, actor=CLERK, now=at(TUE), check=False)
    assert "尚未校验" in says(city, case_id, "submit", CLERK)


def test_an_important_field_needs_a_document_with_number_and_date(city: Engine) -> None:
    case_id = opened(city)
    saved(city, case_id, {"notice_no": "甬编核〔2026〕1号"})
    assert "涉及重要字段（核准通知单号），须填写依据文号和文件日期" in says(city, case_id, "submit", CLERK)
    saved(city, case_id, BASIS)
    step(city, case_id, "submit", CLERK)


def test_a_change_meanwhile_is_told_by_whom_and_what_and_the_draft_can_be_put_on_top(city: Engine) -> None:
    case_id = opened(city)
    saved(city, case_id, {"name": "王晓明"})
    with writing(city) as session:
        write(session, "person", [{"person_code": "P1", "native_place": "奉化"}], by="office", now=at(WED))
    told = says(city, case_id, "submit", CLERK, WED)
    assert "office 于" in told
    assert "将「籍贯」由“余姚”改为“奉化”" in told
    with writing(city) as session:
        rebase(session, case_id, actor=CLERK, now=at(WED))
    step(city, case_id, "submit", CLERK, WED)


def test_a_change_during_review_is_not_overwritten(city: Engine) -> None:
    case_id = submitted(city, {"name": "王晓明"})
    step(city, case_id, "confirm", HEAD)
    with writing(city) as session:
        write(
            session, "person", [{"person_code": "P1", "name": "王明"}], by="office", now=at(WED), may_write_locked=True
        )
    assert "将「姓名」由“王小明”改为“王明”" in says(city, case_id, "accept", REVIEWER, WED)
    assert person(city).values["name"] == "王明"


def test_two_browsers_on_one_draft_do_not_overwrite_each_other(city: Engine) -> None:
    case_id = opened(city)
    saved(city, case_id, {"native_place": "慈溪", "_revision": "1"})
    with pytest.raises(Conflict, match="clerk@1 已于"):
        saved(city, case_id, {"native_place": "奉化", "_revision": "1"})


def test_five_working_days_from_the_fact_and_lateness_stays(city: Engine) -> None:
    case_id = opened(city)
    saved(city, case_id, {"native_place": "慈溪"})
    assert filing(city, case_id).due_on == NEXT_MON
    assert "已逾期 1 天，须写明逾期原因" in says(city, case_id, "submit", CLERK, NEXT_TUE)
    saved(city, case_id, {"_late_reason": "经办人病假"}, on=NEXT_TUE)
    step(city, case_id, "submit", CLERK, NEXT_TUE)
    assert filing(city, case_id).late_days == 1
    step(city, case_id, "recall", CLERK, NEXT_TUE)
    saved(city, case_id, {"_fact_on": "2026-03-09"}, on=NEXT_TUE)
    assert filing(city, case_id).due_on == date(2026, 3, 16)
    step(city, case_id, "submit", CLERK, NEXT_TUE)
    assert filing(city, case_id).late_days == 1
    with reading(city) as session:
        kept = session.get_one(Filing, case_id)
        assert kept.late_days == 1
        data = session.scalar(select(CASE.c.data).where(CASE.c.id == case_id))
        assert data is not None
        assert data["late_days"] == 1


def test_on_the_last_day_it_is_in_time(city: Engine) -> None:
    case_id = submitted(city, {"native_place": "慈溪"}, on=NEXT_MON)
    assert filing(city, case_id).late_days == 0


def test_a_fact_of_a_day_to_come_waits_for_its_day(city: Engine) -> None:
    case_id = opened(city)
    saved(city, case_id, {"native_place": "慈溪", "_fact_on": "2026-03-09"})
    assert "晚于今天" in says(city, case_id, "submit", CLERK)


def test_the_unit_is_reminded_as_the_term_runs_out_and_when_it_is_over(city: Engine) -> None:
    case_id = opened(city)

    def told(until: date) -> list[str]:
        fire_due(city, at(until, 1))
        with reading(city) as session:
            keys = session.scalars(select(OUTBOX.c.key).where(OUTBOX.c.topic == "notice")).all()
            return sorted({key.split(":")[0] for key in keys})

    assert told(date(2026, 3, 5)) == []
    assert told(date(2026, 3, 6)) == ["filing.remind"]  # Friday and Monday are left
    assert told(NEXT_MON) == ["filing.remind"]
    assert told(NEXT_TUE) == ["filing.overdue", "filing.remind"]
    assert state(city, case_id) == "draft"


def test_one_filing_of_a_record_at_a_time(city: Engine) -> None:
    first = opened(city)
    assert opened(city) == first
    step(city, first, "withdraw", CLERK)
    assert opened(city) != first


def test_a_new_person_is_entered_by_unit_head_and_office_with_its_corrections_in_versions_of_their_own(
    city: Engine,
) -> None:
    case_id = opened(city, new=True)
    form = {
        "name": "李　明", "id_no": NUMBER.replace("1", "１"), "quota_type": "1", "ethnic": "汉",
        "entry_doc_no": "甬编办[2026]3号", "entry_date": "2026-03-02", **BASIS,
    }  # fmt: skip
    kept = saved(city, case_id, form)
    assert NUMBER[6:14] not in str([kept.texts, kept.lines, kept.findings])
    with writing(city) as session:
        offered = {
            p.field: (p.rule, p.becomes) for p in offered_corrections(session, session.get_one(Filing, case_id), None)
        }
        assert offered["id_no"] == ("full_width", NUMBER)
        assert offered["birth_date"] == ("from_id", "1985-06-15")
        assert offered["sex"] == ("from_id", "1")
        assert offered["entry_doc_no"] == ("brackets", "甬编办〔2026〕3号")
        assert offered["ethnic"] == ("synonyms", "01")
        taken = adopt_corrections(session, case_id, list(offered), actor=CLERK, now=at(TUE))
        assert len(taken) == len(offered)
    with reading(city) as session:
        blocked = [f for f in session.get_one(Filing, case_id).findings if f["blocks"]]
    rest = {str(f["field"]): f["says"] for f in blocked}
    assert "id_no" not in rest, rest
    more = {
        "inner_org": "N1", "work_start_date": "2008-08-01", "entry_way": "07", "post_category": "1", "onpost_status": "01",
        "position_name": "科员",
    }  # fmt: skip
    kept = saved(city, case_id, more)
    blocking = [f["says"] for f in kept.findings if f["blocks"]]
    assert blocking == []
    step(city, case_id, "submit", CLERK)
    step(city, case_id, "confirm", HEAD)
    step(city, case_id, "accept", REVIEWER)
    made = filing(city, case_id)
    assert made.record_key.startswith("P")
    with reading(city) as session:
        told = [(v.source, v.source_ref, v.case_id) for v in versions(session, "person", made.record_id or 0)]
        assert told[0] == ("form", None, case_id)
        assert ("auto", "from_id 依身份证号填写", case_id) in told
        assert ("auto", "brackets 文号年份改用六角括号", case_id) in told
        record = find_by_key(session, "person", made.record_key)
        assert record is not None
        assert (record.values["sex"], record.values["birth_date"]) == ("1", date(1985, 6, 15))


def test_an_exit_is_reviewed_and_fills_what_the_basis_tells(city: Engine) -> None:
    case_id = opened(city, leaving=True)
    kept = saved(city, case_id, {"exit_reason": "08", "exit_dest": "某公司", **BASIS})
    assert kept.kind == "exit"
    with writing(city) as session:
        taken = adopt_corrections(session, case_id, ["exit_doc_no", "exit_date"], actor=CLERK, now=at(TUE))
    assert {p.rule for p in taken} == {"from_basis"}
    step(city, case_id, "submit", CLERK)
    step(city, case_id, "confirm", HEAD)
    step(city, case_id, "accept", REVIEWER)
    values = person(city).values
    assert (values["estab_status"], values["exit_date"], values["exit_doc_no"]) == ("3", MON, BASIS["_doc_no"])


def test_nobody_is_filed_into_another_unit(city: Engine) -> None:
    case_id = opened(city)
    with pytest.raises(BadInput, match="调出单位办理出编登记"):
        saved(city, case_id, {"unit": "330200102"})


def test_a_draft_knows_nobody_of_a_unit_that_its_drafter_does_not_act_for(city: Engine) -> None:
    with writing(city) as session:
        office: dict[str, Any] = {"by": "office", "now": at(MON), "may_write_locked": True, "may_create": True}
        write(session, "person", [{"person_code": "P2", "name": "赵某某", "unit": OTHER}], **office)
        case_id = open_filing(session, Opening("position", OFFICE), actor=CLERK, now=at(TUE))
    for key in ("P2", "P9"):
        told = saved(city, case_id, {"person": key, "name": "科长"})
        assert [f["says"] for f in told.findings] == [f"「人员」没有编码为“{key}”的实有人员"]
        assert "赵某某" not in str(told.lines)
    assert "王小明" in str(saved(city, case_id, {"person": "P1"}).lines)


def test_a_new_record_takes_no_code_that_another_holds(city: Engine) -> None:
    office: dict[str, Any] = {"by": "office", "now": at(MON), "may_write_locked": True, "may_create": True}
    with writing(city) as session:
        rooms = [
            {"inner_org_code": f"N{n}", "name": "财务科", "unit": unit}
            for n, unit in ((2, OTHER), (3, OTHER), (4, OFFICE))
        ]
        ids = write(session, "inner_org", rooms, **office).ids
        remove(session, "inner_org", [ids[1], ids[2]], by="office", now=at(MON))
        case_id = open_filing(session, Opening("inner_org", OFFICE), actor=CLERK, now=at(TUE))
    for key, taken in {"N1": True, "N2": True, "N3": True, "N4": False, "N5": False}.items():
        told = saved(city, case_id, {"inner_org_code": key, "name": "人事科"})
        assert [f["says"] for f in told.findings if f["field"] == "inner_org_code"] == [
            "「内设机构编码」已有记录使用，请填写新的编码"
        ] * taken, key


def test_a_code_that_the_platform_draws_is_not_asked_for(city: Engine) -> None:
    case_id = opened(city, new=True)
    told = saved(city, case_id, {"person_code": "P1", "name": "李明"})
    assert told.texts.get("person_code") is None
    assert [(f["field"], f["says"]) for f in told.findings] == [("id_no", "「身份证号」须填写，才能认定是哪条记录")]


def test_a_withdrawn_filing_changes_nothing(city: Engine) -> None:
    case_id = submitted(city, {"name": "王晓明"})
    step(city, case_id, "withdraw", CLERK)
    assert (state(city, case_id), person(city).version) == ("withdrawn", 1)
    with pytest.raises(Refused, match="请先取回"):
        saved(city, case_id, {"name": "王大明"})


def test_a_masked_number_left_as_it_is_changes_nothing(city: Engine) -> None:
    with writing(city) as session:
        row = {"person_code": "P1", "id_no": NUMBER}
        write(session, "person", [row], by="office", now=at(MON), may_write_locked=True)
    case_id = opened(city)
    assert saved(city, case_id, {"id_no": "33**************13"}).lines == []
    assert saved(city, case_id, {"id_no": NUMBER}).lines == []
    with pytest.raises(BadInput, match="是掩码"):
        saved(city, case_id, {"id_no": "33**************77"})


def test_an_inner_organisation_is_closed_once_nobody_is_left_in_it_and_who_is_left_is_named(city: Engine) -> None:
    office: dict[str, Any] = {"by": "office", "now": at(MON), "may_write_locked": True}
    with writing(city) as session:
        one = find_by_key(session, "inner_org", "N1")
        assert one is not None
        write(session, "person", [{"id": person(city).id, "inner_org": one.id}], **office)
        case_id = open_filing(session, Opening("inner_org", OFFICE, one, fact_on=MON), actor=CLERK, now=at(TUE))
    closing = {
        "status": code_of("inner_org", "status", "撤销"),
        "revoke_date": "2026-03-02",
        "_doc_no": "甬编办〔2026〕1号",
    }
    saved(city, case_id, closing)
    assert "还有 1 人（P1），先调整所在处室再撤销" in says(city, case_id, "submit", CLERK)
    with writing(city) as session:
        write(session, "person", [{"id": person(city).id, "inner_org": None}], **office)
    step(city, case_id, "submit", CLERK)
