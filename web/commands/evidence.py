"""Commands about the evidence of a case: check a bundle and judge it again. Needs no database, unless it is asked whether the bundle was made here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from web.commands.shared import as_json, opened, progress, say
from workflow.db import reading


@click.group("evidence", help="办理事项的证据包")
def evidence() -> None:
    """Commands about bundles."""


@evidence.command("verify", help="核对证据包的文件摘要和版本，逐步重判；有不同时退出码为 1")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--registered", is_flag=True, help="并核对本平台的审计链中有这个证据包的导出记录")
@as_json
def verify(file: Path, registered: bool, json_: bool) -> int:
    """Every file, version, step, condition and term once more; exit status 1 where anything is different."""
    from workflow.engine.registry import load_all
    from workflow.evidence.bundle import verified
    from workflow.evidence.findings import DIFFERENT, PARTS, RESULTS, SAME, Row

    load_all()  # the judges register with the processes
    found, about = verified(file)
    if registered:
        known = _known(about)
        says = "审计链中有此证据包的导出记录" if known else "审计链中没有此证据包的导出记录"
        found.rows.append(Row("audit", "导出记录", SAME if known else DIFFERENT, says))
    for row in found.rows:
        progress(f"{RESULTS[row.result]}  {PARTS[row.part]}  {row.where}：{row.says}")
    counts = "，".join(f"{title} {found.count(result)} 项" for result, title in RESULTS.items())
    text = f"事项 {about['case']} {about['title'] or ''}：{counts}。{'全部相符' if found.ok else '有不同'}"
    say({**found.as_json(), **about}, json_, text)
    return 0 if found.ok else 1


def _known(about: dict[str, Any]) -> bool:
    from workflow.evidence.exports import exported_as

    with opened() as (_settings, engine), reading(engine) as session:
        return exported_as(session, str(about["case"]), about["manifest_sha256"])


COMMANDS = (evidence,)
