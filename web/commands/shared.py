"""What every command needs: the settings, the opened database, the present, and one way to print."""

from __future__ import annotations

import contextlib
import getpass
import socket
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import click
import orjson
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from workflow.audit.notes import coming_from, note, told
from workflow.clock import business_date, present
from workflow.db import open_engine, reading, writing
from workflow.errors import BadInput, SandengError
from workflow.scoping import open_whole
from workflow.settings import Settings, get_settings

as_json = click.option("--json", "json_", is_flag=True, help="标准输出只打印一个 JSON 对象")


@contextlib.contextmanager
def opened(*, migrated: bool = True) -> Iterator[tuple[Settings, Engine]]:
    """The settings and an engine on the migrated database (`migrated` False: as it is, opened by its owner); closed afterwards.

    Use of a command on a migrated database is told before anything else is done with it, and a refusal after it (办法17).
    """
    from workflow import migrations
    from workflow.quality.amendments import adopt

    settings = get_settings()
    engine = open_whole(settings) if migrated else open_engine(settings.owner_url)
    try:
        with coming_from(_whence()):
            if migrated:
                migrations.prove_current(engine)
                note_use(engine)
                with reading(engine) as session:
                    adopt(session, business_date(present()))
            try:
                yield settings, engine
            except SandengError as error:
                if migrated:
                    note_use(engine, result="refused", why=type(error).__name__)
                raise
    finally:
        engine.dispose()


def note_where_there_is(action: str, key: str, summary: Mapping[str, Any], result: str = "done") -> bool:
    """Note an act on files that must work without the database too (办法18): False, and said so, where there is none to note it in."""
    from workflow import migrations

    settings = get_settings()
    embedded = settings.database_url.startswith("sqlite")
    if embedded and not Path(settings.database_url.partition("///")[2]).is_file():
        return False
    engine = open_engine(settings.database_url)
    try:
        migrations.prove_current(engine)
        with coming_from(_whence()), writing(engine) as session:
            note(session, action, at=present(), actor="cli", kind="backup", key=key, result=result, summary=summary)
    except (SandengError, DBAPIError):
        progress("数据库不可用，本次操作未能记入审计")
        return False
    finally:
        engine.dispose()
    return True


def _whence() -> str:
    return f"cli {getpass.getuser()}@{socket.gethostname()}"


def note_use(engine: Engine, result: str = "done", **more: str) -> None:
    """Tell of the present command: its name and the digest of its arguments, which may hold names and paths."""
    context = click.get_current_context(silent=True)
    if context is None:
        return
    command = _name_of(context)
    summary = {"arguments": told({name: str(value) for name, value in context.params.items()}), **more}
    with writing(engine) as session:
        note(
            session,
            f"cli.{command}",
            at=present(),
            actor="cli",
            kind="command",
            key=command,
            result=result,
            summary=summary,
        )


def _name_of(context: click.Context) -> str:
    """audit.verify, of `sandeng audit verify`, however the program was started."""
    names = []
    above: click.Context | None = context
    while above is not None and above.parent is not None:
        names.append(above.info_name or "")
        above = above.parent
    return ".".join(reversed(names))


def say(result: dict[str, Any], json_: bool, text: str) -> None:
    """Print the object with --json, else the sentence."""
    click.echo(orjson.dumps(result, default=str, option=orjson.OPT_NON_STR_KEYS).decode() if json_ else text)


def progress(text: str) -> None:
    """A line of progress; never on standard output."""
    click.echo(text, err=True)


def parse_month(text: str) -> date:
    """The first day of a month YYYY-MM. Raises BadInput."""
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError:
        raise BadInput(f"月份“{text}”不是 YYYY-MM 格式") from None


def parse_day(text: str) -> date:
    """An ISO date. Raises BadInput."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadInput(f"日期“{text}”不是 YYYY-MM-DD 格式") from None
