"""A chain of a few hundred entries, the platform's signer, and anchors taken on the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from workflow.audit.seal import Signer


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory of its own, so that the keys are the test's."""
    folder = tmp_path / "var"
    folder.mkdir()
    monkeypatch.setenv("SANDENG_DATA_DIR", str(folder))
    return folder


@pytest.fixture
def signer(data_dir: Path) -> Signer:
    """The key that signs anchors and checkpoints."""
    return Signer(data_dir)
