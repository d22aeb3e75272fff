"""`sandeng can`, `simulate` and `unit` on a suspended city: one JSON object, dates in ISO, nothing changed (CONTRACT)."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from sqlalchemy import Engine, text

from tests.casework.suspended_room import THIRD, proposal, red_city, step
from web.cli import main
from workflow import migrations

Run = Callable[..., tuple[int, Any, str]]


@pytest.fixture
def run(engine: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command with --json in the suspended city, on 1 April 2026."""
    red_city(engine)
    step(engine, proposal(engine, 3), "confirm", THIRD)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
        connection.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": migrations.head()})
    monkeypatch.setenv("SANDENG_DATABASE_URL", engine.url.render_as_string(hide_password=False))
    monkeypatch.setenv("SANDENG_CLOCK", "2026-04-01T09:00:00+08:00")

    def command(*arguments: str) -> tuple[int, Any, str]:
        with pytest.raises(SystemExit) as left:
            main([*arguments, "--json"])
        out, err = capsys.readouterr()
        return int(left.value.code or 0), json.loads(out) if out else None, err

    return command


def test_can_prints_every_verdict_and_the_way_out(run: Run) -> None:
    status, found, _ = run("can", "request_lift", "--process", "suspension", "--unit", "33020001")
    assert (status, found["allowed"], found["verdicts"]) == (0, True, [])
    status, found, _ = run("can", "lift", "--process", "suspension", "--unit", "33020001")
    assert (status, found["allowed"]) == (0, False)
    assert set(found["verdicts"][0]) == {
        "guard", "holds", "says", "facts", "basis", "since", "clears_by", "earliest", "link"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["open", "--process", "nothing", "--unit", "33020001"], "没有名为“nothing”的流程"),
        (["fly", "--process", "suspension", "--unit", "33020001"], "没有“fly”这一步"),
        (["confirm", "--process", "suspension", "--unit", "1"], "没有机构 1"),
        (["confirm", "--process", "suspension", "--unit", "33020001", "--by", "nobody"], "没有账号 nobody"),
    ],
)
def test_can_says_in_one_sentence_what_it_does_not_know(run: Run, arguments: list[str], says: str) -> None:
    status, found, err = run("can", *arguments)
    assert (status, found) == (2, None)
    assert says in err


def test_unit_tells_holds_with_their_end_dates(run: Run) -> None:
    _, found, _ = run("unit", "33020002")
    assert found["held_until"] == "2026-06-16"
    assert [(hold["source"], hold["from"], hold["until"]) for hold in found["holds"]] == [
        ("33020001", "2026-03-16", "2026-06-16")
    ]
    _, above, _ = run("unit", "33020001")
    assert [one["months"] for one in above["proposals"]] == [6]


def test_simulate_tells_the_end_of_the_hold_per_day(run: Run) -> None:
    status, found, _ = run("simulate", "--until", "2026-06-20")
    assert status == 0
    ended = {day["on"]: [one["unit"] for one in day["ended"]] for day in found["days"] if day["ended"]}
    assert ended == {"2026-06-17": ["33020001"]}
    assert len(found["days"]) == (date(2026, 6, 20) - date(2026, 4, 1)).days + 1


@pytest.mark.parametrize(("until", "says"), [("2026-03-31", "截止日期应在"), ("31.12.2026", "不是 YYYY-MM-DD")])
def test_simulate_refuses_days_it_cannot_live_to(run: Run, until: str, says: str) -> None:
    status, _, err = run("simulate", "--until", until)
    assert status == 2
    assert says in err
