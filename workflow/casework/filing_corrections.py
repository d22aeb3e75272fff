"""Safe corrections of what was typed (办法6 智能填报、自动修正): proposals with their rule, taken over only when the person says so. Pure functions."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from workflow.access.crypto import mask_id
from workflow.registry.dictionary import DEFINITIONS, DataSet, Field, dictionary
from workflow.registry.identity import STANDARD, id_facts, id_form

_WIDE = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}
_YEAR = re.compile(r"[\[\(（【﹝［{〈]\s*([12][0-9]{3})\s*[\]\)）】﹞］}〉]")
_BETWEEN_HAN = re.compile(r"(?<=[\u4e00-\u9fff])[ \u3000\u00a0]+(?=[\u4e00-\u9fff])")
_SPACES = re.compile(r"[\s\u3000\u00a0]+")
CODED = ("date", "month", "int", "id", "uscc")


@dataclass(frozen=True)
class Proposal:
    """One value that a rule would write otherwise: `was` and `becomes` as the form holds them, `shown` as a page may show it."""

    field: str
    label: str
    rule: str
    title: str
    was: str
    becomes: str
    shown: str


@functools.cache
def table() -> dict[str, Any]:
    """definitions/corrections.yaml."""
    loaded: dict[str, Any] = yaml.load(
        (DEFINITIONS / "corrections.yaml").read_text(encoding="utf-8"), Loader=yaml.CSafeLoader
    )
    return loaded


def title_of(rule: str) -> str:
    """The title of a correction rule."""
    return str(table()["rules"][rule]["title"]) if rule in table()["rules"] else rule


def proposals(
    dataset: DataSet,
    texts: Mapping[str, str],
    held: Mapping[str, str],
    *,
    kind: str = "",
    basis: Mapping[str, str] | None = None,
) -> list[Proposal]:
    """What the rules would write otherwise. `texts`: what was typed, ID number in full; `held`: what the record holds; `basis`: doc_no, fact_on."""
    found: dict[str, Proposal] = {}
    for name, text in texts.items():
        f = dataset.fields.get(name)
        written = _written(f, text) if f and text else None
        if f and written:
            found[name] = _proposal(f, written[0], text, written[1])
    for name, value in _from_id(dataset, texts, held):
        found.setdefault(name, _proposal(dataset.fields[name], "from_id", texts.get(name, held.get(name, "")), value))
    for name, source in table()["from_basis"].get(kind, {}).items():
        value = (basis or {}).get(source, "")
        if value and name in dataset.fields and not texts.get(name) and not held.get(name):
            found.setdefault(name, _proposal(dataset.fields[name], "from_basis", "", value))
    return list(found.values())


def corrected_number(text: str) -> str:
    """A basis document number as it should be written: half-width digits, no spaces, 〔year〕."""
    return _YEAR.sub(r"〔\1〕", _SPACES.sub("", text.translate(_WIDE)))


def _proposal(f: Field, rule: str, was: str, becomes: str) -> Proposal:
    shown = mask_id(becomes) if f.type == "id" else becomes
    if f.type == "code":
        shown = dictionary().codes_of(f).label(becomes)
    return Proposal(f.name, f.label, rule, title_of(rule), mask_id(was) if f.type == "id" else was, becomes, shown)


def _written(f: Field, text: str) -> tuple[str, str] | None:
    """The rule and the better writing of one text; the last rule that changed it gives its name."""
    rule, better = "", text
    for name, way in _ways(f):
        changed = way(better)
        if changed != better:
            rule, better = name, changed
    return (rule, better) if rule else None


def _ways(f: Field) -> Iterator[tuple[str, Callable[[str], str]]]:
    numbered = f.name in table()["document_numbers"]
    if f.type in CODED or numbered or f.name == "phone":
        yield "full_width", lambda text: text.translate(_WIDE)
        yield "spaces", lambda text: _SPACES.sub("", text)
    elif f.type in ("text", "code"):
        yield "spaces", lambda text: _BETWEEN_HAN.sub("", text.strip())
    if numbered:
        yield "brackets", lambda text: _YEAR.sub(r"〔\1〕", text)
    if f.type == "code":
        yield "synonyms", functools.partial(_synonym, f)


def _synonym(f: Field, text: str) -> str:
    codes = dictionary().codes_of(f)
    label = table()["synonyms"].get(f.codes, {}).get(text)
    return codes.by_label[label].code if label in codes.by_label and text not in codes.by_label else text


def _from_id(dataset: DataSet, texts: Mapping[str, str], held: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Birth date and sex as the ID number tells them, where the number is sound and no file says otherwise."""
    number = next((texts[f.name] for f in dataset.fields.values() if f.type == "id" and texts.get(f.name)), "")
    number = _SPACES.sub("", number.translate(_WIDE)).upper()
    if not number or id_form(number) != STANDARD:
        return
    facts = id_facts(number, None, None, 99991231)
    if not (facts.id_checksum_ok and facts.id_birth_valid):
        return
    birth = f"{number[6:10]}-{number[10:12]}-{number[12:14]}"
    archived = texts.get("archive_birth_date", held.get("archive_birth_date", ""))
    for name, value in (("birth_date", "" if archived else birth), ("sex", "1" if number[16] in "13579" else "2")):
        f = dataset.fields.get(name)
        told = texts.get(name, held.get(name, ""))
        if f and value and told not in (value, dictionary().codes_of(f).label(value) if f.type == "code" else value):
            yield name, value
