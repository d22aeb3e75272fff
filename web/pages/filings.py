"""填报: the list, the form with old beside new, the review with differences and verdicts, the sheet to print. Buttons come from the process table."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from flask import Blueprint, flash, g, redirect, render_template, request, url_for

from web.auditing import note_refused_step
from web.database import engine_released, session
from web.filing_opening import ENTERED, begun_by, opening_for
from web.identity import actor
from web.paging import Page, argument, decode, encode
from web.people import learn
from web.permissions import permission
from web.position import position
from workflow.access.scopes import may
from workflow.access.substitution import drafter, take_step_as
from workflow.casework import filing as about
from workflow.casework.filing_corrections import title_of
from workflow.casework.filing_drafting import (
    Opening,
    adopt_corrections,
    changed_meanwhile,
    may_file,
    offered_corrections,
    open_filing,
    rebase,
    save_draft,
)
from workflow.casework.filing_lists import FilingFilter, counts_by_state, filing_in_scope, filings, kind_titles
from workflow.casework.models import Filing
from workflow.casework.report_operations import filing_operation
from workflow.casework.reporting import request_verdict
from workflow.engine.inbox import acts_of, history
from workflow.engine.judging import OpenStep
from workflow.engine.models import Case
from workflow.engine.registry import book
from workflow.engine.steps import require_moved
from workflow.engine.verdicts import Verdict
from workflow.errors import BadInput, NotAllowed, NotFound, Refused
from workflow.insight.case import steps_of
from workflow.insight.lamps import view
from workflow.insight.tickets import ticket_row
from workflow.quality.models import Ticket
from workflow.quality.run import run_check
from workflow.registry.dictionary import dictionary
from workflow.registry.queries import find_by_id

bp = Blueprint("filings", __name__)
WHOSE = {"": "本人可见的全部", "mine": "我起草的"}


@bp.get("/filings")
@permission("case.read")
def page() -> Any:
    """The list, newest first."""
    wanted = FilingFilter(
        whose=argument("whose", WHOSE),
        state=argument("state", book().process(about.PROCESS).states),
        kind=argument("kind", about.KINDS),
        dataset=argument("dataset", dictionary().datasets),
        late=argument("late", ("yes",)),
        unit=argument("unit"),
        text=argument("text"),
    )
    rows, after = filings(session(), actor(), wanted, after=decode(argument("after", limit=300)))
    learn(row.opened_by for row in rows)
    counts = counts_by_state(session(), actor(), wanted)
    total = counts.get(wanted.state, 0) if wanted.state else sum(counts.values())
    return render_template(
        "filings/page.html",
        page=Page(list(rows), encode(*after) if after else None, total),
        wanted=wanted,
        counts=counts,
        kept={name: value for name, value in asdict(wanted).items() if value},
        states=book().process(about.PROCESS).states,
        kinds=kind_titles(),
        datasets=[(d.name, d.title) for d in dictionary().datasets.values()],
        WHOSE=WHOSE,
        KINDS=about.KINDS,
        drafts=may(actor(), "filing.begin"),
    )


@bp.get("/filings/new")
@permission("filing.begin")
def new() -> Any:
    """What is to be filed: a new record of a data set, or a present record by its key."""
    return render_template(
        "filings/new.html",
        unit=argument("unit") or _own_unit(),
        key=argument("key"),
        dataset=argument("dataset", dictionary().datasets),
        entered=[(name, dictionary()[name].title) for name in ENTERED],
        every=[(d.name, d.title) for d in dictionary().datasets.values()],
    )


@bp.post("/filings")
@permission("filing.begin")
def begin() -> Any:
    """Open a draft: for a record by data set and key, for a ticket, or for a new record of a unit."""
    opening, focus = _opening()
    case_id = open_filing(session(), opening, now=g.now, **begun_by(opening.unit_id))
    return redirect(url_for("filings.edit", case_id=case_id, field=focus or None))


def _opening() -> tuple[Opening, str]:
    sent = request.form
    if sent.get("ticket"):
        return _for_ticket(sent["ticket"])
    texts = {"person": sent["person"]} if sent.get("dataset") == "position" and sent.get("person") else {}
    named = (sent.get("dataset", ""), sent.get("key", "").strip(), sent.get("unit", "").strip())
    return opening_for(*named, leaving=sent.get("leaving") == "1", texts=texts), sent.get("field", "")


def _for_ticket(number: str) -> tuple[Opening, str]:
    ticket = ticket_row(session(), actor(), int(number)) if number.isascii() and number.isdigit() else None
    record = find_by_id(session(), ticket.dataset, ticket.record_id) if ticket else None
    if ticket is None or record is None:
        raise NotFound
    named = ticket.part if ticket.part in record.dataset.fields else (ticket.field or "").split(".")[0]
    known = record.dataset.by_label[named].name if named in record.dataset.by_label else named
    found = Opening(ticket.dataset, ticket.unit_id, record, ticket_id=ticket.id)
    return found, known if known in record.dataset.fields else ""


def _own_unit() -> str:
    own = actor().unit_id
    node = view(session(), actor()).tree.nodes.get(own) if own else None
    return node.code if node else ""


@bp.get("/filings/<int:case_id>/edit")
@permission("filing.begin")
def edit(case_id: int) -> Any:
    """The form of a draft."""
    case, filing = _readable(case_id)
    if case.state not in about.EDITABLE:
        return redirect(url_for("filings.one", case_id=case_id))
    return _form(case, filing)


@bp.post("/filings/<int:case_id>/edit")
@permission("filing.begin")
def save(case_id: int) -> Any:
    """Keep what was typed and have the rules judge it; `then` says where to go on: stay, look, or submit."""
    by = drafter(session(), actor(), _readable(case_id)[0])
    try:
        filing = save_draft(session(), case_id, request.form, now=g.now, **by)
    except BadInput as bad:
        faults = {str(e["field"]): bad.says for e in bad.facts.get("errors", []) if e.get("field")}
        session().rollback()
        return _form(*_readable(case_id), given=request.form, faults=faults, says=bad.says), 422
    if request.form.get("then") == "submit":
        return _submitted(case_id, filing)
    blocked = sum(1 for f in filing.findings if f["blocks"])
    flash(
        f"草稿已保存。{f'有 {blocked} 项阻断问题须先改正。' if blocked else '校验没有阻断问题。'}",
        "refused" if blocked else "done",
    )
    there = "filings.one" if request.form.get("then") == "look" else "filings.edit"
    return redirect(url_for(there, case_id=case_id))


def _submitted(case_id: int, filing: Filing) -> Any:
    """Submits what was just saved; where that is refused, the draft stays saved and its page says what stands against it."""
    try:
        with session().begin_nested():
            return _taken(case_id, "submit", f"已提交，待单位负责人确认。{_lateness(filing)}")
    except Refused as refused:
        note_refused_step(refused)
        flash(f"草稿已保存，但还不能提交：{refused.says}", "refused")
        return redirect(url_for("filings.one", case_id=case_id))


@bp.post("/filings/<int:case_id>/autosave")
@permission("filing.begin")
def autosave(case_id: int) -> Any:
    """Keep what is being typed, without judging it; answers with the new revision for the form."""
    by = drafter(session(), actor(), _readable(case_id)[0])
    filing = save_draft(session(), case_id, request.form, now=g.now, check=False, **by)
    return render_template("filings/_saved.html", revision=filing.revision, saved_at=filing.saved_at)


@bp.post("/filings/<int:case_id>/corrections")
@permission("filing.begin")
def correct(case_id: int) -> Any:
    """Take over the corrections that were chosen."""
    by = drafter(session(), actor(), _readable(case_id)[0])
    taken = adopt_corrections(session(), case_id, request.form.getlist("field"), now=g.now, **by)
    flash(
        f"已采纳 {len(taken)} 项自动修正：{'、'.join(p.label for p in taken)}。" if taken else "没有选中修正项。",
        "done",
    )
    return redirect(url_for("filings.edit", case_id=case_id))


@bp.post("/filings/<int:case_id>/rebase")
@permission("filing.begin")
def refresh(case_id: int) -> Any:
    """Put the draft on the newest version of its record."""
    rebase(session(), case_id, now=g.now, **drafter(session(), actor(), _readable(case_id)[0]))
    flash("已更新到现存版本，您的填写保留；请核对与现存内容的差异。", "done")
    return redirect(url_for("filings.one", case_id=case_id))


@bp.get("/filings/<int:case_id>")
@permission("case.read")
def one(case_id: int) -> Any:
    """Differences, what the rules say, the steps open to the person with their verdicts, the history."""
    case, filing, unit = filing_in_scope(session(), actor(), case_id)
    steps = [s for s in steps_of(session(), case, actor(), g.now) if s.do not in ("redate", "resume")]
    definition = book().version(session(), case.definition)
    acts = acts_of(session(), case_id, definition)
    ticket = session().get(Ticket, filing.ticket_id) if filing.ticket_id else None
    ways = {s.do for s in steps}
    if {"confirm", "settle"} <= ways:  # only the one that fits: the office's review is either needed or not
        steps = [s for s in steps if s.do != ("settle" if about.why_review(filing) else "confirm")]
    return render_template(
        "filings/one.html",
        case=case,
        filing=filing,
        unit=unit,
        ticket=ticket,
        steps=steps,
        history=acts,
        definition=definition,
        **position(definition, case.state, steps, acts),
        described=dictionary()[filing.dataset],
        KINDS=about.KINDS,
        review=about.why_review(filing),
        changed=_changed(steps, case, filing),
        late=about.days_late(filing, g.today) if case.state in about.EDITABLE else filing.late_days,
        term=about.term_of(session(), filing.dataset, filing.unit_id, filing.fact_on),
        edits=case.state in about.EDITABLE and "submit" in ways,
        asks=_asks(case, filing),
        rule_of=title_of,
    )


def _asks(case: Case, filing: Filing) -> Verdict | None:
    """What of it needs a request first, and whether that is approved (办法17); None where nothing does."""
    operation = filing_operation(session(), filing, g.today) if case.open and filing.lines else None
    return request_verdict(session(), operation, url_for("reports.of_filing", case_id=case.id)) if operation else None


def _changed(steps: list[OpenStep], case: Case, filing: Filing) -> str:
    """Who changed the record meanwhile: as a step's verdict says, or asked for where the person has no such step."""
    told = [v for s in steps for v in s.verdicts if v.guard == "record_is_unchanged"]
    if told or not case.open:
        return next((v.says for v in told if not v.holds), "")
    return changed_meanwhile(session(), filing)


