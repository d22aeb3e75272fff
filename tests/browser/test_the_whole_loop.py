"""From import to red light on the running platform, as its users walk it: web, worker, clock and queue as processes, time moved by SANDENG_CLOCK."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import openpyxl
import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy import Engine, select

from tests.browser.conftest import Window, open_window
from tests.workers.conftest import Spawn, eventually, settings, spawn  # noqa: F401  (fixtures)
from tests.workers.test_supervisor import free_port
from workflow import migrations
from workflow.access.demonstration import create_demonstration_accounts
from workflow.clock import SHANGHAI
from workflow.db import open_engine, reading, writing
from workflow.demo.bundle import DATASETS
from workflow.demo.city import CitySize, bundles
from workflow.demo.files import write_city
from workflow.engine.models import Case
from workflow.quality.models import CheckRun, Ticket
from workflow.registry import records
from workflow.registry.importing.run import import_file
from workflow.registry.tables import TABLES
from workflow.settings import Settings

IMPORTED = datetime(2026, 9, 22, 5, tzinfo=SHANGHAI)  # Tuesday
FOUND = datetime(2026, 9, 22, 9, tzinfo=SHANGHAI)
# Working days 1 to 3 are the 23rd, the 24th and Monday the 28th: Mid-Autumn lasts from the 25th to the 27th.
LAST_MINUTE = datetime(2026, 9, 28, 23, 59, tzinfo=SHANGHAI)
RED = datetime(2026, 9, 29, 0, 0, 1, tzinfo=SHANGHAI)
WRONG, RIGHT = "测试", "宁波大学"


@dataclass(frozen=True)
class Platform:
    """A running platform: its address, its database, the unit with four wrong records, their keys, and the hand on the clock."""

    base: str
    engine: Engine
    unit: str
    district: str
    wrong: tuple[str, ...]
    clock: Path

    def move(self, moment: datetime) -> None:
        """Move the present of every process, and wait until the clock has lived through the days between."""
        self.clock.write_text(moment.isoformat(), encoding="utf-8")
        eventually(lambda: self._checked(moment), within=30, what=f"no check of {moment.date()}")

    def ticket(self, key: str) -> int:
        """The ticket of a record."""
        with reading(self.engine) as session:
            return session.scalars(select(Ticket.id).where(Ticket.record_key == key)).one()

    def lights(self) -> list[str]:
        """The lights of the wrong records' tickets, in order of their keys."""
        lit = select(Case.light).join(Ticket, Ticket.case_id == Case.id).where(Ticket.record_key.in_(self.wrong))
        with reading(self.engine) as session:
            return list(session.scalars(lit.order_by(Ticket.record_key)))

    def _checked(self, moment: datetime) -> bool:
        done = select(CheckRun.id).where(CheckRun.on >= moment.date(), CheckRun.finished_at.is_not(None))
        with reading(self.engine) as session:
            return moment.hour < 6 or session.scalar(done.limit(1)) is not None


def fill(engine: Engine, folder: Path) -> tuple[str, str, tuple[str, ...]]:
    """A small city by import files, with accounts; one unit's clerk wrote nonsense into four records. Returns unit, district, keys."""
    write_city(bundles(CitySize(120, IMPORTED.date(), 7)), folder)
    for dataset in DATASETS:
        path = folder / f"{dataset}.xlsx"
        assert not import_file(engine, dataset, path, by="demo", now=IMPORTED, may_write_locked=True).errors
    person, unit = TABLES["person"].c, TABLES["unit"].c
    listed = select(person.id, person.person_code, unit.unit_code, unit.district_code).join(
        TABLES["unit"], unit.id == person.unit_id
    )
    stay = listed.where(unit.district_code != "330282", person.school.is_not(None)).order_by(unit.unit_code, person.id)
    with writing(engine) as session:
        create_demonstration_accounts(session, now=IMPORTED)
        rows = session.execute(stay).all()[:4]
        assert len({row.unit_code for row in rows}) == 1
        nonsense = [{"id": row.id, "school": WRONG} for row in rows]
        records.write(session, "person", nonsense, by=f"clerk@{rows[0].unit_code}", now=IMPORTED, basis="登记表")
    return rows[0].unit_code, rows[0].district_code, tuple(row.person_code for row in rows)


