"""The last free head, wanted by two at the same moment: granted once, and never beyond the cap (issue of approvals, facts, cuts, returns)."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable

import pytest
from sqlalchemy import Engine, insert, update
from sqlalchemy.exc import IntegrityError

from tests.casework.approval_room import (
    CLERK,
    HEAD,
    LEADER,
    MON,
    NEXT_MON,
    OFFICE,
    OTHER,
    QUOTA,
    brought_to,
    case,
    counter,
    facts,
    ledger_row,
    person_row,
    settle,
    step,
)
from tests.quality.ticket_room import at
from workflow.db import writing
from workflow.engine.steps import NewCase, open_cases
from workflow.errors import Refused
from workflow.registry.models import COUNTER, NOTICE
from workflow.registry.quota import recount, reserve
from workflow.registry.records import write

NUMBERS = itertools.count()
ROUNDS = int(os.environ.get("SANDENG_TEST_ROUNDS", "25"))  # the full drill: 1000


def at_once(*works: Callable[[], None]) -> list[str]:
    """All works behind one barrier; for each what came of it."""
    done, start = [""] * len(works), threading.Barrier(len(works))

    def one(place: int, work: Callable[[], None]) -> None:
        start.wait()
        try:
            work()
            done[place] = "done"
        except Refused as refused:
            done[place] = refused.says

    threads = [threading.Thread(target=one, args=each) for each in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return done


@pytest.fixture
def city(both_engines: Engine) -> Engine:
    settle(both_engines, heads=1)
    return both_engines


def approving(city: Engine, case_id: int) -> Callable[[], None]:
    return lambda: step(city, case_id, "approve", LEADER)


def taking(city: Engine) -> Callable[[], None]:
    """One head granted: set aside and its notice written, as the approval does it, without the rest of the step."""
    with writing(city) as session:
        subject = f"race-{next(NUMBERS)}"
        case_id = open_cases(session, "approval", [NewCase(OFFICE, subject)], now=at(MON), actor=CLERK)[0]
    grant = {
        "case_id": case_id, "number": subject, "kind": "use", "unit_id": OFFICE, "quota_type": QUOTA, "n": 1, "used": 0,
        "issued_on": MON, "valid_until": NEXT_MON,
    }  # fmt: skip

    def work() -> None:
        with writing(city) as session:
            reserve(session, OFFICE, QUOTA, 1, MON)
            session.execute(insert(NOTICE), grant)

    return work


def emptied(city: Engine) -> None:
    """Every grant taken back."""
    with writing(city) as session:
        session.execute(update(NOTICE).values(closed_on=MON))
        recount(session, [OFFICE, OTHER], MON)


def within(city: Engine) -> bool:
    cap, used, reserved, over = counter(city)
    return used + reserved <= cap + over


def test_two_approvals_for_the_last_head_exactly_one_wins(city: Engine) -> None:
    for _ in range(ROUNDS):
        done = at_once(taking(city), taking(city))
        assert sorted(each == "done" for each in done) == [False, True], done
        assert "空编 0 名，不足 1 名" in next(each for each in done if each != "done")
        assert counter(city) == (1, 0, 1, 0)
        emptied(city)


def test_two_whole_applications_for_the_last_head_one_notice_is_issued(city: Engine) -> None:
    both = [brought_to(city, "approve") for _ in range(2)]
    done = at_once(*(approving(city, each) for each in both))
    assert sorted(each == "done" for each in done) == [False, True], done
    assert sorted(case(city, each).state for each in both) == ["deciding", "issued"]
    assert counter(city) == (1, 0, 1, 0)


def test_an_approval_and_an_import_the_import_stays_and_nothing_is_granted_beyond_the_cap_unseen(city: Engine) -> None:
    for number in range(ROUNDS):
        arrives = lambda n=number: facts(city, "person", person_row(f"P{n}"))  # noqa: E731
        done = at_once(taking(city), arrives)
        assert done[1] == "done"
        granted = done[0] == "done"
        assert counter(city) == (
            (1, 1, 1, 1) if granted else (1, 1, 0, 0)
        )  # granted before the fact, or refused after it
        assert granted or "在编 1 名" in done[0]
        emptied(city)
        facts(city, "person", {"person_code": f"P{number}", "estab_status": "2"})


def test_an_approval_and_a_transfer_into_the_unit(city: Engine) -> None:
    facts(city, "person", person_row("P1", OTHER))
    for _ in range(ROUNDS):
        done = at_once(taking(city), lambda: facts(city, "person", {"person_code": "P1", "unit": OFFICE}))
        assert done[1] == "done"
        assert done[0] == "done" or "在编 1 名" in done[0]
        assert within(city)
        facts(city, "person", {"person_code": "P1", "unit": OTHER})
        emptied(city)


def test_an_approval_and_a_cut_of_the_ledger(city: Engine) -> None:
    for number in range(ROUNDS):
        done = at_once(taking(city), lambda n=number: facts(city, "ledger", ledger_row(f"C{n}", minus=1)))  # type: ignore[misc]
        assert done[1] == "done"
        assert done[0] == "done" or "核定 0 名" in done[0]
        assert within(city)
        facts(city, "ledger", ledger_row(f"A{number}", plus=1))
        emptied(city)


def test_an_approval_and_the_return_of_the_notice_that_held_the_head(city: Engine) -> None:
    held, wants = brought_to(city, "end"), 0
    with writing(city) as session:  # a second head, so that the other application comes to its decision
        write(
            session,
            "ledger",
            [ledger_row("L2", plus=1)],
            by="office",
            now=at(MON),
            may_write_locked=True,
            may_create=True,
        )
    wants = brought_to(city, "approve")
    facts(city, "ledger", ledger_row("L3", minus=1))
    done = at_once(approving(city, wants), lambda: step(city, held, "give_back", HEAD, reason="不再使用"))
    assert done[1] == "done"
    assert case(city, held).state == "given_back"
    assert counter(city) == ((1, 0, 1, 0) if done[0] == "done" else (1, 0, 0, 0))


def test_an_approval_and_the_withdrawal_of_the_application_exactly_one_wins(city: Engine) -> None:
    for _ in range(ROUNDS):
        wants = brought_to(city, "approve")
        done = at_once(approving(city, wants), lambda wants=wants: step(city, wants, "withdraw", CLERK))  # type: ignore[misc]
        assert sorted(each == "done" for each in done) == [False, True], done
        granted = done[0] == "done"
        assert case(city, wants).state == ("issued" if granted else "withdrawn")
        assert counter(city) == (1, 0, 1 if granted else 0, 0)  # withdrawn, it holds no head back
        assert f"当前状态为“{'已核准' if granted else '已撤回'}”" in next(each for each in done if each != "done")
        if granted:
            step(city, wants, "revoke", LEADER, reason="重来")
        assert counter(city) == (1, 0, 0, 0)


def test_an_approval_and_the_withdrawal_of_another_application_the_head_goes_to_the_one_that_stays(
    city: Engine,
) -> None:
    for _ in range(ROUNDS):
        wants, leaves = brought_to(city, "approve"), brought_to(city, "approve")
        done = at_once(approving(city, wants), lambda leaves=leaves: step(city, leaves, "withdraw", CLERK))  # type: ignore[misc]
        assert done == ["done", "done"]
        assert (case(city, wants).state, case(city, leaves).state) == ("issued", "withdrawn")
        assert counter(city) == (1, 0, 1, 0)
        step(city, wants, "revoke", LEADER, reason="重来")


def test_the_database_itself_refuses_a_grant_beyond_the_cap(city: Engine) -> None:
    with writing(city) as session:
        recount(session, [OFFICE], MON)
    with pytest.raises(IntegrityError), writing(city) as session:
        session.execute(update(COUNTER).values(reserved=COUNTER.c.cap + 1))
