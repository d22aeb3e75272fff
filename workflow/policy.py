"""Terms, streak reading and ladder as data: city.yaml, and per county what differs. A county may only be stricter (办法23)."""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
from calendar import monthrange
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from workflow.errors import DefinitionError
from workflow.policy_entries import (
    ENTRIES,
    READINGS,
    Count,
    DayOfMonth,
    Entry,
    Ladder,
    LadderStep,
    Months,
    PolicyFile,
    Reading,
    TimeOfDay,
    WorkingDays,
)

FOLDER = Path(__file__).resolve().parents[1] / "definitions" / "policies"


class Term(NamedTuple):
    """A length of time: n working_days or n months."""

    n: int
    unit: Literal["working_days", "months"]

    def __str__(self) -> str:
        return f"{self.n}个工作日" if self.unit == "working_days" else f"{self.n}个月"


class Policy:
    """The entries in force for one district; `version` is the hash of their values, so a history row can say what it went by."""

    def __init__(self, district: str, name: str, entries: Mapping[str, Entry]) -> None:
        self.district, self.name = district, name
        self.entries: Mapping[str, Entry] = dict(entries)
        self.version = version_of({key: entry.model_dump_json() for key, entry in self.entries.items()})

    def entry(self, name: str) -> Entry:
        """The entry with its basis and sentence. Raises DefinitionError for a name that is none."""
        if name not in self.entries:
            raise DefinitionError(f"没有名为“{name}”的口径条目", file="policies", known=list(self.entries))
        return self.entries[name]

    def value(self, name: str) -> Any:
        """The bare value of an entry."""
        return self.entry(name).value

    def term(self, name: str) -> Term:
        """A term, as term("light.red") → Term(3, "working_days")."""
        entry = self.entry(name)
        if not isinstance(entry, WorkingDays | Months):
            terms = [key for key, known in ENTRIES.items() if known.unit in ("working_days", "months")]
            raise DefinitionError(f"“{name}”不是期限", file="policies", known=terms)
        return Term(entry.value, entry.unit)

    def count(self, name: str) -> int:
        """A number of records, as count("report.batch_rows") → 20."""
        entry = self.entry(name)
        if not isinstance(entry, Count):
            counts = [key for key, known in ENTRIES.items() if known.unit == "count"]
            raise DefinitionError(f"“{name}”不是条数", file="policies", known=counts)
        return entry.value

    def time(self, name: str) -> dt.time:
        """A time of day in Asia/Shanghai, as time("job.check") → 06:00."""
        entry = self.entry(name)
        if not isinstance(entry, TimeOfDay):
            times = [key for key, known in ENTRIES.items() if known.unit == "time"]
            raise DefinitionError(f"“{name}”不是时刻", file="policies", known=times)
        return dt.time.fromisoformat(entry.value)

    def day_in(self, name: str, year: int, month: int) -> dt.date:
        """The day of a month that an entry sets, as day_in("monthly.opens_on", 2026, 2) → 25 February; 31 is the last day."""
        entry = self.entry(name)
        if not isinstance(entry, DayOfMonth):
            days = [key for key, known in ENTRIES.items() if known.unit == "day"]
            raise DefinitionError(f"“{name}”不是每月的某一天", file="policies", known=days)
        return dt.date(year, month, min(entry.value, monthrange(year, month)[1]))

    def is_quiet(self, local: dt.time) -> bool:
        """Whether no notice may go out at that local time (quiet.from ≤ time < quiet.until, across midnight)."""
        begins, ends = self.time("quiet.from"), self.time("quiet.until")
        return begins <= local < ends if begins <= ends else local >= begins or local < ends

    def ladder_step(self, red_rounds: int) -> LadderStep | None:
        """What that many red rounds in a row lead to (办法21); None below the first step."""
        steps: list[LadderStep] = self.value("ladder")
        return max(
            (step for step in steps if step.red_rounds <= red_rounds), key=lambda step: step.red_rounds, default=None
        )


