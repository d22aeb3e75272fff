"""Records of every data set: lists, one record today or as of a day, its versions. Direct writes only where the dictionary allows."""

from __future__ import annotations

from typing import Any

from flask import g, jsonify

from web.api.shared import api, body, if_match, listed, once, text_of
from web.database import session
from web.identity import actor
from web.paging import argument, day_argument, decode
from web.permissions import permission
from workflow.access.scopes import readable
from workflow.errors import BadInput, NotAllowed, NotFound, Refused, UnknownUnit
from workflow.insight import editing
from workflow.insight.lamps import View, view
from workflow.insight.record import RecordPage, record_named, record_page
from workflow.insight.roster import Line, RosterFilter, roster
from workflow.operations.requests import ask
from workflow.registry.dictionary import DataSet, dictionary
from workflow.registry.queries import Record, find_by_key
from workflow.registry.records import write

bp = api("records")


def line(each: Line, seen: View) -> dict[str, Any]:
    """A record of a list: values as shown, the ID number masked."""
    unit = seen.tree.nodes.get(each.unit_id)
    return {"key": each.key, "unit": unit.code if unit else None, "lamp": each.lamp or None, "values": dict(each.cells)}


def _dataset(name: str) -> DataSet:
    if name not in dictionary().datasets:
        raise NotFound(f"没有数据集 {name}")
    return dictionary()[name]


@bp.get("/<dataset>")
@permission("record.read")
def page(dataset: str) -> Any:
    """Records in scope in order of key: `unit`, `text`, `light`, `after`."""
    seen = view(session(), actor())
    wanted = RosterFilter(
        dataset=_dataset(dataset).name,
        unit=argument("unit"),
        text=argument("text"),
        light=argument("light", ("red", "yellow")),
    )
    lines, after = roster(session(), actor(), seen, wanted, after=decode(argument("after", limit=300)))
    return listed([line(each, seen) for each in lines], after, dataset=dataset)


@bp.get("/<dataset>/<key>")
@permission("record.read")
def one(dataset: str, key: str) -> Any:
    """One record today, or with `as_of` as it was on a day; its version stands in ETag too."""
    shown = _shown(dataset, key)
    answer = jsonify(_record(shown))
    answer.set_etag(str(shown.record.version))
    return answer


@bp.get("/<dataset>/<key>/versions")
@permission("record.read")
def versions(dataset: str, key: str) -> Any:
    """Every write of a record: who, when, on whose behalf, old and new, basis, source, case."""
    shown = _shown(dataset, key)
    names = ("number", "kind", "source", "at", "effective_on", "by", "on_behalf_of", "basis", "source_ref", "case_id")
    items = [
        {name: getattr(v, name) for name in names}
        | {"changes": [{"field": c.field.name, "label": c.field.label, "old": c.old, "new": c.new} for c in v.changes]}
        for v in shown.versions
    ]
    return jsonify(dataset=dataset, key=key, items=items)


@bp.post("/<dataset>")
@permission("record.write_free")
@once
def save(dataset: str) -> Any:
    """Write one record `{"values": {field: text}, "basis"}`, values as in a file; found by key, else created where that is allowed.

    If-Match with the version seen. 403 for what the person may not write, 409 where somebody was faster, 422 for a new blocking problem.
    """
    described, sent = _dataset(dataset), body()
    values = _texts(sent)
    record = (
        find_by_key(session(), dataset, values.get(described.key, ""), removed=True)
        if values.get(described.key)
        else None
    )
    row = _stored(described, values, record)
    actions = _rights(described, record.unit_id if record else row.get(described.unit or ""), new=record is None)
    if record is not None:
        row |= {"id": record.id, "version": record.version if (seen := if_match()) is None else seen}
    before = editing.judged(session(), dataset, record.id, g.today) if record is not None else []
    written = write(
        session(), dataset, [row], by=actor().account, now=g.now, basis=text_of(sent, "basis", most=200) or None,
        may_write_locked="record.write_locked" in actions, may_create=record is None,
        units=editing.writable_units(session(), actor()),
    )  # fmt: skip
    found = editing.judged(session(), dataset, written.ids[0], g.today)
    _prove_not_blocked(before, found)
    ask(session(), "check", {"records": [[dataset, written.ids[0]]]}, by=actor().account, now=g.now)
    problems = [
        {"rule": f.rule_id, "level": f.level, "field": f.field, "says": f.says, "remedy": f.remedy} for f in found
    ]
    return jsonify(dataset=dataset, key=written.keys[0], problems=problems), 200 if record else 201


