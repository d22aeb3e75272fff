"""What the platform derives from a record when it is written: facts about numbers, retirement month, day by which a ledger is due.

One function per data set's needs; each takes the record's stored values by field name and gives column → value. No database.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from workflow.calendar.calendar import shipped_calendar
from workflow.calendar.deadline import deadline
from workflow.db import from_ymd, ymd
from workflow.errors import BadInput
from workflow.policy import shipped_policies
from workflow.registry.dictionary import DataSet, Dictionary, dictionary
from workflow.registry.identity import id_facts, uscc_facts
from workflow.registry.retirement import retire_category, retirement
from workflow.registry.tables import ID_FACTS, USCC_FACTS

Values = Mapping[str, Any]
Derivation = Callable[[Values, int], dict[str, Any]]
DIVISION_ORDER = 50  # order of 县处级副职 in post_level; ranks carry the same scale as equiv
SENIOR_ORDER = 4  # order of 副高级 in title_level
WORKER_CONTRACTS = {"7"}  # 后勤服务: women of these contract posts go by the schedule of 工勤


def derive(dataset: DataSet, values: Values, today_ymd: int) -> dict[str, Any]:
    """Column → value of everything derived; `values`: field name → stored value, ID numbers plain; `today_ymd` the day of writing."""
    derived: dict[str, Any] = {}
    for derivation in derivations(dataset):
        derived |= derivation(values, today_ymd)
    return derived


@functools.cache
def derived_columns(dataset: DataSet) -> tuple[str, ...]:
    """The columns that `derive` gives for a data set, always all of them."""
    return tuple(derive(dataset, dict.fromkeys(dataset.fields), 20000101))


@functools.lru_cache
def derivations(dataset: DataSet) -> tuple[Derivation, ...]:
    """The derivations that a data set's fields call for."""
    kinds = {f.type: name for name, f in dataset.fields.items()}
    found: list[Derivation] = []
    if "id" in kinds:
        found.append(functools.partial(_id_facts, kinds["id"]))
    if "uscc" in kinds:
        found.append(functools.partial(_uscc_facts, kinds["uscc"]))
    if "retire_month" in dataset.fields:
        found.append(_retirement)
    if dataset.name == "ledger":
        found.append(_ledger_due)
    return tuple(found)


def _id_facts(name: str, values: Values, today_ymd: int) -> dict[str, Any]:
    facts = id_facts(values.get(name), values.get("birth_date"), values.get("sex"), today_ymd)
    return dict(zip(ID_FACTS, facts, strict=True))


def _uscc_facts(name: str, values: Values, _today: int) -> dict[str, Any]:
    return dict(zip(USCC_FACTS, uscc_facts(values.get(name)), strict=True))


def _retirement(values: Values, _today: int) -> dict[str, Any]:
    birth = values.get("archive_birth_date") or values.get("birth_date")
    category = _retire_category(
        values.get("sex"),
        values.get("retire_category_set"),
        values.get("post_category"),
        values.get("post_level"),
        values.get("rank"),
        values.get("title_level"),
        values.get("category"),
    )
    month = _retire_month(values.get("sex"), birth // 100, category) if birth and category else None
    return {"retire_category": category, "retire_month": month}


@functools.lru_cache(maxsize=4096)
def _retire_category(
    sex: str | None,
    override: str | None,
    post: str | None,
    level: str | None,
    rank: str | None,
    title: str | None,
    contract: str | None,
) -> str | None:
    """Category of a person or of contract staff; None while the sex is not known (组通字〔2015〕14号)."""
    if sex not in ("1", "2"):
        return override
    known = dictionary()
    order = max(_attr(known, "post_level", level, "order"), _attr(known, "rank", rank, "equiv"))
    return retire_category(
        sex,
        worker=bool(_attr(known, "post_category", post, "worker")) or contract in WORKER_CONTRACTS,
        division_rank=order >= DIVISION_ORDER,
        senior_title=_attr(known, "title_level", title, "order") >= SENIOR_ORDER,
        override=override,
    )


def _attr(known: Dictionary, codes: str, code: str | None, name: str) -> int:
    entry = known.codes[codes].by_code.get(code or "")
    return int(entry.attrs.get(name, 0)) if entry else 0


@functools.lru_cache(maxsize=16384)
def _retire_month(sex: str | None, birth_month: int, category: str) -> int | None:
    """The statutory month; None where category and sex contradict each other, which a rule then finds."""
    try:
        return retirement(sex or "", birth_month, category).retire_month
    except BadInput:
        return None


def _ledger_due(values: Values, _today: int) -> dict[str, Any]:
    issued = values.get("doc_date")
    return {"due_on": _due_on(issued) if issued else None}


@functools.lru_cache(maxsize=16384)
def _due_on(issued: int) -> int | None:
    """The last day on which a ledger is in time, yyyymmdd: issue + 5 working days (办法7); None outside the calendar's years."""
    try:
        due = deadline(from_ymd(issued), shipped_policies().city.term("filing.ledger").n, shipped_calendar()).due_on
    except BadInput:
        return None
    return ymd(due) if due else None
