"""流程换版: open cases of an old version moved to the one in force: the mapping written, tried case by case, asked for, carried out (办法17)."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, current_app, flash, g, redirect, render_template, request, url_for

from web.database import db, session
from web.identity import actor
from web.pages.matters import options_of
from web.paging import argument, number_argument
from web.permissions import permission
from web.typed_forms import sent_fields
from workflow.casework import migrating
from workflow.casework.reporting import PROCESS, request_verdict
from workflow.engine.mapping import CaseMapping, Standing
from workflow.engine.mapping_proof import suggested
from workflow.engine.migration import Migration, prove_migration, standing, versions_named
from workflow.engine.migration_preview import preview
from workflow.engine.registry import book
from workflow.engine.steps import require_moved, take_step
from workflow.errors import BadInput, Refused
from workflow.insight.matters import topmost_unit_code, unit_to_open_for
from workflow.insight.migrations import migrations_asked, old_versions, run_of
from workflow.insight.wording import condition_titles
from workflow.operations.progress import shown
from workflow.operations.requests import ask
from workflow.registry.places import names_of

bp = Blueprint("migrations", __name__)
GIVEN = ("kind", "rows")  # what the operation says itself
SHOWN = 20  # cases on a page of the dry run
LONGEST = 20_000  # letters of a mapping


@bp.get("/migrations")
@permission("migration.read", scope="platform")
def page() -> Any:
    """The old versions under which cases still run, and the moves that were asked for; to the city's office only."""
    city = any(held.everywhere for held in actor().holding(migrating.READ))
    return render_template(
        "migrations/page.html",
        city=city,
        versions=old_versions(session()) if city else [],
        asked=migrations_asked(session()) if city else [],
        states=book().process(PROCESS).states,
    )


@bp.get("/migrations/new/<process>")
@permission("migration.run", scope="platform")
def new(process: str) -> Any:
    """A mapping to complete: equal names are suggested."""
    migrating.require_city(actor(), migrating.RUN)
    old, to = (argument(name, limit=64) for name in ("from", "to"))
    before, after = versions_named(session(), process, old, to)
    move = Migration(before, after, CaseMapping({}))
    there = standing(session(), move)
    mapping = suggested(move.old, move.new, there).as_text()
    return render_template("migrations/new.html", move=move, mapping=mapping, faults=[], there=there)


@bp.post("/migrations/try")
@permission("migration.run", scope="platform")
def tried() -> Any:
    """Try the mapping on the cases as they are; changes nothing."""
    migrating.require_city(actor(), migrating.RUN)
    try:
        move = _sent()
        prove_migration(session(), move)
    except BadInput as fault:
        return render_template("migrations/new.html", **_again(fault)), 400
    return _form(move)


@bp.post("/migrations/ask")
@permission("migration.run", scope="platform")
def asking() -> Any:
    """Ask for the approval of a move and submit it at once; where something lacks, nothing is kept."""
    now, person = g.now, actor()
    move = _sent()
    try:
        unit_id = unit_to_open_for(session(), person, request.form.get("unit", "").strip(), book().process(PROCESS))
        texts = sent_fields(book().process(PROCESS).form)
        case_id = migrating.ask(session(), move, unit_id or 0, texts, now=now, actor=person)
        require_moved(take_step(session(), PROCESS, "submit", [case_id], now=now, actor=person))
    except (BadInput, Refused) as fault:
        session().rollback()
        errors = {
            each["field"]: each.get("message", fault.says)
            for each in fault.facts.get("errors", [])
            if isinstance(each, dict)
        }
        return _form(move, request.form, fault.says, errors), 400
    flash("请示已提交，处室审核、领导批准后即可执行。", "done")
    return redirect(url_for("migrations.one", digest=_digest(move)))


