"""The auditor's room (办法17, 办法22): the audit chain searched, followed, exported and verified; no business data beside it."""

from __future__ import annotations

import dataclasses
import io
from datetime import date
from typing import Any

from flask import Blueprint, current_app, flash, g, redirect, render_template, request, send_file, url_for

from web.auditing import note_now
from web.csv_answer import csv_answer
from web.database import db, session
from web.identity import actor
from web.look import moment
from web.paging import PAGE, Page, argument, day_argument, decode, encode
from web.permissions import permission
from workflow.access.revealing import readings_of
from workflow.audit.anchors import DAILY, daily_heads, last_anchor
from workflow.clock import parse_moment
from workflow.errors import BadInput, NotFound
from workflow.insight import audit_trail
from workflow.insight.audit_trail import AuditFilter
from workflow.insight.audit_words import RESULTS
from workflow.insight.record import SOURCES
from workflow.insight.tracing import trace
from workflow.operations.progress import shown
from workflow.operations.requests import ask, request_of
from workflow.policy import shipped_policies
from workflow.registry.dictionary import dictionary

bp = Blueprint("audit", __name__)
VERIFY = "audit_verify"  # kind of request
EXPORT_MOST = 50_000
HEADER = ("序号", "时间", "账号", "代", "来自", "操作", "对象类别", "对象", "机构编码", "事项", "结果", "摘要", "封签")
WORDS = {
    "action_title": audit_trail.action_title, "summary_of": audit_trail.summary_of, "actor_shown": audit_trail.actor_shown,
    "kind_title": audit_trail.kind_title, "origin_shown": audit_trail.origin_shown, "RESULTS": RESULTS, "SOURCES": SOURCES,
}  # fmt: skip


@bp.get("/audit")
@permission("audit.read", scope="platform")
def page() -> Any:
    """The entries, newest first, as narrowed by the URL."""
    wanted = _wanted()
    rows, after = audit_trail.entries(session(), wanted, after=_after(), limit=PAGE)
    kept = {name: request.args[name] for name in _names() if request.args.get(name)}
    options = {"subjects": audit_trail.subjects(), "kinds": audit_trail.kinds(), "datasets": dictionary().datasets}
    listed = Page(list(rows), encode(*after) if after else None)
    return render_template("audit/page.html", page=listed, wanted=wanted, kept=kept, **options, **WORDS)


@bp.get("/audit.csv")
@permission("audit.read", scope="platform")
def export() -> Any:
    """The same list as a file, at most 50,000 entries; the export is an entry itself."""
    rows, after = audit_trail.entries(session(), _wanted(), limit=EXPORT_MOST)
    note_now("audit.export", kind="audit", summary={"rows": len(rows), "filter": dict(request.args)})
    body = (
        (r.seq, moment(r.at), r.actor, r.on_behalf_of, r.origin, r.action, r.object_kind, r.object_key, r.unit_code,
         r.case_id, RESULTS[r.result], r.summary, r.hash)
        for r in rows
    )  # fmt: skip
    cut = f"仅导出前 {EXPORT_MOST:,} 条，尚有更早的记录，请缩小筛选范围后分次导出" if after else ""
    return csv_answer(f"审计记录-{g.today:%Y%m%d}.csv", HEADER, body, by=actor().account, at=g.now, cut=cut)


@bp.get("/audit/record")
@permission("audit.read", scope="platform")
def record() -> Any:
    """One record traced to its first recorder and everyone after, per field; and every entry about it."""
    dataset, key = argument("dataset"), argument("key", limit=160)
    found = trace(session(), dataset, key) if dataset and key else None
    about = audit_trail.entries(session(), AuditFilter(kind=dataset, key=key), limit=PAGE)[0] if found else []
    read = readings_of(session(), dataset, key) if found else []
    lists = {"found": found, "about": about, "readings": read, "datasets": dictionary().datasets}
    return render_template("audit/record.html", dataset=dataset, key=key, **lists, **WORDS)


@bp.get("/audit/chain")
@permission("audit.read", scope="platform")
def chain() -> Any:
    """How the chain stands: head, last verification, holders of anchors, signed heads of the days."""
    settings = current_app.extensions["sandeng"]
    return render_template(
        "audit/chain.html",
        chain=audit_trail.chain_state(session()),
        holders=[(holder, last_anchor(holder)) for holder in settings.anchor_holders],
        webhook=bool(settings.anchor_webhook),
        days=daily_heads(settings.anchor_holders[0], limit=60),
        restarts=audit_trail.entries(session(), AuditFilter(action="audit.restart"), limit=5)[0],
        retention=shipped_policies().city.value("audit.retention"),
        **WORDS,
    )


@bp.post("/audit/chain/verify")
@permission("audit.read", scope="platform")
def verify() -> Any:
    """Have the whole chain verified by a worker."""
    made = ask(session(), VERIFY, {}, by=actor().account, now=g.now)
    flash("已交后台核对，稍候即可在此查看。", "done")
    return redirect(url_for("audit.verification", request_id=made.id))


@bp.get("/audit/chain/verify/<int:request_id>")
@permission("audit.read", scope="own")
def verification(request_id: int) -> Any:
    """One verification: how far it has come, then what it found."""
    made = request_of(session(), request_id, by=actor().account)
    if made.kind != VERIFY:
        raise NotFound
    done, total = shown(db.engine, made)
    live = bool(request.headers.get("HX-Request"))
    name = "audit/_verification.html" if live else "audit/verification.html"
    answer = current_app.make_response(render_template(name, made=made, done=done, total=total))
    if live and made.state in ("done", "failed"):
        answer.headers["HX-Refresh"] = "true"
    return answer


@bp.get("/audit/chain/daily/<day>")
@permission("audit.read", scope="platform")
def daily(day: str) -> Any:
    """The signed head of a day, to be kept elsewhere: `sandeng audit verify --anchor` takes it."""
    try:
        name = f"{date.fromisoformat(day)}.json"
    except ValueError:
        raise NotFound from None
    path = current_app.extensions["sandeng"].anchor_holders[0] / DAILY / name
    if not path.is_file():
        raise NotFound("这一天没有链头")
    note_now("audit.fetch", kind="audit", key=day)
    head = io.BytesIO(path.read_bytes())
    return send_file(head, as_attachment=True, download_name=f"sandeng-audit-{name}", mimetype="application/json")


def _names() -> list[str]:
    return [f.name for f in dataclasses.fields(AuditFilter)]


def _wanted() -> AuditFilter:
    texts = {name: argument(name, limit=160) for name in ("actor", "action", "kind", "key", "unit")}
    return AuditFilter(day_argument("since"), day_argument("until"), **texts, result=argument("result", RESULTS))


def _after() -> list[Any] | None:
    """The cursor. Raises BadInput for one that this list did not make."""
    after = decode(argument("after", limit=300))
    try:
        if after is not None:
            _, _ = parse_moment(str(after[0])), int(after[1])
    except (BadInput, ValueError, IndexError, TypeError):
        raise BadInput("翻页标记无效，请回到第一页") from None
    return after
