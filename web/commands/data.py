"""Commands about records: templates, import and export of whole files."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from web.commands.shared import as_json, opened, progress, say
from workflow.access.scopes import Actor, actor_named, in_scope, may, visible_units
from workflow.audit.notes import note
from workflow.clock import business_date, present
from workflow.db import reading, writing
from workflow.errors import BadInput, NotAllowed, NotFound, Refused
from workflow.registry.dictionary import dictionary
from workflow.registry.tables import TABLES

PHASES = {"checking": "校验", "comparing": "比对", "writing": "写入"}
OPERATOR = "cli"  # who is named where nobody is: whoever holds the machine


@click.command("template", help="导入模板")
@click.argument("dataset")
@click.option("--out", required=True, type=click.Path(path_type=Path))
def template(dataset: str, out: Path) -> None:
    """Write the import template of a data set: header of Chinese labels, drop-downs, notes."""
    from workflow.registry.importing.template import template as write_template

    write_template(_known(dataset), _new_file(out), today=business_date(present()))
    click.echo(f"模板已写入 {out}")


@click.command("import", help="导入一个文件：全部写入或完全不写")
@click.argument("dataset")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--by", default="", help="以哪个账号导入；缺省为本机操作员")
@click.option("--basis", default=None, help="依据文件，随每条记录的版本留存")
@click.option("--dry-run", is_flag=True, help="只检查不写入")
@as_json
def import_command(dataset: str, file: Path, by: str, basis: str | None, dry_run: bool, json_: bool) -> int:
    """One file, whole or nothing; exit status 2 with one sentence per error where it was refused."""
    from workflow.operations.imports import bring

    _known(dataset)
    if not file.is_file():
        raise BadInput(f"没有文件 {file}")
    with opened() as (_settings, engine):
        now = present()
        more: dict[str, Any] = {"basis": basis[:200] if basis else None, **_rights(engine, by, now)}
        report = bring(engine, dataset, file, by=by or OPERATOR, now=now, dry_run=dry_run, progress=_show, **more)
    result = report.as_dict()
    for error in result["errors"]:
        progress(error["message"])
    text = "共 {rows} 行：新增 {created}，更新 {updated}，未变 {unchanged}，错误 {error_count}，用时 {seconds} 秒"
    say(result, json_, text.format(**result))
    return 2 if result["error_count"] else 0


def _rights(engine: Engine, account: str, now: datetime) -> dict[str, Any]:
    """What the account may write: unit ids and locked fields; everything for the machine's operator."""
    if not account:
        return {"writable_units": None, "may_write_locked": True}
    with reading(engine) as session:
        actor = actor_named(session, account, now)
        if not may(actor, "import.run"):
            raise NotAllowed(f"账号 {account} 没有导入数据的权限")
        units = None if _everywhere(actor) else set(session.scalars(visible_units(actor, "record.write_free")))
        return {"writable_units": units, "may_write_locked": may(actor, "record.write_locked")}


def _everywhere(actor: Actor) -> bool:
    return any(held.everywhere for held in actor.holding("record.write_free"))


def _show(phase: str, done: int, total: int) -> None:
    progress(f"{PHASES.get(phase, phase)} {done}/{total}")


@click.command("export", help="导出一个数据集")
@click.argument("dataset")
@click.option("--out", required=True, type=click.Path(path_type=Path))
@click.option("--by", default="", help="以哪个账号导出；缺省为本机操作员")
@click.option("--unit", "unit_code", default="", help="只导出该单位及其下属单位")
@as_json
def export(dataset: str, out: Path, by: str, unit_code: str, json_: bool) -> None:
    """What that account may see, watermarked. In production no more people than may be taken out without a request (办法17)."""
    from workflow.casework.report_operations import export_needs_request
    from workflow.registry.exporting import export as write_export

    _known(dataset)
    with opened() as (settings, engine), reading(engine) as session:
        now = present()
        units = _visible(session, by, unit_code, now)
        rows = write_export(session, dataset, _new_file(out), units=units, by=by or OPERATOR, now=now)
        try:
            if settings.production and export_needs_request(session, dataset, rows, None):
                raise Refused(
                    f"导出{dictionary()[dataset].title} {rows} 条须先请示批准（办法17），请在名册页面导出并请示"
                )
            with writing(engine) as own:
                taken = {"unit": unit_code, "by": by, "rows": rows}
                note(own, "export.run", at=now, actor=by or OPERATOR, kind=dataset, key=out.name, summary=taken)
        except BaseException:  # what cannot be told is not taken out (办法17)
            out.unlink(missing_ok=True)
            raise
    say({"dataset": dataset, "rows": rows, "file": str(out)}, json_, f"导出 {rows} 行到 {out}")


def _visible(session: Session, account: str, unit_code: str, now: datetime) -> Any:
    """A select of the unit ids to export, None for all. Raises NotFound for a unit out of reach."""
    from workflow.registry.tree import subtree

    actor = actor_named(session, account, now) if account else None
    if actor and not may(actor, "export.run"):
        raise NotAllowed(f"账号 {account} 没有导出数据的权限")
    if not unit_code:
        return visible_units(actor, "record.read") if actor else None
    table = TABLES["unit"].c
    asked = select(table.id).where(table.unit_code == unit_code)
    found = session.scalar(asked.where(in_scope(actor, "record.read", table.id)) if actor else asked)
    if found is None:
        raise NotFound(f"没有机构 {unit_code}，或不在该账号的管理范围内")
    return subtree(found)


def _new_file(path: Path) -> Path:
    """A path that can be written. Raises BadInput."""
    if path.is_dir() or not path.parent.is_dir():
        raise BadInput(f"{path} 是文件夹" if path.is_dir() else f"没有文件夹 {path.parent}")
    return path


def _known(dataset: str) -> str:
    if dataset not in dictionary().datasets:
        raise BadInput(f"没有“{dataset}”这个数据集（可用：{'、'.join(dictionary().datasets)}）")
    return dataset


COMMANDS = (template, import_command, export)
