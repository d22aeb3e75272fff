"""The drills by name. One function a drill: it takes an empty database and a folder and returns what it measured."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine


@dataclass(frozen=True)
class Measured:
    """What came out, in words, and whether it keeps the bound."""

    says: str
    kept: bool


Run = Callable[[Engine, Path], Measured]


@dataclass(frozen=True)
class Drill:
    """A promise, its bound, how it is tried, and a sabotage under which the trial must fail."""

    name: str
    bound: str
    run: Run
    sabotage: Callable[[], AbstractContextManager[None]]


DRILLS: list[Drill] = []


def drill(name: str, bound: str, sabotage: Callable[[], AbstractContextManager[None]]) -> Callable[[Run], Run]:
    """Enter a function as a drill. `sabotage` breaks, as long as it lasts, what the drill is to prove."""

    def enter(run: Run) -> Run:
        DRILLS.append(Drill(name, bound, run, sabotage))
        return run

    return enter


def all_drills() -> list[Drill]:
    """Every drill of every module drill_*.py of this folder."""
    import tests.drill as package

    for found in sorted(module.name for module in pkgutil.iter_modules(package.__path__)):
        if found.startswith("drill_"):
            importlib.import_module(f"tests.drill.{found}")
    return DRILLS
