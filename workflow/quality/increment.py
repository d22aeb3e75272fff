"""Which records an increment has to judge: what changed since the last run, what that drags along, and whose due day has come.

Fills the TEMP TABLE `scope`; a superset is harmless, a missing record is not. DESIGN section 9 names the parts: old and new keys, people
of changed units, anchors of measures, due days.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

import orjson
from sqlalchemy import Connection, func, select, text
from sqlalchemy.orm import Session

from workflow.access.rotation import rotated_since
from workflow.quality.due import HORIZON
from workflow.quality.findings import prepare
from workflow.quality.models import CheckRun, RuleRun
from workflow.quality.rulebook import RuleBook
from workflow.quality.rules import rules
from workflow.quality.spread import Spread

LARGEST_SHARE = 0.25  # an increment of more than a quarter of the records is no gain


@dataclass
class Increment:
    """Whether the records in `scope` suffice, or why the run has to be full."""

    full: bool
    reason: str = ""
    records: dict[str, int] = field(default_factory=dict)


def changed_scope(
    session: Session,
    since: CheckRun | None,
    today: date,
    book: RuleBook | None = None,
    *,
    largest_share: float = LARGEST_SHARE,
) -> Increment:
    """Fill `scope` with everything whose answer may differ from that of the run `since` (full or incremental, finished).

    Falls back to a full run, leaving `scope` empty: no run yet, other rules, a rule that failed then, a day before that run's, due days
    not known so far ahead, or more than `largest_share` of the records.
    """
    book = book or rules()
    connection = session.connection()
    prepare(connection)
    connection.exec_driver_sql("DELETE FROM scope")
    reason = _why_full(session, since, today, book)
    if reason or since is None:
        return Increment(True, reason)
    largest = count_roughly(connection, book) * largest_share
    if _count_versions(connection, since.watermark) > largest:
        return Increment(True, "变动的记录超过四分之一")
    spread = Spread(connection, book, since=True)
    spread.read_versions(session, since.watermark)
    spread.read_due(today)
    spread.read_matters(book)
    found = spread.all()
    if sum(map(len, found.values())) > largest:
        return Increment(True, "涉及的记录超过四分之一")
    return Increment(False, records=fill_scope(connection, found))


def record_scope(session: Session, dataset: str, ids: Iterable[int], book: RuleBook | None = None) -> dict[str, int]:
    """Fill `scope` with some records and what they drag along (an on-demand check). Returns data set → records."""
    connection = session.connection()
    prepare(connection)
    connection.exec_driver_sql("DELETE FROM scope")
    spread = Spread(connection, book or rules())
    spread.touched[dataset].update(ids)
    return fill_scope(connection, spread.all())


def unit_scope(session: Session, unit_id: int, book: RuleBook | None = None) -> dict[str, int]:
    """Fill `scope` with a unit, everything that belongs to it, and what that drags along. Returns data set → records."""
    book = book or rules()
    connection = session.connection()
    prepare(connection)
    connection.exec_driver_sql("DELETE FROM scope")
    spread = Spread(connection, book)
    spread.touched["unit"].add(unit_id)
    for dataset in book.dictionary.datasets.values():
        if dataset.unit:
            column = dataset.fields[dataset.unit].column
            spread.touched[dataset.name].update(
                spread.ids(f'SELECT id FROM "{dataset.name}" WHERE "{column}" = :v', v=unit_id)
            )
    return fill_scope(connection, spread.all())


def settled_watermark(connection: Connection, previous: int = 0) -> int:
    """The record_version id below which nothing is still being written; ask it before the snapshot is taken.

    PostgreSQL gives out ids before they are committed, but a writer holds its lock on the table from before its first id until
    after its commit. So an id given out before a moment without writers is committed then, and every later snapshot sees it. With
    writers at work it is `previous`: the next increment looks at some versions twice.
    """
    if connection.dialect.name != "postgresql":
        return int(connection.execute(text("SELECT COALESCE(MAX(id), 0) FROM record_version")).scalar_one())
    given_out = text("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM record_version_id_seq")
    highest = int(connection.execute(given_out).scalar_one())  # first the ids, then who is writing
    writers = text(
        "SELECT COUNT(*) FROM pg_locks WHERE relation = CAST('record_version' AS regclass) AND mode = 'RowExclusiveLock'"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    return min(previous, highest) if connection.execute(writers).scalar_one() else highest


def _why_full(session: Session, since: CheckRun | None, today: date, book: RuleBook) -> str:
    if since is None:
        return "尚无可以承接的检查"
    if rotated_since(session, since.started_at):
        return "加密密钥已更换"
    if since.rules_hash != book.hash:
        return "规则、字典或代码表已变更"
    if today < since.on:
        return "检查日早于上次检查"
    full = select(func.max(CheckRun.on)).where(CheckRun.kind == "full", CheckRun.finished_at.is_not(None))
    last_full = session.scalar(full)
    if last_full is None or today > last_full + HORIZON:
        return f"距上次全量检查已超过 {HORIZON.days} 天"
    failed = select(RuleRun.rule_id).where(RuleRun.run_id == since.id, RuleRun.error.is_not(None)).limit(1)
    return "上次检查有规则未能执行" if session.execute(failed).first() else ""


def count_roughly(connection: Connection, book: RuleBook) -> int:
    """The records of all data sets, told from their highest ids (a count would read the tables)."""
    highest = " UNION ALL ".join(f'SELECT COALESCE(MAX(id), 0) AS n FROM "{d}"' for d in book.dictionary.datasets)
    return int(connection.execute(text(f"SELECT SUM(n) FROM ({highest}) counted")).scalar_one())


def _count_versions(connection: Connection, watermark: int) -> int:
    return int(
        connection.execute(text("SELECT COUNT(*) FROM record_version WHERE id > :w"), {"w": watermark}).scalar_one()
    )


def fill_scope(connection: Connection, found: dict[str, set[int]]) -> dict[str, int]:
    """Write the records into `scope`; data set → how many."""
    rows = [(dataset, record_id) for dataset, ids in found.items() for record_id in sorted(ids)]
    if not rows:
        return {}
    if connection.dialect.name == "postgresql":
        sql = "INSERT INTO scope (dataset, record_id) SELECT * FROM UNNEST(CAST(:d AS TEXT[]), CAST(:r AS BIGINT[]))"
        connection.execute(text(sql), {"d": [row[0] for row in rows], "r": [row[1] for row in rows]})
        connection.exec_driver_sql("ANALYZE scope")
    else:
        sql = "INSERT INTO scope (dataset, record_id) SELECT value ->> 0, value ->> 1 FROM JSON_EACH(:rows)"
        connection.execute(text(sql), {"rows": orjson.dumps(rows).decode()})
    return {dataset: len(ids) for dataset, ids in found.items() if ids}
