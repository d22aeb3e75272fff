"""Cells into stored values, column by column, with every fault told by row and column. Knows keys and references, not what is stored.

Equal cells are converted once: a cache per column, emptied when it grows, makes most of 9 million cells one look-up each.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import date
from typing import Any

from workflow.registry.dictionary import DataSet, Field, dictionary
from workflow.registry.importing.header import Header
from workflow.registry.importing.reader import Chunk
from workflow.registry.origin import RowError
from workflow.registry.values import BadValue, Converter, clip, converter

Numbered = list[tuple[int, list[Any]]]  # row number in the file, values
CACHE_LIMIT = 12_000
ERROR_LIMIT = 1000  # kept; the rest is counted
_CACHED_TYPES = frozenset((str, type(None), date))


class Pending(str):
    """The key of a record that the same file brings."""

    __slots__ = ()


class Faults:
    """The errors of one file: the first ones kept, all counted, the rows that have any remembered."""

    def __init__(self) -> None:
        self.kept: list[RowError] = []
        self.count = 0
        self.rows: set[int] = set()

    def add(self, error: RowError) -> None:
        """One more error."""
        self.count += 1
        self.rows.add(error.row)
        if len(self.kept) < ERROR_LIMIT:
            self.kept.append(error)

    def tell(self, number: int, f: Field, cell: Any, fault: BadValue) -> None:
        """The error of a cell; an ID number is never told."""
        value = "" if f.type == "id" or cell is None else clip(cell_text(cell))
        self.add(RowError(number, f.name, f.label, value, fault.rule, f"第 {number} 行「{f.label}」{fault.says}"))


def cell_text(cell: Any) -> str:
    """A cell as its owner sees it."""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


class _Cache(dict[Any, Any]):
    """Cell → value; a cell that was not met before is converted on the way."""

    def __init__(self, convert: Converter) -> None:
        super().__init__()
        self.convert = convert

    def __missing__(self, cell: Any) -> Any:
        value = self[cell] = self.convert(cell)
        return value


class Parser:
    """Parses the chunks of one file of one data set."""

    def __init__(self, dataset: DataSet, header: Header, keys: Mapping[str, Mapping[str, int]], faults: Faults) -> None:
        """`keys`: data set → key → id, for every data set that a column refers to."""
        self.dataset, self.header, self.faults = dataset, header, faults
        self.fields = [f for _, f in header.columns]
        self.names = [f.name for f in self.fields]
        self.pending: dict[str, list[int]] = defaultdict(list)  # key → rows that name it
        self.seen: dict[Any, int] = {}  # key or identity → its row
        self.keys = keys
        self.rows = 0  # rows with content so far
        self.caches = [_Cache(self._converter(f)) for f in self.fields]

    def _converter(self, f: Field) -> Converter:
        plain = converter(f)
        if f.type != "ref" or f.ref is None:
            return plain
        ids, own, title = self.keys[f.ref], f.ref == self.dataset.name, dictionary()[f.ref].title

        def resolve(cell: Any) -> int | Pending | None:
            key = plain(cell)
            if key is None:
                return None
            if key in ids:
                return ids[key]
            if own:
                return Pending(key)
            raise BadValue("unknown_reference", f"“{clip(key)}”不存在，须为已有{title}的编码")

        return resolve

    def parse(self, chunk: Chunk) -> tuple[list[int], list[list[Any]]]:
        """Row numbers and rows of values in the order of `names`; rows with faults are left out."""
        self._check_blank(chunk)
        cells = list(zip(*chunk.rows, strict=True))
        columns = [self._column(i, cells[place], chunk.numbers) for i, (place, _) in enumerate(self.header.columns)]
        numbered = [
            (number, list(row))
            for number, row in zip(chunk.numbers, zip(*columns, strict=True), strict=True)
            if row.count(None) < len(row) or number in self.faults.rows  # blanks only: no row
        ]
        self.rows += len(numbered)
        self._check_keys(numbered)
        self._remember_pending(numbered)
        good = [(number, row) for number, row in numbered if number not in self.faults.rows]
        return [number for number, _ in good], [row for _, row in good]

    def _column(self, i: int, cells: tuple[Any, ...], numbers: list[int]) -> list[Any]:
        cache = self.caches[i]
        if len(cache) > CACHE_LIMIT:
            cache.clear()
        if _CACHED_TYPES.issuperset(map(type, cells)):
            try:
                return [cache[cell] for cell in cells]
            except BadValue:
                pass  # below, cell by cell, so that every fault of the column is told
        return [self._cell(i, cell, number) for cell, number in zip(cells, numbers, strict=True)]

    def _cell(self, i: int, cell: Any, number: int) -> Any:
        try:
            return self.caches[i].convert(cell)
        except BadValue as fault:
            self.faults.tell(number, self.fields[i], cell, fault)
            return None

    def _check_blank(self, chunk: Chunk) -> None:
        """Cells below an empty header belong to nothing."""
        for place in self.header.blank:
            for number, row in zip(chunk.numbers, chunk.rows, strict=True):
                if row[place] not in ("", None):
                    says = f"第 {number} 行第 {place + 1} 列有内容，但第 1 行没有表头"
                    self.faults.add(RowError(number, "", "", clip(str(row[place])), "header", says))
                    break

    def _check_keys(self, numbered: Numbered) -> None:
        """No key twice in a file; without key, no identity twice; without either, no row."""
        key_at = self.names.index(self.dataset.key) if self.dataset.key in self.names else None
        whole = [self.names.index(n) for n in self.dataset.identity if n in self.names]
        identity = whole if whole and len(whole) == len(self.dataset.identity) else None
        for number, row in numbered:
            key: Any = row[key_at] if key_at is not None else None
            if key is None:
                if identity is None or not self.dataset.key_pattern:
                    if number not in self.faults.rows:
                        self._fault_key(number, "", "key_missing", "不能为空")
                    continue
                key = tuple([row[i] for i in identity])
                if None in key:
                    continue  # told when the row is compared with what is stored
            first = self.seen.setdefault(key, number)
            if first != number:
                told = key if isinstance(key, str) else ""
                what = f"“{clip(told)}”与第 {first} 行重复" if told else f"为空，而所填内容与第 {first} 行是同一条记录"
                self._fault_key(number, told, "duplicate_key", what)

    def _fault_key(self, number: int, value: str, rule: str, says: str) -> None:
        f = self.dataset.fields[self.dataset.key]
        self.faults.add(RowError(number, f.name, f.label, clip(value), rule, f"第 {number} 行「{f.label}」{says}"))

    def _remember_pending(self, numbered: Numbered) -> None:
        for place, f in enumerate(self.fields):
            if f.type == "ref" and f.ref == self.dataset.name:
                for number, row in numbered:
                    if isinstance(row[place], Pending):
                        self.pending[row[place]].append(number)

    def check_pending(self) -> None:
        """After the last chunk: a key that is neither stored nor in the file is an unknown reference."""
        f = next((f for f in self.fields if f.type == "ref" and f.ref == self.dataset.name), None)
        for key, numbers in self.pending.items():
            if f and key not in self.seen:
                for number in numbers:
                    says = f"“{clip(key)}”不存在，库中和本文件中都没有此编码"
                    self.faults.tell(number, f, key, BadValue("unknown_reference", says))
