"""Commands that run the parts of the platform. The parts live in `workers`, which web never imports: they are started as processes."""

from __future__ import annotations

import os
import sys

import click
from sqlalchemy import Engine

from web.commands.shared import as_json, note_use, opened, progress, say
from workflow.backup.repository import Backup
from workflow.clock import present
from workflow.operations.places import only_one, prove_free
from workflow.settings import Settings, get_settings


def _become(*arguments: str) -> None:
    """Replace this process by a part of `workers`, so that signals reach it directly."""
    os.execv(sys.executable, [sys.executable, "-m", "workers", *arguments])


@click.command("up", help="在前台运行全部：网页、后台任务、时钟与内置 Valkey；Ctrl-C 全部停止")
@click.option("--host", default="127.0.0.1")
@click.option("--port", default=8000, type=int)
@click.option("--no-demo", is_flag=True, help="不装入演示数据")
def up(host: str, port: int, no_demo: bool) -> None:
    """Migrate, load the demonstration city into an empty database, then supervise all parts.

    Data directory and port are asked for first: nobody waits for a city to hear that the port is taken, and no second start
    writes beside a first one that is still loading.
    """
    from workflow.demo.loading import load_once

    with only_one(get_settings().folder()), opened(migrated=False) as (settings, engine):
        prove_free(host, port)
        _upgraded(engine, settings)
        if not no_demo and settings.env == "demo":
            load_once(engine, settings, progress=progress)
    _become("up", "--host", host, "--port", str(port))


@click.command("web", help="只运行网页服务")
@click.option("--host", default="127.0.0.1")
@click.option("--port", default=8000, type=int)
def web(host: str, port: int) -> None:
    """The web part alone, for production units."""
    _become("web", "--host", host, "--port", str(port))


@click.command("worker", help="只运行后台任务")
@click.option("--burst", is_flag=True, help="做完现有任务即退出")
def worker(burst: bool) -> None:
    """The RQ worker alone."""
    _become("worker", *(["--burst"] if burst else []))


@click.command("clock", help="只运行时钟")
@click.option("--once", is_flag=True, help="走一遍即退出")
def clock(once: bool) -> None:
    """The clock alone: due timers, daily jobs, outbox relay."""
    _become("clock", *(["--once"] if once else []))


@click.command("fire", help="把到期的定时与每日任务办到某一时刻")
@click.option("--until", default="", help="ISO 8601 时刻；缺省为现在")
@as_json
def fire(until: str, json_: bool) -> None:
    """Fire all timers due until then and the daily jobs of the days in between, in order."""
    with opened():  # the part opens it again; here an empty or older database is told
        pass
    _become("fire", *(["--until", until] if until else []), *(["--json"] if json_ else []))


@click.group("db", help="数据库")
def db() -> None:
    """Commands about the database itself."""


@db.command("upgrade", help="迁移到本版本；升级前先归档，长期保存")
@click.option("--archive", is_flag=True, help="现在归档（内置数据库总是先归档）")
@as_json
def upgrade(archive: bool, json_: bool) -> None:
    """Migrate to this release; a database with data is archived first, or the upgrade is refused (办法18)."""
    with opened(migrated=False) as (settings, engine):
        revision, kept = _upgraded(engine, settings, archive)
        note_use(engine)
    told = {"revision": revision, "archive": kept.id if kept else None}
    say(told, json_, f"数据库已在版本 {revision}" + (f"，升级前归档为 {kept.id}" if kept else ""))


def _upgraded(engine: Engine, settings: Settings, archive: bool = False) -> tuple[str, Backup | None]:
    from workflow.backup.upgrading import upgrade as bring_up

    return bring_up(engine, settings, present, archive_now=archive or engine.dialect.name == "sqlite")


@click.command("routes", help="列出每条网址及其所需权限")
@as_json
def routes(json_: bool) -> None:
    """Every HTTP route: rule, methods, endpoint, permission, scope kind."""
    from web.app import create_app, list_routes

    listed = list_routes(create_app())
    text = "\n".join(f"{','.join(r['methods']):10} {r['rule']:50} {r['permission']}" for r in listed)
    say({"routes": listed}, json_, text)


COMMANDS = (up, web, worker, clock, fire, db, routes)
