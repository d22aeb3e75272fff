"""The list of rectification tickets: filters in the URL, saved filters, gathered by cause, bulk re-check, export."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from flask import Blueprint, flash, g, redirect, render_template, request, url_for

from web.auditing import note_now
from web.csv_answer import csv_answer
from web.database import engine_released, session
from web.identity import actor
from web.look import LEVELS, LIGHTS, dataset_title, rule_title
from web.paging import PAGE, Page, argument, day_argument, decode, encode, number_argument
from web.permissions import permission
from workflow.access.filters import forget_filter, save_filter, saved_filters
from workflow.errors import BadInput
from workflow.insight.dimensions import ORDER
from workflow.insight.tickets import STATES, TicketFilter, causes, counts_by_light, tickets
from workflow.insight.wording import field_label, region_title
from workflow.quality.rules import rules
from workflow.quality.run import run_check
from workflow.registry.dictionary import dictionary

bp = Blueprint("tickets", __name__)
EXPORT_MOST = 20_000
TIMELY = {"yes": "按期整改", "no": "逾期整改"}
FORMLESS = (  # filters that come with a link, beside those of the form
    "district", "own", "batch", "record", "found_from", "found_to", "due_to",
    "resolved_from", "resolved_to", "red_from", "red_to", "timely", "dimension",
)  # fmt: skip
NAMES = [f.name for f in fields(TicketFilter) if f.name != "ids"]


@bp.get("/tickets")
@permission("ticket.read")
def page() -> Any:
    """The list, or with by=cause the causes."""
    wanted, person = wanted_filter(), actor()
    lights = counts_by_light(session(), person, wanted)
    shared = {
        "wanted": wanted,
        "lights": lights,
        "saved": saved_filters(session(), person.account, "tickets"),
        "kept": {name: request.args[name] for name in NAMES if request.args.get(name)},
        "options": _options(),
        "formless": [name for name in FORMLESS if request.args.get(name)],
        "further": _further(wanted),
    }
    if argument("by") == "cause":
        return render_template("tickets/causes.html", causes=causes(session(), person, wanted), **shared)
    rows, after = tickets(
        session(),
        person,
        wanted,
        sort=argument("sort") or "deadline",
        after=decode(argument("after", limit=300)),
        limit=PAGE,
    )
    total = lights[wanted.light] if wanted.light else sum(lights.values())
    return render_template(
        "tickets/page.html", page=Page(list(rows), encode(*after) if after else None, total), **shared
    )


@bp.get("/tickets.csv")
@permission("export.run")
def export() -> Any:
    """The same list as a file, at most 20,000 rows; the file says where there are more."""
    wanted, cut = wanted_filter(), ""
    rows, after = tickets(session(), actor(), wanted, limit=EXPORT_MOST)
    if after:
        lights = counts_by_light(session(), actor(), wanted)
        total = lights[wanted.light] if wanted.light else sum(lights.values())
        cut = f"仅导出前 {EXPORT_MOST:,} 条，共 {total:,} 条，请缩小筛选范围后分次导出"
    note_now("export.run", kind="ticket", summary={"rows": len(rows), "filter": sorted(request.args)})
    header = [
        "工单号",
        "规则",
        "问题",
        "数据集",
        "记录编号",
        "字段",
        "机构编码",
        "机构名称",
        "级别",
        "灯",
        "首次发现",
        "期限",
        "办结日期",
    ]
    body = (
        (
            *(
                t.id,
                t.rule_id,
                rule_title(t.rule_id),
                dataset_title(t.dataset),
                t.record_key,
                field_label(t.dataset, t.field),
            ),
            *(
                t.unit_code,
                t.unit_name,
                LEVELS[t.level],
                LIGHTS[t.light][0],
                t.first_found_on,
                t.deadline_on,
                t.resolved_on,
            ),
        )
        for t in rows
    )
    return csv_answer(f"问题工单-{g.today:%Y%m%d}.csv", header, body, by=actor().account, at=g.now, cut=cut)


@bp.post("/tickets/recheck")
@permission("check.run")
def recheck() -> Any:
    """Judge the chosen tickets' records again now."""
    ids = [int(value) for value in request.form.getlist("ids") if value.isascii() and value.isdigit()][:PAGE]
    if not ids:
        raise BadInput("请先选中要复核的工单")
    rows, _ = tickets(session(), actor(), TicketFilter(state="all", ids=tuple(ids)), limit=len(ids))
    by, engine = actor().account, engine_released()
    resolved = sum(
        run_check(engine, g.today, g.now, scope={"dataset": dataset, "records": records}, by=by).resolved
        for dataset, records in _records(rows).items()
    )
    flash(f"已复核 {len({(t.dataset, t.record_id) for t in rows})} 条记录，{resolved} 个问题通过，亮绿灯。", "done")
    return redirect(url_for("tickets.page", **_query()))


