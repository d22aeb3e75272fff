"""The form of a record, made from the dictionary: what its inputs hold, what it offers, what was refused. Reads only, renders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from flask import g, render_template, request

from web.database import session
from workflow.access.scopes import Actor
from workflow.errors import BadInput
from workflow.insight.editing import Finding
from workflow.insight.lamps import View
from workflow.insight.record import RecordPage, plain_text, record_page
from workflow.insight.roster import RosterFilter, roster
from workflow.registry.dictionary import DataSet, Field, dictionary
from workflow.registry.history import begun_on
from workflow.registry.queries import Record
from workflow.registry.values import choices

OFFERED = 30
EARLIEST = date(1949, 10, 1)  # nothing that is kept here held before
Titles = Mapping[tuple[str, int], str]


def form(
    dataset: DataSet,
    record: Record | None,
    fields: Mapping[str, Field],
    *,
    given: Mapping[str, str] | None = None,
    faults: Mapping[str, str] | None = None,
    blocked: Sequence[Finding] = (),
) -> str:
    """The form: what the record holds, over it what was typed (`given`), beside it what is wrong."""
    given = given or {}
    shown: RecordPage | None = record_page(session(), record, None) if record else None
    values = held(record, shown.titles if shown else {}) if record else {}
    values |= {name: given[name] for name in fields if name in given}
    return render_template(
        "records/form.html",
        dataset=dataset,
        record=record,
        fields=fields,
        values=values,
        shown=shown,
        faults={field_named(dataset, b.field): b.says for b in blocked} | dict(faults or {}),
        blocked=blocked,
        code_options={name: codes(f, values.get(name, "")) for name, f in fields.items() if f.type == "code"},
        version=given.get("version") or (record.version if record else 0),
        given=given,
    )


def field_named(dataset: DataSet, told: str) -> str:
    """The name of the field that a finding points at: it tells a name, a label, or a path that begins with one."""
    first = told.split(".")[0]
    return dataset.by_label[first].name if first in dataset.by_label else first


def conflict(dataset: DataSet, newest: Record, fields: Mapping[str, Field], says: str) -> str:
    """Somebody was faster: theirs and yours side by side; sending again puts yours on top of the newest version."""
    shown = record_page(session(), newest, None)
    theirs = held(newest, shown.titles)
    mine = {name: request.form[name].strip() for name in fields if name in request.form}
    differing = [fields[name] for name in mine if mine[name] != theirs.get(name, "")]
    return render_template(
        "records/conflict.html", record=newest, dataset=dataset, says=says, fields=differing, mine=mine, theirs=theirs
    )


def held(record: Record, titles: Titles) -> dict[str, str]:
    """What the inputs hold: codes as codes, references as keys, ID numbers as their mask, all else as shown in full."""
    return {name: _held(record, f, titles) for name, f in record.dataset.fields.items()}


def _held(record: Record, f: Field, titles: Titles) -> str:
    value = record.values[f.name]
    if value is None or isinstance(value, bytes):
        return ""
    if f.type == "code":
        return str(value)
    if f.type == "ref":
        return titles.get((f.ref or "", value), "").split("（")[-1].rstrip("）")
    return plain_text(record, f)


def codes(f: Field, present: str) -> list[tuple[str, str]]:
    """The codes valid today, and the present one even if it was retired."""
    offered = [(item.code, item.label) for item in choices(f, g.today)]
    if present and present not in dict(offered):
        offered.append((present, f"{dictionary().codes_of(f).label(present)}（已停用）"))
    return offered


def offered(seen: View, person: Actor, dataset: str, words: str) -> list[tuple[str, str]]:
    """(key, name) of the records within scope that a reference could mean by these words."""
    if dataset == "unit":
        found = (n for n in seen.units() if words in n.name or n.code.startswith(words))
        return [(node.code, node.name) for node, _ in zip(found, range(OFFERED), strict=False)]
    lines, _ = roster(session(), person, seen, RosterFilter(dataset=dataset, text=words), limit=OFFERED)
    return [
        (line.key, " ".join(filter(None, (line.cells.get("name", ""), line.cells.get("unit", ""))))) for line in lines
    ]


def sent_version() -> int:
    """The version that the form was opened on. Raises BadInput."""
    text = request.form.get("version", "")
    if not text.isascii() or not text.isdigit():
        raise BadInput("页面已过期，请刷新后重新填写")
    return int(text)


def sent_effective_day(record: Record | None) -> tuple[date | None, dict[str, str]]:
    """The day from which the form's values hold, None where it is left to be today, and the fault of the field, if any.

    What holds from tomorrow cannot be in force today, and nothing held before its record did.
    """
    text = request.form.get("effective_on", "").strip()
    try:
        day = date.fromisoformat(text) if text else None
    except ValueError:
        return None, {"effective_on": f"「生效日期」“{text}”不是 YYYY-MM-DD 格式"}
    if day is None:
        return None, {}
    if day > g.today:
        return None, {"effective_on": f"「生效日期」{day} 晚于今天 {g.today}"}
    earliest = begun_on(session(), record.dataset.name, record.id) if record else EARLIEST
    if earliest and day < earliest:
        return None, {
            "effective_on": f"「生效日期」{day} 早于{f'该记录最早的版本 {earliest}' if record else f' {EARLIEST}'}"
        }
    return day, {}
