"""Commands of the quality loop: the daily check, its findings, one unit's standing, the definitions' proof."""

from __future__ import annotations

import csv
import sys
from typing import Any

import click

from web.commands.shared import as_json, opened, parse_day, progress, say
from workflow.clock import business_date, present
from workflow.db import reading
from workflow.errors import DefinitionError


@click.command("check", help="每日数据校验")
@click.option("--on", "on_", default="", help="作为今天的日期；缺省为今天")
@click.option("--dataset", default="", help="只校验一个数据集")
@click.option("--full", is_flag=True, help="全量校验；缺省为增量")
@as_json
def check(on_: str, dataset: str, full: bool, json_: bool) -> int:
    """The daily check of a business date: rules, tickets, red rounds, reminders and proposals; exit status 1 where a rule failed."""
    from workflow.insight.findings import failed_rules
    from workflow.quality.daily import check_day
    from workflow.quality.run import as_json as run_as_json
    from workflow.quality.run import run_check

    with opened() as (_settings, engine):
        now = present()
        day = parse_day(on_) if on_ else business_date(now)
        if dataset:
            result = run_as_json(run_check(engine, day, now, scope={"dataset": dataset}, by="cli"))
        else:
            result = check_day(engine, day, now, kind="full" if full else "incremental", by="cli").as_json()
        with reading(engine) as session:
            result["failed"] = failed_rules(session, result["run"])
    for rule in result["failed"]:
        progress("规则 {rule}（{dataset}）未能判定，它的工单保持原状：{error}".format(**rule))
    text = "校验 {on}：规则 {rules} 条，问题 {findings} 个，新发现 {opened}，再现 {recurred}，仍未整改 {still_open}，已整改 {resolved}，用时 {seconds} 秒"
    say(result, json_, text.format(**result))
    return 1 if result["failed"] else 0


@click.command("findings", help="列出数据问题")
@click.option("--open", "only_open", is_flag=True, help="只列未整改的")
@click.option("--format", "format_", type=click.Choice(["csv", "json"]), default="csv")
@as_json
def findings(only_open: bool, format_: str, json_: bool) -> None:
    """Every finding with its light and deadline: rule, data set, key, unit, field, message, level, light, dates, state."""
    from workflow.insight.findings import COLUMNS, findings_of

    with opened() as (_settings, engine), reading(engine) as session:
        rows = findings_of(session, only_open=only_open)
        if json_ or format_ == "json":
            say({"findings": list(rows)}, True, "")
            return
        writer = csv.DictWriter(sys.stdout, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


@click.command("unit", help="一个单位的灯、工单、连红与负面清单")
@click.argument("code")
@as_json
def unit(code: str, json_: bool) -> None:
    """A unit's lamp, open tickets by light, red rounds and streak, negative list, parent and children."""
    from workflow.insight.standing import standing

    with opened() as (_settings, engine), reading(engine) as session:
        found = standing(session, code, business_date(present()))
    text = "{code} {name}：{lamp}；红灯 {red}，黄灯 {yellow}；连续亮红灯 {streak} 次".format(
        **found, red=found["tickets"]["red"], yellow=found["tickets"]["yellow"]
    )
    say(found, json_, text)


@click.group("definitions", help="定义文件")
def definitions() -> None:
    """Commands about definitions/."""


@definitions.command("check", help="逐项证明定义文件；列出问题与各条的落实情况")
@as_json
def check_definitions(json_: bool) -> int:
    """Prove every definition; exit status 1 where a problem was found."""
    problems: list[str] = []
    counts: dict[str, int] = {}
    for name, prove in _proofs().items():
        try:
            counts[name] = prove()
        except DefinitionError as error:
            problems.append(str(error))
    result = {"problems": problems, "counts": counts, "articles": _articles()}
    text = "\n".join(problems) or "定义文件无误：" + "，".join(f"{name} {n}" for name, n in counts.items())
    say(result, json_, text)
    return 1 if problems else 0


def _proofs() -> dict[str, Any]:
    """What is proved → how; each proof returns how many it proved and raises DefinitionError."""
    from workflow.access.roles import roles
    from workflow.calendar.calendar import shipped_calendar
    from workflow.policy import shipped_policies
    from workflow.quality.processes import load_processes
    from workflow.quality.rules import rules
    from workflow.registry.dictionary import dictionary

    return {
        "数据集": lambda: len(dictionary().datasets),
        "代码表": lambda: len(dictionary().codes),
        "规则": lambda: len({rule.id for rule in rules().rules}),
        "流程": lambda: len(load_processes()),
        "日历年份": lambda: len(shipped_calendar().announced),
        "角色": lambda: len(roles()),
        "政策": lambda: bool(shipped_policies().version) * 1,
    }


def _articles() -> list[dict[str, Any]]:
    import yaml

    from workflow.registry.dictionary import DEFINITIONS

    loaded = yaml.load((DEFINITIONS / "articles.yaml").read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    return [{"article": a["article"], "title": a["title"], "status": a["status"]} for a in loaded["articles"]]


COMMANDS = (check, findings, unit, definitions)
