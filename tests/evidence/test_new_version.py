"""A case that moved to a new version is walked over each version that it had; its carried-over terms must be the very same."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.engine.migration_room import FIRST, SECOND, move, put, release
from tests.evidence.room import different, document
from workflow.engine.registry import using
from workflow.engine.timers import fire_due
from workflow.evidence.rejudging import rejudged


@pytest.fixture
def kept(engine: Engine, now: datetime) -> Iterator[dict[str, Any]]:
    """A parcel sent under the first version, moved to the second while under way, missed, and arrived late."""
    with using(release(FIRST)):
        (parcel,) = put(engine, now, insured=True)
    with using(release(SECOND)):
        assert move(engine, [parcel], now + timedelta(days=1)).moved == [parcel]
        fire_due(engine, now + timedelta(days=20))
        yield document(engine, parcel, now + timedelta(days=21))


def test_each_step_is_walked_over_the_version_of_its_time(kept: dict[str, Any]) -> None:
    found = rejudged(kept)
    assert different(found.rows) == []
    assert [one["version"] for one in (kept["definition"], *kept["earlier"])] == [2, 1]
    assert [act["do"] for act in kept["history"]].index("migrate") in (1, 2)
    assert any("沿用原来的期限" in row.says for row in found.rows)


def test_a_carried_over_term_that_gained_a_day_is_found(kept: dict[str, Any]) -> None:
    timer = next(one for one in kept["timers"] if one["name"] == "miss")
    timer["due_on"] = "2026-03-09"
    assert [part for part, _, _ in different(rejudged(kept).rows)] == ["timers"]


def test_another_version_put_in_place_of_the_earlier_one_is_found(kept: dict[str, Any]) -> None:
    kept["earlier"][0] |= {"text": kept["definition"]["text"], "hash": kept["definition"]["hash"]}
    assert different(rejudged(kept).rows)
