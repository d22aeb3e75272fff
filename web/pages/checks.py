"""半年交叉检查 (办法10(四)): a pair's samples for the checker and the office, a round with its pairs and letters, the year's bulletin."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, g, redirect, render_template, request, url_for

from web.auditing import note_now
from web.csv_answer import csv_answer
from web.database import session
from web.identity import actor
from web.pages.letters import on_paper
from web.paging import argument, number_argument
from web.people import learn
from web.permissions import permission
from web.position import position
from workflow.access.scopes import Actor, may
from workflow.access.substitution import ByWhom, acting
from workflow.engine.models import Case
from workflow.errors import BadInput, NotFound
from workflow.insight.case import case_page
from workflow.periodic.bulletin import bulletin_of, samples_drawn
from workflow.periodic.check_lists import (
    RESULTS,
    judge_samples,
    letters_of,
    pair_lines,
    pair_of,
    round_of,
    rounds_of_year,
    samples_of,
    strike_sample,
)

bp = Blueprint("checks", __name__)


@bp.get("/checks/<int:case_id>")
@permission("case.read")
def one(case_id: int) -> Any:
    """A pair: every sampled record with what was found, and the steps."""
    return _shown(case_id)


def _shown(case_id: int, given: Any = None, fault: str = "") -> Any:
    pair = pair_of(session(), actor(), case_id)
    shown = case_page(session(), actor(), case_id, g.now)
    samples = samples_of(session(), pair)
    learn(name for one in samples for name in (one.row.by, one.row.on_behalf_of, one.row.struck_by, one.row.struck_for))
    return render_template(
        "checks/one.html",
        pair=pair,
        shown=shown,
        **position(shown.definition, shown.case.state, shown.steps, shown.history),
        samples=samples,
        judges=pair.state in ("checking", "late") and _holds(pair, "unit_clerk"),
        strikes=pair.state == "reviewing" and _holds(pair, "reviewer"),
        RESULTS=RESULTS,
        given=given or {},
        fault=fault,
    )


def _as(pair: Case, role: str) -> ByWhom:
    """The person in the own role, or in the one taken for somebody else, and for whom."""
    return acting(session(), actor(), pair.process, (role,), pair.unit_id, pair.opened_by)


def _holds(pair: Case, role: str) -> bool:
    return bool(_as(pair, role)[0].reach(session(), role, {pair.unit_id or 0}))


@bp.post("/checks/<int:case_id>/samples")
@permission("case.read")
def judge(case_id: int) -> Any:
    """Keep what was found, all of it or nothing."""
    pair = pair_of(session(), actor(), case_id)
    given = {}
    for name, result in request.form.items():
        number = name.removeprefix("result-")
        if name.startswith("result-") and result and number.isascii() and number.isdigit():
            given[int(number)] = (result, request.form.get(f"problem-{number}", ""))
    who, behalf = _as(pair, "unit_clerk")
    try:
        kept = judge_samples(session(), who, pair, given, now=g.now, on_behalf_of=behalf)
    except BadInput as bad:
        session().rollback()
        return _shown(case_id, request.form, bad.says), 400
    flash(f"已保存 {kept} 条核对结果。", "done")
    return redirect(url_for("checks.one", case_id=case_id))


@bp.post("/checks/<int:case_id>/samples/<int:sample_id>/strike")
@permission("case.read")
def strike(case_id: int, sample_id: int) -> Any:
    """The office leaves a finding out, or takes it in again."""
    pair = pair_of(session(), actor(), case_id)
    who, behalf = _as(pair, "reviewer")
    struck = request.form.get("do") != "restore"
    strike_sample(session(), who, pair, sample_id, struck=struck, on_behalf_of=behalf)
    return redirect(url_for("checks.one", case_id=case_id))


@bp.get("/checks/rounds/<int:case_id>")
@permission("case.read")
def round_(case_id: int) -> Any:
    """A round: who checks whom, how far, the letters."""
    found = round_of(session(), actor(), case_id)
    pairs, letters = pair_lines(session(), case_id), letters_of(session(), [case_id])
    if argument("format") == "csv":
        header = ("检查单位", "被检查单位", "抽样", "已核对", "不符", "状态")
        rows = ([p.checker[1], p.checked[1], p.samples, p.judged, p.wrong, p.state] for p in pairs)
        note_now("export.run", kind="cross_check", key=case_id, summary={"rows": len(pairs)})
        return csv_answer(f"{found.title}.csv", header, rows, by=actor().account, at=g.now)
    return render_template("checks/round.html", round=found, pairs=pairs, letters=letters, tells=may_tell(actor()))


def may_tell(person: Actor) -> bool:
    """Whether the person reads the bulletin: only the city's office does."""
    return may(person, "simulation.run") and any(held.everywhere for held in person.holding("case.read"))


@bp.get("/checks/bulletin")
@permission("case.read")
def bulletin() -> Any:
    """通报: the rounds of a year with their figures and the letters that are late; for the city's office."""
    year = _year()
    rounds = rounds_of_year(session(), year)
    ids = [row.id for row in rounds]
    letters, drawn = (letters_of(session(), ids), samples_drawn(session(), ids)) if ids else ([], {})
    return render_template("checks/bulletin.html", year=year, rounds=rounds, letters=letters, drawn=drawn)


def _year() -> int:
    if not may_tell(actor()):
        raise NotFound
    return number_argument("year") or g.today.year


@bp.get("/checks/bulletin.<form>")
@permission("case.read")
def bulletin_file(form: str) -> Any:
    """通报 as a Word document or a PDF. Raises NotFound for a year without a round."""
    year = _year()
    found = bulletin_of(session(), year)
    if found is None:
        raise NotFound
    return on_paper(found, form, found.subject)
