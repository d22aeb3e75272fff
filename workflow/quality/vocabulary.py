"""The functions that rule texts may call: signatures and one SQL body per engine, read from definitions/rules/vocabulary.yaml."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from workflow.errors import DefinitionError
from workflow.registry.dictionary import DEFINITIONS

DIALECTS = ("sqlite", "postgresql")
KINDS = ("date", "month", "int", "text", "bool", "code")
_BLANKS = "' ' || {tab} || {nbsp} || {wide} || {lf} || {cr}"
_CHARACTERS = {"tab": 9, "nbsp": 0xA0, "wide": 0x3000, "lf": 10, "cr": 13}


@dataclass(frozen=True)
class Function:
    """One function: its arguments as (name, kind), what it gives, and its body per engine."""

    name: str
    takes: tuple[tuple[str, str], ...]
    gives: str
    bodies: dict[str, str]
    says: str = ""

    def sql(self, dialect: str, arguments: list[str]) -> str:
        """The call as SQL; arguments are SQL texts in order."""
        given = dict(zip((name for name, _ in self.takes), arguments, strict=True))
        return self.bodies[dialect].format(**given, blanks=_blanks(dialect))


@dataclass(frozen=True)
class Vocabulary:
    """All functions and the named character classes of one release."""

    functions: dict[str, Function]
    classes: dict[str, str]


@functools.cache
def vocabulary(folder: Path = DEFINITIONS) -> Vocabulary:
    """The vocabulary of this release. Raises DefinitionError for a body that is missing or names an unknown argument."""
    path = folder / "rules" / "vocabulary.yaml"
    raw = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    functions = {name: _function(path.name, name, spec) for name, spec in raw["functions"].items()}
    return Vocabulary(functions, raw["classes"])


def _function(file: str, name: str, spec: dict[str, Any]) -> Function:
    takes = tuple((one.split()[0], one.split()[1]) for one in spec["takes"])
    unknown = {kind for _, kind in takes} | {spec["gives"]}
    if unknown - set(KINDS):
        raise DefinitionError(f"未知的类别 {unknown - set(KINDS)}", file=file, row=name, known=list(KINDS))
    made = Function(name, takes, spec["gives"], _bodies(file, name, spec), spec.get("says", ""))
    for dialect in DIALECTS:
        try:
            made.sql(dialect, ["x"] * len(takes))
        except (KeyError, IndexError) as error:
            raise DefinitionError(f"{dialect} 写法引用了未知的参数 {error}", file=file, row=name) from None
    return made


def _bodies(file: str, name: str, spec: dict[str, Any]) -> dict[str, str]:
    if "weighted" in spec:
        return {dialect: _weighted(dialect, **spec["weighted"]) for dialect in DIALECTS}
    bodies = {dialect: spec.get(dialect, spec.get("body")) for dialect in DIALECTS}
    missing = [dialect for dialect, body in bodies.items() if not body]
    if missing:
        raise DefinitionError(f"缺少写法 {missing}", file=file, row=name)
    return {dialect: str(body) for dialect, body in bodies.items()}


def _weighted(
    dialect: str, alphabet: str, first: int, weights: list[int], modulus: int, check: int, digits: str
) -> str:
    """A check digit as SQL: NULL where the 18 characters are not all of the alphabet, else whether the digit agrees."""
    position = "INSTR" if dialect == "sqlite" else "STRPOS"
    terms = [f"({position}('{alphabet}', SUBSTR({{x}}, {first + i}, 1)) - 1) * {w}" for i, w in enumerate(weights)]
    total = " + ".join(terms)
    wanted = f"SUBSTR('{digits}', ({modulus} - ({total}) % {modulus}) % {modulus} + 1, 1)"
    if dialect == "sqlite":
        form = f"LENGTH({{x}}) = 18 AND {{x}} NOT GLOB '*[^{alphabet}]*'"
    else:
        form = f"{{x}} ~ '^[{alphabet}]{{{{18}}}}$'"
    return f"(CASE WHEN {form} THEN SUBSTR({{x}}, {check}, 1) = {wanted} END)"


def _blanks(dialect: str) -> str:
    character = "CHAR" if dialect == "sqlite" else "CHR"
    return _BLANKS.format(**{name: f"{character}({number})" for name, number in _CHARACTERS.items()})


def glob_sql(dialect: str, subject: str, pattern: str) -> str:
    """A GLOB test (* ? and [..]) of a SQL text against a literal pattern."""
    if dialect == "sqlite":
        return f"{subject} GLOB {quote(pattern)}"
    if "[" not in pattern:
        escaped = pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        return f"{subject} LIKE {quote(escaped.replace('*', '%').replace('?', '_'))}"
    return f"{subject} ~ {quote('^' + regex_of_glob(pattern) + '$')}"


def class_sql(dialect: str, subject: str, contents: str) -> str:
    """Whether a SQL text holds at least one character of a class."""
    if dialect == "sqlite":
        return f"{subject} GLOB {quote(f'*[{contents}]*')}"
    return f"{subject} ~ {quote(f'[{contents}]')}"


def regex_of_glob(pattern: str) -> str:
    """A GLOB pattern as a regular expression without anchors."""
    made, i = "", 0
    while i < len(pattern):
        if pattern[i] == "[":
            end = pattern.index("]", i + 2)
            made, i = made + pattern[i : end + 1], end
        else:
            made += {"*": ".*", "?": "."}.get(pattern[i], _escaped(pattern[i]))
        i += 1
    return made


def _escaped(character: str) -> str:
    return f"\\{character}" if character in ".^$+{}()|\\]" else character


def quote(text: str) -> str:
    """A text literal of SQL, with the colon kept from being read as a bind."""
    return "'" + text.replace("'", "''").replace(":", "\\:") + "'"
