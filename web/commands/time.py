"""Commands about time: deadlines on the working-day calendar and the statutory retirement month."""

from __future__ import annotations

import click

from web.commands.shared import as_json, parse_day, parse_month, say
from workflow.calendar.calendar import shipped_calendar
from workflow.calendar.deadline import deadline
from workflow.errors import BadInput
from workflow.registry.retirement import retirement


@click.command("deadline", help="START_DATE 之后第 N 个工作日", context_settings={"ignore_unknown_options": True})
@click.argument("start")
@click.argument("days", type=int)
@as_json
def deadline_command(start: str, days: int, json_: bool) -> None:
    """The n-th working day after a date, with the derivation day by day."""
    if days < 0:
        raise BadInput("工作日数不能为负")
    due = deadline(parse_day(start), days, shipped_calendar())
    listed = [{"date": d.date.isoformat(), "counted": d.counted, "why": d.why} for d in due.days]
    result = {"due_on": due.due_on.isoformat(), "provisional": due.provisional, "days": listed}
    lines = [f"{d['date']} {'计' if d['counted'] else '不计'} {d['why']}" for d in listed]
    note = "（含尚未公布放假安排的年份，暂按周一至周五推算）" if due.provisional else ""
    say(result, json_, "\n".join([*lines, f"期限：{due.due_on}{note}"]))


@click.command("retire", help="法定退休年月")
@click.option("--sex", type=click.Choice(["男", "女"]), required=True)
@click.option("--birth", required=True, help="出生年月 YYYY-MM")
@click.option("--category", type=click.Choice(["M", "F55", "F50"]), required=True)
@as_json
def retire_command(sex: str, birth: str, category: str, json_: bool) -> None:
    """Statutory retirement month (国务院关于渐进式延迟法定退休年龄的办法)."""
    born = parse_month(birth)
    found = retirement({"男": "1", "女": "2"}[sex], born.year * 100 + born.month, category)
    months = {name: _month(getattr(found, name)) for name in ("retire_month", "earliest", "latest")}
    result = {**months, "delay_months": found.delay_months}
    say(
        result,
        json_,
        f"法定退休 {months['retire_month']}，延迟 {found.delay_months} 个月，弹性 {months['earliest']} 至 {months['latest']}",
    )


def _month(yyyymm: int) -> str:
    return f"{yyyymm // 100:04d}-{yyyymm % 100:02d}"


COMMANDS = (deadline_command, retire_command)
