"""月报 (办法10(三)): the month's units by state, one unit's report item by item, 贯通校验, print and export. Steps go through the engine."""

from __future__ import annotations

import io
from collections import Counter
from typing import Any

from flask import Blueprint, Response, flash, g, redirect, render_template, request, send_file, url_for

from web.auditing import note_now
from web.database import session
from web.identity import actor
from web.look import state_title
from web.paging import Page, argument, decode, encode
from web.permissions import permission
from web.position import position
from workflow.access.substitution import take_step_as
from workflow.engine.registry import book
from workflow.engine.steps import StepResult, require_moved
from workflow.engine.verdicts import failing
from workflow.errors import BadInput
from workflow.insight.case import case_page
from workflow.periodic import consistency
from workflow.periodic.figures import label_of
from workflow.periodic.locking import verify
from workflow.periodic.month_items import KINDS
from workflow.periodic.monthly import ANSWERS, PROCESS
from workflow.periodic.monthly_lists import (
    MATTERS,
    MonthFilter,
    districts_of,
    late_counts,
    month_counts,
    month_rows,
    months_known,
    other_months,
    report_in_scope,
    report_items,
    snapshot_of,
)
from workflow.periodic.months import first_day, month_of, terms_of_month
from workflow.periodic.workbook import workbook

bp = Blueprint("monthly", __name__)
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
EVERY = 100_000
BULK = {"pass": "比对通过", "lock": "锁定"}


def _month(months: list[str]) -> str:
    wanted = argument("month") or (months[0] if months else month_of(g.today))
    first_day(wanted)
    return wanted


def _wanted(months: list[str]) -> MonthFilter:
    states = book().process(PROCESS).states
    return MonthFilter(
        _month(months), argument("state", states), argument("district"), argument("text"), argument("matter", MATTERS)
    )


@bp.get("/monthly")
@permission("monthly.read")
def page() -> Any:
    """The month's reports in scope: how many in each state, who is late, and the units."""
    months = months_known(session(), actor())
    wanted = _wanted(months)
    rows, following = month_rows(session(), actor(), wanted, after=decode(argument("after", limit=300)))
    return render_template(
        "monthly/page.html",
        months=months,
        wanted=wanted,
        definition=book().process(PROCESS),
        counts=month_counts(session(), actor(), wanted),
        late=late_counts(session(), actor(), wanted.month, g.today),
        page=Page(list(rows), encode(*following) if following else None),
        districts=districts_of(session(), actor()),
        terms=terms_of_month(wanted.month, book().policies.city, book().calendar),
        MATTERS=MATTERS,
        BULK=BULK,
    )


@bp.get("/monthly/export")
@permission("monthly.read")
def export() -> Any:
    """The list as it is narrowed, as a workbook."""
    wanted = _wanted(months_known(session(), actor()))
    rows, _ = month_rows(session(), actor(), wanted, limit=EVERY)
    header = (
        "单位编码",
        "单位",
        "政区",
        "月份",
        "状态",
        "比对项",
        "已答复",
        "确认日期",
        "逾期",
        "未办结整改",
        "逾期整改",
    )
    cells = [
        (
            r.unit_code, r.unit_name, consistency.district_name(r.district_code or ""), r.month,
            state_title(PROCESS, r.state), r.items, r.answered, r.confirmed_on, "是" if r.late_on else "否",
            r.corrections, r.overdue,
        )
        for r in rows
    ]  # fmt: skip
    return _file(f"月报{wanted.month}", header, cells)


def _file(name: str, header: tuple[str, ...], cells: list[Any]) -> Response:
    kept = io.BytesIO(workbook(name, header, cells, by=actor().account, now=g.now))
    note_now("export.run", kind=PROCESS, summary={"rows": len(cells), "filter": sorted(request.args)})
    return send_file(kept, as_attachment=True, download_name=f"{name}.xlsx", mimetype=XLSX)


@bp.post("/monthly/steps/<do>")
@permission("monthly.read")
def bulk(do: str) -> Any:
    """Compare or lock the chosen reports; what is refused is told by unit, the others move."""
    ids = [int(text) for text in request.form.getlist("ids") if text.isascii() and text.isdigit() and len(text) < 16]
    if do not in BULK or not ids:
        raise BadInput("请先选择要办理的月报")
    for case_id in ids:
        report_in_scope(session(), actor(), case_id)
    result = take_step_as(session(), actor(), PROCESS, do, ids, now=g.now)
    if result.moved:
        flash(f"{len(result.moved)} 个单位已办理“{BULK[do]}”。", "done")
    for says, number in _refusals(result).items():
        flash(f"{number} 个单位未办理：{says}", "refused")
    return redirect(url_for("monthly.page", month=argument("month"), state=argument("state")))


