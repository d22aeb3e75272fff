"""What is noted: steps, records, imports, accounts, sign-ins, daily jobs; and never a personal value."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from tests.engine.conftest import COURIER, SENDER, parcel_book
from workflow.access.accounts import (
    FAILURES_ALLOWED,
    AccountLocked,
    SignInFailed,
    authenticate,
    create_account,
    disable,
    grant,
    revoke,
)
from workflow.access.crypto import field_cipher
from workflow.access.sessions import begin_session, end_session, session_digest
from workflow.audit.models import ROW
from workflow.audit.notes import told
from workflow.db import reading, writing
from workflow.engine.actors import CLOCK
from workflow.engine.models import HISTORY
from workflow.engine.registry import using
from workflow.engine.steps import NewCase, open_cases, take_step
from workflow.operations import daily
from workflow.operations.daily import Pending
from workflow.registry import records
from workflow.registry.auditing import field_digest
from workflow.registry.dictionary import dictionary
from workflow.registry.importing.run import import_file
from workflow.registry.tables import TABLES

NUMBER, NAME = "330282199003070011", "陈示例"
OFFICE = {"by": "reviewer", "may_write_locked": True, "may_create": True}


@pytest.fixture
def parcels() -> Iterator[None]:
    """The engine's own small process."""
    with using(parcel_book()):
        yield


def rows(engine: Engine, action: str = "") -> list[Any]:
    with reading(engine) as session:
        wanted = select(ROW).order_by(ROW.c.seq)
        return list(session.execute(wanted.where(ROW.c.action.like(f"{action}%")) if action else wanted))


def summary(row: Any) -> dict[str, Any]:
    return dict(orjson.loads(row.summary))


def test_a_step_of_one_case_names_it(both_engines: Engine, now: datetime, parcels: None) -> None:
    with writing(both_engines) as session:
        (case,) = open_cases(session, "parcel", [NewCase(1, "P7")], now=now, actor=SENDER)
        take_step(
            session, "parcel", "arrive", [case], now=now, actor=COURIER, on_behalf_of="head@1", reason="收件人外出"
        )
    opened, sent, arrived = rows(both_engines)
    assert (opened.action, opened.actor, opened.object_key, opened.case_id) == ("parcel.open", "sender@1", "P7", case)
    assert (sent.action, sent.actor) == ("parcel.send", CLOCK.account)
    assert (arrived.on_behalf_of, arrived.unit_id) == ("head@1", 1)
    assert summary(arrived) == {"from": ["waiting"], "to": ["arrived"], "version": 3, "reason": told("收件人外出")}


def test_a_mass_step_leaves_one_entry_a_chunk_that_its_history_can_be_held_against(
    both_engines: Engine, now: datetime, parcels: None
) -> None:
    with writing(both_engines) as session:
        ids = open_cases(session, "parcel", [NewCase(1, f"P{i}") for i in range(1200)], now=now, actor=SENDER)
        take_step(session, "parcel", "arrive", ids, now=now, actor=COURIER)
    held = rows(both_engines, "parcel.arrive")
    assert [summary(row)["n"] for row in held] == [500, 500, 200]
    with reading(both_engines) as session:
        moved = session.scalars(
            select(HISTORY.c.case_id).where(HISTORY.c.do == "arrive").order_by(HISTORY.c.case_id)
        ).all()
    assert [summary(row)["ids"] for row in held] == [told(list(moved[i : i + 500])) for i in (0, 500, 1000)]


def test_a_written_record_is_told_field_by_field_in_digests(both_engines: Engine, now: datetime) -> None:
    with writing(both_engines) as session:
        unit = records.write(session, "unit", [{"unit_code": "330282101", "name": "某局"}], now=now, **OFFICE).ids[0]
        person = {"name": NAME, "unit": unit, "id_no": NUMBER}
        made = records.write(session, "person", [person], now=now, **OFFICE)
        records.write(session, "person", [{"id": made.ids[0], "name": "陈更名"}], now=now, **OFFICE)
        records.remove(session, "person", [made.ids[0]], by="reviewer", now=now)
    created, changed, removed = [row for row in rows(both_engines, "record.") if row.object_kind == "person"]
    assert [row.action for row in (created, changed, removed)] == ["record.create", "record.change", "record.remove"]
    assert {row.object_key for row in (created, changed, removed)} == {made.keys[0]}
    assert {row.unit_id for row in (created, changed, removed)} == {unit}
    described, key = dictionary()["person"], made.keys[0]
    digest = [field_digest(described, key, "name", value) for value in (NAME, "陈更名")]
    assert summary(changed)["fields"] == {"name": digest}
    assert summary(created)["fields"]["name"] == ["", digest[0]]
    held = {"digest": field_cipher().digest(NUMBER).hex(), "masked": "33**"}
    assert summary(created)["fields"]["id_no"] == ["", field_digest(described, key, "id_no", held)]
    assert field_digest(described, "P2", "name", NAME) != digest[0], "nobody sees who else has the same value"


