"""Changing the key of encrypted fields: every sealed value, blind index and kept file anew, in chunks, while people work.

Reads accept either key meanwhile; only checks wait, since they compare numbers by their digests. A run that was killed is taken up by
the next. Old keys stay in the ring: backups of before need them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Engine, LargeBinary, Table, bindparam, func, select, text, update
from sqlalchemy.orm import Session

import workflow.registry.tables as registry_tables
from workflow.access.crypto import FieldCipher, field_cipher
from workflow.access.models import KeyRotation
from workflow.access.sealed_files import reseal
from workflow.audit.notes import note
from workflow.db import Base, reading, writing
from workflow.errors import BadInput, Conflict
from workflow.keys import add_key
from workflow.settings import Settings, get_settings

SEALED = "SM4-GCM"  # how the comments of such columns end
UPLOADS = "uploads"  # the folder of kept files
CHUNK = 500  # rows of a transaction
PAUSE = 0.005  # seconds between two transactions on SQLite, so that a person gets in between

Progress = Callable[[str, int], None]  # table, rows done


class Sealed(NamedTuple):
    """One sealed column with its blind index, where it has one."""

    table: Table
    column: str
    digests: str | None


def rotate(engine: Engine, settings: Settings, *, by: str, now: datetime, progress: Progress) -> dict[str, int]:
    """Bring in a new key, or take up a change that was begun; returns {"key", "rows", "files", "damaged"}, the last two of kept files.

    Raises BadInput where the keys come from SANDENG_DATA_KEY and it names no new one.
    """
    with reading(engine) as session:
        done = finished_key(session)
    key = max(settings.field_keys)
    if key <= max(done, min(settings.field_keys)):
        if settings.data_key:
            raise BadInput(
                f"请先在 SANDENG_DATA_KEY 中加上新密钥（如 1:旧密钥,{key + 1}:新密钥）并重启各服务，再运行本命令"
            )
        key = add_key(settings.data_key_file)
    _begin(engine, key, by, now)
    cipher = field_cipher()
    rows = sum(_reseal(engine, column, cipher, progress) for column in sealed_columns())
    files, damaged = reseal(settings.folder(UPLOADS))
    progress(UPLOADS, files)
    rows += _finish(engine, cipher, key, by, now)
    return {"key": key, "rows": rows, "files": files, "damaged": len(damaged)}


def refuse_while_rotating(session: Session) -> None:
    """Raises Conflict while some numbers are indexed under the old key and some under the new: equal ones would not look it."""
    keys = get_settings().field_keys
    if len(keys) > 1 and finished_key(session) < max(keys):
        raise Conflict("正在更换加密密钥，数据校验在更换完成后进行（sandeng key rotate）")


def rotated_since(session: Session, moment: datetime) -> bool:
    """Whether a key was changed since: digests of before mean nothing to an increment."""
    last = session.scalar(select(func.max(KeyRotation.finished_at)))
    return last is not None and last >= moment


def finished_key(session: Session) -> int:
    """The newest key under which everything is sealed; 0 where it was never changed."""
    return session.scalar(select(func.max(KeyRotation.to_key)).where(KeyRotation.finished_at.is_not(None))) or 0


def sealed_columns() -> list[Sealed]:
    """Every sealed column of every table, told by its comment."""
    assert registry_tables.TABLES
    found = []
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            comment = column.comment or ""
            if isinstance(column.type, LargeBinary) and SEALED in comment:
                indexed = table.columns.get(f"{column.name.removesuffix('_enc')}_hash")
                found.append(Sealed(table, column.name, None if indexed is None else indexed.name))
    return found


def _begin(engine: Engine, key: int, by: str, now: datetime) -> None:
    with writing(engine) as session:
        if session.get(KeyRotation, key) is None:
            session.add(KeyRotation(to_key=key, started_at=now, by=by))
            note(session, "key.rotate_begin", at=now, actor=by, kind="field_key", key=key)


def _reseal(engine: Engine, sealed: Sealed, cipher: FieldCipher, progress: Progress) -> int:
    done, after = 0, 0
    while True:
        with writing(engine) as session:
            rows = _rows(session, sealed, after, CHUNK)
            done += _replace(session, sealed, rows, cipher)
        if not rows:
            return done
        after = rows[-1][0]
        progress(sealed.table.name, done)
        if engine.dialect.name == "sqlite":
            time.sleep(PAUSE)


def _finish(engine: Engine, cipher: FieldCipher, key: int, by: str, now: datetime) -> int:
    """What writers of before still sealed under the old key, then the note that all is done, in one transaction."""
    with writing(engine) as session:
        rows = 0
        for sealed in sealed_columns():
            if engine.dialect.name == "postgresql":
                session.execute(text(f'LOCK TABLE "{sealed.table.name}" IN SHARE ROW EXCLUSIVE MODE'))
            rows += sum(_replace(session, sealed, part, cipher) for part in _all_rows(session, sealed))
        row = session.get_one(KeyRotation, key)
        row.finished_at = now
        note(session, "key.rotate", at=now, actor=by, kind="field_key", key=key)
        return rows


def _all_rows(session: Session, sealed: Sealed) -> Iterator[list[tuple[int, bytes]]]:
    after = 0
    while rows := _rows(session, sealed, after, CHUNK * 10):
        yield rows
        after = rows[-1][0]


def _rows(session: Session, sealed: Sealed, after: int, limit: int) -> list[tuple[int, bytes]]:
    key, column = sealed.table.primary_key.columns.values()[0], sealed.table.c[sealed.column]
    query = select(key, column).where(key > after, column.is_not(None)).order_by(key).limit(limit)
    if session.get_bind().dialect.name == "postgresql":
        query = query.with_for_update()
    return [(row[0], bytes(row[1])) for row in session.execute(query)]


def _replace(session: Session, sealed: Sealed, rows: list[tuple[int, bytes]], cipher: FieldCipher) -> int:
    """Seal and index anew what is not under the newest key; returns how many. Nobody changes these rows meanwhile: they are held."""
    old = [(row_id, value) for row_id, value in rows if not cipher.is_newest(value)]
    changes = []
    for row_id, value in old:
        plain = cipher.open(value)
        changes.append({"row": row_id, "fresh": cipher.seal(plain), "digest": cipher.digest(plain)})
    if changes:
        key = sealed.table.primary_key.columns.values()[0]
        values: dict[str, Any] = {sealed.column: bindparam("fresh")}
        if sealed.digests:
            values[sealed.digests] = bindparam("digest")
        else:
            changes = [{name: change[name] for name in ("row", "fresh")} for change in changes]
        session.connection().execute(update(sealed.table).where(key == bindparam("row")).values(values), changes)
    return len(changes)
