"""The application factory: puts the parts together and proves that every route says who may enter."""

from __future__ import annotations

import importlib
import pkgutil
import time
from types import ModuleType

from flask import Flask, g, request
from flask_wtf import CSRFProtect
from werkzeug.routing import IntegerConverter, Map

import web.api
import web.pages
from web import auditing, database, identity, look, permissions, problems, providers, security
from web.json_answers import Answers
from web.permissions import list_routes
from workflow.access.roles import roles
from workflow.clock import business_date, present
from workflow.db import reading
from workflow.engine.registry import book
from workflow.heap import settle
from workflow.policy import shipped_policies
from workflow.quality.amendments import adopt
from workflow.quality.rules import rules
from workflow.settings import Settings, get_settings

__all__ = ["create_app", "list_routes"]

RULES_EVERY = 30  # seconds between two looks at the amendments

csrf = CSRFProtect()


class Number(IntegerConverter):
    """A number in an address, as far as the databases count; what lies beyond names nothing."""

    def __init__(self, map: Map) -> None:
        """Of as many digits as needed."""
        super().__init__(map, max=2**63 - 1)


def create_app(settings: Settings | None = None) -> Flask:
    """The whole web application for these settings (default: what the environment says).

    Every definition is proved first: a process that could not work does not start. Raises DefinitionError, BadInput.
    """
    _prove_definitions()
    settings = settings or get_settings()
    app = Flask("web")
    app.json = Answers(app)
    app.url_map.converters["int"] = Number
    app.config.update(SECRET_KEY=settings.session_key, TESTING=settings.env == "test")
    app.extensions["sandeng"] = settings
    app.before_request(_read_clock)
    _adopt_rules(app)
    security.install(app, secure=settings.secure, proxies=settings.proxies)
    auditing.install_outside(app)
    identity.install_outside(app)
    database.install(app, settings.database, settings.system_role)
    auditing.install_inside(app)
    identity.install(app)
    providers.install(app, settings)
    permissions.install(app)
    csrf.init_app(app)
    problems.install(app)
    look.install(app, settings)
    for part in (web.pages, web.api):
        _register(app, part)
    permissions.prove_routes(app)
    if not app.testing:
        settle()
    return app


def _prove_definitions() -> None:
    rules()
    book()
    roles()
    shipped_policies()


def _read_clock() -> None:
    g.now = present()
    g.today = business_date(g.now)


def _adopt_rules(app: Flask) -> None:
    """Judge by the rules in force today; asked again every few seconds, outside the request's own transaction."""

    def look() -> None:
        asked_at, asked_on = app.extensions.get("sandeng.rules", (-RULES_EVERY, None))
        if request.endpoint == "static" or (time.monotonic() - asked_at < RULES_EVERY and asked_on == g.today):
            return
        app.extensions["sandeng.rules"] = time.monotonic(), g.today
        with reading(database.db.engine) as opened:
            adopt(opened, g.today)

    app.before_request(look)


def _register(app: Flask, package: ModuleType) -> None:
    """Every module of the package with a blueprint `bp`; one module a subject."""
    for found in sorted(pkgutil.iter_modules(package.__path__), key=lambda module: module.name):
        module = importlib.import_module(f"{package.__name__}.{found.name}")
        if hasattr(module, "bp"):
            app.register_blueprint(module.bp)
            if package is web.api:  # these prove the sender in their own way, see web.api.shared
                csrf.exempt(module.bp)
