"""The chain itself: canonical bytes of an entry, and appending under the lock of the head. Rows only; nothing here commits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import orjson
from sqlalchemy import Engine, bindparam, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from workflow.audit.models import CHAIN, HEAD, ROW
from workflow.audit.seal import Ring, ring
from workflow.prepared import Prepared, together

GENESIS = "0" * 64
# The columns that an entry's hash covers, in order.
COVERED = (
    "seq", "at", "actor", "on_behalf_of", "origin", "session_digest", "action", "object_kind", "object_key",
    "unit_id", "case_id", "summary", "result", "key_id", "prev_hash",
)  # fmt: skip
_LONGEST = {
    "actor": 64,
    "on_behalf_of": 64,
    "origin": 80,
    "session_digest": 32,
    "action": 80,
    "object_kind": 40,
    "object_key": 160,
}

# Built once: an entry ends every write transaction.
_HEAD = select(HEAD.c.seq, HEAD.c.hash, HEAD.c.at).where(HEAD.c.chain == CHAIN)
_LOCKED = Prepared(_HEAD.with_for_update(), [])
_ONWARD = (
    update(HEAD)
    .where(HEAD.c.chain == CHAIN, HEAD.c.seq == bindparam("from_seq"))
    .values(seq=bindparam("to_seq"), hash=bindparam("to_hash"), at=bindparam("to_at", type_=HEAD.c.at.type))
)
_MOVE = Prepared(_ONWARD, ["from_seq", "to_seq", "to_hash", "to_at"])
_COLUMNS = [*COVERED, "hash"]
_INSERT = Prepared(insert(ROW), _COLUMNS)
# The head moved on from where this process left it, if it still stands there; on PostgreSQL with the entry in one statement.
_ONWARD_FROM = _ONWARD.where(HEAD.c.hash == bindparam("prev_hash")).returning(HEAD.c.seq)
_MOVE_FROM = Prepared(_ONWARD_FROM, ["from_seq", "prev_hash", "to_seq", "to_hash", "to_at"])
_MOVED = _ONWARD_FROM.cte("moved")
_GIVEN = select(*(bindparam(f"row_{name}", type_=ROW.c[name].type) for name in _COLUMNS)).select_from(_MOVED)
_GO_ON = Prepared(
    insert(ROW).from_select(_COLUMNS, _GIVEN).returning(ROW.c.seq),
    ["from_seq", "prev_hash", "to_seq", "to_hash", "to_at", *(f"row_{name}" for name in _COLUMNS)],
)


class Head(NamedTuple):
    """The end of the chain: the last entry's number, hash and moment (UTC)."""

    seq: int
    hash: str
    at: datetime | None = None


class Left(NamedTuple):
    """Where this process left the head of a database, and whether nobody else had moved it since the time before."""

    head: Head
    alone: bool


_left: WeakKeyDictionary[Engine, Left] = WeakKeyDictionary()


def canonical(values: Sequence[Any]) -> bytes:
    """The bytes that are sealed: the covered values as one JSON list; `at` as its text."""
    return orjson.dumps(values)


def moment_text(at: datetime) -> str:
    """A moment as the hash covers it, 2026-03-02 01:00:00.000000 in UTC: just how SQLite keeps it."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")


def head(session: Session) -> Head:
    """The end of the chain as this transaction sees it; number 0 before the first entry."""
    row = session.execute(_HEAD).one_or_none()
    return Head(0, GENESIS) if row is None else Head(*row)


def append(session: Session, entries: Sequence[dict[str, Any]], keys: Ring | None = None) -> None:
    """Append entries (values of the columns up to `result`, `summary` as a mapping) and move the head on.

    The head's lock is held until the transaction ends: call it last. On SQLite the write lock serves.
    """
    keys, engine = keys or ring(), session.get_bind().engine
    left = _left.get(engine)
    if left is not None and left.alone and len(entries) == 1 and _went_on(session, engine, left.head, entries[0], keys):
        return
    last = locked_head(session, entries[0]["at"])
    rows = _sealed(last, entries, keys)
    end = Head(rows[-1]["seq"], rows[-1]["hash"], rows[-1]["at"])
    with together(session):
        _INSERT.run_each(session, rows)
        _MOVE.run(session, {"from_seq": last.seq, "to_seq": end.seq, "to_hash": end.hash, "to_at": end.at})
    _left[engine] = Left(end, left is not None and left.head[:2] == last[:2])


def _went_on(session: Session, engine: Engine, last: Head, entry: dict[str, Any], keys: Ring) -> bool:
    """Appends one entry to the head as this process left it, without asking for it first. False where it moved since,
    or the transaction that left it there did not commit; nothing is written then."""
    row = _sealed(last, [entry], keys)[0]
    end = Head(row["seq"], row["hash"], row["at"])
    given = {"from_seq": last.seq, "prev_hash": last.hash, "to_seq": end.seq, "to_hash": end.hash, "to_at": end.at}
    if engine.dialect.name == "postgresql":
        went_on = bool(_GO_ON.rows(session, given | {f"row_{name}": value for name, value in row.items()}))
    elif went_on := bool(_MOVE_FROM.rows(session, given)):
        _INSERT.run(session, row)
    _left[engine] = Left(end if went_on else last, went_on)
    return went_on


def _sealed(last: Head, entries: Sequence[dict[str, Any]], keys: Ring) -> list[dict[str, Any]]:
    """The rows of the entries behind this head, each sealed and hung on the one before."""
    rows, seq, prev = [], last.seq, last.hash
    for entry in entries:
        seq += 1
        row = {name: _fit(name, value) for name, value in entry.items()}
        row |= {"seq": seq, "key_id": keys.current, "prev_hash": prev, "summary": _text(entry["summary"])}
        prev = str(keys.seal(canonical([_covered(name, row[name]) for name in COVERED])))
        rows.append(row | {"hash": prev})
    return rows


def locked_head(session: Session, now: datetime) -> Head:
    """The head, locked; made at the first entry."""
    rows = _LOCKED.rows(session, {})
    if not rows:
        dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
        first = dialect.insert(HEAD).values(chain=CHAIN, seq=0, hash=GENESIS, at=now)
        session.connection().execute(first.on_conflict_do_nothing(index_elements=["chain"]))
        rows = _LOCKED.rows(session, {})
    return Head(*rows[0])


def _covered(name: str, value: Any) -> Any:
    return moment_text(value) if name == "at" else value


def _fit(name: str, value: Any) -> Any:
    """A text as every database keeps it: no longer than its column, no NUL, no half characters."""
    if not isinstance(value, str):
        return value
    clean = value.replace("\x00", "").encode("utf-8", "replace").decode()
    return clean[: _LONGEST.get(name)]


def _text(summary: Any) -> str:
    plain = orjson.dumps(summary, default=str, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS).decode()
    return plain.replace("\\u0000", "")
