"""The daily check over a city: full, after edits, after calendar moves, with the memory it takes; and the peers on rules that both can express.

Where the peers cannot be installed they are left out by name.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import subprocess
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import yaml
from sqlalchemy import Connection, Engine, text

from tests.bench.city import TODAY, load
from tests.bench.peer_home import peer_interpreter
from tests.bench.peer_rules import PERSON_RULES
from tests.bench.report import Report, peak_rss
from workflow.db import open_engine, snapshot_on, writing_on
from workflow.quality.due import refresh_due
from workflow.quality.findings import find
from workflow.quality.increment import changed_scope, settled_watermark
from workflow.quality.models import CheckRun
from workflow.quality.rulebook import RuleBook
from workflow.quality.rules import load as load_rules
from workflow.quality.rules import rules
from workflow.registry.dictionary import dictionary
from workflow.registry.records import write

PEOPLE, MANY, UNIT_SIZE = 200_000, 2_000_000, 50
EDITED_SHARE = 0.003
FULL_BOUND = {"SQLite": 6.0, "PostgreSQL": 10.0}
PEERS = {
    "great_expectations": ["great_expectations[sqlalchemy]", "sqlalchemy<2.1", "psycopg2-binary"],
    "pandera": ["pandera[polars]", "connectorx", "pyarrow"],
    "dataframely": ["dataframely", "connectorx", "pyarrow"],
}
HERE = Path(__file__).parent
Found = set[tuple[str, str, int, str]]


def run(report: Report) -> None:
    """Measure on every database that this run can reach; two million people on PostgreSQL at full size only."""
    with tempfile.TemporaryDirectory(prefix="sandeng-check-") as folder:
        os.environ["SANDENG_DATA_DIR"] = folder
        packages = sorted({one for group in PEERS.values() for one in group})
        interpreter = peer_interpreter("check", packages, Path(folder))
        for engine in report.engines():
            for people in report.sizes(PEOPLE):
                with report.database(engine) as opened:
                    load(opened, people, people // UNIT_SIZE)
                    _check(report, engine, opened, people)
                    if people == report.scaled(PEOPLE):
                        _peers(report, engine, opened, interpreter, people)
        if report.size != "small" and "PostgreSQL" in report.engines():
            with report.database("PostgreSQL") as opened:
                load(opened, MANY, MANY // UNIT_SIZE)
                told = _in_own_process(_measured_once, opened)
                report.row(f"全量检查 {MANY:,} 人", "PostgreSQL", told["full"], bound=90, note=told["note"])
                report.row(f"全量检查 {MANY:,} 人 内存", "PostgreSQL", told["peak"], bound=1024, unit="MiB")
                what, seconds, again = told["increments"][0]
                title = f"增量检查 {MANY:,} 人，{what}"
                report.row(title, "PostgreSQL", seconds, baseline="同时全量", baseline_value=again)


def _check(report: Report, engine: str, opened: Engine, people: int) -> None:
    """One size on one database: full, increments, memory."""
    told = _in_own_process(_measured, opened)
    title = f"{people:,} 人 {people // UNIT_SIZE:,} 个机构"
    bound = FULL_BOUND[engine] if people == PEOPLE else None
    report.row(f"全量检查 {title}", engine, told["full"], bound=bound, note=told["note"])
    report.row(f"全量检查 {title} 内存", engine, told["peak"], bound=400, unit="MiB")
    for what, seconds, again in told["increments"]:
        bound = round(again / 10, 3) if people == PEOPLE else None
        report.row(f"增量检查 {title}，{what}", engine, seconds, bound=bound, baseline="同时全量", baseline_value=again)


def _in_own_process(work: Callable[[str], dict[str, Any]], opened: Engine) -> dict[str, Any]:
    url = opened.url.render_as_string(hide_password=False)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, (url,))


STEPS = ((f"改动 {EDITED_SHARE:.1%} 的人员", 0), ("日历走 1 天", 1), ("日历走 6 天", 6), ("日历走 30 天", 30))


def _measured(url: str) -> dict[str, Any]:
    """Three full checks and an increment after each step."""
    return _told(url, 3, STEPS)


def _measured_once(url: str) -> dict[str, Any]:
    """One full check and an increment after edits."""
    return _told(url, 1, STEPS[:1])


def _told(url: str, times: int, steps: tuple[tuple[str, int], ...]) -> dict[str, Any]:
    """Full checks and increments; every increment's findings are compared with those of a full run on the same data."""
    with open_engine(url).connect() as connection:
        rules()
        seconds, found, run, failed = [], set(), None, 0
        for _ in range(times):
            taken, found, run, failed = _full(connection, TODAY)
            seconds.append(taken)
        note, peak = _note(found, failed), peak_rss() + _backend_memory(connection)
        increments, today = [], TODAY
        for what, days in steps:
            if not days:
                _edit(connection)
            today += timedelta(days=days)
            taken, found, run = _increment(connection, today, run, found)
            again, whole, _, _ = _full(connection, today, remember=False)
            if whole != found:
                raise AssertionError(f"{what}: {len(whole ^ found)} findings differ from a full run")
            increments.append((what, taken, again))
        return {"full": median(seconds), "peak": peak, "note": note, "increments": increments}


