"""Invented rows for every data set of the dictionary: many empty fields, edge dates, odd texts, shared numbers. Seeded, written raw."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert, select, text

from workflow.access.crypto import field_cipher
from workflow.clock import SHANGHAI
from workflow.db import ymd
from workflow.registry.dictionary import Dictionary, Field
from workflow.registry.tables import ID_FACTS, TABLES, USCC_FACTS

ORDER = (
    "unit",
    "inner_org",
    "person",
    "position",
    "ledger",
    "leader_quota",
    "contract_quota",
    "contract",
    "school",
    "hospital",
)
TEXTS = (
    "王小明", "王 小明", " 李四", "阿卜杜·热西提", "测试", "无", "-", "111", "Ａ１２", "ABC", "张三2", "甬编〔2020〕5号", "甬编[2020]5号",
    "甬编办〔20a0〕1号", "〔2019〕", "甬〔〔2021〕3号", "第一中学", "宁波市海曙区财政局", "街道办事处", "", "　全角", "涉密文印", "财务出纳", "O'Neil", "a%b_c", "x:y",
)  # fmt: skip
CODES = (
    "11330200002980014M",
    "12330200419500012Y",
    "12100000400002259P",
    "12100000470095016Q",
    "91330100799655058B",
    "1133020000298001IM",
    "113302",
    "",
)
MOMENTS = (date(2025, 11, 30), date(2026, 2, 28), date(2026, 3, 2))


def fill(connection: Connection, words: Dictionary, today: date, *, rows: int, seed: int) -> Maker:
    """Insert `rows` people and proportional numbers of everything else; the maker goes on from there."""
    maker = Maker(words, today, random.Random(seed))
    for dataset in ORDER:
        count = {"unit": rows // 8, "inner_org": rows // 6, "school": rows // 10, "hospital": rows // 10}.get(
            dataset, rows
        )
        made = [maker.row(dataset, i) for i in range(1, count + 1)]
        columns = TABLES[dataset].c.keys()
        connection.execute(insert(TABLES[dataset]), [{c: row.get(c) for c in columns} for row in made])
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT setval(pg_get_serial_sequence(:t, 'id'), :n)"), {"t": dataset, "n": count})
    return maker


class Maker:
    """Makes rows; references point at rows with lower ids and at other data sets that came before."""

    def __init__(self, words: Dictionary, today: date, chance: random.Random) -> None:
        self.words, self.today, self.chance = words, today, chance
        self.ids: dict[str, int] = {}
        self.cipher = field_cipher()

    def row(self, dataset: str, i: int) -> dict[str, Any]:
        """One row under id i, as its columns take it."""
        self.ids[dataset] = i
        chance = self.chance
        row: dict[str, Any] = {
            "id": i, "version": 1, "first_entered_by": chance.choice(["clerk", "reviewer"]), "batch_id": chance.choice([None, 7]),
            "first_entered_at": moment(chance), "changed_at": moment(chance),
            "removed_on": self.today if chance.random() < 0.05 else None,
        }  # fmt: skip
        for f in self.words[dataset].fields.values():
            row |= self.field(f, dataset, i)
        return row

    def field(self, f: Field, dataset: str, i: int) -> dict[str, Any]:
        """The columns of one field."""
        if f.name == self.words[dataset].key:
            return {f.column: f"{dataset[:3].upper()}{i:06d}"}
        if self.chance.random() < (0.1 if f.required else 0.3):
            return {}
        if f.type == "id":
            sealed, digest = self.cipher.seal(number := self.number()), self.cipher.digest(number)
            return {f"{f.name}_hash": digest, f.column: sealed, **self._facts(ID_FACTS)}
        if f.type == "uscc":
            return {f.column: self.chance.choice(CODES), **self._facts(USCC_FACTS)}
        return {f.column: self.value(f, dataset, i)}

    def number(self) -> str:
        """One of a few numbers that look like ID numbers, so that many are shared."""
        return f"3302031985061{self.chance.randrange(60):04d}X"

    def _facts(self, facts: dict[str, Any]) -> dict[str, Any]:
        flags = {column: self.chance.choice([True, True, False, None]) for column in facts}
        return flags | (
            {"id_form": self.chance.choice(["规范", "规范", "规范", "十五位", "长度不符", None])}
            if "id_form" in facts
            else {}
        )

    def value(self, f: Field, dataset: str, i: int) -> Any:
        """A value of the field's type."""
        chance = self.chance
        match f.type:
            case "code":
                items = self.words.codes_of(f).items
                return (
                    "?9" if chance.random() < 0.01 else chance.choice(items[: chance.choice([3, 8, len(items)])]).code
                )
            case "ref":
                highest = self.ids.get(f.ref or "", 0) - (1 if f.ref == dataset else 0)
                return chance.randint(1, min(highest, chance.choice([5, 40, highest]))) if highest > 0 else None
            case "date":
                return ymd(self._day())
            case "month":
                return ymd(self._day()) // 100
            case "int":
                return chance.choice([-1, 0, 0, 1, 1, 2, 3, 5, 12, 40, 600])
            case "bool":
                return chance.choice([True, False])
        return chance.choice(TEXTS)[: f.length or 200]

    def _day(self) -> date:
        near = self.chance.random()
        if near < 0.25:
            return self.today + timedelta(
                days=self.chance.choice([-365, -183, -92, -31, -30, -7, -1, 0, 1, 6, 30, 31, 365])
            )
        if near < 0.35:
            return self.chance.choice(
                [
                    date(2024, 2, 29),
                    date(1956, 3, 2),
                    date(2008, 2, 29),
                    date(1899, 12, 31),
                    date(2010, 3, 2),
                    date(2008, 3, 1),
                ]
            )
        return date(1955, 1, 1) + timedelta(days=self.chance.randrange(26000))


def moment(chance: random.Random) -> Any:
    """A moment of first entry around midnight in Shanghai, aware UTC."""
    day = chance.choice(MOMENTS)
    return datetime(day.year, day.month, day.day, chance.choice([1, 15, 16, 23]), chance.choice([0, 59]), 1, tzinfo=UTC)


def rows_of(connection: Connection, words: Dictionary) -> dict[str, dict[int, dict[str, Any]]]:
    """Every data set's rows by id as the judge reads them: integers for dates, bytes for digests, the Shanghai day of entry."""
    made: dict[str, dict[int, dict[str, Any]]] = {}
    for dataset in words.datasets:
        made[dataset] = {}
        for found in connection.execute(select(TABLES[dataset])).mappings():
            row = {k: ymd(v) if isinstance(v, date) and not hasattr(v, "hour") else v for k, v in found.items()}
            row["首录日期"] = ymd(found["first_entered_at"].astimezone(SHANGHAI).date())
            made[dataset][row["id"]] = row
    return made
