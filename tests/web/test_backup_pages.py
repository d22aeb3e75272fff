"""The backup page: what there is and what is missing; only the system administrator starts one, and the workers make it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import Engine, select, text

from tests.web.conftest import CITY, Town, Visitor, counted
from workflow.backup.engines import make
from workflow.backup.making import repository, working_folder
from workflow.backup.verifying import verify
from workflow.db import open_engine, reading
from workflow.operations.models import JobRequest

SignIn = Callable[[str], Visitor]


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Engine]:
    """A small embedded database, copied whatever the town lives on: the page shows what lies in the folder."""
    engine = open_engine(f"sqlite:///{tmp_path / 'small.db'}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE note (n INTEGER PRIMARY KEY)"))
    yield engine
    engine.dispose()


def test_without_a_backup_the_page_raises_the_alarm(sign_in: SignIn) -> None:
    page = sign_in("security").get("/system/backups").get_data(as_text=True)
    assert "还没有任何备份" in page
    assert "增量备份</button>" not in page


def test_the_page_shows_the_chain_and_its_proof(small: Engine, app: Flask, sign_in: SignIn) -> None:
    settings = app.extensions["sandeng"]
    now = datetime.now(UTC)
    full, step = (make(small, settings, kind, lambda: now) for kind in ("full", "incremental"))
    held = repository(settings)
    assert verify(held, step, now, working_folder(settings)).ok
    visitor = sign_in("sysadmin")
    with counted(app) as statements:
        page = visitor.get("/system/backups").get_data(as_text=True)
    assert page.count(full.id) == 4  # itself, what the step depends on, the address and the label of its button
    assert step.id in page
    assert "通过" in page
    assert len(statements) <= 12


def test_the_system_administrator_asks_the_workers_for_a_backup_and_a_proof(town: Town, sign_in: SignIn) -> None:
    visitor = sign_in("sysadmin")
    assert visitor.post("/system/backups", {"kind": "full"}).status_code == 302
    assert visitor.post("/system/backups/x/verify").status_code == 302
    assert visitor.post("/system/backups", {"kind": "other"}).status_code == 400
    with reading(town.engine) as session:
        asked = session.execute(select(JobRequest.kind, JobRequest.params).order_by(JobRequest.id)).all()
    assert [tuple(row) for row in asked] == [("backup", {"kind": "full"}), ("backup_verify", {"backup": "x"})]
    page = visitor.get("/system/backups").get_data(as_text=True)
    assert "全量备份排队中" in page


@pytest.mark.parametrize("account", ["security", "auditor", "leader", f"clerk@{CITY}"])
def test_nobody_else_starts_a_backup(sign_in: SignIn, account: str) -> None:
    assert sign_in(account).post("/system/backups", {"kind": "full"}).status_code == 403


def test_readyz_tells_of_the_last_backup(stranger: Visitor) -> None:
    told = stranger.get("/readyz").get_json()
    assert told["concerns"]["backup"]["missing"] == ["还没有任何备份"]
