"""入编凭通知单: an entry uses up the notice that permits it and no other; its last entry, or its ledger filing, ends the application."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import pytest
from sqlalchemy import Engine, select

from tests.casework.approval_room import (
    CLERK,
    HEAD,
    LEADER,
    MON,
    OFFICE,
    OTHER,
    PAPER,
    QUOTA,
    RECRUITED,
    REVIEWER,
    TUE,
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
from workflow.casework.filing_drafting import Opening, open_filing, save_draft
from workflow.casework.models import LINK
from workflow.db import reading, writing
from workflow.engine.models import CASE
from workflow.errors import Refused
from workflow.registry.queries import find_by_key

NUMBERS = ("330282198506150013", "330282199003070016")
BASIS = {"_doc_no": "甬人社〔2026〕3号", "_doc_on": "2026-03-02"}


@pytest.fixture
def city(engine: Engine) -> Engine:
    settle(engine)
    facts(engine, "inner_org", {"inner_org_code": "N1", "name": "办公室", "unit": OFFICE})
    return engine


def drafted(city: Engine, number: str, *, who: int = 0, **more: str) -> int:
    """An entry filing on a notice, complete."""
    birth = NUMBERS[who][6:14]
    form = {
        "name": ("李明", "王芳")[who], "id_no": NUMBERS[who], "sex": "1", "ethnic": "01", "quota_type": QUOTA, "entry_way": RECRUITED,
        "birth_date": f"{birth[:4]}-{birth[4:6]}-{birth[6:]}", "entry_doc_no": "甬编办〔2026〕3号", "entry_date": "2026-03-02",
        "inner_org": "N1", "work_start_date": "2015-08-01", "post_category": "2", "onpost_status": "01", "position_name": "科员",
        "notice_no": number, **BASIS, **more,
    }  # fmt: skip
    with writing(city) as session:
        case_id = open_filing(session, Opening("person", OFFICE, fact_on=MON), actor=CLERK, now=at(TUE))
        filing = save_draft(session, case_id, form, actor=CLERK, now=at(TUE))
        assert [f["says"] for f in filing.findings if f["blocks"]] == []
    return case_id


def filed(city: Engine, case_id: int, on: date = TUE) -> None:
    """The filing through its three people."""
    for do, actor in (("submit", CLERK), ("confirm", HEAD), ("accept", REVIEWER)):
        step(city, case_id, do, actor, on, process="filing")


def refused(city: Engine, case_id: int) -> str:
    with pytest.raises(Refused) as fault:
        filed(city, case_id)
    return fault.value.says


def test_an_entry_uses_up_the_notice_and_the_last_one_ends_the_application(city: Engine) -> None:
    about = brought_to(city, "end", n="2")
    number = notice(city, about).number
    filed(city, first := drafted(city, number))
    assert (notice(city, about).used, case(city, about).state, counter(city)) == (1, "issued", (2, 1, 1, 0))
    filed(city, drafted(city, number, who=1))
    assert (notice(city, about).used, case(city, about).state, counter(city)) == (2, "done", (2, 2, 0, 0))
    with reading(city) as session:
        assert session.scalar(select(LINK.c.kind).where(LINK.c.case_id == about, LINK.c.other_id == first)) == "permits"


def test_a_notice_that_is_used_up_permits_nobody_more(city: Engine) -> None:
    about = brought_to(city, "end")
    number = notice(city, about).number
    filed(city, drafted(city, number))
    assert "失效" in refused(city, drafted(city, number, who=1))


def test_two_filings_on_the_last_head_the_second_is_refused_at_acceptance(city: Engine) -> None:
    number = notice(city, brought_to(city, "end")).number
    both = [drafted(city, number, who=who) for who in (0, 1)]
    for do, actor in (("submit", CLERK), ("confirm", HEAD)):
        for each in both:
            step(city, each, do, actor, TUE, process="filing")
    step(city, both[0], "accept", REVIEWER, TUE, process="filing")
    with pytest.raises(Refused, match="失效"):
        step(city, both[1], "accept", REVIEWER, TUE, process="filing")


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        ({"notice_no": ""}, "占用编制的入编须填写核准通知单号"),
        ({"notice_no": "甬编办核〔2026〕99号"}, "本单位没有编号为"),
        ({"entry_way": "06"}, "核准的进入形式是事业单位公开招聘，超出通知单范围的无效"),
        ({"quota_type": "222"}, "核准的是全额事业编制，不能用于差额事业编制"),
    ],
)
def test_what_the_notice_does_not_cover_is_refused(city: Engine, texts: Mapping[str, str], says: str) -> None:
    number = notice(city, brought_to(city, "end")).number
    assert says in refused(
        city,
        drafted(
            city,
            **(
                {"number": number}
                | {k: v for k, v in texts.items() if k != "notice_no"}
                | {"number": texts.get("notice_no", number)}
            ),
        ),
    )


def test_a_notice_that_was_revoked_permits_nobody(city: Engine) -> None:
    about = brought_to(city, "end")
    step(city, about, "revoke", LEADER, TUE, reason="不再使用")
    assert "已于 2026-03-03 失效" in refused(city, drafted(city, notice(city, about).number))


def test_an_appointment_from_above_and_a_move_of_an_institution_need_no_notice(city: Engine) -> None:
    filed(city, drafted(city, "", entry_way="07"))
    assert counter(city) == (2, 1, 0, 0)


def ledger_filing(city: Engine, about: int) -> int:
    return int(case(city, about).data["ledger_filing"])


def accepted_ledger(city: Engine, about: int) -> int:
    filing = ledger_filing(city, about)
    with writing(city) as session:
        kept = save_draft(session, filing, {}, actor=CLERK, now=at(TUE))
        assert [f["says"] for f in kept.findings if f["blocks"]] == []
    filed(city, filing)
    return filing


def test_the_ledger_filing_books_the_decision_as_it_was_prefilled(city: Engine) -> None:
    about = brought_to(city, "end", kind="quota_change", delta_plus="3", minutes=[PAPER], scheme=[PAPER])
    filing = accepted_ledger(city, about)
    assert (case(city, about).state, counter(city)) == ("done", (5, 0, 0, 0))
    with reading(city) as session:
        key = session.scalar(select(CASE.c.data["record_key"].as_string()).where(CASE.c.id == filing))
        found = find_by_key(session, "ledger", key or "")
        assert found is not None
        assert (found.values["delta_plus"], found.values["balance_before"], found.values["balance_after"]) == (3, 2, 5)
        assert found.values["doc_no"] == notice(city, about).number


def test_the_ledger_filing_of_a_use_books_the_plan_and_leaves_the_notice_open(city: Engine) -> None:
    about = brought_to(city, "end")
    accepted_ledger(city, about)
    assert (case(city, about).state, counter(city)) == ("issued", (2, 0, 1, 0))


def test_a_filing_that_cuts_the_ledger_below_a_notice_is_refused_and_names_it(city: Engine) -> None:
    cut = brought_to(city, "end", kind="quota_change", delta_minus="1", minutes=[PAPER], scheme=[PAPER])
    about = brought_to(city, "end", n="2")
    with pytest.raises(Refused, match=f"已核准未用 2 名（{notice(city, about).number}）"):
        accepted_ledger(city, cut)
    assert counter(city) == (2, 0, 2, 0)


def test_facts_beyond_the_cap_are_kept_and_stand_as_over(city: Engine) -> None:
    brought_to(city, "end", n="2")
    facts(city, "person", person_row("P1"))
    assert counter(city) == (2, 1, 2, 1)
    facts(city, "ledger", ledger_row("L2", minus=1))
    assert counter(city) == (1, 1, 2, 2)
    facts(city, "person", {"person_code": "P1", "unit": OTHER})
    assert (counter(city), counter(city, OTHER)) == ((1, 0, 2, 1), (0, 1, 0, 1))
