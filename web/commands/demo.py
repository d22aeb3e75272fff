"""Commands for the demonstration city: as import files, or straight into the database."""

from __future__ import annotations

from pathlib import Path

import click

from web.commands.shared import as_json, opened, parse_day, progress, say
from workflow.clock import business_date, present
from workflow.demo.city import CitySize
from workflow.demo.files import FORMATS
from workflow.demo.making import make_files
from workflow.registry.dictionary import dictionary


@click.group("demo", help="虚构的演示城市")
def demo() -> None:
    """Commands about the invented city."""


@demo.command("make", help="生成一个虚构城市的导入文件，连同所埋错误的清单 truth.csv")
@click.option("--people", type=int, required=True, help="实有人员行数")
@click.option("--units", type=int, default=0, help="机构数；缺省约为人数的五十分之一")
@click.option("--seed", type=int, default=1, help="相同的种子生成相同的城市")
@click.option("--error-rate", type=float, default=0.02, help="每人平均错误数，缺省 0.02")
@click.option("--on", "on", default="", help="基准日期 YYYY-MM-DD；缺省为今天")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="输出文件夹")
@click.option("--format", "file_format", type=click.Choice(FORMATS), default="xlsx")
@as_json
def make(
    people: int, units: int, seed: int, error_rate: float, on: str, out: Path, file_format: str, json_: bool
) -> None:
    """An invented city as import files, one per data set, and the errors put into it."""
    day = parse_day(on) if on else business_date(present())
    made = make_files(CitySize(people, day, seed, units), error_rate, out, file_format)
    rows = "，".join(f"{dictionary()[name].title} {n} 行" for name, n in made["rows"].items())
    say(made | {"out": str(out), "seed": seed}, json_, f"{out}：{rows}；埋入错误 {made['errors']} 处")


@demo.command("load", help="把虚构城市直接装入空数据库，并建立各类演示账号")
@click.option("--people", type=int, default=3000)
@click.option("--seed", type=int, default=1)
@as_json
def load(people: int, seed: int, json_: bool) -> None:
    """The city straight into the database, with accounts of every role and a fortnight of checks behind it."""
    from workflow.demo.loading import load_city

    with opened() as (settings, engine):
        loaded = load_city(engine, settings, now=present(), people=people, seed=seed, progress=progress)
    say(
        loaded,
        json_,
        f"已装入演示城市：{loaded['rows']['person']} 人、{loaded['rows']['unit']} 个机构，账号 {len(loaded['accounts'])} 个",
    )


COMMANDS = (demo,)
