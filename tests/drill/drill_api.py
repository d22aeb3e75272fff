"""schemathesis sends what the description of the API allows, and what it does not: whatever comes, the answer is never one of 5xx."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.bench.peer_home import peer_interpreter
from tests.drill.registry import Measured, drill
from tests.drill.town import PLACES, VISITORS, Town, found_town
from web import problems
from workflow.engine.registry import book
from workflow.registry.dictionary import dictionary

CASES = int(os.environ.get("SANDENG_DRILL_CASES", "5000"))
EXAMPLES = 60  # of each operation in one run; runs follow each other with other seeds
RUNS = 20  # at most
PACKAGES = ("schemathesis>=4,<5",)
PEOPLE = [visitor for visitor in VISITORS if visitor.role in ("unit_clerk", "unit_head", "reviewer", "leader")]


@contextmanager
def refusals_are_failures() -> Iterator[None]:
    """A build that knows no status for its own refusals."""
    honest = problems.status_of
    problems.status_of = lambda _error: 500
    try:
        yield
    finally:
        problems.status_of = honest


class Door:
    """The application as the sender meets it: each request comes from the next person, signed in anew where the session was ended."""

    def __init__(self, town: Town) -> None:
        self.town, self.application = town, town.app.wsgi_app
        self.tokens: dict[str, str] = {}
        self.lock = threading.Lock()
        self.asked, self.failed = 0, list[str]()

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        with self.lock:
            person = PEOPLE[self.asked % len(PEOPLE)]
            self.asked += 1
            environ["HTTP_AUTHORIZATION"] = f"Bearer {self._token(person.account)}"
        environ.pop("HTTP_COOKIE", None)
        told: list[str] = []

        def answered(status: str, headers: Any, *more: Any) -> Any:
            told.append(status)
            return start(status, headers, *more)

        where = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"[:120]
        try:
            answer = self.application(environ, answered)
        except Exception as error:  # under test nothing hides it; a user would have met a 500
            self.failed.append(f"{where} {type(error).__name__}: {error}"[:300])
            start("500 INTERNAL SERVER ERROR", [("Content-Type", "application/problem+json")])
            return [b"{}"]
        if told and told[0].startswith("5"):
            self.failed.append(f"{where} {told[0]}")
        ended = (environ["REQUEST_METHOD"], environ["PATH_INFO"]) == ("DELETE", "/api/v1/session")
        if ended or (told and told[0].startswith("401")):
            self.tokens.pop(person.account, None)
        return answer

    def _token(self, account: str) -> str:
        if account not in self.tokens:
            person = next(each for each in PEOPLE if each.account == account)
            self.tokens[account] = self.town.token(person)
        return self.tokens[account]


class Silent(WSGIRequestHandler):
    """Writes no line for each request."""

    def log(self, *_told: Any) -> None:
        """Nothing."""


@contextmanager
def served(door: Door) -> Iterator[str]:
    """The door on loopback; its address."""
    server = make_server("127.0.0.1", 0, door, threaded=False, request_handler=Silent)  # type: ignore[arg-type]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()


def description(town: Town) -> dict[str, Any]:
    """The API's own description, with what there is among the values to try: else nearly every number meets nobody."""
    described: dict[str, Any] = town.app.test_client().get("/api/openapi.json").get_json()
    known: dict[str, list[Any]] = {
        "case_id": [case for kind, those in town.things.items() if kind.startswith("case.") for case in those.values()],
        "ticket_id": list(town.things["ticket"].values()),
        "code": [place.code for place in PLACES.values()],
        "dataset": list(dictionary().datasets),
        "key": list(town.things["person"].values()),
        "process": list(book().current),
    }
    for operations in described["paths"].values():
        for operation in operations.values():
            for parameter in operation["parameters"]:
                if parameter["name"] in known:
                    parameter["schema"] = {"anyOf": [{"enum": known[parameter["name"]]}, parameter["schema"]]}
    return described


def _sent(interpreter: Path, folder: Path, address: str, seed: int) -> str:
    """One run of schemathesis; what it said."""
    command = [
        str(interpreter), "-m", "schemathesis.cli", "run", str(folder / "openapi.json"), "--url", address, "--phases", "fuzzing",
        "--checks", "not_a_server_error", "--max-examples", str(EXAMPLES), "--seed", str(seed), "--no-shrink",
        "--continue-on-failure", "--suppress-health-check", "all", "--warnings", "off",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=1800)
    return done.stdout + done.stderr


@drill(f"schemathesis {CASES:,} 例对 /api/openapi.json", "0 次 5xx", refusals_are_failures)
def api(engine: Engine, folder: Path) -> Measured:
    """As many cases as are asked for, sent by four roles in turn to a town where there is something to meet."""
    interpreter = peer_interpreter("schemathesis", PACKAGES, folder)
    if interpreter is None:
        return Measured("未演练：schemathesis 未能安装", False)
    with found_town(engine, folder) as town:
        (folder / "openapi.json").write_text(json.dumps(description(town)), encoding="utf-8")
        door, said = Door(town), ""
        with served(door) as address:
            for seed in range(RUNS):
                before = door.asked
                said = _sent(interpreter, folder, address, seed)
                if door.asked >= CASES or door.failed or door.asked == before:
                    break
    if door.asked < CASES and not door.failed:
        return Measured(f"只发出 {door.asked:,} 例：{said[-200:]}", False)
    return Measured(f"{door.asked:,} 例，5xx {len(door.failed)} {'；'.join(door.failed[:3])}".strip(), not door.failed)
