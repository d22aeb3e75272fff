"""Bundles as the tests need them: a reviewer of the whole city who asks, a document, a ZIP, and one that was tampered with."""

from __future__ import annotations

import copy
import hashlib
import zipfile
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import Engine, inspect, select

from workflow.access.scopes import CITY, Actor, Held
from workflow.db import reading
from workflow.engine.judges import answers, judges
from workflow.engine.models import HISTORY
from workflow.evidence.bundle import DOCUMENT, MANIFEST, packed
from workflow.evidence.findings import CANNOT, DIFFERENT
from workflow.evidence.gathering import evidence_of
from workflow.evidence.rejudging import rejudged

ASKER = Actor("reviewer", "审核员", "", None, CITY, (Held("reviewer", "district", None, CITY),))
PAPER = b"%PDF-1.7 paper"


def document(engine: Engine, case_id: int, now: datetime, asker: Actor = ASKER) -> dict[str, Any]:
    """The evidence of a case."""
    with reading(engine) as session:
        return evidence_of(session, case_id, asker, now).document


def bundle(path: Path, kept: dict[str, Any]) -> Path:
    """A document as its ZIP, with one attachment where it lists any."""
    ours = copy.deepcopy(kept)
    for place, one in enumerate(ours["attachments"]):
        one["included"] = place == 0
        if place == 0:
            one["sha256"] = hashlib.sha256(PAPER).hexdigest()
    with path.open("wb") as file:
        packed(file, ours, "<html></html>", {one["path"]: lambda: [PAPER] for one in ours["attachments"][:1]})
    return path


def tampered(path: Path, change: Callable[[dict[str, Any]], None], *, sealed: bool) -> Path:
    """The same ZIP with its document changed; `sealed`: by somebody who wrote the manifest anew as well."""
    with zipfile.ZipFile(path) as old:
        files = {name: old.read(name) for name in old.namelist()}
    kept = orjson.loads(files[DOCUMENT])
    change(kept)
    if sealed:
        kept["rejudged"] |= rejudged(kept).as_json()
    files[DOCUMENT] = orjson.dumps(kept)
    if sealed:
        lines = [
            f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in files.items() if name != MANIFEST
        ]
        files[MANIFEST] = "".join(lines).encode()
    other = path.with_name("tampered.zip")
    with zipfile.ZipFile(other, "w") as new:
        for name, content in files.items():
            new.writestr(name, content)
    return other


def different(rows: Any) -> list[tuple[str, str, str]]:
    """Where and why something is different."""
    return [(row.part, row.where, row.says) for row in rows if row.result == DIFFERENT]


def cannot(rows: Any) -> list[tuple[str, str]]:
    """What is not to be judged again, and why."""
    return [(row.where, row.says) for row in rows if row.result == CANNOT]


def given_again(engine: Engine) -> None:
    """Asserts that each verdict with what it rested on, of every step in the database, is given again, under its guard's name."""
    with reading(engine) as session:
        if not inspect(session.connection()).has_table("case_history"):
            return
        kept = [facts for facts in session.scalars(select(HISTORY.c.facts)) if facts.get("read")]
    for facts in kept:
        for guard, read in facts["read"].items():
            then = [verdict for verdict in facts["verdicts"] if verdict["guard"] == guard]
            assert [verdict.as_json() for verdict in answers(judges()[guard], read["facts"])] == then


@pytest.fixture(autouse=True)
def every_verdict_is_given_again(request: pytest.FixtureRequest) -> Iterator[None]:
    """After a test: whatever it did with the database of its own."""
    engine = request.getfixturevalue("engine") if "engine" in request.fixturenames else None
    yield
    if engine is not None:
        given_again(engine)
