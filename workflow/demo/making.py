"""`sandeng demo make`: a city as import files with the truth beside them. Files only; deterministic for its arguments."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from workflow.demo.city import CitySize, bundles
from workflow.demo.errors.mechanism import Truth
from workflow.demo.files import FORMATS, write_city
from workflow.demo.spoiling import Spoiler
from workflow.errors import BadInput

TRUTH_HEADER = ("rule", "dataset", "key")


def make_files(size: CitySize, error_rate: float, folder: Path, file_format: str = "xlsx") -> dict[str, Any]:
    """Write one file per data set and truth.csv. Returns the counts; `error_rate` is errors per person.

    Raises BadInput for a rate outside 0–1, an unknown format, or too few people for the units.
    """
    if not 0 <= error_rate <= 1:
        raise BadInput(f"错误率应在 0 与 1 之间，不能是 {error_rate}")
    if file_format not in FORMATS:
        raise BadInput(f"文件格式只能是 {'、'.join(FORMATS)}")
    spoiler = Spoiler(size, error_rate)
    counts = write_city(spoiler.spoil(bundles(size)), folder, file_format)
    write_truth(spoiler.truths, folder / "truth.csv")
    kinds = len({spoiled.error for spoiled in spoiler.done})
    return {
        "rows": counts,
        "on": size.on,
        "errors": len(spoiler.done),
        "error_kinds": kinds,
        "truths": len(spoiler.truths),
    }


def write_truth(truths: Iterable[Truth], path: Path) -> None:
    """The findings that the check must make, sorted."""
    with path.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(TRUTH_HEADER)
        writer.writerows(sorted(truths))
