"""Commands about the audit chain."""

from __future__ import annotations

import time
from pathlib import Path

import click

from web.commands.shared import as_json, opened, progress, say
from workflow.audit.notes import note
from workflow.audit.watch import accept_restore, verified
from workflow.clock import present
from workflow.db import writing


@click.group("audit", help="审计记录")
def audit() -> None:
    """Commands about the audit chain."""


@audit.command("verify", help="核对审计链：与自身、库外锚点，以及另存的锚点文件")
@click.option("--anchor", default=None, type=click.Path(path_type=Path), help="另存的锚点文件或每日链头")
@as_json
def verify(anchor: Path | None, json_: bool) -> int:
    """The chain against itself, the holders' anchors and one further file; exit status 1 where something does not hold."""
    began = time.monotonic()
    with opened() as (settings, engine):
        found = verified(engine, settings, anchor_file=anchor, progress=_show)
        with writing(engine) as session:
            how = "done" if found.ok else "failed"
            note(
                session,
                "audit.verify",
                at=present(),
                actor="cli",
                kind="audit",
                key="chain",
                result=how,
                summary=found.brief(),
            )
    for problem in found.problems:
        progress(problem.says)
    text = f"已核对 {found.rows} 行，" + ("全部相符" if found.ok else f"发现 {found.found} 处不符")
    to = f"，锚定至第 {found.anchored_to.seq} 行" if found.anchored_to else "，没有可核对的锚点"
    say(found.as_json() | {"seconds": round(time.monotonic() - began, 3)}, json_, text + to)
    return 0 if found.ok else 1


@audit.command("accept-restore", help="登记数据库已由备份恢复：审计链从恢复点接续，恢复点以后的锚点不再视为不符")
@click.option("--reason", required=True, help="恢复的原因")
@as_json
def accept(reason: str, json_: bool) -> None:
    """Declare a restore, so that the entries that it has lost are told as lost and not as cut off."""
    with opened() as (settings, engine):
        seq, lost = accept_restore(engine, settings, now=present(), by="cli", reason=reason)
    text = f"已登记：审计链自第 {seq} 行接续，第 {seq + 1} 至 {lost} 行随恢复失去"
    say({"from_seq": seq, "lost_to": lost}, json_, text)


def _show(done: int, total: int) -> None:
    if done % 100_000 == 0:
        progress(f"核对 {done}/{total}")


COMMANDS = (audit,)