@bp.post("/tickets/filters")
@permission("ticket.read", scope="own")
def keep() -> Any:
    """Keep the present filter under a name."""
    kept = {name: request.form[name] for name in NAMES if request.form.get(name)}
    row = save_filter(session(), actor().account, "tickets", request.form.get("name", ""), kept, now=g.now)
    flash(f"已保存筛选条件“{row.name}”。", "done")
    return redirect(url_for("tickets.page", **kept))


@bp.post("/tickets/filters/<int:filter_id>/forget")
@permission("ticket.read", scope="own")
def forget(filter_id: int) -> Any:
    """Remove one of one's own filters."""
    forget_filter(session(), actor().account, filter_id)
    flash("已删除筛选条件。", "done")
    return redirect(url_for("tickets.page"))


def wanted_filter() -> TicketFilter:
    """The filter that stands in the URL."""
    plain = {name: argument(name) for name in ("rule", "unit", "district", "text")}
    return TicketFilter(
        state=argument("state", STATES) or "open",
        light=argument("light", LIGHTS),
        level=argument("level", LEVELS),
        group=argument("group", rules().groups),
        dataset=argument("dataset", dictionary().datasets),
        batch=number_argument("batch"),
        record=number_argument("record"),
        found_from=day_argument("found_from"),
        found_to=day_argument("found_to"),
        due_to=day_argument("due_to"),
        resolved_from=day_argument("resolved_from"),
        resolved_to=day_argument("resolved_to"),
        red_from=day_argument("red_from"),
        red_to=day_argument("red_to"),
        own=argument("own", ("yes",)),
        timely=argument("timely", TIMELY),
        dimension=argument("dimension", ORDER),
        **plain,
    )


def _records(rows: Iterable[Any]) -> dict[str, list[int]]:
    """Data set → records, each once."""
    found: dict[str, list[int]] = {}
    for ticket in rows:
        records = found.setdefault(ticket.dataset, [])
        if ticket.record_id not in records:
            records.append(ticket.record_id)
    return found


def _further(wanted: TicketFilter) -> list[tuple[str, dict[str, None]]]:
    """(words, parameters to take away) of the conditions that have no field in the form: links set them."""
    told: list[tuple[str, tuple[str, ...]]] = []
    for name, says in (("found", "首次发现"), ("resolved", "办结"), ("red", "亮红灯")):
        first, last = getattr(wanted, f"{name}_from"), getattr(wanted, f"{name}_to")
        if first or last:
            span = f"{first}" if first == last else f"{first or ''} 至 {last or '今'}"
            told.append((f"{says} {span}", (f"{name}_from", f"{name}_to")))
    plain = {
        "district": region_title(wanted.district),
        "own": "不含下属单位",
        "batch": f"导入批次 {wanted.batch}" if wanted.batch else "逐条录入",
        "record": "同一条记录",
        "due_to": f"期限不晚于 {wanted.due_to}",
        "timely": TIMELY.get(wanted.timely, ""),
        "dimension": wanted.dimension,
    }
    told += [(says, (name,)) for name, says in plain.items() if getattr(wanted, name) not in ("", None)]
    return [(says, dict.fromkeys(names)) for says, names in told]


def _query() -> dict[str, str]:
    """The filter that the form came from, so that one returns to the same list."""
    return {name: request.form[f"f_{name}"] for name in NAMES if request.form.get(f"f_{name}")}


def _options() -> dict[str, list[tuple[str, str]]]:
    book = rules()
    return {
        "state": list(STATES.items()),
        "light": [(name, label) for name, (label, _) in LIGHTS.items()],
        "level": list(LEVELS.items()),
        "dataset": [(name, found.title) for name, found in dictionary().datasets.items()],
        "group": list(book.groups.items()),
        "rule": sorted({(rule.id, f"{rule.id} {rule.title}") for rule in book.rules}),
    }
