"""The rule catalogue: every rule in force by group, those that wait and why, and one page per rule with its hits by unit."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template

from web.database import session
from web.identity import actor
from web.look import LEVELS
from web.pages.matters import may_open
from web.paging import argument
from web.permissions import permission
from workflow.access.scopes import may
from workflow.casework.rule_changing import KINDS, PROCESS, amendments_of
from workflow.engine.registry import book
from workflow.insight.catalogue import catalogue, rule_page
from workflow.quality.amendments import source_of
from workflow.quality.rules import release, rules
from workflow.registry.dictionary import dictionary

bp = Blueprint("rules", __name__)


@bp.get("/rules")
@permission("rule.read", scope="platform")
def page() -> Any:
    """All rules, narrowed by words, level and data set."""
    wanted = {
        "text": argument("text"),
        "level": argument("level", LEVELS),
        "dataset": argument("dataset", dictionary().datasets),
        "hits": argument("hits", ("yes",)),
    }
    shown = catalogue(session(), actor(), **wanted)
    return render_template(
        "rules/page.html",
        shown=shown,
        wanted=wanted,
        levels=list(LEVELS.items()),
        datasets=[(name, dictionary()[name].title) for name in rules().datasets],
        may_tickets=may(actor(), "ticket.read"),
        technical=_technical(),
    )


def _technical() -> bool:
    """Whether the text of rules is of use to the person: who runs the system, who proposes changes."""
    return may(actor(), "system.read") or may_open(actor(), book().process(PROCESS))


@bp.get("/rules/<rule_id>")
@permission("rule.read", scope="platform")
def one(rule_id: str) -> Any:
    """One rule: how it reads, what to do about it, whom it hits."""
    return render_template(
        "rules/one.html",
        shown=rule_page(session(), actor(), rule_id),
        may_tickets=may(actor(), "ticket.read"),
        decided=amendments_of(session(), rule_id) if rules() is not release() else [],
        may_change=may_open(actor(), book().process(PROCESS)),
        source=source_of(rule_id),
        technical=_technical(),
        kinds=KINDS,
    )
