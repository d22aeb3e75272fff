"""Code lists changed while the platform runs (办法5): the release's dictionary with the amendments decided, by their days of validity.

A retired code keeps its meaning for facts before its day; nothing is ever taken out of a list.
"""

from __future__ import annotations

import functools
import hashlib
from dataclasses import replace
from datetime import date, timedelta
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from workflow.errors import BadInput
from workflow.registry.dictionary import Code, CodeList, Dictionary, put_in_force, released
from workflow.registry.models import CODE_AMENDMENT

KINDS = ("add", "retire", "rename")


class AmendedCode(NamedTuple):
    """One amendment: of which list, what happens to which code, from which day."""

    codes: str
    kind: str
    code: str
    label: str
    from_on: date


def standing(session: Session) -> tuple[AmendedCode, ...]:
    """Every amendment decided, in order."""
    columns = [CODE_AMENDMENT.c[name] for name in AmendedCode._fields]
    return tuple(AmendedCode._make(row) for row in session.execute(select(*columns).order_by(CODE_AMENDMENT.c.id)))


@functools.lru_cache(8)
def amended(amendments: tuple[AmendedCode, ...]) -> Dictionary:
    """The release's dictionary with these amendments. Raises BadInput for one that does not fit."""
    words = released()
    for one in amendments:
        words = with_amendment(words, one)
    return words


def with_amendment(words: Dictionary, one: AmendedCode) -> Dictionary:
    """A dictionary with one more amendment. Raises BadInput saying why it does not fit."""
    codes = words.codes[one.codes]
    there = codes.by_code.get(one.code)
    _prove(codes, there, one)
    items = [item for item in codes.items if item.code != one.code]
    place = len(items) if there is None else codes.items.index(there)
    items.insert(place, _changed(there, one))
    digest = hashlib.sha256(f"{words.amended}\0{one}".encode()).hexdigest()
    return replace(words, codes=words.codes | {codes.name: replace(codes, items=tuple(items))}, amended=digest)


def _prove(codes: CodeList, there: Code | None, one: AmendedCode) -> None:
    if one.kind == "add" and there is not None:
        raise BadInput(f"代码表“{codes.title}”已有代码 {one.code}（{there.label}）")
    if one.kind != "add" and there is None:
        raise BadInput(f"代码表“{codes.title}”没有代码 {one.code}")
    if one.kind == "retire" and there is not None and there.valid_to is not None:
        raise BadInput(f"代码 {one.code}（{there.label}）已于 {there.valid_to} 停用")
    same = codes.by_label.get(one.label)
    if one.kind != "retire" and same is not None and same.code != one.code and same.valid_to is None:
        raise BadInput(f"名称“{one.label}”已用于代码 {same.code}")


def _changed(there: Code | None, one: AmendedCode) -> Code:
    if there is None:
        return Code(one.code, one.label, valid_from=one.from_on)
    if one.kind == "retire":
        return replace(there, valid_to=one.from_on - timedelta(1))
    return replace(there, label=one.label)


def adopt(session: Session) -> Dictionary:
    """From now on this process speaks the dictionary as amended; one that no longer fits a release is left out."""
    words = released()
    for one in standing(session):
        try:
            words = with_amendment(words, one)
        except (BadInput, KeyError):
            continue
    words = _kept(words)
    put_in_force(words if words.amended else None)
    return words


_known: dict[str, Dictionary] = {}


def _kept(words: Dictionary) -> Dictionary:
    """The same object for the same amendments, so that what was compiled for it is found again."""
    if len(_known) > 8:
        _known.clear()
    return _known.setdefault(words.amended, words)