@bp.get("/filings/<int:case_id>/print")
@permission("case.read")
def sheet(case_id: int) -> Any:
    """The filing as a sheet with places for signatures."""
    case, filing, unit = filing_in_scope(session(), actor(), case_id)
    return render_template(
        "filings/print.html",
        case=case,
        filing=filing,
        unit=unit,
        history=history(session(), case_id),
        definition=book().version(session(), case.definition),
        described=dictionary()[filing.dataset],
        KINDS=about.KINDS,
    )


@bp.post("/filings/<int:case_id>/steps/<do>")
@permission("case.read")
def step(case_id: int, do: str) -> Any:
    """Take a step: 409 where somebody acted meanwhile, 422 with every reason; after acceptance the record is judged at once."""
    case, _ = _readable(case_id)
    titles = {row.do: row.title for row in book().version(session(), case.definition).steps}
    return _taken(case_id, do, f"已{titles.get(do, do)}。", seen=request.form.get("version", ""))


def _taken(case_id: int, do: str, says: str, seen: str = "") -> Any:
    if seen and not (seen.isascii() and seen.isdigit()):
        raise BadInput("页面已过期，请刷新后重试")
    why = {name[4:]: text.strip() for name, text in request.form.items() if name.startswith("why-") and text.strip()}
    reason = request.form.get("reason", "").strip() or ("见各字段的退回理由" if why else None)
    result = take_step_as(
        session(), actor(), about.PROCESS, do, [case_id], now=g.now, reason=reason,
        inputs={"fields": why} if why else {}, versions={case_id: int(seen)} if seen else None,
    )  # fmt: skip
    require_moved(result)
    filing = session().get_one(Filing, case_id)
    if filing.accepted_on is not None:
        says += _rechecked(filing)
    flash(says, "done")
    return redirect(url_for("filings.one", case_id=case_id))


