"""An independent judge: the same rule texts, evaluated row by row in Python with three-valued logic. No SQL, none of the compiler's code.

Unknown is None. Shares with the compiler only the parser (sqlglot) and the definitions.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlglot import exp

from tests.quality.judge_words import FUNCTIONS, Coded, label_path, raw, tree
from workflow.quality.rulebook import Measure, Rule, RuleBook
from workflow.registry.dictionary import Dictionary, Field
from workflow.registry.tables import ID_FACTS, USCC_FACTS

Row = dict[str, Any]
Finding = tuple[str, str, int, str]  # rule id, data set, record id, part
FACT_COLUMNS = {label: column for facts in (ID_FACTS, USCC_FACTS) for column, (label, _) in facts.items()}


@dataclass
class World:
    """All living and removed rows by data set and id, as the tables hold them, and the day."""

    words: Dictionary
    book: RuleBook
    today: int
    rows: dict[str, dict[int, Row]]
    figures: dict[tuple[str, str], dict[tuple[int, str], Any]] = field(default_factory=dict)

    def living(self, dataset: str) -> Iterator[Row]:
        """The rows that are not removed."""
        return (row for row in self.rows[dataset].values() if row["removed_on"] is None)

    def judge(self) -> set[Finding]:
        """Every finding of every rule."""
        return {found for rule in self.book.rules for found in self.judge_rule(rule)}

    def judge_rule(self, rule: Rule) -> set[Finding]:
        """The findings of one rule."""
        shape = "field" if rule.by_field else "per" if rule.per else rule.shape
        parts: dict[str, Callable[[Rule], Iterator[tuple[int, str]]]] = {
            "field": self._fields, "per": self._parts, "must": self._must,
            "unique": self._unique, "none": self._other, "some": self._other,
            "no_matter": self._no_matter,
        }  # fmt: skip
        return {(rule.id, rule.dataset, record, part) for record, part in parts[shape](rule)}

    def _applies(self, rule: Rule, row: Row, part: Any = None) -> bool:
        return rule.when is None or self.ask(rule.when, rule.dataset, row, part=part, rule=rule) is True

    def _must(self, rule: Rule) -> Iterator[tuple[int, str]]:
        for row in self.living(rule.dataset):
            if self._applies(rule, row) and self.ask(rule.must or "", rule.dataset, row, rule=rule) is False:
                yield row["id"], ""

    def _no_matter(self, _rule: Rule) -> Iterator[tuple[int, str]]:
        """Nothing: a world of records has no cases."""
        return iter(())

    def _parts(self, rule: Rule) -> Iterator[tuple[int, str]]:
        texts = " ".join(filter(None, (rule.when, rule.must, rule.message)))
        divided = [
            m for m in self.book.measures.values() if m.of == rule.dataset and m.per == rule.per and m.name in texts
        ]
        first = next(m for m in self.book.measures.values() if m.of == rule.dataset and m.per == rule.per)
        codes = self._field(first.source, str(first.part)).codes or ""
        known = {key for m in divided if self._mentions(rule, m.name) for key in self.figure(m)}
        for row in self.living(rule.dataset):
            for anchor, part in known:
                if anchor == row["id"]:
                    coded = Coded(codes, part)
                    if (
                        self._applies(rule, row, coded)
                        and self.ask(rule.must or "", rule.dataset, row, part=coded, rule=rule) is False
                    ):
                        yield row["id"], part

    def _mentions(self, rule: Rule, name: str) -> bool:
        labels = set(re.findall(r"\{([^{}]*)\}", rule.message))
        for text in filter(None, (rule.when, rule.must)):
            labels |= {column.name for column in tree(text).find_all(exp.Column)}
        return name in labels

    def _fields(self, rule: Rule) -> Iterator[tuple[int, str]]:
        for row in self.living(rule.dataset):
            if not self._applies(rule, row):
                continue
            for f in self.words[rule.dataset].fields.values():
                if self._wrong(rule, row, f):
                    yield row["id"], f.name

    def _wrong(self, rule: Rule, row: Row, f: Field) -> bool:
        value = row[f"{f.name}_hash" if f.type == "id" else f.column]
        if rule.shape == "required":
            empty = value is None or (value == "" and f.type in ("text", "longtext", "uscc"))
            if f.derived or not empty:
                return False
            return f.required or bool(
                f.required_when and self.ask(f.required_when, rule.dataset, row, rule=rule) is True
            )
        if rule.shape in ("codes", "codes_retired"):
            return f.type == "code" and value is not None and self._code_wrong(rule.shape, f, value)
        kinds = ("text", "longtext", "uscc") if rule.each == "text" else (rule.each,)
        covered = f.type in kinds if isinstance(rule.each, str) else f.label in (rule.each or ())
        return covered and self.ask(rule.must or "", rule.dataset, row, value=f, rule=rule) is False

    def _code_wrong(self, shape: str, f: Field, value: str) -> bool:
        known = {item.code: item for item in self.words.codes_of(f).items}
        if value not in known:
            return shape == "codes"
        on = date(self.today // 10000, self.today // 100 % 100, self.today % 100)
        if shape == "codes":
            return known[value].valid_from is not None and known[value].valid_from > on
        return known[value].valid_to is not None and known[value].valid_to < on

    def _unique(self, rule: Rule) -> Iterator[tuple[int, str]]:
        groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
        for row in self.living(rule.dataset):
            key = tuple(raw(self.look((label,), rule.dataset, row)) for label in rule.unique)
            if None not in key and self._applies(rule, row):
                groups[key].append(row)
        for group in groups.values():
            told = (
                {raw(self.look(label_path(rule.differs), rule.dataset, row)) for row in group} - {None}
                if rule.differs
                else set()
            )
            if len(group) > 1 and (not rule.differs or len(told) > 1):
                yield from ((row["id"], "") for row in group)

    def _other(self, rule: Rule) -> Iterator[tuple[int, str]]:
        other = rule.other
        assert other is not None
        there = set()
        for row in self.living(other.of):
            if other.where is None or self.ask(other.where, other.of, row) is True:
                there.add(tuple(raw(self.look((theirs,), other.of, row)) for _, theirs in other.on))
        for row in self.living(rule.dataset):
            mine = tuple(raw(self.look((label,), rule.dataset, row)) for label, _ in other.on)
            if None not in mine and self._applies(rule, row) and (mine in there) == (rule.shape == "none"):
                yield row["id"], ""

    def figure(self, measure: Measure) -> dict[tuple[int, str], Any]:
        """(anchor, part) → figure, for the anchors that have any row."""
        key = (measure.of, measure.name)
        if key not in self.figures:
            self.figures[key] = self._before(measure) if measure.fold == "previous" else self._folded(measure)
        return self.figures[key]

    def _folded(self, measure: Measure) -> dict[tuple[int, str], Any]:
        values: dict[tuple[int, str], list[Any]] = defaultdict(list)
        for row in self.living(measure.source):
            anchor = self.look(label_path(measure.by), measure.source, row)
            part = raw(self.evaluate(tree(measure.part), measure.source, row)) if measure.part else ""
            if (
                anchor is None
                or part is None
                or (measure.where and self.ask(measure.where, measure.source, row) is not True)
            ):
                continue
            value = 1 if measure.value is None else self.ask(measure.value, measure.source, row)
            values[anchor, part].append(value)
        fold = {"count": len, "sum": lambda v: sum(x or 0 for x in v)}.get(measure.fold)
        fold = fold or (
            lambda v: {"min": min, "max": max}[measure.fold](filter(lambda x: x is not None, v), default=None)
        )
        return {key: fold(found) for key, found in values.items()}

    def _before(self, measure: Measure) -> dict[tuple[int, str], Any]:
        lines: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
        for row in self.living(measure.source):
            keys = tuple(raw(self.look((label,), measure.source, row)) for label in measure.keys)
            if keys[0] is not None and (measure.where is None or self.ask(measure.where, measure.source, row) is True):
                lines[keys].append(row)
        made: dict[tuple[int, str], Any] = {}
        for line in lines.values():
            line.sort(key=lambda row: ([(v is None, v or 0) if not isinstance(v, str) else (False, v) for v in (
                raw(self.look((label,), measure.source, row)) for label in measure.order)], row["id"]))  # fmt: skip
            previous = 0
            for row in line:
                made[row["id"], ""] = previous
                previous = self.ask(measure.value or "", measure.source, row)
        return made

    def ask(self, text: str, dataset: str, row: Row, **around: Any) -> Any:
        """What a text gives for a row: True, False, a number, a text, or None for unknown."""
        return raw(self.evaluate(tree(text), dataset, row, **around))

    def evaluate(self, node: exp.Expression, dataset: str, row: Row, **around: Any) -> Any:
        """The value of a tree for a row."""
        return Evaluation(self, dataset, row, around).value(node)

    def look(self, path: tuple[str, ...], dataset: str, row: Row | None, **around: Any) -> Any:
        """A dotted label's value: codes as Coded, references as ids, figures computed."""
        label, rest = path[0], path[1:]
        f = self.words[dataset].by_label.get(label)
        if f is not None and f.type == "ref" and rest:
            target = None if row is None or row[f.column] is None else self.rows[f.ref or ""].get(row[f.column])
            return self.look(rest, f.ref or "", None if target is None or target["removed_on"] else target)
        found = self._own(label, f, dataset, row)
        if not rest:
            return found
        item = self.words.codes[found.list].by_code.get(found.code or "")
        return None if item is None else item.attrs.get(rest[0])

    def _own(self, label: str, f: Field | None, dataset: str, row: Row | None) -> Any:
        measure = self.book.measures.get((dataset, label))
        if measure is not None:
            found = None if row is None else self.figure(measure).get((row["id"], ""))
            return found or 0 if measure.fold in ("count", "sum", "previous") else found
        if f is not None:
            value = None if row is None else row[f"{f.name}_hash" if f.type == "id" else f.column]
            return (
                Coded(f.codes or "", value)
                if f.type == "code"
                else bool(value)
                if f.type == "bool" and value is not None
                else value
            )
        if row is None:
            return None
        if label == "本记录":
            return row["id"]
        if label == "首录人员":
            return row["first_entered_by"]
        if label == "首录日期":
            return row["首录日期"]
        value = row[FACT_COLUMNS[label]]
        return value if label == "身份证号形式" or value is None else bool(value)

    def _field(self, dataset: str, label: str) -> Field:
        return self.words[dataset].by_label[label.split(".")[0]]


