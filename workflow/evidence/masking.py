"""What leaves the platform shows no ID number in the clear, whoever typed it where; names of kept files on disk stay inside. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from workflow.access.crypto import mask_id

_MONTH_DAY = r"(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
_NUMBER = re.compile(  # eighteen characters with a birth date of 1800 to 2099, or fifteen (GB 11643-1999), whole words only
    rf"(?<![0-9A-Za-z])[1-9]\d{{5}}(?:(?:18|19|20)\d{{2}}{_MONTH_DAY}\d{{3}}[\dXx]|\d{{2}}{_MONTH_DAY}\d{{3}})(?![0-9A-Za-z])"
)
KEPT_AS = "file"  # under which name an upload lies on disk


def masked(value: Any) -> Any:
    """The value with every ID number masked in texts and keys, and without the names of uploads on disk."""
    if isinstance(value, str):
        return _NUMBER.sub(lambda found: mask_id(found.group()), value)
    if isinstance(value, Mapping):
        upload = "sha256" in value and KEPT_AS in value
        return {masked(name): masked(part) for name, part in value.items() if not (upload and name == KEPT_AS)}
    if isinstance(value, list | tuple):
        return [masked(part) for part in value]
    return value


def masked_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of a step, masked; what a judgement rested on is left out where a mask would change it."""
    shown = masked({name: part for name, part in facts.items() if name != "read"})
    if "read" in facts:
        read = facts["read"].items()
        shown["read"] = {guard: one if masked(one) == one else {"version": one["version"]} for guard, one in read}
    return dict(shown)
