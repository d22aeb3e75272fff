"""Commands about backups (办法18): make, verify, list, restore."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from web.commands.shared import as_json, note_where_there_is, opened, progress, say
from workflow.audit.notes import note
from workflow.clock import parse_moment, present
from workflow.db import writing
from workflow.errors import BadInput, Refused
from workflow.settings import Settings, get_settings


@click.group("backup", help="备份与恢复（办法18）")
def backup() -> None:
    """Commands about backups."""


@backup.command("full", help="做一次全量备份")
@as_json
def full(json_: bool) -> None:
    """Everything."""
    _make("full", json_)


@backup.command("incremental", help="做一次增量备份")
@as_json
def incremental(json_: bool) -> None:
    """What has changed since the last one; the first one is full."""
    _make("incremental", json_)


def _make(kind: str, json_: bool) -> None:
    from workflow.backup.engines import make
    from workflow.backup.repository import KINDS

    with opened() as (settings, engine):
        made = make(engine, settings, kind, present, lambda done, total: progress(f"备份 {done}/{total}"))
        with writing(engine) as session:
            kept = {"kind": made.kind, "bytes": made.bytes}
            note(session, "backup.make", at=present(), actor="cli", kind="backup", key=made.id, summary=kept)
    told = {"id": made.id, "kind": made.kind, "at": made.at, "parent": made.parent, "bytes": made.bytes,
            "files": [file.name for file in made.files], "rows": sum(made.counts.values()), "revision": made.revision}  # fmt: skip
    say(told, json_, f"{KINDS[made.kind]}备份 {made.id} 已完成，{made.bytes / 1e6:.1f} MB")


@backup.command("verify", help="把备份恢复到临时目录并检查")
@click.argument("backup_id", default="")
@as_json
def verify(backup_id: str, json_: bool) -> int:
    """Restore a backup (default: the newest) into a scratch folder and check it; exit status 1 where it fails."""
    from workflow.backup.making import repository, working_folder
    from workflow.backup.restoring import chosen
    from workflow.backup.verifying import verify as prove

    settings = get_settings()
    held = repository(settings)
    wanted = held.backup(backup_id) if backup_id else chosen(held.backups(), None)
    outcome = prove(held, wanted, present(), working_folder(settings))
    for problem in outcome.problems:
        progress(problem)
    found = {"ok": outcome.ok, "rows": outcome.rows, "problems_found": len(outcome.problems)}
    note_where_there_is("backup.verify", outcome.backup, found, "done" if outcome.ok else "failed")
    says = f"备份 {outcome.backup} 验证{'通过' if outcome.ok else '未通过'}：{outcome.rows} 行，{outcome.files} 个文件，{outcome.seconds} 秒"
    say(outcome.as_json(), json_, says)
    return 0 if outcome.ok else 1


@backup.command("list", help="列出备份、归档和连续日志")
@as_json
def list_(json_: bool) -> None:
    """Every backup with its chain, the archives, the log, what is missing."""
    from workflow.backup.repository import KINDS
    from workflow.backup.state import state_of

    state = state_of(get_settings(), present())
    lines = [
        f"{b.id}  {KINDS[b.kind]}  {b.bytes / 1e6:.1f} MB  依赖 {b.parent or '—'}"
        for b in (*state.backups, *state.archives)
    ]
    say(state.as_json(), json_, "\n".join([*lines, *(f"注意：{text}" for text in state.missing)]) or "没有备份")


@backup.command("restore", help="恢复到某一时刻；缺省为最后时刻")
@click.option("--to", default="", help="ISO 8601 时刻")
@click.option("--into", type=click.Path(path_type=Path), default=None, help="恢复到这个空文件夹；缺省为正式数据目录")
@click.option("--yes", is_flag=True, help="确认以备份替换正式数据")
@as_json
def restore(to: str, into: Path | None, yes: bool, json_: bool) -> None:
    """Into an empty folder, or over the live data: only while stopped, and only with --yes; what stood there is put aside."""
    from workflow.backup.engines import restore as bring_back

    settings, until = get_settings(), parse_moment(to) if to else None
    if into is not None:
        done = bring_back(settings, until, into.expanduser().resolve(), datetime.now(UTC))
    else:
        done = _over_live_data(settings, until, yes)
    whole = {"until": to, "suppressed": done["suppressed"]}
    note_where_there_is("backup.restore", "elsewhere" if into else "live", whole)
    say(done, json_, f"{done['lost']}。恢复到 {done['into']}，不再发送恢复前的消息 {done['suppressed']} 条")


@backup.command("settle", help="PostgreSQL 恢复并启动后运行一次：不再发送旧消息，旧会话全部失效")
@click.option("--to", required=True, help="恢复到的时刻，ISO 8601")
@as_json
def settle(to: str, json_: bool) -> None:
    """On a server that has recovered; an embedded database is settled by the restore itself."""
    from workflow.backup.quieting import quiet_server

    with opened() as (_settings, engine):
        if engine.dialect.name != "postgresql":
            raise BadInput("内置数据库在恢复时已经处理，不需要这一步")
        with engine.begin() as connection:
            told = quiet_server(connection, parse_moment(to), datetime.now(UTC))
    say(dict(told), json_, f"不再发送恢复前的消息 {told['suppressed']} 条，结束会话 {told['sessions_ended']} 个")


def _over_live_data(settings: Settings, until: datetime | None, yes: bool) -> dict[str, object]:
    from workflow.backup.engines import restore as bring_back
    from workflow.backup.restoring import move_in, put_aside

    if not settings.database_url.startswith("sqlite"):
        raise BadInput("PostgreSQL 请用 --into 恢复到新的数据目录，再按运行手册切换")
    if not yes:
        raise Refused(f"将以备份替换 {settings.data_dir} 的正式数据；确认请加 --yes，或用 --into 恢复到别处")
    now = datetime.now(UTC)
    with _stopped(settings):
        folder = settings.data_dir / f".restoring-{now:%Y%m%d%H%M%S}"
        done = bring_back(settings, until, folder, now)
        aside = put_aside(settings.data_dir, now)
        move_in(folder, settings.data_dir)
    return done | {"into": str(settings.data_dir), "put_aside": str(aside)}


@contextlib.contextmanager
def _stopped(settings: Settings) -> Iterator[None]:
    """Raises Refused while any part of the platform runs on this data directory."""
    with (
        open(settings.folder() / "sandeng.lock", "a+", encoding="ascii") as whole,
        open(f"{settings.data_dir / 'sandeng.db'}.clock", "a+", encoding="ascii") as clock,
    ):
        try:
            fcntl.flock(whole, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.flock(clock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused("平台正在运行，请先停止再恢复") from None
        yield


COMMANDS = (backup,)
