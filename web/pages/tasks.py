"""The inbox: views, filters in the URL and kept under names, columns, taking on, putting back, passing on, putting off. Everybody concerned sees who holds what."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask import Blueprint, flash, g, jsonify, redirect, render_template, request, url_for
from sqlalchemy import select

from web.database import session
from web.identity import actor
from web.look import LIGHTS
from web.paging import Page, argument, day_argument, decode, encode
from web.people import learn
from web.permissions import permission
from workflow.access.filters import filters_for, forget_filter, keep_columns, kept_columns, save_filter
from workflow.access.models import Account
from workflow.access.roles import role
from workflow.access.scopes import Held, actor_named, holders
from workflow.casework.snoozing import snooze, wake
from workflow.engine.claiming import claim, reassign, release
from workflow.engine.models import Case
from workflow.engine.registry import book
from workflow.errors import BadInput, Conflict
from workflow.insight.tasks import (
    COLUMNS,
    USUAL,
    VIEWS,
    TaskFilter,
    counts_by_process,
    my_tasks,
    require_my_turn,
    turn,
)
from workflow.registry.dictionary import dictionary

bp = Blueprint("tasks", __name__)
LIST = "tasks"
NAMES = ("view", "process", "state", "light", "unit", "text", "due_to")


def wanted_filter() -> TaskFilter:
    """The filter that stands in the URL."""
    process = argument("process", book().current)
    known = book().current[process].states if process else {}
    view = argument("view", VIEWS) or argument("whose", ("mine", "free"))
    return TaskFilter(
        view=view,
        process=process,
        state=argument("state", known),
        light=argument("light", LIGHTS),
        unit=argument("unit"),
        text=argument("text"),
        due_to=day_argument("due_to"),
    )


@bp.get("/tasks")
@permission("matter.read")
def page() -> Any:
    """Open work, most urgent first."""
    wanted, person = wanted_filter(), actor()
    counts = counts_by_process(session(), person, wanted, g.today)
    rows, after = my_tasks(session(), person, wanted, g.today, after=decode(argument("after", limit=300)))
    learn(name for row in rows for name in (row.assignee, row.opened_by))
    total = counts.get(wanted.process, 0) if wanted.process else sum(counts.values())
    return render_template(
        "tasks/page.html",
        page=Page(list(rows), encode(*after) if after else None, total),
        wanted=wanted,
        counts=counts,
        turn=turn(session(), person, g.today),
        kept={name: request.args[name] for name in NAMES if request.args.get(name)},
        back=request.query_string.decode(),
        saved=filters_for(session(), person, LIST),
        sharing=list(enumerate(person.held)),
        place_of=_place,
        columns=kept_columns(session(), person.account, LIST) or list(USUAL),
        mine=set(person.roles),
        VIEWS=VIEWS,
        COLUMNS=COLUMNS,
        processes=book().current,
    )


def _place(held: Held) -> str:
    where = dictionary().codes["region"].label(held.district) if held.district else ""
    return f"{where}{role(held.role).title}"


@bp.get("/tasks/badge")
@permission("matter.read")
def badge() -> Any:
    """How many cases wait for the person, those put off included."""
    return jsonify(count=turn(session(), actor(), g.today).all)


def _chosen() -> list[int]:
    ids = [int(value) for value in request.form.getlist("ids") if value.isascii() and value.isdigit()]
    if not ids:
        raise BadInput("请先选中事项")
    return ids


def _back() -> Any:
    """To the list as it was."""
    kept = request.form.get("back", "")
    return redirect(url_for("tasks.page") + (f"?{kept}" if kept else ""))


@bp.post("/cases/<int:case_id>/hold")
@permission("matter.read")
def hold(case_id: int) -> Any:
    """Take a case on, or put it back."""
    require_my_turn(session(), actor(), case_id)
    if request.form.get("do") == "release":
        release(session(), case_id, actor().account)
        flash("已放回，其他人可以办理。", "done")
    else:
        claim(session(), case_id, actor().account)
        flash("已由您办理。", "done")
    return _back()


@bp.post("/tasks/hold")
@permission("matter.read")
def hold_chosen() -> Any:
    """Take the chosen cases on; those that a colleague holds are named and left."""
    lost = []
    for case_id in _chosen()[:200]:
        require_my_turn(session(), actor(), case_id)
        try:
            claim(session(), case_id, actor().account)
        except Conflict as conflict:
            lost.append(f"{case_id}（{conflict.says}）")
    flash(f"未能领办：{'、'.join(lost)}" if lost else "已由您办理。", "refused" if lost else "done")
    return _back()


@bp.post("/tasks/snooze")
@permission("matter.read", scope="own")
def put_off() -> Any:
    """Put cases off in one's own list until a day, or show them again."""
    ids = _chosen()[:200]
    for case_id in ids:
        require_my_turn(session(), actor(), case_id)
    if request.form.get("do") == "wake":
        wake(session(), actor().account, ids)
        flash(f"{len(ids)} 件事项已回到列表。", "done")
        return _back()
    try:
        until = date.fromisoformat(request.form.get("until", ""))
    except ValueError:
        raise BadInput("请填写“稍后”的日期（YYYY-MM-DD）", errors=[{"field": "until"}]) from None
    snooze(session(), actor().account, ids, until, today=g.today, now=g.now)
    flash(f"{len(ids)} 件事项将于 {until} 重新列出；办理期限不变。", "done")
    return _back()