def _refusals(result: StepResult) -> Counter[str]:
    """What stood against it, and for how many."""
    return Counter("；".join(v.says for v in failing(verdicts)[:3]) for verdicts in result.refused.values())


@bp.get("/monthly/consistency")
@permission("monthly.consistency")
def consistent() -> Any:
    """市县数据贯通校验: sums of the districts against the ledger, and everything that does not agree."""
    month = _month([])
    wide = any(held.everywhere for held in actor().holding("monthly.consistency"))
    district = None if wide else actor().district
    found = consistency.discrepancies(session(), month, district)
    sums = [line for line in consistency.sums(session(), month) if wide or line.district == district]
    return render_template(
        "monthly/consistency.html",
        month=month,
        found=found,
        sums=sums,
        KINDS=consistency.KINDS,
        OF=consistency.OF,
        district_name=consistency.district_name,
        terms=terms_of_month(month, book().policies.city, book().calendar),
    )


@bp.get("/monthly/<int:case_id>")
@permission("monthly.read")
def one(case_id: int) -> Any:
    """One unit's month: the items with their answers, the steps open to the person, the snapshot once it is locked."""
    report = report_in_scope(session(), actor(), case_id)
    shown = case_page(session(), actor(), case_id, g.now)
    snapshot = snapshot_of(session(), case_id) if shown.case.state == "locked" else None
    return render_template(
        "monthly/one.html",
        report=report,
        shown=shown,
        items=report_items(session(), case_id),
        steps={step.do: step for step in shown.steps},
        snapshot=snapshot,
        verified=verify(session(), snapshot) if snapshot else None,
        others=other_months(session(), actor(), report.unit_id),
        **position(shown.definition, shown.case.state, shown.steps, shown.history),
        KINDS=KINDS,
        ANSWERS=ANSWERS,
    )


@bp.post("/monthly/<int:case_id>/answers")
@permission("monthly.read")
def answer(case_id: int) -> Any:
    """Keep the answers given so far."""
    items = report_items(session(), case_id) if report_in_scope(session(), actor(), case_id) else ()
    given = {
        str(item.id): {"answer": choice, "text": request.form.get(f"text-{item.id}", "")}
        for item in items
        if (choice := request.form.get(f"answer-{item.id}"))
    }
    if not given:
        raise BadInput("请先答复至少一个比对项")
    return _taken(case_id, "answer", {"answers": given})


@bp.post("/monthly/<int:case_id>/demand")
@permission("monthly.read")
def demand(case_id: int) -> Any:
    """Ask for the correction of the chosen items, with a reason and a term."""
    report_in_scope(session(), actor(), case_id)
    inputs = {"items": ",".join(request.form.getlist("ids"))}
    if days := request.form.get("days", "").strip():
        inputs["days"] = days
    return _taken(case_id, "demand", inputs)


def _taken(case_id: int, do: str, inputs: dict[str, Any]) -> Response:
    version = request.form.get("version", "")
    if not version.isascii() or not version.isdigit():
        raise BadInput("页面已过期，请刷新后重试")
    reason = request.form.get("reason") or None
    result = take_step_as(
        session(), actor(), PROCESS, do, [case_id],
        now=g.now, reason=reason, inputs=inputs, versions={case_id: int(version)},
    )  # fmt: skip
    require_moved(result)
    flash("已保存答复。" if do == "answer" else "已责令整改，单位已收到通知。", "done")
    return redirect(url_for("monthly.one", case_id=case_id))


@bp.get("/monthly/<int:case_id>/print")
@permission("monthly.read")
def sheet(case_id: int) -> Any:
    """月报表: the figures and the answered items on a sheet to print and sign."""
    report = report_in_scope(session(), actor(), case_id)
    shown = case_page(session(), actor(), case_id, g.now)
    return render_template(
        "monthly/print.html",
        report=report,
        shown=shown,
        items=report_items(session(), case_id),
        snapshot=snapshot_of(session(), case_id),
        ANSWERS=ANSWERS,
        quotas=[(label_of("quota", what), counts) for what, counts in report.figures["quota"].items()],
        contracts=[(label_of("contract", what), counts) for what, counts in report.figures["contract"].items()],
    )


@bp.get("/monthly/<int:case_id>/export")
@permission("monthly.read")
def export_one(case_id: int) -> Any:
    """One report's items and answers as a workbook."""
    report = report_in_scope(session(), actor(), case_id)
    cells = [
        (KINDS.get(i.kind, i.kind), i.key, i.says, ANSWERS.get(i.answer, "未答复"), i.text, i.answered_by)
        for i in report_items(session(), case_id)
    ]
    return _file(f"月报{report.month}", ("种类", "对象", "比对项", "答复", "情况", "答复人"), cells)
