"""Route × role × scope (办法16): each route is tried by every role on a thing of every relation, and each verdict held against our own table."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml
from flask import Flask, Response
from flask.testing import FlaskClient
from sqlalchemy import Engine

from tests.drill.registry import Measured, drill
from tests.drill.routes import Row, rows
from tests.drill.town import ABSENT, OPENED, PLACES, REACH, UNKNOWN, VISITORS, WHOLE, Town, Visitor, found_town
from web import database
from web.app import list_routes
from workflow.access import scopes
from workflow.registry.dictionary import DEFINITIONS

DOOR, REFUSED, MISSING, ENTERED = "请先登录", "不许", "不存在", "进入"
MINE, FOREIGN = "本人的", "他人的"
PUBLIC, SIGNED_IN = "public", "signed_in"
READ = "record.read"
READ_BY = {
    "violation": "violation.read",
    "security_check": "duty.read",
    "incident": "duty.read",
}  # of the process tables
TURN = {"approval": "unit_clerk", "filing": "unit_clerk"}  # whose turn it is while it is a draft
OPENED_BY = {"approval": {"unit_clerk"}, "incident": {"security", "auditor"}, "violation": {"reviewer", "leader"},
             "report_request": {"unit_clerk", "unit_head", "reviewer"}}  # fmt: skip
FIXED = {
    "dataset": "person", "do": "submit", "form": "pdf", "day": "2020-01-01", "rule_id": "F01", "name": "nobody", "number": 1,
    "filename": "app.css", "process": "approval", "backup_id": "none", "digest": "0" * 64, "session_id": ABSENT, "request_id": ABSENT, "alarm_id": ABSENT,
}  # fmt: skip
BARE = ("-", "door", "nothing", "city", "city!")  # no thing of the town
ENOUGH = 20  # wrong verdicts: the house is open, there is no need to count on
PERSON = {"dataset": "person"}


@contextmanager
def codes_that_begin_alike_are_below() -> Iterator[None]:
    """A build that takes a unit for a subordinate when its code begins with ours."""
    honest = scopes._units

    def by_looks(held: Any) -> Any:
        unit = scopes.TABLES["unit"].c
        roots = [h.unit_id for h in held if h.scope == "unit"]
        if not roots:
            return honest(held)
        code = scopes.select(unit.unit_code).where(unit.id.in_(roots)).scalar_subquery()
        return scopes.select(unit.id).where(unit.unit_code.like(code.concat("%")))

    scopes._units = by_looks
    try:
        yield
    finally:
        scopes._units = honest


@dataclass(frozen=True)
class Trial:
    """One request: who, on which row, on the thing of which relation, and what must come of it."""

    row: Row
    visitor: Visitor
    relation: str
    expected: str


def may() -> dict[str, set[str]]:
    """Role → its actions, read from roles.yaml by ourselves."""
    raw = yaml.safe_load((DEFINITIONS / "roles.yaml").read_text(encoding="utf-8"))
    return {role: set(spec["may"]) for role, spec in raw["roles"].items()} | {"": set()}


def relations(row: Row, town: Town) -> list[str]:
    """The relations in which there is something to try the row on."""
    kind = row.concerns
    if kind in BARE or kind.split(".")[0] in ("process", "form"):
        return [""]
    if kind.startswith("own."):
        return [MINE, FOREIGN, UNKNOWN]
    if kind.startswith("begin.") or kind in ("into.unit", "file.unit"):
        return [*PLACES, UNKNOWN]
    named = {"unit.record": "unit", "file.person": "person", "file.ticket": "ticket"}.get(kind, kind)
    return [*town.things[named.replace("turn.", "case.")], UNKNOWN]


def verdict(row: Row, visitor: Visitor, relation: str, allowed: dict[str, set[str]]) -> str:
    """What must come of it, by roles.yaml and the statement of the relations alone."""
    kind = row.concerns
    if row.action != PUBLIC:
        if not visitor.account:
            return DOOR
        if row.action != SIGNED_IN and row.action not in allowed[visitor.role]:
            return REFUSED
    if kind == "-":
        return ENTERED
    if kind == "door":
        return DOOR
    if kind == "city!":
        return MISSING if visitor.scope == "市" else REFUSED
    seen = _seen(kind, visitor, relation, allowed)
    if (seen or kind == "nothing") and row.by and visitor.role not in row.by:
        return REFUSED
    return ENTERED if seen else MISSING


def _seen(kind: str, visitor: Visitor, relation: str, allowed: dict[str, set[str]]) -> bool:
    """Whether the thing exists for the visitor."""
    family, _, name = kind.partition(".")
    role, may_do = visitor.role, allowed[visitor.role]
    if kind == "nothing" or relation == UNKNOWN:
        return False
    if kind in ("account", "session") and role == "security":
        return True  # the city's officer manages the accounts of every unit
    if kind == "city":
        return visitor.scope == "市"
    if family == "own":
        return relation == MINE
    if family in ("process", "form"):
        return READ_BY.get(name, "case.read") in may_do and (family == "process" or role in OPENED_BY[name])
    if name in READ_BY and READ_BY[name] not in may_do:
        return False
    if READ not in may_do and kind not in ("account", "session") and READ_BY.get(name) != "duty.read":
        return False  # who guards the platform reaches no unit's matters
    if relation == WHOLE:
        return visitor.scope == "市" or (READ_BY.get(name) == "duty.read" and visitor.scope == "平台")
    if family == "begin" and role not in OPENED_BY[name]:
        return False
    if family == "turn" and role != TURN[name]:
        return False
    if kind == "copy" and visitor.scope == "本单位" and relation != "本单位":
        return False
    if kind == "copy" and visitor.scope != "本单位":
        return False
    return relation in REACH[visitor.scope]


class Asking:
    """Fills a row in with the thing of a relation and asks."""

    def __init__(self, town: Town) -> None:
        self.town = town

    def ask(self, client: FlaskClient, trial: Trial) -> Any:
        """The answer of the application."""
        row = trial.row
        arguments = FIXED | self._arguments(row, trial)
        path = re.sub(r"<(?:\w+:)?(\w+)>", lambda found: str(arguments[found[1]]), row.rule)
        body = self._body(row, trial)
        if row.rule.startswith("/api/"):
            more: dict[str, Any] = {} if row.method == "GET" else {"json": body, "headers": {"If-Match": "x"}}
            if "steps" not in row.rule:
                more.pop("headers", None)
            return client.open(path, method=row.method, **more)
        return client.open(path, method=row.method, data=body if row.method == "POST" else None)

    def thing(self, kind: str, trial: Trial) -> Any:
        """The thing of that kind which the trial is on."""
        there = self.town.things[kind]
        if trial.relation == UNKNOWN:
            return (ABSENT, ABSENT) if kind in ("attachment", "copy", "sample") else ABSENT
        if trial.relation == MINE:
            return there.get(trial.visitor.account, ABSENT)
        if trial.relation == FOREIGN:
            others = [v for v in VISITORS if v.account and v.account != trial.visitor.account]
            others.sort(
                key=lambda other: other.role != trial.visitor.role
            )  # a colleague of the same role, where there is one
            return there[others[0].account]
        return there[trial.relation]

    def _arguments(self, row: Row, trial: Trial) -> dict[str, Any]:
        kind, named = row.concerns, re.findall(r"<(?:\w+:)?(\w+)>", row.rule)
        if kind in (*BARE, "into.unit") or kind.startswith("file."):
            return {"process": "filing"} if kind == "file.person" else {}
        family, _, name = kind.partition(".")
        if family in ("process", "form", "begin"):
            return {"process": name}
        if kind == "unit":
            return {"code": self.code(trial)}
        if kind == "unit.record":
            return {"dataset": "unit", "key": self.code(trial)}
        if kind in self.town.things and "key" in named:
            return {"dataset": kind, "key": self.key(kind, trial)}
        if kind in ("attachment", "copy", "sample"):
            case_id, other = self.thing(kind, trial)
            return {"case_id": case_id, f"{kind}_id": other}
        if kind == "account":
            return {"name": "nobody@330299999" if trial.relation == UNKNOWN else self.thing(kind, trial)}
        found = self.thing(kind.replace("turn.", "case."), trial)
        if row.rule == "/cases/<int:case_id>/form/<name>/<int:number>":
            return {"case_id": found, "name": "request"}
        if row.rule == "/monthly/steps/<do>":
            return {"do": "pass"}
        if row.rule == "/negative/<int:entry_id>/<do>":
            return {"entry_id": found, "do": "ask_reversal"}
        return {one: found for one in named if one.endswith("_id")}

    def code(self, trial: Trial) -> str:
        """A unit's code."""
        return "330299999" if trial.relation == UNKNOWN else PLACES[trial.relation].code

    def key(self, kind: str, trial: Trial) -> str:
        """A record's key."""
        return "P99999999" if trial.relation == UNKNOWN else str(self.town.things[kind][trial.relation])

    def _body(self, row: Row, trial: Trial) -> dict[str, Any]:
        kind, route = row.concerns, row.rule
        if route == "/api/v1/<dataset>" and row.method == "POST":
            values = (
                {"person_code": self.key("person", trial)}
                if kind == "person"
                else {"unit": self.code(trial), "name": "王某"}
            )
            return {"values": values | {"remark": "改动"}}
        if kind == "file.person":
            return PERSON | {"key": self.key("person", trial)}
        if kind == "file.unit":
            return PERSON | {"unit": self.code(trial)}
        if kind == "file.ticket":
            return {"ticket": str(self.thing("ticket", trial))}
        if kind.startswith("begin."):
            return {"unit": self.code(trial), "kind": "important_field", "what": "调整", "why": "理由"}
        if route == "/tasks/bulk/start":
            return {"step": "approval.submit", "versions": f"{self.thing(kind, trial)}:1", "key": "0" * 32}
        if route in ("/tasks/hold", "/tasks/snooze"):
            until = OPENED + timedelta(3)
            return {"ids": str(self.thing("case.approval", trial)), "until": until.isoformat()}
        if route == "/monthly/steps/<do>":
            return {"ids": str(self.thing(kind, trial))}
        if route in ("/filings/<int:case_id>/steps/<do>", "/cases/<int:case_id>/steps/<do>"):
            return {"version": "x"}
        if kind == "session":
            return {"reason": "演练"}
        if kind == "contract" and row.method == "POST":
            return {"reason": "核对身份"}
        if route == "/migrations/try":
            return {"process": "filing", "from": "1", "to": "2", "mapping": ""}
        return {}