@pytest.fixture
def platform(
    settings: Settings,  # noqa: F811
    spawn: Spawn,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Platform]:
    """`sandeng up` on that city, on Tuesday 22 September 2026 at nine."""
    clock, files, port = tmp_path / "clock", tmp_path / "files", free_port()
    clock.write_text(FOUND.isoformat(), encoding="utf-8")
    files.mkdir()
    monkeypatch.setenv("SANDENG_CLOCK", f"file:{clock}")
    engine = open_engine(settings.database_url)
    migrations.upgrade(engine)
    unit, district, wrong = fill(engine, files)
    command = (sys.executable, "-m", "web.cli", "up", "--no-demo", "--port", str(port))
    process = spawn(*command, environment={"SANDENG_WEB_WORKERS": "1"}, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline().decode().strip() == f"ready http://127.0.0.1:{port}"
    yield Platform(f"http://127.0.0.1:{port}", engine, unit, district, wrong, clock)
    process.terminate()
    assert process.wait(20) == 0
    engine.dispose()


@pytest.fixture
def at_desk(chromium: Browser, platform: Platform) -> Iterator[Callable[[str], Window]]:
    """A function that opens a window of its own for an account and signs it in."""
    opened = []

    def enter(account: str) -> Window:
        window = open_window(chromium, platform.base)
        opened.append(window)
        window.sign_in(account)
        return window

    yield enter
    for window in opened:
        assert window.complaints == []
        window.page.context.close()


def correct_by_form(window: Window, ticket: int) -> None:
    """From the ticket to the record, put it right, and back to a green light."""
    page = window.go(f"/tickets/{ticket}")
    expect(page.locator(".wrong")).to_contain_text(WRONG)
    expect(page.locator(".days .due")).to_contain_text("9月28日")
    page.get_by_role("link", name="打开记录").click()
    page.get_by_role("link", name="修改").first.click()
    page.get_by_label("毕业院校").fill(RIGHT)
    page.get_by_role("button", name="保存").click()
    expect(page.locator(".flash")).to_contain_text("亮绿灯")
    window.go(f"/tickets/{ticket}")
    expect(page.locator(".lamp-green").first).to_contain_text("绿灯")


def correct_by_import(window: Window, unit: str, key: str, folder: Path) -> None:
    """Export the unit's roster, put one row right in the file, preview, confirm."""
    page = window.go(f"/roster/person?unit={unit}")
    with page.expect_download() as download:
        page.get_by_role("button", name="导出").click()
    path = folder / "名册.xlsx"
    download.value.save_as(path)
    book = openpyxl.load_workbook(path)
    rows = book.worksheets[0]
    column = next(cell.column for cell in rows[1] if cell.value == "毕业院校")
    row = next(line[0].row for line in rows.iter_rows(min_row=2) if line[0].value == key)
    rows.cell(row, column).value = RIGHT
    book.save(path)
    window.go("/imports?dataset=person")
    page.get_by_label("要导入的文件").set_input_files(path)
    page.get_by_role("button", name="上传并检查").click()
    page.get_by_role("button", name="确认导入").wait_for(timeout=15_000)
    expect(page.locator(".changes")).to_have_count(1)
    expect(page.locator(".changes")).to_contain_text(f"毕业院校 {WRONG} → {RIGHT}")
    page.get_by_role("button", name="确认导入").click()
    expect(page.get_by_role("main")).to_contain_text("已整改 1 项", timeout=15_000)


@pytest.mark.slow
def test_what_is_put_right_in_time_turns_green_and_the_rest_red_on_the_right_day(
    platform: Platform, at_desk: Callable[[str], Window], tmp_path: Path
) -> None:
    eventually(lambda: platform.lights() == ["yellow"] * 4, within=20, what="the first daily check found nothing")
    by_form, by_import, *left = platform.wrong

    clerk = at_desk(f"clerk@{platform.unit}")
    expect(clerk.page.locator(".biglamp")).to_contain_text("黄灯")
    correct_by_form(clerk, platform.ticket(by_form))
    correct_by_import(clerk, platform.unit, by_import, tmp_path)
    assert platform.lights() == ["green", "green", "yellow", "yellow"]

    platform.move(LAST_MINUTE)
    assert platform.lights() == ["green", "green", "yellow", "yellow"]
    platform.move(RED)
    eventually(lambda: platform.lights() == ["green", "green", "red", "red"], within=5, what="red within 5 s")

    clerk = at_desk(f"clerk@{platform.unit}")  # six days later the old session has ended
    expect(clerk.page.locator(".biglamp")).to_contain_text("红灯")
    page = clerk.go(f"/tickets/{platform.ticket(left[0])}")
    expect(page.locator(".history")).to_contain_text("2026-09-29 00:00")
    reviewer = at_desk("reviewer").page
    region = reviewer.get_by_role("region", name="各区（县、市）三色灯").locator("tbody tr")
    expect(region.filter(has=reviewer.locator(".lamp-red"))).to_have_count(1)
    expect(region.filter(has=reviewer.locator(f"a[href*='district={platform.district}&light=red']"))).to_contain_text(
        "红灯"
    )
    reviewer.locator(f"a[href*='district={platform.district}&light=red']").click()
    expect(reviewer.locator("tr[data-row]")).to_have_count(2)