def _rechecked(filing: Filing) -> str:
    """Commits, and judges the record at once, so that its ticket turns green."""
    scope = {"dataset": filing.dataset, "records": [filing.record_id]}
    run = run_check(engine_released(), g.today, g.now, scope=scope, by=actor().account)
    told = [f"{run.resolved} 项问题已整改亮绿灯"] if run.resolved else []
    told += [f"新发现 {run.opened + run.recurred} 项问题"] if run.opened + run.recurred else []
    return f"即时复核：{'，'.join(told) or '没有变化'}。"


def _lateness(filing: Filing) -> str:
    return f"已逾期 {filing.late_days} 天，如实记载。" if filing.late_days else ""


def _readable(case_id: int) -> tuple[Case, Filing]:
    return filing_in_scope(session(), actor(), case_id)[:2]


def _form(
    case: Case, filing: Filing, *, given: Any = None, faults: dict[str, str] | None = None, says: str = ""
) -> str:
    """The form: what the record holds, over it what the draft says, beside it the old value and what is wrong."""
    by = drafter(session(), actor(), case)
    if not may_file(session(), by["actor"], filing.unit_id):
        raise NotAllowed("填报由单位经办人起草")
    described = dictionary()[filing.dataset]
    record = find_by_id(session(), filing.dataset, filing.record_id) if filing.record_id else None
    fields = about.fields_of(described, new=record is None)
    old = about.held_texts(session(), record) if record else {}
    values = old | about.shown_texts(filing) | {name: given[name] for name in fields if given and name in given}
    told = {f["field"]: f["says"] for f in filing.findings if f["blocks"]}
    return render_template(
        "filings/edit.html",
        case=case,
        filing=filing,
        dataset=described,
        record=record,
        shown=None,
        fields=fields,
        values=values,
        old=old,
        old_shown={line["field"]: line["old"] for line in filing.lines},
        faults={about.field_named(described, name): why for name, why in told.items()} | (faults or {}),
        says=says,
        given=given or {},
        code_options={
            n: about.code_offers(f, values.get(n, ""), g.today) for n, f in fields.items() if f.type == "code"
        },
        corrections=offered_corrections(session(), filing, record),
        focus=argument("field", fields),
        on_behalf_of=by["on_behalf_of"],
        late=about.days_late(filing, g.today),
        KINDS=about.KINDS,
        rule_of=title_of,
    )
