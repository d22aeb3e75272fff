"""`sandeng definitions migrate`: open cases of one version of a process go to another, as their mapping says and their request allows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from web.commands.quality import definitions
from web.commands.shared import as_json, opened, progress, say
from workflow.clock import SHANGHAI, present
from workflow.db import reading
from workflow.errors import BadInput


@definitions.command("migrate", help="将未办结事项改用新版流程：先试运行，经请示批准后执行")
@click.argument("process")
@click.option("--from", "old", required=True, help="原版本号，或其散列值的开头")
@click.option("--to", "new", required=True, help="新版本号，或其散列值的开头")
@click.option("--map", "map_", required=True, type=click.Path(path_type=Path), help="对应表（YAML）")
@click.option("--dry-run", is_flag=True, help="逐件列出状态、期限、可办步骤和条件的变化，不改动任何数据")
@click.option("--by", default="", help="以哪个账号执行；执行时必填")
@as_json
def migrate(process: str, old: str, new: str, map_: Path, dry_run: bool, by: str, json_: bool) -> int:
    """Prove the mapping, show every case, or carry it out; exit status 1 where cases stayed behind."""
    from workflow.casework.migrating import carry_out, planned

    if not map_.is_file():
        raise BadInput(f"没有文件 {map_}")
    if not dry_run and not by:
        raise BadInput("执行须以 --by 写明账号；只看结果请加 --dry-run")
    with opened() as (_settings, engine):
        with reading(engine) as session:
            migration = planned(session, process, old, new, map_.read_text(encoding="utf-8"))
        versions = {"process": process, "from": migration.old.hash, "to": migration.new.hash}
        if dry_run:
            cases = list(_cases(engine, migration))
            text = "\n".join(_line(migration, case) for case in cases) or "没有停在该版本的未办结事项"
            say(versions | {"count": len(cases), "cases": cases}, json_, text)
            return 0
        outcome = carry_out(engine, migration, by, progress=_show)
    result = {"moved": outcome.moved, "left": outcome.left, "request": outcome.reported}
    say(versions | result, json_, outcome.says)
    return 1 if outcome.left else 0


def _show(done: int, total: int) -> None:
    progress(f"迁移：{done}/{total}")


def _cases(engine: Any, migration: Any) -> Iterator[dict[str, Any]]:
    """Every case, page by page, in one snapshot; the mapping is proved first."""
    from workflow.engine.migration import prove_migration
    from workflow.engine.migration_preview import preview
    from workflow.registry.places import names_of

    after = 0
    with reading(engine) as session:
        prove_migration(session, migration)
        while found := preview(session, migration, now=present(), after=after):
            units = names_of(session, {case.unit_id for case in found if case.unit_id is not None})
            for case in found:
                code, name = units.get(case.unit_id or 0, ("", ""))
                yield case.as_json() | {"unit": code, "unit_name": name}
            after = found[-1].case


def _line(migration: Any, case: dict[str, Any]) -> str:
    old, new = migration.old, migration.new
    states = f"{old.states[case['before']].title} → {new.states[case['after']].title}"
    timers = "；".join(_timer(migration, timer) for timer in case["timers"]) or "无"
    steps = "、".join(new.title_of(do) for do in case["steps"])
    changes = "；".join(_change(new, change) for change in case["differences"]) or "无"
    head = f"{case['case']} {case['subject']} {case['unit_name'] or '全市'}：{states}"
    return f"{head}\n  期限：{timers}\n  可办：{steps}\n  条件变化：{changes}"


def _timer(migration: Any, timer: dict[str, Any]) -> str:
    moment = f"{timer['due_at'].astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}"
    if not timer["before"]:
        return f"起算 {migration.new.title_of(timer['after'])} {moment}"
    before = migration.old.title_of(timer["before"])
    after = migration.new.title_of(timer["after"]) if timer["after"] else f"取消（{timer['why']}）"
    return f"{before} → {after} {moment}{'（停计中）' if timer['state'] == 'paused' else ''}"


def _change(new: Any, change: dict[str, Any]) -> str:
    told = {None: "不要求", True: "满足", False: "不满足"}
    return f"{new.title_of(change['do'])}：{change['says']}（{told[change['before']]} → {told[change['after']]}）"


COMMANDS = ()