@bp.get("/cases/<int:case_id>/reassign")
@permission("matter.read")
def pass_on(case_id: int) -> Any:
    """To whom a case may be passed on."""
    case = require_my_turn(session(), actor(), case_id)
    return render_template("tasks/reassign.html", c=case, people=_colleagues(case))


@bp.post("/cases/<int:case_id>/reassign")
@permission("matter.read")
def passed_on(case_id: int) -> Any:
    """Pass a case on, with a reason."""
    case = require_my_turn(session(), actor(), case_id)
    seen = request.form.get("version", "")
    if not seen.isascii() or not seen.isdigit():
        raise BadInput("页面已过期，请刷新后重试")
    to = request.form.get("to", "")
    if to not in {person.name for person in _colleagues(case)}:
        raise BadInput("请选择负责该单位这一环节的办理人", errors=[{"field": "to"}])
    reason = request.form.get("reason", "")[:2000]
    other = actor_named(session(), to, g.now)
    reassign(session(), case_id, other, by=actor(), reason=reason, now=g.now, version=int(seen))
    flash(f"已转交 {other.person_name}。", "done")
    return redirect(url_for("tasks.page"))


def _colleagues(case: Case) -> list[Account]:
    """Who holds the role whose turn it is for the case's unit."""
    if case.inbox is None or case.unit_id is None:
        return []
    accounts = holders(case.inbox, case.unit_id, g.today)
    return list(session().scalars(select(Account).where(Account.name.in_(accounts)).order_by(Account.name)))


@bp.post("/tasks/filters")
@permission("matter.read", scope="own")
def keep() -> Any:
    """Keep the present filter under a name, for oneself or for colleagues of the same role and place."""
    kept = {name: request.form[name] for name in NAMES if request.form.get(name)}
    held, chosen = actor().held, request.form.get("share", "")
    shared = held[int(chosen)] if chosen.isascii() and chosen.isdigit() and int(chosen) < len(held) else None
    named = request.form.get("name", "")
    row = save_filter(session(), actor().account, LIST, named, kept, now=g.now, shared=shared)
    told = f"，{_place(shared)}的同事也能使用" if shared else ""
    flash(f"已保存筛选条件“{row.name}”{told}。", "done")
    return redirect(url_for("tasks.page", **kept))


@bp.post("/tasks/filters/<int:filter_id>/forget")
@permission("matter.read", scope="own")
def forget(filter_id: int) -> Any:
    """Remove one of one's own filters."""
    forget_filter(session(), actor().account, filter_id)
    flash("已删除筛选条件。", "done")
    return redirect(url_for("tasks.page"))


@bp.post("/tasks/columns")
@permission("matter.read", scope="own")
def columns() -> Any:
    """Keep which columns to show."""
    keep_columns(session(), actor().account, LIST, [name for name in COLUMNS if request.form.get(f"show_{name}")])
    return _back()