def _texts(sent: dict[str, Any]) -> dict[str, str]:
    values = sent.get("values")
    if not isinstance(values, dict) or not values:
        raise BadInput("“values”应为“字段: 值”的 JSON 对象", errors=[{"field": "values"}])
    if not all(isinstance(value, str | int | None) for value in values.values()):
        raise BadInput("字段的值应为文本，写法与导入文件相同", errors=[{"field": "values"}])
    return {name: "" if value is None else str(value) for name, value in values.items()}


def _stored(described: DataSet, values: dict[str, str], record: Record | None) -> dict[str, Any]:
    """Field → stored value. Raises BadInput with one error a field, UnknownUnit for the unit of the record."""
    fields = editing.writable_fields(described, editing.WRITES, new=record is None)
    unknown = {
        name: "没有这个字段，或由平台自动生成" for name in values if name not in fields and name != described.key
    }
    typed = editing.typed(
        session(), fields, values, may_name=readable(session(), actor()), held=record.values if record else None
    )
    place = described.unit or ("parent" if record is None else "")
    if values.get(place) and not view(session(), actor()).sees(typed.values.get(place, 0)):
        raise UnknownUnit(errors=[{"field": place}])  # before any other fault, which would tell the two apart
    if faults := unknown | typed.faults:
        raise BadInput(
            "；".join(faults.values()), errors=[{"field": name, "message": why} for name, why in faults.items()]
        )
    return typed.values


def _rights(described: DataSet, unit_id: Any, *, new: bool) -> set[str]:
    """What the person may write at that unit. Raises NotFound out of scope, NotAllowed where nothing may be written."""
    if new and not editing.may_create(actor(), described):
        raise NotAllowed(f"{described.title}由机构编制部门新增，单位请通过申报办理")
    if described.unit is None and new:
        return set(editing.WRITES)
    if not isinstance(unit_id, int) or not view(session(), actor()).sees(unit_id):
        raise NotFound
    actions = editing.rights(session(), actor(), unit_id)
    if not actions & {"record.write_free", "record.write_locked"}:
        raise NotAllowed
    return actions


def _prove_not_blocked(before: list[editing.Finding], after: list[editing.Finding]) -> None:
    """Raises Refused for a blocking problem that the record did not have before."""
    blocked = editing.blocking(before, after)
    if blocked:
        errors = [{"rule": f.rule_id, "field": f.field, "message": f.says} for f in blocked]
        raise Refused("；".join(f.says for f in blocked[:5]), errors=errors)


def _shown(dataset: str, key: str) -> RecordPage:
    record = record_named(session(), view(session(), actor()), _dataset(dataset).name, key)
    day = day_argument("as_of")
    shown = record_page(session(), record, day)
    if shown.absent:
        raise NotFound(f"{day} 时还没有这条记录")
    return shown


def _record(shown: RecordPage) -> dict[str, Any]:
    record = shown.record
    return {
        "dataset": record.dataset.name,
        "key": record.key,
        "version": record.version,
        "removed": record.removed,
        "as_of": shown.day,
        "values": dict(shown.texts),
        "problems": [
            {"ticket": p.ticket.id, "rule": p.ticket.rule_id, "says": p.says, "light": p.ticket.light}
            for p in shown.open
        ],
    }