@bp.get("/migrations/<digest>")
@permission("migration.read", scope="platform")
def one(digest: str) -> Any:
    """A move that was asked for: its mapping, the cases as they would move now, where the request stands, how far it has come."""
    migrating.require_city(actor(), migrating.READ)
    move, asked = migrating.asked_for(session(), digest)
    job = run_of(session(), digest)
    done, total = shown(db.engine, job) if job else (0, 0)
    live = bool(request.headers.get("HX-Request"))
    answer = current_app.make_response(
        render_template(
            "migrations/_job.html" if live else "migrations/one.html",
            digest=digest,
            asked=asked,
            request_states=book().process(PROCESS).states,
            job=job,
            done=done,
            total=total,
            **({} if live else _standing(move)),
        )
    )
    if live and job and job.state in ("done", "failed"):
        answer.headers["HX-Refresh"] = "true"
    return answer


@bp.post("/migrations/<digest>/run")
@permission("migration.run", scope="platform")
def run(digest: str) -> Any:
    """Hand the approved move to a worker."""
    migrating.require_city(actor(), migrating.RUN)
    move, _ = migrating.asked_for(session(), digest)
    verdict = _verdict(move, prove_migration(session(), move))
    if not verdict.holds:
        raise Refused(verdict.says, verdicts=[verdict])
    job = run_of(session(), digest)
    if job is None or job.state in ("done", "failed"):
        ask(session(), migrating.KIND, {"digest": digest}, by=actor().account, now=g.now)
    flash("已交后台迁移，可以离开本页。", "done")
    return redirect(url_for("migrations.one", digest=digest))


def _sent() -> Migration:
    process, old, to = (request.form.get(name, "")[:64] for name in ("process", "from", "to"))
    mapping = request.form.get("mapping", "")
    if len(mapping) > LONGEST:
        raise BadInput(f"对应表最长 {LONGEST} 字", errors=[f"对应表有 {len(mapping)} 字，最长 {LONGEST} 字"])
    return migrating.planned(session(), process, old, to, mapping)


def _digest(move: Migration) -> str:
    return migrating.key_of(move).partition(":")[2]


def _verdict(move: Migration, there: Standing) -> Any:
    operation = migrating.operation_of(session(), move, there)
    return request_verdict(session(), operation, operation.link)


def _again(fault: BadInput) -> dict[str, Any]:
    """The form as it was typed, with every row at fault."""
    process, old, to = (request.form.get(name, "")[:64] for name in ("process", "from", "to"))
    before, after = versions_named(session(), process, old, to)
    move = Migration(before, after, CaseMapping({}))
    return {
        "move": move,
        "mapping": request.form.get("mapping", ""),
        "faults": fault.facts.get("errors") or [fault.says],
        "there": standing(session(), move),
    }


def _cases(move: Migration) -> dict[str, Any]:
    """One page of the dry run; the verdicts are judged, for that page only."""
    after = number_argument("after") or 0
    cases = preview(session(), move, now=g.now, after=after, most=SHOWN + 1)
    return {
        "move": move,
        "cases": cases[:SHOWN],
        "next": cases[SHOWN - 1].case if len(cases) > SHOWN else None,
        "units": names_of(session(), {case.unit_id for case in cases if case.unit_id is not None}),
        "conditions": condition_titles(),
        "roles": book().roles,
    }


def _form(move: Migration, given: Any = None, fault: str = "", errors: Any = ()) -> Any:
    operation = migrating.operation_of(session(), move)
    return render_template(
        "migrations/ask.html",
        operation=operation,
        mapping=move.mapping.as_text(),
        unit=(given or {}).get("unit") or topmost_unit_code(session(), actor()),
        fields=[field for field in book().process(PROCESS).form if field.name not in GIVEN and not field.only],
        given=given or {"what": operation.says},
        fault=fault,
        errors=dict(errors),
        options_of=options_of,
        **_cases(move),
    )


def _standing(move: Migration) -> dict[str, Any]:
    """What the page of a move shows beside its job: faults by now, or the cases that would move."""
    try:
        there = prove_migration(session(), move)
        cases, faults = _cases(move), []
    except BadInput as fault:
        there = standing(session(), move)
        cases, faults = {"move": move, "cases": [], "next": None, "units": {}}, fault.facts.get("errors", [fault.says])
    return {**cases, "faults": faults, "verdict": _verdict(move, there), "mapping": move.mapping.as_text()}