def _browser(town: Town, key: Any) -> FlaskClient:
    """A browser of its own for each trial, with the visitor's cookie: what one trial signs out, the next one has again."""
    client = town.app.test_client()
    if key is not None:
        client.set_cookie("sandeng", key.value)
    return client


def came_of_it(row: Row, answer: Any) -> str:
    """An answer as one of the four verdicts. Who signs in wrongly at the door is there all the same."""
    if row.action == PUBLIC and answer.status_code in (401, 302):
        return ENTERED
    if answer.status_code == 401 or (answer.status_code == 302 and str(answer.location).startswith("/sign-in")):
        return DOOR
    if answer.status_code == 403:
        return REFUSED
    if answer.status_code == 404 or (answer.status_code == 400 and "不在您的管理范围" in answer.get_data(as_text=True)):
        return MISSING
    if row.rule == "/readyz" and answer.status_code == 503:
        return ENTERED  # no clock runs here
    return ENTERED if answer.status_code < 500 else f"出错 {answer.status_code}"


def _undo_everything(app: Flask) -> None:
    """Let no trial change what the next one meets: what a request wrote is rolled back after its answer."""

    def forget(response: Response) -> Response:
        database.db.session.rollback()
        return response

    ends = app.after_request_funcs[None]
    ends[ends.index(database._end)] = forget


