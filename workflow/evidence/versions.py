"""The versions that a case went by, written out so that each proves its own digest: definition, calendar, policy. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from workflow.calendar.calendar import WorkCalendar
from workflow.calendar.notices import Holiday, Notice
from workflow.engine.definition import Definition, read_definition
from workflow.evidence.findings import Row, compared, told
from workflow.policy import Policy, version_of

Kept = Mapping[str, Any]


def definition_kept(definition: Definition) -> dict[str, Any]:
    """The whole pinned text with its digest."""
    return {
        "process": definition.process,
        "version": definition.version,
        "title": definition.title,
        "basis": list(definition.basis),
        "hash": definition.hash,
        "text": definition.text,
    }


def calendar_kept(calendar: WorkCalendar) -> dict[str, Any]:
    """Every notice that the calendar follows."""
    return {
        "version": calendar.version,
        "notices": {str(year): [_notice(one) for one in calendar.notices(year)] for year in sorted(calendar.announced)},
    }


def _notice(one: Notice) -> dict[str, Any]:
    return {
        "number": one.number,
        "title": one.title,
        "issued_on": one.issued_on and one.issued_on.isoformat(),
        "holidays": [[h.name, h.from_on.isoformat(), h.to_on.isoformat()] for h in one.holidays],
        "work": [[day.isoformat(), makes_up] for day, makes_up in one.work],
    }


def calendar_read(kept: Kept) -> WorkCalendar:
    """The calendar of those notices."""
    return WorkCalendar(
        {int(year): tuple(_read(int(year), one) for one in rows) for year, rows in kept["notices"].items()}
    )


def _read(year: int, one: Kept) -> Notice:
    day = date.fromisoformat
    holidays = tuple(Holiday(name, day(first), day(last)) for name, first, last in one["holidays"])
    work = tuple((day(on), makes_up) for on, makes_up in one["work"])
    issued_on = day(one["issued_on"]) if one["issued_on"] else None
    return Notice(year, one["number"], one["title"], issued_on, holidays, work)


def policy_kept(policy: Policy) -> dict[str, Any]:
    """Every entry in force for the district, as the version's digest takes it."""
    entries = {name: entry.model_dump_json() for name, entry in sorted(policy.entries.items())}
    return {"district": policy.district, "name": policy.name, "version": policy.version, "entries": entries}


def versions_read(document: Kept) -> dict[str, Definition]:
    """Hash → table, of the pinned version and of those that the case had before, from their texts."""
    texts = [document["definition"]["text"], *(kept["text"] for kept in document["earlier"])]
    return {found.hash: found for found in map(read_definition, texts)}


def proved(document: Kept, versions: Mapping[str, Definition], calendar: WorkCalendar) -> Iterator[Row]:
    """Each digest computed once more from what stands beside it; `versions` and `calendar` as read from the document."""
    case = document["case"]
    yield compared("versions", "事项所用的流程定义", case["definition"], document["definition"]["hash"], "即此版本")
    for kept in (document["definition"], *document["earlier"]):
        where = f"流程定义第 {kept['version']} 版"
        again = hashlib.sha256(kept["text"].encode()).hexdigest()
        yield compared("versions", where, kept["hash"], again, f"摘要 {again[:16]}")
        yield told("versions", f"{where}的内容", _off(kept, versions.get(again)), "文字与名称、版本一致")
    dated = document["calendar"]["version"]
    yield compared("versions", "工作日历", dated, calendar.version, f"版本 {dated}")
    policy = document["policy"]
    yield compared(
        "versions",
        "期限口径",
        policy["version"],
        version_of(policy["entries"]),
        f"{policy['name']}，版本 {policy['version']}",
    )


def _off(kept: Kept, found: Definition | None) -> Iterator[str]:
    if found is None:
        yield "文字不是规范写法"
    elif (found.process, found.version) != (kept["process"], kept["version"]):
        yield f"文字为 {found.process} 第 {found.version} 版，记载为 {kept['process']} 第 {kept['version']} 版"
