"""The front-end files that are not ours are exactly those of VENDORED.md, byte for byte, with their licences."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ["web/static/vendor", "tests/browser/vendor"]


def listed(folder: Path) -> dict[str, str]:
    """File name to SHA-256, as the table of VENDORED.md says."""
    rows = [line.strip("| ").split(" | ") for line in (folder / "VENDORED.md").read_text().splitlines()]
    return {row[0]: row[4] for row in rows if len(row) == 5 and len(row[4]) == 64}


def present(folder: Path) -> dict[str, str]:
    """File name to SHA-256, as the folder has them; licences and the table itself left out."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "VENDORED.md")
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if not path.name.startswith(("LICENSE", "NOTICE"))
    }


@pytest.mark.parametrize("folder", FOLDERS)
def test_vendored_files_are_those_of_the_table(folder: str) -> None:
    assert listed(ROOT / folder)
    assert present(ROOT / folder) == listed(ROOT / folder)


@pytest.mark.parametrize("folder", FOLDERS)
def test_each_vendored_package_brings_its_licence(folder: str) -> None:
    packages = [path for path in (ROOT / folder).iterdir() if path.is_dir()]
    assert packages
    assert [path.name for path in packages if not (path / "LICENSE").is_file()] == []