def _note(found: Found, failed: int) -> str:
    return f"{len(rules().rules)} 条规则，{len(found):,} 个问题" + (f"，{failed} 条失败" if failed else "")


def _full(connection: Connection, today: date, *, remember: bool = True) -> tuple[float, Found, CheckRun | None, int]:
    """A full check with its due days: seconds, findings, the run, failed rules."""
    began = time.perf_counter()
    watermark = settled_watermark(connection)
    connection.rollback()
    with snapshot_on(connection) as session:
        result = find(session, today)
    run = _remember(connection, today, "full", watermark, result.rules_hash) if remember else None
    return time.perf_counter() - began, _found(connection), run, len(result.failed)


def _increment(
    connection: Connection, today: date, since: CheckRun | None, before: Found
) -> tuple[float, Found, CheckRun]:
    began = time.perf_counter()
    watermark = settled_watermark(connection, since.watermark if since else 0)
    connection.rollback()
    with snapshot_on(connection) as session:
        told = changed_scope(session, since, today)
        if told.full:
            raise AssertionError(told.reason)
        result = find(session, today, scoped=True)
    run = _remember(connection, today, "incremental", watermark, result.rules_hash)
    seconds = time.perf_counter() - began
    judged = {tuple(row) for row in connection.execute(text("SELECT dataset, record_id FROM scope"))}
    connection.rollback()
    return seconds, {one for one in before if one[1:3] not in judged} | _found(connection), run


def _remember(connection: Connection, today: date, kind: str, watermark: int, rules_hash: str) -> CheckRun:
    now = datetime(2026, 3, 2, tzinfo=UTC)
    with writing_on(connection) as session:
        refresh_due(session, full=kind == "full")
        run = CheckRun(on=today, kind=kind, started_at=now, finished_at=now, watermark=watermark, rules_hash=rules_hash)
        session.add(run)
    return run


def _found(connection: Connection) -> Found:
    rows = connection.execute(text("SELECT rule_id, dataset, record_id, part FROM found")).all()
    connection.rollback()
    return {tuple(row) for row in rows}  # type: ignore[misc]


def _edit(connection: Connection) -> None:
    """Some people changed through the registry's door: a name, a birth date, a post, or a move to another unit."""
    chance = random.Random(3)
    people, units = (
        connection.execute(text(f"SELECT MAX(id) FROM {name}")).scalar_one() for name in ("person", "unit")
    )
    connection.rollback()
    choices: list[Callable[[], dict[str, Any]]] = [
        lambda: {"name": chance.choice(["王 测", "李试", "张三丰"])},
        lambda: {"birth_date": chance.choice([19700101, 19850615, 20300101])},
        lambda: {"post_category": "1", "phone": str(chance.randrange(10**8))},
        lambda: {"unit": chance.randint(1, units), "inner_org": None},
    ]
    rows = [
        {"id": i} | chance.choice(choices)() for i in chance.sample(range(1, people + 1), int(people * EDITED_SHARE))
    ]
    with writing_on(connection) as session:
        write(session, "person", rows, by="bench", now=datetime(2026, 3, 2, 2, 0, tzinfo=UTC), may_write_locked=True)