class Policies:
    """The city's policy and the counties' that differ; every other district goes by the city's."""

    def __init__(self, city: Policy, counties: Mapping[str, Policy]) -> None:
        self.city, self.counties = city, dict(counties)
        self.version = _hash(
            (policy.district, policy.version) for policy in (city, *(counties[key] for key in sorted(counties)))
        )

    def own(self, district: str, name: str) -> bool:
        """Whether a district has an entry of its own: the city its own, a county one that differs from the city's."""
        if district == self.city.district:
            return True
        county = self.counties.get(district)
        return county is not None and county.entry(name) != self.city.entry(name)

    def of(self, district_code: str | None) -> Policy:
        """The policy of a district by the first six digits of its code (GB/T 2260)."""
        return self.counties.get((district_code or "")[:6], self.city)


def load_policies(folder: Path = FOLDER) -> Policies:
    """city.yaml and the counties' files, proved. Raises DefinitionError naming file, entry and the known names."""
    city_file = _read(folder / "city.yaml")
    missing = [name for name in ENTRIES if name not in city_file.entries]
    if missing:
        raise DefinitionError(f"缺少条目：{'、'.join(missing)}", file="city.yaml", row="entries")
    city = Policy(city_file.district, city_file.name, city_file.entries)
    counties = (_county(path, city) for path in sorted(folder.glob("*.yaml")) if path.name != "city.yaml")
    return Policies(city, {county.district: county for county in counties})


@functools.cache
def shipped_policies() -> Policies:
    """The policies that this release carries (definitions/policies), loaded once per process."""
    return load_policies()


def trial_policies(path: Path, base: Policies | None = None) -> Policies:
    """The policies in force with the entries of one file put over them, for a simulation. Raises DefinitionError.

    The file has the shape of definitions/policies/*.yaml and may name some entries only. One for the city goes before a county's
    entry that would then be laxer; one for a county may be laxer, as nothing is enforced by trying.
    """
    base, content = base or shipped_policies(), _read(path)
    if content.district != base.city.district:
        county = base.of(content.district)
        made = Policy(content.district, content.name, {**county.entries, **content.entries})
        return Policies(base.city, {**base.counties, content.district: made})
    city = Policy(base.city.district, base.city.name, {**base.city.entries, **content.entries})
    counties = {key: _under(policy, base.city, city) for key, policy in base.counties.items()}
    return Policies(city, counties)


def _under(county: Policy, old: Policy, new: Policy) -> Policy:
    """A county's policy below another city policy: its own entries stay where they are not laxer."""
    own = {name: entry for name, entry in county.entries.items() if entry != old.entries[name]}
    kept = {}
    for name, entry in own.items():
        try:
            _prove_not_laxer(name, entry, new.entries[name], county.name)
        except DefinitionError:
            continue
        kept[name] = entry
    return Policy(county.district, county.name, {**new.entries, **kept})


def _county(path: Path, city: Policy) -> Policy:
    content = _read(path)
    if path.stem != content.district:
        raise DefinitionError(f"district 为 {content.district}，应与文件名一致", file=path.name, row="district")
    for name, entry in content.entries.items():
        _prove_not_laxer(name, entry, city.entries[name], path.name)
    return Policy(content.district, content.name, {**city.entries, **content.entries})


def _prove_not_laxer(name: str, own: Entry, citys: Entry, file: str) -> None:
    stricter = ENTRIES[name].stricter
    if stricter == "city":
        raise DefinitionError("该条目全市统一，区县不得另定", file=file, row=name)
    if stricter is None:
        return
    laxer = (
        _ladder_is_laxer(own, citys)
        if isinstance(own, Ladder) and isinstance(citys, Ladder)
        else _is_laxer(own, citys, stricter)
    )
    if laxer:
        told = (
            "某个连续红灯轮次的后果轻于全市" if isinstance(own, Ladder) else f"全市为 {citys.value}，此处为 {own.value}"
        )
        raise DefinitionError(f"区县口径只能更严（办法23）：{told}", file=file, row=name)


