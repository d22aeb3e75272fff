"""The first look: an empty database gets a city with a fortnight behind it, once, and never in production."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from tests.conftest import Staged
from workflow.access.models import Account, SecurityAlarm
from workflow.db import reading
from workflow.demo.loading import NotEmpty, NotForProduction, load_city, load_once
from workflow.engine.models import Case, CaseHistory
from workflow.periodic.models import CheckSample, MonthlyItem, MonthlyReport, MonthSnapshot
from workflow.quality.models import CheckRun, RedRound, Ticket
from workflow.registry.models import ImportBatch, RecordVersion
from workflow.registry.tables import TABLES
from workflow.settings import Settings, get_settings

NOW = datetime(2026, 11, 23, 2, tzinfo=UTC)  # Monday, ten in the morning


def silent(_text: str) -> None:
    """Nobody watches."""


def load(engine: Engine) -> None:
    """The demonstration city of 1,500 people."""
    load_city(engine, get_settings(), now=NOW, people=1500, seed=1, progress=silent)


@pytest.fixture
def loaded(engine: Engine, staged: Staged) -> Engine:
    staged(engine, load)
    return engine


def test_the_first_look_shows_every_light_a_trend_and_red_rounds(loaded: Engine) -> None:
    with reading(loaded) as session:
        lights = dict(session.execute(select(Case.light, func.count()).group_by(Case.light)).all())
        runs = session.scalars(select(CheckRun.on).order_by(CheckRun.id)).all()
        fixed = session.scalar(select(func.count()).where(Ticket.resolved_how == "passed"))
        rounds = session.scalar(select(func.count()).where(RedRound.kind == "round"))
        explained = session.scalar(select(func.count()).where(Case.process == "explanation"))
    assert all(lights.get(light, 0) > 0 for light in ("red", "yellow", "green"))
    assert runs == sorted(runs)
    assert len(set(runs)) >= 12
    assert max(runs).isoformat() == "2026-11-22"  # today's own check is the clock's
    assert fixed
    assert rounds
    assert explained


def test_leaders_have_decided_the_earlier_proposals_and_find_the_later_ones(loaded: Engine) -> None:
    with reading(loaded) as session:
        decided = select(Case.state, func.count()).where(Case.process == "suspension").group_by(Case.state)
        states = dict(session.execute(decided).all())
        deciders = (
            select(CaseHistory.actor)
            .join(Case)
            .where(Case.process == "suspension", CaseHistory.do.in_(("confirm", "waive")))
        )
        leaders = set(session.scalars(deciders))
    assert states["in_force"] > states["waived"] > 0
    assert states["proposed"]
    assert leaders
    assert all(name.split("@")[0] == "leader" for name in leaders)


def test_what_happened_is_in_versions_with_who_and_why(loaded: Engine) -> None:
    with reading(loaded) as session:
        told = select(RecordVersion.by, RecordVersion.basis).where(RecordVersion.kind == "change")
        changes = session.execute(told).all()
        accounts = set(session.scalars(select(Account.name)))
    assert changes
    assert all(by in accounts and "演示数据" in (basis or "") for by, basis in changes)


def test_accounts_of_every_role_are_marked_as_demonstration(loaded: Engine) -> None:
    with reading(loaded) as session:
        accounts = session.execute(select(Account.name, Account.demo)).all()
        units = session.scalars(select(TABLES["unit"].c.unit_code)).all()
    names = {name for name, _ in accounts}
    assert all(demo for _, demo in accounts)
    assert {"reviewer", "leader", "reviewer@330282", "leader@330282", "security", "auditor", "sysadmin"} <= names
    assert {f"{kind}@{code}" for kind in ("clerk", "head") for code in units} <= names


def test_each_data_set_came_as_a_batch_that_says_demonstration(loaded: Engine) -> None:
    with reading(loaded) as session:
        batches = session.execute(
            select(ImportBatch.file_name, ImportBatch.state, ImportBatch.rows, ImportBatch.created)
        )
        told = [tuple(row) for row in batches]
    assert len(told) == 10
    assert all(name.startswith("演示数据-") and state == "done" and rows == made for name, state, rows, made in told)


def test_a_second_start_keeps_the_data_and_a_second_load_is_refused(loaded: Engine) -> None:
    assert load_once(loaded, get_settings(), now=NOW, progress=silent) is False
    with pytest.raises(NotEmpty, match="空的数据库"):
        load_city(loaded, get_settings(), now=NOW, people=1500, seed=1, progress=silent)


def test_production_gets_no_demonstration_data(engine: Engine, data_dir: Path) -> None:
    keys = {"secret_key": "k3yOfAtLeastThirtyTwoCharacters-1", "data_key": "k3yOfAtLeastThirtyTwoCharacters-2"}
    production = Settings(env="production", data_dir=data_dir, **keys)  # type: ignore[arg-type]
    with pytest.raises(NotForProduction):
        load_city(engine, production, now=NOW, people=1500, seed=1, progress=silent)


def states_of(engine: Engine, process: str) -> set[str]:
    with reading(engine) as session:
        return set(session.scalars(select(Case.state).where(Case.process == process).distinct()))


def test_every_list_of_matters_has_something_at_several_steps(loaded: Engine) -> None:
    every = {"approval", "filing", "report_request", "violation", "transfer", "substitution", "weekly_audit", "rule_change",
             "dictionary_change", "void_light", "reminder", "suspension", "monthly_correction"}  # fmt: skip
    with reading(loaded) as session:
        assert every <= set(session.scalars(select(Case.process).distinct()))
    assert {
        "draft",
        "confirming",
        "submitted",
        "auditing",
        "reviewing",
        "meeting",
        "deciding",
        "issued",
        "refused",
    } <= (states_of(loaded, "approval"))
    assert {"draft", "submitted", "returned", "accepted"} <= states_of(loaded, "filing")
    assert {"submitted", "deciding", "approved", "reported"} <= states_of(loaded, "report_request")


def test_a_month_was_locked_and_a_cross_check_told_by_letters(loaded: Engine) -> None:
    assert {"checking", "correcting", "locked"} <= states_of(loaded, "monthly_report")
    assert states_of(loaded, "cross_check") == {"lettered", "checking"}
    assert {"checking", "reviewing", "done"} <= states_of(loaded, "check_pair")
    assert {"draft", "signing", "sent", "replied", "closed"} <= states_of(loaded, "letter")
    with reading(loaded) as session:
        digests = session.scalars(select(MonthSnapshot.sha256)).all()
        late = session.scalar(select(func.count()).where(MonthlyReport.late_on.is_not(None)))
    assert digests
    assert late


def test_what_people_typed_says_that_it_is_invented(loaded: Engine) -> None:
    with reading(loaded) as session:
        forms = session.execute(select(Case.process, Case.data).where(Case.process.not_in(("letter", "filing"))))
        typed = [(process, data["form"]) for process, data in forms if "form" in data]
        wrong = session.scalars(select(CheckSample.problem).where(CheckSample.result == "wrong")).all()
        explained = session.scalars(select(MonthlyItem.text).where(MonthlyItem.text != "")).all()
    assert len({process for process, _ in typed}) >= 8
    assert [one for one in typed if "演示" not in str(one[1])] == []
    assert wrong
    assert all("演示数据" in text for text in (*wrong, *explained))


def test_those_who_guard_the_platform_find_their_matters_under_way(loaded: Engine) -> None:
    with reading(loaded) as session:
        asked = select(Case.process, Case.state, Case.subject).where(
            Case.process.in_(("security_check", "incident", "grant_change"))
        )
        found = {process: (state, subject) for process, state, subject in session.execute(asked)}
        told = session.execute(select(SecurityAlarm.acknowledged_by, SecurityAlarm.key)).one()
        tied = session.scalar(select(Case.data["form"]["alarm"].as_string()).where(Case.process == "incident"))
    assert found["security_check"] == ("confirming", "2026-10")
    assert found["incident"][0] == "contained"
    assert found["grant_change"][0] == "proposed"
    assert tuple(told) == ("security", tied)