def _backend_memory(connection: Connection) -> float:
    """MiB of its own that the server process of this connection holds; 0 for the embedded database and for servers elsewhere."""
    if connection.dialect.name != "postgresql":
        return 0.0
    pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
    connection.rollback()
    status = Path(f"/proc/{pid}/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return sum(int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon"))


def _peers(report: Report, engine: str, opened: Engine, interpreter: Path | None, people: int) -> None:
    """The same rules by this platform and by each peer, on the same rows; counts of failures have to agree."""
    if interpreter is None:
        return
    ours = _in_own_process(_few_rules, opened)
    address = (
        str(opened.url.database)
        if engine == "SQLite"
        else opened.url.set(drivername="postgresql").render_as_string(hide_password=False)
    )
    for peer in PEERS:
        run = subprocess.run(
            [str(interpreter), str(HERE / "peers.py"), peer, address],
            cwd=HERE,
            capture_output=True,
            text=True,
            check=True,
        )
        theirs = json.loads(run.stdout.splitlines()[-1])
        counts = {int(place): count for place, count in theirs["counts"].items()}
        if counts != {int(place): count for place, count in ours["counts"].items()}:
            raise AssertionError(f"{peer}: counts differ, {counts} against {ours['counts']}")
        most = theirs["seconds"] / 3 if peer == "great_expectations" else theirs["seconds"]
        work = f"{len(PERSON_RULES)} 条两边都能写的规则，{people:,} 人"
        bound = round(most, 3) if people == PEOPLE else None
        report.row(work, engine, ours["seconds"], bound=bound, baseline=peer, baseline_value=theirs["seconds"])


def _few_rules(url: str) -> dict[str, Any]:
    """The peers' rules in this platform's words: median seconds, failures per rule."""
    book = few_rules()
    with open_engine(url).connect() as connection:
        seconds = []
        for _ in range(3):
            began = time.perf_counter()
            with snapshot_on(connection) as session:
                result = find(session, TODAY, book=book)
                connection.execute(text("SELECT rule_id, record_key FROM found")).all()
            seconds.append(time.perf_counter() - began)
        counts = {int(one.rule_id[1:]): one.findings for one in result.rule_runs}
        return {"seconds": median(seconds), "counts": counts, "peak": peak_rss()}


def few_rules() -> RuleBook:
    """A rule book of the peers' rules."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "rules"
        target.mkdir()
        rows = [_as_text(place, rule) for place, rule in enumerate(PERSON_RULES)]
        (target / "R.yaml").write_text(
            yaml.safe_dump({"group": "R", "title": "对照", "rules": rows}, allow_unicode=True)
        )
        return load_rules(Path(folder), dictionary())


def _as_text(place: int, rule: dict[str, Any]) -> dict[str, Any]:
    labels = {f.column: label for label, f in dictionary()["person"].by_label.items()} | {"id_form": "身份证号形式"}
    label, shown = labels[rule["column"]], {}
    match rule["kind"]:
        case "not_null":
            shown = {"must": f"{label} IS NOT NULL"}
        case "in":
            values = [f"'{_code_label(rule['column'], value)}'" for value in rule["values"]]
            shown = {"must": f"{label} IN ({', '.join(values)})"}
        case "between":
            shown = {"must": f"{label} BETWEEN {rule['low']} AND {rule['high']}"}
        case "length":
            shown = {"must": f"LENGTH({label}) BETWEEN {rule['low']} AND {rule['high']}"}
        case "at_least":
            shown = {"must": f"{label} >= {labels[rule['other']]}"}
        case "unique":
            shown = {"unique": [label]}
    told = {"title": label, "level": "E", "basis": ["办法10"], "message": label, "remedy": label}
    return {"id": f"R{place}", "of": "person", **told, **shown}


def _code_label(column: str, value: str) -> str:
    f = dictionary()["person"].fields.get(column)
    return dictionary().codes_of(f).label(value) if f and f.type == "code" else value
