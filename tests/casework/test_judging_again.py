"""What the history keeps beside its verdicts: everything that a judgement rested on, so that the same facts give the same verdict again."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from tests.casework.approval_room import CLERK, MON, applied, brought_to, facts, person_row, settle
from tests.quality.ticket_room import at
from workflow.db import reading
from workflow.engine.judges import answers, judges
from workflow.engine.judging import verdicts_for
from workflow.engine.models import HISTORY
from workflow.engine.registry import book

COUNTS = st.integers(0, 50)
BALANCE = st.fixed_dictionaries({"approved": COUNTS, "plan": COUNTS, "occupied": COUNTS})


def kept(engine: Engine, case_id: int) -> list[dict[str, Any]]:
    """The facts column of a case's history, in order."""
    with reading(engine) as session:
        rows = select(HISTORY.c.facts).where(HISTORY.c.case_id == case_id).order_by(HISTORY.c.version)
        return list(session.scalars(rows))


def test_every_judge_answers_for_a_guard_of_the_book() -> None:
    assert judges().keys() <= book().guards.keys()


def test_every_verdict_along_an_application_is_given_again_by_what_was_read(engine: Engine) -> None:
    settle(engine)
    case_id, seen = brought_to(engine, "end"), set()
    for row in kept(engine, case_id):
        for guard, read in row.get("read", {}).items():
            judge = judges()[guard]
            again = [verdict.as_json() for verdict in answers(judge, read["facts"])]
            assert read["version"] == judge.version
            assert again == [verdict for verdict in row["verdicts"] if verdict["guard"] == guard]
            seen.add(guard)
        assert {verdict["guard"] for verdict in row.get("verdicts", [])} == row.get("read", {}).keys()
    assert seen >= {"took_no_part", "this_weeks_audit_passed", "no_hold_on_unit_or_above", "not_on_negative_list",
                    "no_red_light", "not_over_establishment", "quota_is_free", "form_is_complete"}  # fmt: skip


def test_a_refusal_is_given_again_by_what_was_read(engine: Engine) -> None:
    settle(engine, heads=1)
    facts(engine, "person", person_row("P1"), person_row("P2"))
    case_id = applied(engine)
    with reading(engine) as session:
        verdicts = verdicts_for(session, case_id, "submit", CLERK, at(MON))
    refused = {verdict.guard: verdict for verdict in verdicts if not verdict.holds}
    assert refused.keys() == {"not_over_establishment", "quota_is_free"}
    for guard, verdict in refused.items():
        assert verdict.read is not None
        assert answers(judges()[guard], verdict.read["facts"]) == [verdict]


@given(BALANCE, st.integers(1, 9))
def test_the_last_head_is_free_exactly_while_one_is_vacant(balance: dict[str, int], n: int) -> None:
    read = {"case": 1, "subject": "s", "kind": "use", "n": n, "delta_plus": 0, "delta_minus": 0,
            "balance": {"code": "221", "label": "全额", **balance}}  # fmt: skip
    (verdict,) = answers(judges()["quota_is_free"], read)
    assert verdict.holds == (n <= balance["approved"] - balance["occupied"] - balance["plan"])
    assert verdict == answers(judges()["quota_is_free"], read)[0]
