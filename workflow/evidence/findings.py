"""What judging again finds, one row at a time: the same, different, or openly not to be judged again. Data only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

SAME, DIFFERENT, CANNOT = "same", "different", "cannot"
RESULTS = {SAME: "相同", DIFFERENT: "不同", CANNOT: "不能重判"}
PARTS = {
    "files": "文件",
    "versions": "版本",
    "steps": "步骤",
    "verdicts": "办理条件",
    "timers": "期限",
    "audit": "审计记录",
    "case": "事项",
}


@dataclass(frozen=True)
class Row:
    """One thing that was looked at: its part, where it stands, the result, and why."""

    part: str
    where: str
    result: str
    says: str

    def as_json(self) -> dict[str, str]:
        """As it stands in the document and on the command line."""
        return asdict(self)


@dataclass
class Rejudged:
    """Every row, in the order in which things were looked at."""

    rows: list[Row] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing is different."""
        return not any(row.result == DIFFERENT for row in self.rows)

    def count(self, result: str) -> int:
        """How many rows have a result."""
        return sum(row.result == result for row in self.rows)

    def as_json(self) -> dict[str, Any]:
        """For the document and the command line."""
        counts = {result: self.count(result) for result in RESULTS}
        return {"ok": self.ok, **counts, "rows": [row.as_json() for row in self.rows]}


def told(part: str, where: str, faults: Iterable[str], good: str) -> Row:
    """Different where there are faults, the same where there are none."""
    found = list(faults)
    return Row(part, where, DIFFERENT if found else SAME, "；".join(found) or good)


def compared(part: str, where: str, kept: Any, again: Any, says: str) -> Row:
    """The same where a value that was kept is found again."""
    return told(part, where, [] if kept == again else [f"记载为 {kept}，重算为 {again}"], says)


def number_of(row: Mapping[str, Any], title: str) -> str:
    """第 3 步 确认并申报"""
    return f"第 {row['version']} 步 {title}"
