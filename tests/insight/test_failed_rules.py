"""A rule that broke is named with its data set and error, and only in the run in which it broke."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy.orm import Session

from workflow.insight.findings import failed_rules
from workflow.quality.models import CheckRun, RuleRun


def test_a_run_names_the_rules_that_it_could_not_judge(session: Session, now: datetime) -> None:
    for run_id in (1, 2):
        session.add(CheckRun(id=run_id, on=date(2026, 3, 2), kind="full", started_at=now))
    session.flush()
    session.add(RuleRun(run_id=1, rule_id="P04", dataset="person", seconds=0.1, error="no such column"))
    session.add(RuleRun(run_id=1, rule_id="P05", dataset="person", seconds=0.1))
    session.add(RuleRun(run_id=2, rule_id="P04", dataset="person", seconds=0.1))
    session.flush()
    assert failed_rules(session, 1) == [{"rule": "P04", "dataset": "person", "error": "no such column"}]
    assert failed_rules(session, 2) == []
