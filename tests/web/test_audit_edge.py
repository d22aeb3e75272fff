"""At the web's edge: every write, export and refusal is told, with address and session; without its entry nothing is written or shown."""

from __future__ import annotations

import io
from typing import Any

import orjson
import pytest
from flask import Flask
from sqlalchemy import select, text

from tests.web.conftest import COUNTY, FAR, Town, Visitor
from workflow.audit.models import ROW
from workflow.audit.verify import verify
from workflow.db import reading


def told(town: Town, action: str = "") -> list[Any]:
    """The entries so far, of the actions that begin so."""
    with reading(town.engine) as session:
        wanted = select(ROW).order_by(ROW.c.seq)
        return list(session.execute(wanted.where(ROW.c.action.like(f"{action}%")) if action else wanted))


def since(town: Town, before: list[Any]) -> list[Any]:
    return told(town)[len(before) :]


def test_a_sign_in_and_a_sign_out_are_told_with_the_address(town: Town, clerk: Visitor) -> None:
    clerk.post("/sign-out")
    begun, ended = told(town, "session.")
    assert (begun.action, begun.actor, begun.origin) == ("session.begin", f"clerk@{COUNTY}", "127.0.0.1")
    assert ended.action == "session.end"
    assert ended.session_digest == orjson.loads(begun.summary)["session"]


def test_a_wrong_password_is_told_once_although_the_request_is_refused(town: Town, stranger: Visitor) -> None:
    before = told(town)
    stranger.post("/sign-in", {"account": f"clerk@{COUNTY}", "password": "wrong"})
    (row,) = since(town, before)
    assert (row.action, row.result, row.object_key) == ("session.refuse", "refused", f"clerk@{COUNTY}")


def test_a_refused_write_is_told_although_its_transaction_was_rolled_back(town: Town, clerk: Visitor) -> None:
    error = next(t for t in town.tickets(COUNTY) if t.level != "W")
    before = told(town)
    assert clerk.post(f"/tickets/{error.id}/explain", {"text": "确属实情"}).status_code == 422
    (row,) = since(town, before)
    assert (row.result, row.actor, row.object_key) == ("refused", f"clerk@{COUNTY}", f"/tickets/{error.id}/explain")
    assert row.session_digest
    assert "确属实情" not in row.summary


def test_what_lies_outside_ones_scope_is_told_when_it_is_asked_for(town: Town, clerk: Visitor) -> None:
    foreign = town.tickets(FAR)[0]
    before = told(town)
    assert clerk.get(f"/tickets/{foreign.id}").status_code == 404
    assert clerk.get("/system").status_code == 403
    assert [(row.result, orjson.loads(row.summary)["why"]) for row in since(town, before)] == [
        ("refused", "NotFound"),
        ("refused", "NotAllowed"),
    ]


def test_a_form_without_its_token_is_told(town: Town, clerk: Visitor) -> None:
    before = told(town)
    assert clerk.client.post("/sign-out").status_code == 400
    (row,) = since(town, before)
    assert (row.result, row.actor) == ("refused", f"clerk@{COUNTY}")


def test_strangers_cannot_fill_the_chain(town: Town, stranger: Visitor) -> None:
    before = told(town)
    for path in ("/", "/tickets", "/nowhere", "/api/v1/inbox"):
        stranger.get(path)
    stranger.client.post("/tickets/1/explain", data={})
    stranger.client.post("/nowhere", data={})
    assert since(town, before) == []


def test_a_session_that_has_ended_is_told_when_it_is_presented_again(town: Town, app: Flask, clerk: Visitor) -> None:
    answer = clerk.client.post(
        "/api/v1/session", json={"account": f"clerk@{COUNTY}", "password": "sandeng-demo"}
    ).get_json()
    thief = app.test_client()
    held = {"Authorization": f"Bearer {answer['token']}"}
    assert thief.get("/api/v1/session", headers=held).status_code == 200
    assert thief.delete("/api/v1/session", headers=held).status_code == 204
    before = told(town)
    assert thief.get("/api/v1/session", headers=held).status_code == 401
    (row,) = since(town, before)
    assert (row.result, orjson.loads(row.summary)["why"]) == ("refused", "NotSignedIn")


def test_every_write_that_succeeds_is_told(town: Town, clerk: Visitor) -> None:
    before = told(town)
    assert clerk.post("/tickets/filters", {"name": "红灯", "light": "red"}).status_code in (302, 404)
    answer = clerk.post("/imports", {"dataset": "person", "file": (io.BytesIO(b"x"), "p.csv")})
    assert answer.status_code < 500
    assert len(since(town, before)) >= 2
    assert {row.actor for row in since(town, before)} == {f"clerk@{COUNTY}"}


def test_an_export_is_told_with_its_count(town: Town, clerk: Visitor) -> None:
    before = told(town)
    assert clerk.get("/tickets.csv").status_code == 200
    (row,) = since(town, before)
    assert (row.action, row.object_kind, row.result) == ("export.run", "ticket", "done")
    assert orjson.loads(row.summary)["rows"] >= 1


def test_reading_pages_within_ones_scope_is_not_told(town: Town, clerk: Visitor) -> None:
    before = told(town)
    for path in ("/", "/tickets", "/roster", "/units"):
        clerk.get(path, follow_redirects=True)
    assert since(town, before) == []


def test_without_its_entry_nothing_is_written_or_exported(
    app: Flask, town: Town, clerk: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.config, "TESTING", False)
    monkeypatch.setitem(app.config, "PROPAGATE_EXCEPTIONS", False)
    with town.engine.begin() as connection:
        connection.execute(text("ALTER TABLE audit_row RENAME TO away"))
    assert clerk.post("/tickets/filters", {"name": "红灯", "light": "red"}).status_code == 500
    assert clerk.get("/tickets.csv").status_code == 500
    with reading(town.engine) as session:
        assert session.execute(text("SELECT count(*) FROM saved_filter")).scalar_one() == 0


def test_what_the_web_told_is_one_sound_chain(town: Town, clerk: Visitor) -> None:
    clerk.get("/tickets.csv")
    clerk.get("/system")
    with reading(town.engine) as session:
        assert verify(session).ok