def _is_laxer(own: Entry, citys: Entry, stricter: str) -> bool:
    step = _strictness(own) - _strictness(citys)
    return step < 0 if stricter == "higher" else step > 0


def _strictness(entry: Entry) -> int:
    return READINGS.index(entry.value) if isinstance(entry, Reading) else int(entry.value)  # type: ignore[arg-type]


def _ladder_is_laxer(own: Ladder, citys: Ladder) -> bool:
    """Whether some number of red rounds in a row leads to less than in the city: nothing, a reminder, so many months."""
    rounds = {step.red_rounds for ladder in (own, citys) for step in ladder.value}
    return any(_follows(own, n) < _follows(citys, n) for n in rounds)


def _follows(ladder: Ladder, red_rounds: int) -> int:
    reached = [step for step in ladder.value if step.red_rounds <= red_rounds]
    return -1 if not reached else reached[-1].months or 0


def _read(path: Path) -> PolicyFile:
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _NoDuplicates)
    except FileNotFoundError:
        raise DefinitionError("没有这份口径文件", file=path.name) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DefinitionError(f"不是可读的 YAML：{error}", file=path.name) from None
    if isinstance(content, dict) and isinstance(content.get("entries"), dict):
        _prove_names(content["entries"], path.name)
    try:
        return PolicyFile.model_validate(content)
    except ValidationError as error:
        raise _in_chinese(error.errors()[0], path.name) from None


def _prove_names(entries: dict[str, Any], file: str) -> None:
    for name, entry in entries.items():
        if name not in ENTRIES:
            raise DefinitionError(f"不认识的条目“{name}”", file=file, row="entries", known=list(ENTRIES))
        unit = entry.get("unit") if isinstance(entry, dict) else None
        if unit != ENTRIES[name].unit:
            raise DefinitionError(f"单位应为 {ENTRIES[name].unit}，现为 {unit}", file=file, row=name)


def _in_chinese(error: ErrorDetails, file: str) -> DefinitionError:
    """The first finding of pydantic as a sentence: where, what is wrong, what was written."""
    path = [str(part) for part in error["loc"] if str(part) not in {known.unit for known in ENTRIES.values()}]
    row, last = ".".join(path[1:] if path[:1] == ["entries"] else path), path[-1] if path else ""
    written = f"，现为“{error['input']}”"
    limits = error.get("ctx", {})
    says = {
        "missing": f"缺少“{last}”",
        "extra_forbidden": f"不认识“{last}”",
        "int_type": f"应为整数{written}",
        "string_type": f"应为文字{written}（时刻须加引号）",
        "string_pattern_mismatch": f"格式不对{written}",
        "greater_than_equal": f"不得小于 {limits.get('ge')}{written}",
        "less_than_equal": f"不得大于 {limits.get('le')}{written}",
        "literal_error": f"应为 {_choices(limits)} 之一{written}",
        "too_short": "不得为空",
        "string_too_short": "不得为空",
        "template": error["msg"],
        "ladder": error["msg"],
    }
    return DefinitionError(says.get(error["type"], f"内容不合要求{written}"), file=file, row=row)


def _choices(limits: dict[str, Any]) -> str:
    return str(limits.get("expected", "")).replace("'", "").replace(" or ", "、").replace(", ", "、")


def version_of(entries: Mapping[str, str]) -> str:
    """The version of a policy whose entries are written out as JSON: the hash of what they say."""
    return _hash((name, entries[name]) for name in sorted(entries))


def _hash(parts: Any) -> str:
    return hashlib.sha256(repr(list(parts)).encode()).hexdigest()[:16]


class _NoDuplicates(yaml.CSafeLoader):
    """YAML that refuses a name written twice: the second would silently win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [key.value for key, _ in node.value]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            raise yaml.constructor.ConstructorError(None, None, f"“{twice}”写了两次", node.start_mark)
        return super().construct_mapping(node, deep)
