"""One transaction per request: GET reads one snapshot and writes nothing, a write begins with the lock. The only place in web/ that commits."""

from __future__ import annotations

from typing import Any, cast

from flask import Flask, Response, g, request
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

import workflow.models  # noqa: F401  (declares every table)
from workflow.access.walls import conditions
from workflow.db import Base, begin_write, engine_options, prepare
from workflow.scoping import keep_reach, wall_in, whole_engine

READING = ("GET", "HEAD", "OPTIONS")

db = SQLAlchemy(metadata=Base.metadata, session_options={"expire_on_commit": False})
event.listen(db.session, "after_begin", keep_reach)


def session() -> Session:
    """The session of the present request; its transaction begins at first use, as the method asks."""
    opened = cast(Session, db.session())
    if not opened.in_transaction():
        _begin(opened)
    return opened


def engine_released() -> Engine:
    """The engine, after the request's own transaction has ended: for workflow's edges that hold transactions of their own (a check).

    It sees everything: what a check judges must not depend on who asked for it.
    """
    db.session.commit()
    return whole_engine(db.engine)


def keep_refusal() -> None:
    """Keep what was written although the answer is a refusal (the count of wrong passwords)."""
    g.keep_refusal = True


def _begin(opened: Session) -> None:
    if request.method not in READING:
        begin_write(opened)
    elif opened.get_bind().dialect.name == "postgresql":
        opened.connection(execution_options={"isolation_level": "REPEATABLE READ", "postgresql_readonly": True})


def _end(response: Response) -> Response:
    opened = db.session()
    if opened.in_transaction():
        wanted = response.status_code < 400 or g.get("keep_refusal", False)
        if wanted and request.method not in READING:
            opened.commit()
        else:
            opened.rollback()
    return response


def _options(url: str) -> dict[str, Any]:
    """PostgreSQL prices the walls' conditions high enough to compile each statement to machine code: 100 ms for a list of 10."""
    options = engine_options(url)
    if "connect_args" in options:
        options["connect_args"]["options"] += " -c jit=off"
    return options


def install(app: Flask, url: str, system_role: str = "") -> None:
    """Hang the database on the application. `system_role`: the role of PostgreSQL that sees everything, where row-level security stands."""
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = _options(url)
    db.init_app(app)
    with app.app_context():
        wall_in(prepare(db.engine), conditions, system_role=system_role)
    app.after_request(_end)
