"""Only the engine writes cases, their history, timers and pauses; only the edges commit: proved over the source tree."""

from __future__ import annotations

import re
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
TABLES = "Case|CASE|CaseHistory|HISTORY|Timer|TIMER|Pause|PAUSE|ProcessDefinition"
WRITES = re.compile(
    rf"\b(?:insert|update|delete)\(\s*(?:{TABLES})\b"
    rf"|\b(?:{TABLES})(?:\.__table__)?\.(?:insert|update|delete)\("
    r"|(?:INSERT INTO|UPDATE|DELETE FROM) (?:case_file|case_history|timer|pause)\b"
    r"|\.add\((?:Case|CaseHistory|Timer|Pause)\("
)
# The edges: they open transactions and end them.
EDGES = re.compile(r"^(?:web|workers)/|^workflow/(?:db|migrations/)")


def sources() -> list[tuple[str, str]]:
    found = (path for folder in ("workflow", "web", "workers") for path in sorted((TOP / folder).rglob("*.py")))
    return [(path.relative_to(TOP).as_posix(), path.read_text(encoding="utf-8")) for path in found]


def test_nothing_but_the_engine_writes_its_rows() -> None:
    outside = [(name, WRITES.findall(text)) for name, text in sources() if not name.startswith("workflow/engine/")]
    assert {name: hits for name, hits in outside if hits} == {}


def test_the_proof_would_notice_a_second_writer() -> None:
    for line in (
        "session.execute(update(CASE).values(state='red'))",
        "session.add(Case(state='x'))",
        "UPDATE case_file SET",
    ):
        assert WRITES.search(line)


def test_nothing_but_the_edges_commits() -> None:
    assert [name for name, text in sources() if ".commit()" in text and not EDGES.match(name)] == []


def test_nothing_inside_workflow_asks_for_the_time() -> None:
    asking = re.compile(r"datetime\.(?:now|utcnow)\(|date\.today\(|\bnow\(\)|CURRENT_(?:DATE|TIMESTAMP)")
    house = [(name, text) for name, text in sources() if name.startswith("workflow/") and name != "workflow/clock.py"]
    assert [name for name, text in house if asking.search(text)] == []
