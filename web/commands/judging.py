"""Commands that judge beforehand: may a step be taken, and what happens if nobody acts. They change nothing."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from web.commands.shared import as_json, opened, parse_day, say
from workflow.clock import present
from workflow.db import reading


@click.command("can", help="某一步现在能否办理：逐项条件、事实、依据和解除办法")
@click.argument("action")
@click.option("--process", required=True, help="流程名称，如 suspension")
@click.option("--unit", "unit_code", required=True, help="机构编码")
@click.option("--by", default="", help="以哪个账号办理；缺省不论角色")
@as_json
def can_command(action: str, process: str, unit_code: str, by: str, json_: bool) -> None:
    """The verdicts that a step would meet now."""
    from workflow.access.scopes import actor_named
    from workflow.casework.can import can

    with opened() as (_settings, engine), reading(engine) as session:
        now = present()
        actor = actor_named(session, by, now) if by else None
        found = can(session, action, process, unit_code, actor, now)
    lines = ["可以办理" if found.allowed else "不能办理"]
    lines += [f"{'满足' if one.holds else '不满足'} {one.says}（{one.basis or one.guard}）" for one in found.verdicts]
    say(found.as_json(), json_, "\n".join(lines))


@click.command("simulate", help="推演：到某日为止无人处理会怎样，或换一种口径会怎样；不改动任何数据")
@click.option("--until", "until_", required=True, help="推演到哪一天（含），YYYY-MM-DD")
@click.option(
    "--policy", "policy_", default="", type=click.Path(), help="另一种口径的文件，写法同 definitions/policies"
)
@click.option("--confirm", is_flag=True, help="并假定编办领导当日照准每一项暂停建议")
@as_json
def simulate_command(until_: str, policy_: str, confirm: bool, json_: bool) -> None:
    """What happens if nobody acts, per day."""
    from workflow.casework.simulation import simulate
    from workflow.policy import trial_policies

    policies = trial_policies(Path(policy_)) if policy_ else None
    began = time.monotonic()
    with opened() as (_settings, engine):
        found = simulate(engine, present(), parse_day(until_), policies=policies, confirm=confirm)
    lines = [_line(day) for day in found.days if not day.quiet]
    say(
        found.as_json() | {"seconds": round(time.monotonic() - began, 3)},
        json_,
        "\n".join(lines or ["到期为止没有变化"]),
    )


def _line(day: Any) -> str:
    text = f"{day.on} 新发现 {day.opened}，转黄 {day.yellow}，转红 {day.red}，提醒 {len(day.reminders)}"
    return f"{text}，暂停建议 {len(day.suspensions)}，期满 {len(day.ended)}，不能申请的单位 {day.blocked_units}"


COMMANDS = (can_command, simulate_command)
