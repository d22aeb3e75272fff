"""The drills of the chain are entered with a sabotage each; the small one is tried here, sabotaged too."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.drill import drill_audit
from tests.drill.registry import all_drills


def test_every_drill_has_a_bound_and_a_sabotage() -> None:
    names = [one.name for one in all_drills()]
    assert {"审计篡改", "审计并发追加"} <= set(names)
    assert len(names) == len(set(names))
    assert all(one.bound and callable(one.sabotage) for one in all_drills())


def test_the_drill_of_tampering_passes(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("ROWS", 30), ("CLEAN", 3)):
        monkeypatch.setattr(drill_audit, name, value)
    monkeypatch.setattr(drill_audit, "_deeds", lambda dice: iter(()))
    assert drill_audit.tampering(engine, tmp_path).kept


def test_a_seal_with_a_hole_fails_the_drill_of_tampering(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("ROWS", 30), ("CLEAN", 3)):
        monkeypatch.setattr(drill_audit, name, value)
    monkeypatch.setattr(drill_audit, "_deeds", lambda dice: iter(()))
    with drill_audit.summary_left_out():
        assert not drill_audit.tampering(engine, tmp_path).kept
