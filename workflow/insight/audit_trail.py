"""The auditor's lists over the audit chain: search by person, action, object, unit, period and result; the state of the chain. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Row, func, literal, select, tuple_
from sqlalchemy.orm import Session

from workflow.audit.chain import head
from workflow.audit.models import CHECKPOINT, ROW
from workflow.calendar.moments import local_midnight_utc
from workflow.engine.actors import PLATFORM_ROLES
from workflow.engine.registry import book
from workflow.insight.audit_words import OBJECTS, ORIGINS, PARTS, SUBJECTS, VERBS, WORDS, shown
from workflow.registry.dictionary import dictionary
from workflow.registry.tables import TABLES

SHORT = 12  # hex digits of a field's digest that are shown


@dataclass(frozen=True)
class AuditFilter:
    """What is looked for; empty means all. `action`: an action or its subject; `unit`: a unit's code; days in Asia/Shanghai."""

    since: date | None = None
    until: date | None = None
    actor: str = ""
    action: str = ""
    kind: str = ""
    key: str = ""
    unit: str = ""
    result: str = ""


def entries(
    session: Session, wanted: AuditFilter, *, after: Sequence[Any] | None = None, limit: int = 50
) -> tuple[Sequence[Row[Any]], list[Any] | None]:
    """The entries, newest first, each with its unit's code, and the cursor of the next page. One statement."""
    unit = TABLES["unit"].c
    query = (
        select(*ROW.c, unit.unit_code).outerjoin(TABLES["unit"], unit.id == ROW.c.unit_id).where(*_conditions(wanted))
    )
    if after is not None and len(after) == 2:
        moment = literal(datetime.fromisoformat(str(after[0])), ROW.c.at.type)
        query = query.where(tuple_(ROW.c.at, ROW.c.seq) < tuple_(moment, literal(int(after[1]))))
    rows: Any = session.execute(query.order_by(ROW.c.at.desc(), ROW.c.seq.desc()).limit(limit + 1)).all()
    more = rows[limit - 1] if len(rows) > limit else None
    return rows[:limit], None if more is None else [more.at.isoformat(), more.seq]


def _conditions(wanted: AuditFilter) -> list[ColumnElement[bool]]:
    unit = TABLES["unit"].c
    conditions: list[ColumnElement[bool]] = []
    if wanted.since:
        conditions.append(ROW.c.at >= local_midnight_utc(wanted.since))
    if wanted.until:
        conditions.append(ROW.c.at < local_midnight_utc(wanted.until + timedelta(1)))
    if wanted.action:
        whole = "." in wanted.action
        conditions.append(
            ROW.c.action == wanted.action if whole else ROW.c.action.startswith(f"{wanted.action}.", autoescape=True)
        )
    exact = {"actor": ROW.c.actor, "kind": ROW.c.object_kind, "key": ROW.c.object_key, "result": ROW.c.result}
    conditions += [column == getattr(wanted, name) for name, column in exact.items() if getattr(wanted, name)]
    if wanted.unit:
        conditions.append(ROW.c.unit_id == select(unit.id).where(unit.unit_code == wanted.unit).scalar_subquery())
    return conditions


def summary_of(row: Any) -> list[tuple[str, str]]:
    """The summary as pairs to show; fields of a record as label and the digests before and after."""
    told: dict[str, Any] = orjson.loads(row.summary)
    process = book().current.get(row.object_kind)
    inputs = told.get("inputs")
    if process is not None and isinstance(inputs, dict):
        told["inputs"] = {process.input(name).label: digest for name, digest in inputs.items()}
    for name in ("from", "to"):
        if process is not None and isinstance(told.get(name), list):
            told[name] = [process.states[s].title if s in process.states else s for s in told[name]]
    fields = told.pop("fields", {}).items()
    pairs = [
        (label_of(row.object_kind, n), f"{old[:SHORT] or '空'} → {new[:SHORT] or '空'}") for n, (old, new) in fields
    ]
    return [
        *(
            (WORDS.get(name, name), shown(name, value))
            for name, value in told.items()
            if value not in (None, "", [], {})
        ),
        *pairs,
    ]


def label_of(dataset: str, name: str) -> str:
    """The label of a field; its name where there is no such field."""
    described = dictionary().datasets.get(dataset)
    return described.fields[name].label if described and name in described.fields else name


def action_title(action: str) -> str:
    """What an action is called on screen."""
    subject, _, verb = action.partition(".")
    process = book().current.get(subject)
    if process is not None:
        return f"{process.title}：{VERBS[verb] if verb == 'open' else process.title_of(verb)}"
    if subject in PARTS:
        return f"{SUBJECTS[subject]}：{PARTS[subject].get(verb.split('.')[0], verb)}"
    return f"{SUBJECTS.get(subject, subject)}：{VERBS.get(verb, verb)}"


def kinds() -> list[tuple[str, str]]:
    """What one may narrow the list to: kinds of objects with their names, data sets and processes first."""
    datasets = [(name, one.title) for name, one in dictionary().datasets.items()]
    processes = [(name, found.title) for name, found in sorted(book().current.items())]
    return [*datasets, *processes, *OBJECTS.items()]


def kind_title(kind: str) -> str:
    """What a kind of object is called on screen."""
    return dict(kinds()).get(kind, kind)


def origin_shown(origin: str) -> str:
    """From where: a network address, or the command line and the machine's user."""
    way, _, user = origin.partition(" ")
    return f"{ORIGINS[way]} {user}" if user and way in ORIGINS else origin


def subjects() -> list[tuple[str, str]]:
    """What one may narrow the list to: subjects of actions with their names, processes included."""
    return [*SUBJECTS.items(), *((name, found.title) for name, found in sorted(book().current.items()))]


def actor_shown(account: str) -> str:
    """An account, a part of the platform, or nobody known."""
    if account.startswith("cli:"):
        return f"命令行（{account[4:]}）"
    return {**PLATFORM_ROLES, "cli": "命令行"}.get(account, account) or "未识别"


@dataclass(frozen=True)
class ChainState:
    """Head, number of entries, last verification and last checkpoint."""

    seq: int
    hash: str
    at: datetime | None
    rows: int
    verified: Row[Any] | None
    checkpoint: Row[Any] | None


def chain_state(session: Session) -> ChainState:
    """How the chain stands. Four statements."""
    last = head(session)
    walks = select(ROW).where(ROW.c.action == "audit.verify").order_by(ROW.c.at.desc(), ROW.c.seq.desc()).limit(1)
    first = session.scalar(select(func.min(ROW.c.seq)))
    return ChainState(
        last.seq, last.hash, last.at, last.seq - first + 1 if first else 0,
        session.execute(walks).one_or_none(),
        session.execute(select(CHECKPOINT).order_by(CHECKPOINT.c.seq.desc()).limit(1)).one_or_none(),
    )  # fmt: skip
