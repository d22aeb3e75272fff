"""The drills of lost writes, at a size for every day (`python -m tests.drill.lost_writes` has the full one)."""

from __future__ import annotations

import os

import pytest

from tests.drill.lost_writes import (
    postgresql_loses_nothing,
    sqlite_loses_at_most_a_second,
)
from workflow.backup.tools import tool
from workflow.errors import BadInput


def _needs_server() -> None:
    if not os.environ.get("SANDENG_TEST_POSTGRESQL"):
        pytest.skip("needs PostgreSQL: set SANDENG_TEST_POSTGRESQL")
    try:
        tool("pg_receivewal")
    except BadInput as missing:
        pytest.skip(f"needs PostgreSQL's tools: {missing}")


def test_a_deleted_embedded_database_loses_at_most_a_second_and_says_so() -> None:
    loss = sqlite_loses_at_most_a_second(300)
    assert loss.restored > 0
    assert loss.seconds <= 1.0
    assert "最多1秒" in loss.said


@pytest.mark.postgresql
@pytest.mark.slow
def test_a_deleted_server_with_synchronous_receiving_loses_nothing_and_its_backup_starts() -> None:
    _needs_server()
    assert postgresql_loses_nothing(100).lost == 0
