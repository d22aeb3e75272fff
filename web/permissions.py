"""Deny by default: every route says what it takes to enter, or is public by name. A route that says nothing is refused, and stops the start."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, abort, request
from flask import current_app as app_now

from web.identity import actor
from workflow.access.roles import actions
from workflow.access.scopes import may
from workflow.errors import DefinitionError, NotAllowed

View = TypeVar("View", bound=Callable[..., Any])


def permission(action: str, scope: str = "unit") -> Callable[[View], View]:
    """Who may enter: those with a role that may do `action`. `scope` says how what is shown is limited: unit | own | platform."""

    def mark(view: View) -> View:
        view.permission, view.scope = action, scope  # type: ignore[attr-defined]
        return view

    return mark


def public(view: View) -> View:
    """Everybody may enter, signed in or not."""
    view.permission, view.scope = "public", "none"  # type: ignore[attr-defined]
    return view


def signed_in_only(view: View) -> View:
    """Everybody who is signed in may enter; shows only the person's own matters."""
    view.permission, view.scope = "signed_in", "own"  # type: ignore[attr-defined]
    return view


def _check() -> None:
    if request.endpoint is None:
        return  # no such address: Flask answers 404
    needed = getattr(app_now.view_functions[request.endpoint], "permission", None)
    if needed is None:
        abort(403)
    if needed == "public":
        return
    person = actor()
    if needed != "signed_in" and not may(person, needed):
        raise NotAllowed


def list_routes(app: Flask) -> list[dict[str, Any]]:
    """Every route: rule, methods, endpoint, permission, scope kind."""
    return [
        {
            "rule": rule.rule,
            "methods": sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}),
            "endpoint": rule.endpoint,
            "permission": getattr(app.view_functions[rule.endpoint], "permission", None),
            "scope": getattr(app.view_functions[rule.endpoint], "scope", None),
        }
        for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule)
    ]


def prove_routes(app: Flask) -> None:
    """Raises DefinitionError for a route without permission, or with an action that definitions/roles.yaml does not know."""
    for route in list_routes(app):
        if route["permission"] is None:
            raise DefinitionError(f"网址 {route['rule']} 没有写明权限", row=route["endpoint"])
        if route["permission"] not in {"public", "signed_in", *actions()}:
            raise DefinitionError(
                f"没有权限 {route['permission']}", file="roles.yaml", row=route["rule"], known=sorted(actions())
            )


def install(app: Flask) -> None:
    """Ask before each request; the application's own static files are public."""
    public(app.view_functions["static"])
    app.before_request(_check)
