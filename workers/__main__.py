"""`python -m workers PART`: one part of the platform as a process. Errors are one Chinese sentence and exit status 2."""

from __future__ import annotations

import os
import sys

import click
import orjson

from workflow.clock import parse_moment, present
from workflow.errors import SandengError
from workflow.settings import Settings, get_settings


@click.group()
def parts() -> None:
    """Parts of the platform. In production none starts on a role of PostgreSQL that passes row-level security."""
    settings = get_settings()
    if settings.production and settings.database.startswith("postgresql"):
        _prove_walls(settings)


def _prove_walls(settings: Settings) -> None:
    from workflow.access.row_security import prove_walls
    from workflow.db import open_engine

    engine = open_engine(settings.database)
    try:
        prove_walls(engine, settings.system_role)
    finally:
        engine.dispose()


@parts.command("up")
@click.option("--host", default="127.0.0.1")
@click.option("--port", default=8000, type=int)
def _up(host: str, port: int) -> None:
    from workers.supervisor import run_all

    run_all(host, port)


@parts.command("web")
@click.option("--host", default="127.0.0.1")
@click.option("--port", default=8000, type=int)
def _web(host: str, port: int) -> None:
    from workers.configured import tell_settings
    from workers.server import command

    tell_settings("web")
    arguments = command(host, port)
    os.execv(arguments[0], arguments)


@parts.command("worker")
@click.option("--burst", is_flag=True)
def _worker(burst: bool) -> None:
    from workers.configured import tell_settings
    from workers.queue import run_worker

    tell_settings("worker")
    run_worker(burst)


@parts.command("clock")
@click.option("--once", is_flag=True)
def _clock(once: bool) -> None:
    from workers.clock import run
    from workers.configured import tell_settings

    tell_settings("clock")
    run(once)


@parts.command("relay")
@click.option("--once", is_flag=True)
def _relay(once: bool) -> None:
    from workers.relay import run

    run(once)


@parts.command("fire")
@click.option("--until", default="")
@click.option("--json", "json_", is_flag=True)
def _fire(until: str, json_: bool) -> None:
    from workers.clock import fire

    report = fire(parse_moment(until) if until else present())
    if json_:
        print(orjson.dumps(report).decode())
    else:
        counts = "，".join(f"{name} {count}" for name, count in report["fired"].items()) or "无到期事项"
        print(f"截至 {report['until']}：{counts}；失败 {report['failed']}；用时 {report['seconds']} 秒")


def main() -> None:
    """Run one part and leave with its exit status."""
    try:
        parts(standalone_mode=False)
    except click.ClickException as error:
        click.echo(f"用法有误：{error.format_message()}", err=True)
        sys.exit(2)
    except SandengError as error:
        click.echo(str(error), err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