def unknown_routes(app: Flask) -> list[str]:
    """The routes that no row of the table names, and the rows without a route."""
    known = {(row.method, row.rule) for row in rows()}
    there = {(method, route["rule"]) for route in list_routes(app) for method in route["methods"]}
    return sorted(" ".join(each) for each in known ^ there)


@drill("路由×角色×范围", "全部路由，0 个错误裁定", codes_that_begin_alike_are_below)
def matrix(engine: Engine, folder: Path) -> Measured:
    """Every route by every role on the thing of every relation."""
    with found_town(engine, folder) as town:
        if strange := unknown_routes(town.app):
            return Measured(f"演练表与路由不一致：{'、'.join(strange[:8])}", False)
        wrong, tried = tried_out(town)
    routes = {(row.method, row.rule) for row in rows()}
    shown = "；".join(wrong[:3])
    return Measured(f"{len(routes)} 条路由、{sum(tried.values()):,} 次，错误 {len(wrong)} {shown}".strip(), not wrong)


def tried_out(town: Town) -> tuple[list[str], Counter[str]]:
    """What came out otherwise than it must, and how often each verdict was met; no further than ENOUGH."""
    keys = {visitor: town.enter(visitor).get_cookie("sandeng") for visitor in VISITORS}
    _undo_everything(town.app)
    asking, allowed, wrong, tried = Asking(town), may(), list[str](), Counter[str]()
    for visitor, key in keys.items():
        for trial in _trials(town, visitor, allowed):
            try:
                got = came_of_it(trial.row, asking.ask(_browser(town, key), trial))
            except Exception as error:  # what a user would see as a failure of the platform: the drill counts it
                got = f"出错 {type(error).__name__}: {error}"[:160]
            tried[got] += 1
            if got != trial.expected:
                who = visitor.account or "未登录"
                wrong.append(
                    f"{trial.row.method} {trial.row.rule} {trial.row.concerns} {who} {trial.relation}：应{trial.expected}，得{got}"
                )
    return wrong, tried


def _trials(town: Town, visitor: Visitor, allowed: dict[str, set[str]]) -> Iterator[Trial]:
    for row in rows():
        kinds = (
            [name for name in town.things if name.startswith("case.")] if row.concerns == "case.*" else [row.concerns]
        )
        for kind in kinds:
            one = row._replace(concerns=kind)
            for number, relation in enumerate(relations(one, town)):
                expected = verdict(one, visitor, relation, allowed)
                if (
                    number < 2 or expected in (ENTERED, MISSING) or one.by
                ):  # what the role shuts out is shut for every thing
                    yield Trial(one, visitor, relation, expected)