@dataclass
class Evaluation:
    """One text over one row; `around` may hold the part of a per-part rule and the field that 值 stands for."""

    world: World
    dataset: str
    row: Row
    around: dict[str, Any]

    def value(self, node: exp.Expression) -> Any:
        """The value of a node; None is unknown."""
        return getattr(self, f"_{type(node).__name__.lower()}")(node)

    def _column(self, node: exp.Column) -> Any:
        path = tuple(part.name for part in node.parts)
        rule, part = self.around.get("rule"), self.around.get("part")
        if path == ("检查日",):
            return self.world.today
        if path == ("检查月",):
            return self.world.today // 100
        if path == ("值",):
            return self.world._own(self.around["value"].label, self.around["value"], self.dataset, self.row)
        if rule is not None and part is not None and path[0] == rule.per:
            return part if len(path) == 1 else self._attribute(part, path[1])
        measure = self.world.book.measures.get((self.dataset, path[0]))
        if measure is not None and measure.per:
            found = self.world.figure(measure).get((self.row["id"], part.code))
            return found or 0 if measure.fold in ("count", "sum") else found
        return self.world.look(path, self.dataset, self.row)

    def _attribute(self, coded: Coded, name: str) -> Any:
        item = self.world.words.codes[coded.list].by_code.get(coded.code or "")
        return None if item is None else item.attrs.get(name)

    def _literal(self, node: exp.Literal) -> Any:
        return node.name if node.args["is_string"] else int(node.name)

    def _boolean(self, node: exp.Boolean) -> Any:
        return bool(node.this)

    def _null(self, node: exp.Null) -> Any:
        return None

    def _paren(self, node: exp.Paren) -> Any:
        return self.value(node.this)

    def _and(self, node: exp.And) -> Any:
        sides = (self.value(node.this), self.value(node.args["expression"]))
        return False if False in sides else None if None in sides else True

    def _or(self, node: exp.Or) -> Any:
        sides = (self.value(node.this), self.value(node.args["expression"]))
        return True if True in sides else None if None in sides else False

    def _not(self, node: exp.Not) -> Any:
        inner = self.value(node.this)
        return None if inner is None else not inner

    def _is(self, node: exp.Is) -> Any:
        return raw(self.value(node.this)) is None

    def _pair(self, node: exp.Expression) -> tuple[Any, Any]:
        left, right = self.value(node.this), self.value(node.args["expression"])
        return self._match(left, right), self._match(right, left)

    def _match(self, mine: Any, other: Any) -> Any:
        """A side of a comparison: a text beside a code is that code's label; beside a day an ISO date."""
        if isinstance(mine, Coded) and isinstance(other, str):
            item = self.world.words.codes[mine.list].by_code.get(mine.code or "")
            return None if mine.code is None else item.label if item else "\0"
        if isinstance(mine, str) and isinstance(other, int) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", mine):
            return int(mine.replace("-", ""))
        return raw(mine)

    def _compare(self, node: exp.Expression, test: Callable[[Any, Any], bool]) -> Any:
        left, right = self._pair(node)
        return None if left is None or right is None else test(left, right)

    def _eq(self, node: exp.EQ) -> Any:
        return self._compare(node, lambda a, b: a == b)

    def _neq(self, node: exp.NEQ) -> Any:
        return self._compare(node, lambda a, b: a != b)

    def _lt(self, node: exp.LT) -> Any:
        return self._compare(node, lambda a, b: a < b)

    def _lte(self, node: exp.LTE) -> Any:
        return self._compare(node, lambda a, b: a <= b)

    def _gt(self, node: exp.GT) -> Any:
        return self._compare(node, lambda a, b: a > b)

    def _gte(self, node: exp.GTE) -> Any:
        return self._compare(node, lambda a, b: a >= b)

    def _in(self, node: exp.In) -> Any:
        left = self.value(node.this)
        members = [self.value(one) for one in node.expressions]
        mine = self._match(left, members[0])
        told = [self._match(m, left) for m in members]
        return None if mine is None else True if mine in told else None if None in told else False

    def _between(self, node: exp.Between) -> Any:
        mine, low, high = (raw(self.value(n)) for n in (node.this, node.args["low"], node.args["high"]))
        sides = (None if None in (mine, low) else mine >= low, None if None in (mine, high) else mine <= high)
        return False if False in sides else None if None in sides else True

    def _add(self, node: exp.Add) -> Any:
        left, right = self._pair(node)
        return None if None in (left, right) else left + right

    def _sub(self, node: exp.Sub) -> Any:
        left, right = self._pair(node)
        return None if None in (left, right) else left - right

    def _mul(self, node: exp.Mul) -> Any:
        left, right = self._pair(node)
        return None if None in (left, right) else left * right

    def _neg(self, node: exp.Neg) -> Any:
        inner = self.value(node.this)
        return None if inner is None else -inner

    def _case(self, node: exp.Case) -> Any:
        for branch in node.args["ifs"]:
            if self.value(branch.this) is True:
                return self.value(branch.args["true"])
        default = node.args.get("default")
        return None if default is None else self.value(default)

    def _coalesce(self, node: exp.Coalesce) -> Any:
        found = [self.value(one) for one in (node.this, *node.expressions)]
        return next((one for one in found if raw(one) is not None), None)

    def _nullif(self, node: exp.Nullif) -> Any:
        left, right = self._pair(node)
        return None if left == right else self.value(node.this)

    def _length(self, node: exp.Length) -> Any:
        inner = self.value(node.this)
        return None if inner is None else len(inner)

    def _abs(self, node: exp.Abs) -> Any:
        inner = self.value(node.this)
        return None if inner is None else abs(inner)

    def _anonymous(self, node: exp.Anonymous) -> Any:
        arguments = [self.value(one) for one in node.expressions]
        if node.name == "属于":
            return self._belongs(arguments[0], arguments[1:])
        values = [raw(one) for one in arguments]
        if node.name in ("整除", "余") and values[1] == 0:
            return None
        return None if None in values else FUNCTIONS[node.name](*values)

    def _belongs(self, coded: Coded, labels: list[str]) -> Any:
        items = self.world.words.codes[coded.list].by_code
        if coded.code is None:
            return None
        at = items.get(coded.code)
        while at is not None:
            if at.label in labels:
                return True
            at = items.get(at.parent or "")
        return False
