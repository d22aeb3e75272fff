"""The roles of definitions/roles.yaml: role × action × scope (办法16 分级管理、分类赋权). Pages and steps ask here, nobody compares role names."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import yaml

from workflow.errors import DefinitionError
from workflow.registry.dictionary import DEFINITIONS

FILE = "roles.yaml"
SCOPES = ("unit", "district", "platform")


@dataclass(frozen=True)
class Role:
    """One role: its name on screen, the scope in which it is granted, what it may do there, what excludes it."""

    name: str
    title: str
    scope: str
    may: frozenset[str]
    excludes: frozenset[str]
    basis: tuple[str, ...]


@functools.cache
def roles() -> dict[str, Role]:
    """Role name → role, as defined. Raises DefinitionError for an unknown scope, action or excluded role."""
    raw = _raw()
    found = {name: _role(name, spec) for name, spec in raw["roles"].items()}
    for name, each in found.items():
        _known(each.may, raw["actions"], name)
        _known(each.excludes, found, name)
        _known([each.scope], SCOPES, name)
    return found


def _raw() -> Any:
    return yaml.load((DEFINITIONS / FILE).read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)


def _role(name: str, spec: dict[str, Any]) -> Role:
    excludes, basis = spec.get("excludes", ()), spec.get("basis", ())
    return Role(name, spec["title"], spec["scope"], frozenset(spec["may"]), frozenset(excludes), tuple(basis))


def _known(used: Iterable[str], known: Iterable[str], row: str) -> None:
    unknown = set(used) - set(known)
    if unknown:
        raise DefinitionError(f"不认识 {'、'.join(sorted(unknown))}", file=FILE, row=row, known=list(known))


@functools.cache
def actions() -> dict[str, str]:
    """Action → its name on screen."""
    return dict(_raw()["actions"])


def role(name: str) -> Role:
    """One role. Raises DefinitionError naming the known ones."""
    if name not in roles():
        raise DefinitionError(f"没有角色 {name}", file=FILE, known=list(roles()))
    return roles()[name]


@functools.cache
def roles_that_may(action: str) -> frozenset[str]:
    """The roles that allow an action; none for an unknown action."""
    return frozenset(name for name, found in roles().items() if action in found.may)


@functools.cache
def roles_granted_in(scope: str) -> frozenset[str]:
    """The roles that are granted over one kind of scope."""
    return frozenset(name for name, found in roles().items() if found.scope == scope)


@functools.cache
def administrators() -> frozenset[str]:
    """The roles of those who run, guard or audit the platform, in the city or a county, and do no business (办法16)."""
    return roles_granted_in("platform") | roles_that_may("account.manage")