def test_no_entry_holds_a_personal_value(both_engines: Engine, now: datetime) -> None:
    with writing(both_engines) as session:
        unit = records.write(session, "unit", [{"unit_code": "330282101", "name": "某局"}], now=now, **OFFICE).ids[0]
        records.write(session, "person", [{"name": NAME, "unit": unit, "id_no": NUMBER}], now=now, **OFFICE)
    everything = "".join(map(str, rows(both_engines)))
    assert NUMBER not in everything
    assert NAME not in everything


def test_an_import_is_one_entry_with_hash_and_counts(both_engines: Engine, now: datetime, tmp_path: Path) -> None:
    path = tmp_path / "unit.csv"
    path.write_text("机构编码,机构全称\n" + "".join(f"33028210{i},单位{i}\n" for i in range(9)), encoding="utf-8-sig")
    report = import_file(both_engines, "unit", path, by="reviewer", now=now, may_write_locked=True, batch_id=None)
    assert not report.errors
    (row,) = rows(both_engines)
    assert (row.action, row.object_kind) == ("import.write", "unit")
    assert summary(row) | {"source": "import"} == {
        "sha256": report.file_sha256, "rows": 9, "created": 9, "updated": 0, "unchanged": 0, "source": "import",
    }  # fmt: skip


def test_a_refused_import_leaves_no_entry_of_a_write(engine: Engine, now: datetime, tmp_path: Path) -> None:
    path = tmp_path / "unit.csv"
    path.write_text("机构编码,机构全称\n330282101,甲\n330282101,乙\n", encoding="utf-8-sig")
    assert import_file(engine, "unit", path, by="reviewer", now=now, may_write_locked=True).errors
    assert rows(engine) == []


def test_accounts_grants_and_their_end_are_noted(both_engines: Engine, now: datetime) -> None:
    with writing(both_engines) as session:
        create_account(session, name="r@1", person_name="某某", now=now, by="security", password="sandeng-demo")
        row = grant(
            session, account="r@1", role_name="reviewer", scope="district", district="330282", now=now, by="security"
        )
        revoke(session, row.id, now=now, by="security", reason="调离")
        disable(session, "r@1", now=now, by="security")
    found = rows(both_engines)
    assert [row.action for row in found] == ["account.create", "account.grant", "account.revoke", "account.disable"]
    assert {(row.actor, row.object_key) for row in found} == {("security", "r@1")}
    assert summary(found[1])["role"] == "reviewer"


def test_sign_ins_failures_and_locks_are_noted(both_engines: Engine, now: datetime) -> None:
    with writing(both_engines) as session:
        create_account(session, name="r@1", person_name="某某", now=now, by="security", password="sandeng-demo")
        token = begin_session(session, "r@1", now=now).token
        end_session(session, token, how="signed_out", now=now)
        for _ in range(FAILURES_ALLOWED - 1):
            with pytest.raises(SignInFailed):
                authenticate(session, "r@1", "wrong", now=now)
        for _ in range(2):
            with pytest.raises(AccountLocked):
                authenticate(session, "r@1", "wrong", now=now)
        with pytest.raises(SignInFailed):
            authenticate(session, "MyPassword1!", "x", now=now)
    begun, ended, *refused = rows(both_engines, "session.")
    assert (begun.action, ended.action) == ("session.begin", "session.end")
    assert summary(begun)["session"] == session_digest(token)
    assert [summary(row)["why"] for row in refused] == ["password"] * 4 + ["locks", "locked", "unknown"]
    assert {row.result for row in refused} == {"refused"}
    assert refused[-1].object_key == told("MyPassword1!"), "what may be a password is told as a digest"


def test_a_daily_job_is_noted_with_its_outcome(both_engines: Engine, now: datetime) -> None:
    pending = Pending(date(2026, 3, 2), "check", now)
    with writing(both_engines) as session:
        daily.begin(session, pending, now)
        daily.fail(session, pending, now, "RuntimeError: secret detail")
        daily.finish(session, pending, now, {"findings": 3})
    failed, done = rows(both_engines)
    assert [(row.action, row.result, row.actor) for row in (failed, done)] == [
        ("job.check", "failed", "clock"),
        ("job.check", "done", "clock"),
    ]
    assert "secret" not in failed.summary
    assert summary(done) == {"findings": 3}


def test_without_its_entry_no_record_is_written(both_engines: Engine, now: datetime) -> None:
    from sqlalchemy import text

    with both_engines.begin() as connection:
        connection.execute(text("ALTER TABLE audit_row RENAME TO away"))
    with pytest.raises(Exception, match="audit_row"), writing(both_engines) as session:
        records.write(session, "unit", [{"unit_code": "330282101", "name": "某局"}], now=now, **OFFICE)
    with Session(both_engines) as session:
        assert session.scalars(select(TABLES["unit"].c.id)).all() == []
