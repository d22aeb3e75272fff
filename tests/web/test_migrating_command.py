# ruff: noqa: F811
"""`sandeng definitions migrate`: refuses by row, shows every case without touching it, and carries out what was approved, once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from tests.casework.test_filing import opened, two_bureaus
from tests.casework.test_migrating_filings import MAPPING, accounts, approve, asking, plan
from tests.web.test_command_line import Run, data_dir, run  # noqa: F401  (fixtures)
from workflow.db import open_engine, reading
from workflow.engine.definition import FOLDER, read_definition
from workflow.engine.models import CASE
from workflow.engine.registry import load_all, using
from workflow.settings import get_settings

MOVE = ("definitions", "migrate", "filing", "--from", "1", "--to", "2")


@pytest.fixture
def office(run: Run) -> Iterator[Engine]:
    """The command's own database, with one filing that began under the first version."""
    assert run("unit", "999").status == 2  # makes the tables
    engine = open_engine(get_settings().database_url)
    two_bureaus(engine)
    accounts(engine)
    first = read_definition((FOLDER / "filing.yaml").read_text(encoding="utf-8"), "filing.yaml")
    with using(replace(load_all(), current={**load_all().current, "filing": first}, pinned={})):
        opened(engine)
    yield engine
    engine.dispose()


def mapped(tmp_path: Path, text: str = MAPPING) -> tuple[str, str]:
    file = tmp_path / "mapping.yaml"
    file.write_text(text, encoding="utf-8")
    return "--map", str(file)


def pinned(engine: Engine) -> set[str]:
    with reading(engine) as session:
        return set(session.scalars(select(CASE.c.definition).where(CASE.c.process == "filing")))


def test_a_mapping_at_fault_is_refused_row_by_row(office: Engine, run: Run, tmp_path: Path) -> None:
    done = run(*MOVE, *mapped(tmp_path, "{states: {drafty: draft}}"), "--dry-run")
    assert done.status == 2
    first, second = done.err.strip().splitlines()
    assert first.startswith("states.drafty：第 1 版没有状态“drafty”（可用：accepted、draft、")
    assert second.startswith("states.draft：有 1 件停在“起草中”，没有写明去向（可用：draft、")


def test_a_dry_run_lists_every_case_and_changes_nothing(office: Engine, run: Run, tmp_path: Path) -> None:
    before = pinned(office)
    done = run(*MOVE, *mapped(tmp_path), "--dry-run", "--json")
    (case,) = json.loads(done.out)["cases"]
    assert (case["unit"], case["unit_name"], case["before"], case["after"]) == (
        "330200101",
        "示例1局",
        "draft",
        "draft",
    )
    assert [(t["before"], t["after"]) for t in case["timers"]] == [("remind", "remind"), ("overdue", "overdue")]
    assert {d["guard"] for d in case["differences"] if d["before"] is None} == {
        "notice_permits_entry",
        "nobody_is_left_inside",
    }
    words = run(*MOVE, *mapped(tmp_path), "--dry-run").out
    assert "示例1局：起草中 → 起草中" in words
    assert "可办：更正日期、提交确认、撤回、临期提醒、逾期提醒" in words
    assert "临期提醒 → 临期提醒 2026-03-06 00:00:00" in words
    assert "提交确认：不占用新的编制，无须通知单（不要求 → 满足）" in words
    assert pinned(office) == before


def test_carrying_out_takes_an_account_and_an_approved_request(office: Engine, run: Run, tmp_path: Path) -> None:
    assert "须以 --by 写明账号" in run(*MOVE, *mapped(tmp_path)).err
    refused = run(*MOVE, *mapped(tmp_path), "--by", "office")
    assert (refused.status, "须先请示批准" in refused.err) == (3, True)
    assert run(*MOVE, *mapped(tmp_path), "--by", "county").status == 3
    approve(office, asking(office, plan(office)))
    done = run(*MOVE, *mapped(tmp_path), "--by", "office")
    assert (done.status, done.out.strip()) == (0, "已迁移 1 件未办结事项")
    assert pinned(office) == {plan(office).new.hash}
    assert run(*MOVE, *mapped(tmp_path), "--by", "office").out.strip() == "已迁移 0 件未办结事项"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--from", "7"), "“填报”没有第 7 版（可用：1、2）"),
        (("--to", "1"), "两边是同一版"),
        (("--map", "nowhere.yaml"), "没有文件 nowhere.yaml"),
    ],
)
def test_what_is_not_there_is_named(
    office: Engine,
    run: Run,
    tmp_path: Path,
    arguments: tuple[str, ...],
    says: str,
) -> None:
    done = run(*MOVE, *mapped(tmp_path), *arguments, "--dry-run")
    assert (done.status, says in done.err) == (2, True), done
