"""The State Council's holiday notices, one file a year, read and proved. A later notice replaces an earlier one day by day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from workflow.errors import DefinitionError

FOLDER = Path(__file__).resolve().parents[2] / "definitions" / "calendars"
_KEYS: dict[str, dict[str, type]] = {
    "file": {"year": int, "notices": list},
    "notice": {"number": str, "title": str, "issued_on": dt.date, "holidays": list, "work": list},
    "holidays": {"name": str, "from": dt.date, "to": dt.date},
    "work": {"date": dt.date, "makes_up": str},
}
_TYPE_NAMES = {int: "整数", str: "文字", dt.date: "日期（YYYY-MM-DD）", list: "列表"}


@dataclass(frozen=True)
class Holiday:
    """Consecutive days off, both ends included."""

    name: str
    from_on: dt.date
    to_on: dt.date

    def days(self) -> Iterator[dt.date]:
        """Each day off."""
        for step in range((self.to_on - self.from_on).days + 1):
            yield self.from_on + dt.timedelta(step)


@dataclass(frozen=True)
class Notice:
    """One notice: its number (国办发明电〔2025〕7号), the days off, and the make-up working days with the holiday each belongs to."""

    year: int
    number: str
    title: str
    issued_on: dt.date | None
    holidays: tuple[Holiday, ...]
    work: tuple[tuple[dt.date, str], ...]


def read_notices(folder: Path = FOLDER) -> dict[int, tuple[Notice, ...]]:
    """Year → its notices in order of issue, from every YYYY.yaml of the folder. Raises DefinitionError naming file and row."""
    files = sorted(folder.glob("*.yaml"))
    if not files:
        raise DefinitionError("没有一份节假日安排文件", file=str(folder))
    return dict(_read_year(path) for path in files)


def _read_year(path: Path) -> tuple[int, tuple[Notice, ...]]:
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        raise DefinitionError(f"不是可读的 YAML：{error}", file=path.name) from None
    _prove_keys(content, "file", path.name, "")
    if path.stem != str(content["year"]):
        raise DefinitionError(f"year 为 {content['year']}，应与文件名一致", file=path.name, row="year")
    if not content["notices"]:
        raise DefinitionError("至少要有一份通知；尚未公布的年份不设文件", file=path.name, row="notices")
    return content["year"], tuple(_read_notice(row, content["year"], path.name) for row in content["notices"])


def _read_notice(row: Any, year: int, file: str) -> Notice:
    _prove_keys(row, "notice", file, "notices", optional={"issued_on"})
    number = row["number"]
    for part in ("holidays", "work"):
        for entry in row[part]:
            _prove_keys(entry, part, file, f"{number} {part}")
    holidays = tuple(Holiday(entry["name"], entry["from"], entry["to"]) for entry in row["holidays"])
    work = tuple((entry["date"], entry["makes_up"]) for entry in row["work"])
    notice = Notice(year, number, row["title"], row.get("issued_on"), holidays, work)
    _prove_days(notice, file)
    return notice


def _prove_keys(row: Any, kind: str, file: str, place: str, optional: set[str] | None = None) -> None:
    known = _KEYS[kind]
    if not isinstance(row, dict):
        raise DefinitionError("应为“名称: 值”的形式", file=file, row=place, known=list(known))
    for name in row:
        if name not in known:
            raise DefinitionError(f"不认识“{name}”", file=file, row=place, known=list(known))
    for name, wanted in known.items():
        if name not in row and name not in (optional or set()):
            raise DefinitionError(f"缺少“{name}”", file=file, row=place)
        if name in row and type(row[name]) is not wanted:
            raise DefinitionError(f"“{name}”应为{_TYPE_NAMES[wanted]}，现为“{row[name]}”", file=file, row=place)


def _prove_days(notice: Notice, file: str) -> None:
    seen: set[dt.date] = set()
    for holiday in notice.holidays:
        if holiday.from_on > holiday.to_on:
            raise DefinitionError(f"{holiday.name}的起止日期颠倒", file=file, row=notice.number)
        for day in holiday.days():
            _prove_day(day, notice, file, seen)
    for day, makes_up in notice.work:
        _prove_day(day, notice, file, seen)
        if day.weekday() < 5:
            raise DefinitionError(f"调休上班日 {day} 不是周六、周日", file=file, row=notice.number)
        if makes_up not in {holiday.name for holiday in notice.holidays}:
            known = [holiday.name for holiday in notice.holidays]
            raise DefinitionError(
                f"{day} 所补的“{makes_up}”不在本通知的假期中", file=file, row=notice.number, known=known
            )


def _prove_day(day: dt.date, notice: Notice, file: str, seen: set[dt.date]) -> None:
    reaches_back = day.year == notice.year - 1 and day.month == 12
    if day.year != notice.year and not reaches_back:
        raise DefinitionError(f"{day} 不在{notice.year}年（或上年12月）", file=file, row=notice.number)
    if day in seen:
        raise DefinitionError(f"{day} 在同一通知中出现了两次", file=file, row=notice.number)
    seen.add(day)
