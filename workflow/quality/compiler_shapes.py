"""The shapes of a rule: what has to hold of a row, of its fields, of a group that shares keys, of records of another data set."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from workflow.quality.compiler_frame import Frame, name
from workflow.quality.compiler_rule import CompiledRule, root_sql
from workflow.quality.compiler_terms import Refusal, Term
from workflow.quality.compiler_text import condition, label_path
from workflow.quality.field_rules import covered_fields, wrong_fields
from workflow.quality.vocabulary import quote


def add_shape(compiled: CompiledRule, frame: Frame) -> None:
    """Add a rule's tests, joins and groups to what is compiled of it so far. Raises Refusal."""
    shape = _by_field if compiled.rule.by_field else SHAPES[compiled.rule.shape]
    shape(compiled, frame)


def _must(compiled: CompiledRule, frame: Frame) -> None:
    compiled.tests.append(f"NOT {condition(compiled.rule.must or '', frame)}")


def _by_field(compiled: CompiledRule, frame: Frame) -> None:
    wrong = wrong_fields(compiled.rule, frame)
    if not wrong:
        compiled.tests.append("1 = 0")
        wrong = {covered.name: "1 = 0" for covered in covered_fields(compiled.rule, frame)} or {"": "1 = 0"}
    fields = " UNION ALL ".join(f"SELECT {quote(one)} AS part" for one in wrong)
    whens = " ".join(f"WHEN {quote(one)} THEN {test}" for one, test in wrong.items())
    compiled.tests += [f"({' OR '.join(wrong.values())})", f"CASE v.part {whens} END"]
    compiled.joins.append(f"CROSS JOIN ({fields}) v")


def _unique(compiled: CompiledRule, frame: Frame) -> None:
    """Every record of a group that shares all keys (and, with differs, has two values of it) fails.

    Whoever shares a key at all is found first, from an index alone; the group is then looked at for these only.
    """
    rule, source = compiled.rule, name(compiled.rule.dataset)
    twin = Frame(frame.dictionary, rule.dataset, frame.dialect, alias="o")
    inner = Frame(frame.dictionary, rule.dataset, frame.dialect, alias="i")
    keys = [_own_label(label) for label in rule.unique]
    mine, theirs = [inner.resolve(key) for key in keys], [twin.resolve(key) for key in keys]
    frame.read_labels.update(keys)
    tests = ["o.removed_on IS NULL", *([condition(rule.when, twin)] if rule.when else [])]
    differs = twin.resolve(label_path(rule.differs)).sql if rule.differs else None
    frame.read_labels.update(twin.read_labels)
    having = "COUNT(*) > 1" + (f" AND COUNT(DISTINCT {differs}) > 1" if differs else "")
    plus = "+" if frame.dialect == "sqlite" and any(term.kind == "id" for term in mine) else ""
    equal = " AND ".join(
        f"{m.sql} = {plus if t.kind != 'id' else ''}{t.sql}" for m, t in zip(mine, theirs, strict=True)
    )
    compiled.groups = lambda among: (
        f"(SELECT i.id AS id, COUNT(*) AS n FROM {root_sql(rule.dataset, frame.dialect, among, 'i', compiled.marked)}"
        f" JOIN {source} o ON {equal} {twin.join_sql()} WHERE {' AND '.join(tests)} GROUP BY i.id HAVING {having}) g"
    )
    sharp = ", ".join(term.sql for term in _indexed(theirs))
    sharing = f"SELECT {sharp} FROM {source} o GROUP BY {sharp} HAVING COUNT(*) > 1"
    _suspect(compiled, f"{source} o WHERE ({sharp}) IN ({sharing})")
    same = " AND ".join(f"x.{term.sql.removeprefix('o.')} = {term.sql}" for term in _indexed(theirs))
    few = root_sql(rule.dataset, frame.dialect, "scope", "o")
    compiled.before_scoped = _suspects(compiled, f"{few} JOIN {source} x ON {same} AND x.id <> o.id")


def _indexed(keys: list[Term]) -> list[Term]:
    """The keys that an index holds together: an ID number alone, a unit with a day; else all of them."""
    numbers = [key for key in keys if key.kind == "id"]
    pair = [key for kind in ("ref", "date") for key in keys if key.kind == kind]
    return numbers or (pair if len(pair) == 2 else keys)


def _suspect(compiled: CompiledRule, source: str) -> None:
    """Let the records of a FROM, under the alias o, be the rule's suspects."""
    compiled.mark = f"|{hashlib.sha256(source.encode()).hexdigest()[:8]}|"
    compiled.before = _suspects(compiled, source)


def _suspects(compiled: CompiledRule, source: str) -> str:
    return f"SELECT DISTINCT '{compiled.rule.dataset}' AS dataset, o.id AS record_id, {compiled.marked} AS marks FROM {source}"


def _own_label(label: str) -> tuple[str, ...]:
    """A key that records are matched by: the increment finds its old values, so it has to be the record's own."""
    path = label_path(label)
    if len(path) > 1:
        raise Refusal("用于比对的应是记录自己的标签")
    return path


def _other(compiled: CompiledRule, frame: Frame) -> None:
    """`none`: fails where a matching record exists; `some`: where none does. A missing key of mine never fails."""
    other = compiled.rule.other
    assert other is not None
    if other.of not in frame.dictionary.datasets:
        raise Refusal(f"没有数据集 {other.of}", list(frame.dictionary.datasets))
    there = Frame(frame.dictionary, other.of, frame.dialect, alias="o")
    tests = ["o.removed_on IS NULL"]
    for mine, theirs in other.on:
        left, right = frame.resolve(_own_label(mine)), there.resolve(_own_label(theirs))
        if left.kind != right.kind or left.of != right.of:
            raise Refusal(f"“{mine}”与“{theirs}”不是同一类")
        tests.append(f"{right.sql} = {left.sql}")
        compiled.tests.append(f"{left.sql} IS NOT NULL")
    if other.where:
        tests.append(condition(other.where, there))
    exists = f"EXISTS (SELECT 1 FROM {name(other.of)} o {there.join_sql()} WHERE {' AND '.join(tests)})"
    compiled.tests.append(exists if compiled.rule.shape == "none" else f"NOT {exists}")
    if compiled.rule.shape == "none":
        back = Frame(frame.dictionary, compiled.rule.dataset, frame.dialect, alias="o")
        twin = Frame(frame.dictionary, other.of, frame.dialect, alias="x")
        pairs = [f"{back.resolve((m,)).sql} = {twin.resolve((t,)).sql}" for m, t in other.on]
        _suspect(compiled, f"{name(compiled.rule.dataset)} o JOIN {name(other.of)} x ON {' AND '.join(pairs)}")
    compiled.other_reads = frozenset(there.read_labels)
    compiled.other_reads_today = there.read_today


def _no_matter(compiled: CompiledRule, frame: Frame) -> None:
    """A unit fails once for each of its cases that stands in the state; the case's id is the part."""
    matter = compiled.rule.matter
    assert matter is not None
    here = f"mt.process = {quote(matter.process)} AND mt.state = {quote(matter.state)}"
    compiled.joins.append(f"JOIN case_file mt ON mt.unit_id = t.id AND {here}")


SHAPES: dict[str, Callable[[CompiledRule, Frame], None]] = {
    "must": _must,
    "unique": _unique,
    "none": _other,
    "some": _other,
    "no_matter": _no_matter,
}
