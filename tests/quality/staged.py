"""Example rows of tests/quality/examples/*.yaml into the tables: labels → values as in a file become stored values, ids given by hand."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import Connection, insert

from tests.quality.invent import ORDER
from workflow.registry.dictionary import DataSet, Dictionary, Field
from workflow.registry.tables import ID_FACTS, TABLES, USCC_FACTS

FACTS = {label: column for facts in (ID_FACTS, USCC_FACTS) for column, (label, _) in facts.items()}
YES_NO = {"是": True, "否": False, True: True, False: False}
ENTERED = dt.datetime(2026, 3, 1, 1, 0, tzinfo=dt.UTC)
EXAMPLES = Path(__file__).parent / "examples"


def examples(group: str) -> dict[str, dict[str, dict[str, Any]]]:
    """Rule id → data set → {passes, fails, empty, today?, fails_part?, fails_key?} of one group of rules."""
    loaded: dict[str, dict[str, dict[str, Any]]] = yaml.load(
        (EXAMPLES / f"{group}.yaml").read_text(encoding="utf-8"), yaml.CSafeLoader
    )
    return loaded


def stage(connection: Connection, words: Dictionary, dataset: str, rows: Mapping[str, Any]) -> None:
    """Insert the rows of one example: a single record of the rule's data set, or lists of records per data set."""
    several = any(isinstance(value, list) for value in rows.values())
    sets: dict[str, list[dict[str, Any]]] = dict(rows) if several else {dataset: [dict(rows)]}
    keys: dict[tuple[str, str], int] = {}
    numbered: dict[str, list[tuple[int, dict[str, Any]]]] = {}
    for name, records in sets.items():
        for record in records:
            number = len(keys) + 1
            key = str(record.get(words[name].fields[words[name].key].label, f"{name}-{number}"))
            keys[name, key] = number
            numbered.setdefault(name, []).append((number, record))
    for name in ORDER:
        for number, record in numbered.get(name, ()):
            connection.execute(insert(TABLES[name]), [_row(words, words[name], record, number, keys)])


def _row(
    words: Dictionary, dataset: DataSet, record: dict[str, Any], number: int, keys: dict[tuple[str, str], int]
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": number, "version": 1, "first_entered_by": "examples", "first_entered_at": ENTERED, "changed_at": ENTERED,
        dataset.fields[dataset.key].column: f"{dataset.name}-{number}",
    }  # fmt: skip
    for label, value in record.items():
        if label in FACTS:
            row[FACTS[label]] = YES_NO.get(value, value)
        else:
            row |= _stored(words, dataset.by_label[label], value, keys)
    return row


def _stored(words: Dictionary, f: Field, value: Any, keys: dict[tuple[str, str], int]) -> dict[str, Any]:
    match f.type:
        case "code":
            known = words.codes_of(f).by_label
            return {f.column: known[str(value)].code if str(value) in known else str(value)}
        case "date" | "month":
            return {f.column: int(str(value).replace("-", ""))}
        case "int":
            return {f.column: int(value)}
        case "bool":
            return {f.column: YES_NO[value]}
        case "ref":
            return {f.column: keys[f.ref or "", str(value)]}
        case "id":
            return {f.column: b"sealed", f"{f.name}_hash": hashlib.sha256(str(value).encode()).digest()}
    return {f.column: str(value)}
