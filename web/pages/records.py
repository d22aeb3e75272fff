"""One record: its page as of any day, its form made from the dictionary, its removal. The rules judge a save before it is kept and after."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask import Blueprint, flash, g, redirect, render_template, request, url_for

from web import record_form
from web.database import engine_released, session
from web.identity import actor
from web.pages.roster import described_as
from web.paging import argument, day_argument
from web.permissions import permission
from web.record_form import form, sent_effective_day, sent_version
from workflow.access.scopes import may, readable, require
from workflow.access.substitution import opener
from workflow.casework.filing_drafting import may_file
from workflow.errors import BadInput, Conflict, NotAllowed, Refused
from workflow.insight import editing
from workflow.insight.lamps import view
from workflow.insight.record import has_id_number, record_named, record_page, referring, related
from workflow.quality.models import CheckRun
from workflow.quality.run import run_check
from workflow.registry.dictionary import DataSet, Field
from workflow.registry.origin import RowsRefused
from workflow.registry.queries import Record, find_by_key
from workflow.registry.records import remove, write

bp = Blueprint("records", __name__)


@bp.get("/records/<dataset>/<key>")
@permission("record.read")
def one(dataset: str, key: str) -> Any:
    """The record today, or as of a day."""
    person = actor()
    seen = view(session(), person)
    record = record_named(session(), seen, dataset, key)
    day = day_argument("as_of")
    shown = record_page(session(), record, day if day != g.today else None)
    actions = editing.rights(session(), person, record.unit_id)
    filer = opener(session(), person, "filing", record.unit_id)
    return render_template(
        "records/one.html",
        shown=shown,
        record=record,
        dataset=record.dataset,
        unit=seen.tree.nodes.get(record.unit_id or 0),
        related=related(session(), record),
        may_edit=bool(actions & {"record.write_free", "record.write_locked"}) and not record.removed,
        may_remove="record.write_locked" in actions and not record.removed,
        may_file=not record.removed and may_file(session(), filer["actor"], record.unit_id),
        file_for=filer["on_behalf_of"],
        may_reveal=has_id_number(record) and may(person, "record.reveal"),
    )


@bp.get("/records/<dataset>/<key>/edit")
@permission("record.write_free")
def edit(dataset: str, key: str) -> Any:
    """The form of a record."""
    record, actions = _to_write(dataset, key)
    return form(record.dataset, record, editing.writable_fields(record.dataset, actions, new=False))


@bp.post("/records/<dataset>/<key>/edit")
@permission("record.write_free")
def save(dataset: str, key: str) -> Any:
    """Keep what was typed, unless it cannot be stored, somebody was faster, or it brings in a blocking problem."""
    record, actions = _to_write(dataset, key)
    fields = editing.writable_fields(record.dataset, actions, new=False)
    return _save(record.dataset, record, fields, actions)


@bp.get("/records/<dataset>/new")
@permission("record.create")
def new(dataset: str) -> Any:
    """The empty form, filled with what the address names."""
    described = described_as(dataset)
    _require_create(described)
    return form(
        described, None, editing.writable_fields(described, editing.WRITES, new=True), given={"unit": argument("unit")}
    )


@bp.post("/records/<dataset>/new")
@permission("record.create")
def create(dataset: str) -> Any:
    """Make a record."""
    described = described_as(dataset)
    _require_create(described)
    return _save(described, None, editing.writable_fields(described, editing.WRITES, new=True), set(editing.WRITES))


@bp.post("/records/<dataset>/<key>/remove")
@permission("record.write_locked")
def take_out(dataset: str, key: str) -> Any:
    """Mark a record as removed, with the reason; it keeps its versions and tickets."""
    record, _ = _to_write(dataset, key)
    require(session(), actor(), "record.write_locked", record.unit_id)
    reason = request.form.get("reason", "").strip()[:200]
    if not reason:
        raise BadInput("请写明移除的理由")
    used = referring(session(), record)
    if used:
        raise Refused(f"还有 {used} 条记录引用它，请先移除或改动这些记录")
    remove(session(), dataset, [record.id], by=actor().account, now=g.now, basis=reason)
    run = _checked(dataset, record.id)
    flash(f"已移除{record.dataset.title} {key}，{_told(run)}历史版本保留。", "done")
    return redirect(url_for("records.one", dataset=dataset, key=key))


@bp.get("/records/options/<dataset>")
@permission("record.read")
def options(dataset: str) -> Any:
    """Records that a reference may name, as the list under an input; units by tree, others by key or name within scope."""
    described_as(dataset)
    words = next((value.strip() for value in request.args.values()), "")[:40]
    return render_template(
        "records/_options.html",
        rows=record_form.offered(view(session(), actor()), actor(), dataset, words) if words else [],
    )


def _to_write(dataset: str, key: str) -> tuple[Record, set[str]]:
    record = record_named(session(), view(session(), actor()), dataset, key)
    actions = editing.rights(session(), actor(), record.unit_id)
    if not actions & {"record.write_free", "record.write_locked"}:
        raise NotAllowed
    if record.removed:
        raise Refused("记录已移除，不能修改")
    return record, actions


def _require_create(described: DataSet) -> None:
    if not editing.may_create(actor(), described):
        raise NotAllowed(f"{described.title}由机构编制部门新增，单位请通过申报办理")


def _save(dataset: DataSet, record: Record | None, fields: dict[str, Field], actions: set[str]) -> Any:
    typed = editing.typed(
        session(), fields, request.form, may_name=readable(session(), actor()), held=record.values if record else None
    )
    effective_on, fault = sent_effective_day(record)
    if typed.faults or fault:
        return form(dataset, record, fields, given=request.form, faults=typed.faults | fault), 422
    before = editing.judged(session(), dataset.name, record.id, g.today) if record else []
    try:
        record_id, key, found = _written(dataset, record, typed.values, actions, effective_on)
    except RowsRefused as refused:
        faults = {e.field: e.message.removeprefix(f"第 {e.row} 行") for e in refused.errors}
        return form(dataset, record, fields, given=request.form, faults=faults), 422
    except Conflict as conflict:
        newest = find_by_key(session(), dataset.name, record.key, removed=True) if record else None
        if newest is None:
            raise
        return record_form.conflict(dataset, newest, fields, conflict.says), 409
    if blocked := editing.blocking(before, found):
        session().rollback()
        return form(dataset, record, fields, given=request.form, blocked=blocked), 422
    run = _checked(dataset.name, record_id)
    left = [f for f in found if f.level != "H"]
    verdict = f"仍有 {len(left)} 项问题未整改。" if left else "未发现问题。"
    flash(f"已保存。即时复核：{_told(run)}{verdict}", "refused" if left else "done")
    return redirect(url_for("records.one", dataset=dataset.name, key=key))


def _written(
    dataset: DataSet, record: Record | None, values: dict[str, Any], actions: set[str], effective_on: date | None
) -> tuple[int, str, list[editing.Finding]]:
    """Write one row and have it judged; id, key and findings."""
    row = dict(values)
    if record is not None:
        row |= {"id": record.id, "version": sent_version()}
    written = write(
        session(),
        dataset.name,
        [row],
        by=actor().account,
        now=g.now,
        effective_on=effective_on,
        basis=request.form.get("basis", "").strip()[:200] or None,
        may_write_locked="record.write_locked" in actions or record is None,
        may_create=record is None,
        units=editing.writable_units(session(), actor()),
    )
    return written.ids[0], written.keys[0], editing.judged(session(), dataset.name, written.ids[0], g.today)


def _checked(dataset: str, record_id: int) -> CheckRun:
    """Commit, and have the rules judge the record again, so that its lights follow at once."""
    return run_check(
        engine_released(), g.today, g.now, scope={"dataset": dataset, "records": [record_id]}, by=actor().account
    )


def _told(run: CheckRun) -> str:
    said = [f"{run.resolved} 项问题已整改亮绿灯"] if run.resolved else []
    said += [f"新发现 {run.opened + run.recurred} 项"] if run.opened + run.recurred else []
    return "，".join(said) + "，" if said else ""
