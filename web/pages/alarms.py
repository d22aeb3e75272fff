"""Security alarms for who guards and audits the platform (办法19): the list, acknowledging one, reporting an incident from one."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from flask import Blueprint, flash, g, redirect, render_template, request, url_for

from web.database import session
from web.identity import actor
from web.pages.matters import may_open
from web.paging import Page, argument, decode, encode
from web.permissions import permission
from workflow.access.alarms import CAUSES, INCIDENTS, acknowledge
from workflow.engine.registry import book
from workflow.errors import NotAllowed
from workflow.insight.alarms import STATES, AlarmFilter, alarms, counts

bp = Blueprint("alarms", __name__)


@bp.get("/alarms")
@permission("duty.read", scope="platform")
def page() -> Any:
    """The alarms, newest first."""
    wanted = AlarmFilter(argument("cause", CAUSES), argument("state", STATES), argument("text"))
    rows, after = alarms(session(), wanted, after=decode(argument("after", limit=300)))
    counted = counts(session(), wanted)
    return render_template(
        "alarms/page.html",
        page=Page(
            rows, encode(*after) if after else None, counted[wanted.state] if wanted.state else sum(counted.values())
        ),
        wanted=wanted,
        kept={name: value for name, value in asdict(wanted).items() if value},
        counted=counted,
        CAUSES=CAUSES,
        STATES=STATES,
        INCIDENTS=INCIDENTS,
        guards=_guards(),
    )


@bp.post("/alarms/<int:alarm_id>/acknowledge")
@permission("duty.read", scope="platform")
def acknowledging(alarm_id: int) -> Any:
    """Say what an alarm turned out to be; it stays in the list."""
    if not _guards():
        raise NotAllowed("告警由数据安全管理员或者审计员确认")
    row = acknowledge(session(), alarm_id, by=actor().account, now=g.now, remark=request.form.get("remark", ""))
    flash(f"已确认告警 {row.key}。", "done")
    return redirect(url_for("alarms.page"))


def _guards() -> bool:
    """Whether the person is one of those who report incidents: they see to alarms too."""
    return may_open(actor(), book().process("incident"))
