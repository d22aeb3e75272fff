"""A rule to SQL: one SELECT per rule and data set that yields the records which break it, with the facts for its message.

A rule fails where `when` is true and `must` is false; unknown (NULL) never fails. Removed records are out of every rule.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from workflow.quality.compiler_frame import Frame, measure_alias, name, shown_path
from workflow.quality.compiler_measures import Families, Family, families, rows_column
from workflow.quality.compiler_rule import CompiledRule, root_sql
from workflow.quality.compiler_shapes import add_shape
from workflow.quality.compiler_terms import Refusal, Term
from workflow.quality.compiler_text import conjuncts, express, label_path
from workflow.quality.field_rules import covered_fields
from workflow.quality.rulebook import Rule, RuleBook
from workflow.quality.vocabulary import quote

REPEATED = "重复数"


@dataclass
class CompiledBook:
    """Every rule of a book compiled for one engine, and the measure families that they join."""

    book: RuleBook
    dialect: str
    rules: dict[tuple[str, str], CompiledRule]
    families: Families

    def families_of(self, rules: Iterable[CompiledRule], extra: Iterable[Family] = ()) -> list[Family]:
        """The measure tables that some rules need, each once."""
        read = (self.families[m.of, m.name] for rule in rules for m in rule.measures.values())
        return list({family.table: family for family in (*read, *extra)}.values())


def compile_book(book: RuleBook, dialect: str, like: CompiledBook | None = None) -> CompiledBook:
    """All rules of a book for one engine; those that it shares with `like`, a book of the same measures and dictionary, are
    taken from there. Raises DefinitionError for the first text that cannot be compiled."""
    made = like.families if like else families_of_book(book, dialect)
    known = {each.rule: each for each in like.rules.values()} if like else {}
    rules = {rule.key: known.get(rule) or compile_rule(rule, book, dialect, made) for rule in book.rules}
    return CompiledBook(book, dialect, rules, made)


def families_of_book(book: RuleBook, dialect: str) -> Families:
    """The measure families of a book. Raises DefinitionError naming the measure."""
    try:
        return families(book.measures.values(), book.dictionary, dialect)
    except Refusal:
        for measure in book.measures.values():
            try:
                families([measure], book.dictionary, dialect)
            except Refusal as refusal:
                text = "；".join(filter(None, (measure.by, measure.where, measure.value)))
                raise refusal.in_definition("measures.yaml", measure.name, text) from None
        raise


def compile_rule(rule: Rule, book: RuleBook, dialect: str, made: Families | None = None) -> CompiledRule:
    """One rule for one engine. Raises DefinitionError naming file, rule, text and the known names."""
    if made is None:
        made = families_of_book(book, dialect)
    try:
        return _compile(rule, book, dialect, made)
    except Refusal as refusal:
        raise refusal.in_definition(rule.file, f"{rule.id} {rule.dataset}", rule.text) from None


def _compile(rule: Rule, book: RuleBook, dialect: str, made: Families) -> CompiledRule:
    frame = Frame(book.dictionary, rule.dataset, dialect, measures=book.measures)
    if rule.per:
        _divide(rule, frame, book)
    compiled = CompiledRule(rule, dialect, "", [], ["t.removed_on IS NULL"], mark=f"|{rule.id}|")
    if rule.when:
        compiled.tests += conjuncts(rule.when, frame)
    add_shape(compiled, frame)
    compiled.reads_today |= frame.read_today
    compiled.head = f"SELECT {', '.join(_columns(rule, frame))}"
    parts = [_known_parts(frame, made, rule)] if rule.per else []
    compiled.joins = [*parts, *all_joins(frame, made).values(), *compiled.joins]
    compiled.measures, compiled.reads = frame.read_measures, frozenset(frame.read_labels)
    compiled.referred = _referred(frame, made)
    if not (rule.per or compiled.groups or rule.other or rule.matter):
        compiled.suspicion = compiled.tests[1:-1] if rule.by_field else compiled.tests[1:]
        compiled.scan_joins = all_joins(frame, made)
        compiled.telling = "" if rule.by_field else _telling(compiled, book, made)
    return compiled


def _telling(compiled: CompiledRule, book: RuleBook, made: Families) -> str:
    rule, dialect = compiled.rule, compiled.dialect
    shown = Frame(book.dictionary, rule.dataset, dialect, measures=book.measures)
    _columns(rule, shown)
    joins = " ".join(all_joins(shown, made).values())
    return f"FROM {root_sql(rule.dataset, dialect, 'suspects', 't', compiled.marked)} {joins}"


def _divide(rule: Rule, frame: Frame, book: RuleBook) -> None:
    """Let the rule read its part under its name, as the coded value that the first measure by that part has."""
    having = [m for m in book.measures.values() if m.of == rule.dataset and m.per == rule.per]
    if not having:
        raise Refusal(f"没有按“{rule.per}”分列的指标", sorted({m.per for m in book.measures.values() if m.per}))
    term = express(having[0].part or "", Frame(frame.dictionary, having[0].source, frame.dialect))
    frame.part = (rule.per or "", Term("pt.part", term.kind, term.of))


def _known_parts(frame: Frame, made: Families, rule: Rule) -> str:
    divided = [m for m in frame.read_measures.values() if m.per]
    if not divided:
        raise Refusal(f"写了 per: {rule.per}，却没有用到按它分列的指标")
    selects = [f"SELECT anchor, part FROM {made[m.of, m.name].table} WHERE {name(rows_column(m))} > 0" for m in divided]
    return f"JOIN ({' UNION '.join(selects)}) pt ON pt.anchor = t.id"


def _referred(frame: Frame, made: Families) -> list[str]:
    """Statements that add to `measured` the records whose figures the records in `scope` read through a reference."""
    statements = []
    for (path, _), measure in frame.read_measures.items():
        if path:
            column = f"t.{name(frame.dictionary[frame.dataset].by_label[path[0]].column)}"
            table = made[measure.of, measure.name].table
            statements.append(
                f"INSERT INTO measured (family, record_id) SELECT DISTINCT '{table}', {column}"
                f" FROM {root_sql(frame.dataset, frame.dialect, 'scope')} WHERE {column} IS NOT NULL ON CONFLICT DO NOTHING"
            )
    return statements


def all_joins(frame: Frame, made: Families) -> dict[str, str]:
    """Alias → join, for everything that a frame's texts read; sorted, each finds its left side before it."""
    joins = {frame.alias_of(path): join for path, join in frame.joins.items()}
    for (path, _), measure in frame.read_measures.items():
        holder = frame.alias_of(path)
        alias = measure_alias(measure, holder)
        part = f" AND {alias}.part = pt.part" if measure.per else ""
        table = made[measure.of, measure.name].table
        joins[alias] = f"LEFT JOIN {table} {alias} ON {alias}.anchor = {holder}.id{part}"
    return dict(sorted(joins.items()))


def _columns(rule: Rule, frame: Frame) -> list[str]:
    dataset = frame.dictionary[rule.dataset]
    unit = (
        "t.id"
        if dataset.name == "unit"
        else f"COALESCE(t.{name(dataset.fields[dataset.unit].column)}, 0)"
        if dataset.unit
        else "0"
    )
    part = _part_sql(rule)
    shown = quote(dataset.by_label[rule.field].name) if rule.field in dataset.by_label else "''"
    return [
        quote(rule.id),
        quote(rule.dataset),
        "t.id",
        part,
        unit,
        f"t.{name(dataset.key)}",
        quote(rule.level),
        "v.part" if rule.by_field else shown,
        facts_sql(rule, frame),
        "t.batch_id",
    ]


def _part_sql(rule: Rule) -> str:
    if rule.matter:
        return "CAST(mt.id AS TEXT)"
    return "v.part" if rule.by_field else "pt.part" if rule.per else "''"


def facts_sql(rule: Rule, frame: Frame) -> str:
    """The values that the message shows, label → raw value, as one JSON object."""
    pairs: list[str] = []
    labels = dict.fromkeys([*rule.placeholders, *([rule.field] if rule.field else [])])
    for label in labels:
        term = _fact(rule, label, frame)
        if term is not None:
            sql = f"CAST({term.sql} AS INTEGER)" if term.kind == "bool" else term.sql
            pairs.append(f"{quote(label)}, {sql}")
    function = "JSON_OBJECT" if frame.dialect == "sqlite" else "JSONB_BUILD_OBJECT"
    return f"{function}({', '.join(pairs)})"


def _fact(rule: Rule, label: str, frame: Frame) -> Term | None:
    if (label == "字段" and rule.by_field) or label == rule.per:
        return None
    if label == "值" and rule.by_field:
        whens = " ".join(
            f"WHEN {quote(f.name)} THEN CAST({frame.of(f).sql} AS TEXT)" for f in covered_fields(rule, frame)
        )
        return Term(f"CASE v.part {whens} END", "text")
    if rule.matter and label in dict(rule.matter.tells):
        return Term(f"(mt.data ->> {quote(dict(rule.matter.tells)[label])})", "text")
    if label == REPEATED and rule.shape == "unique":
        return Term("g.n", "int")
    term = frame.resolve(shown_path(frame.dictionary, rule.dataset, label_path(label)))
    if term.kind == "id":
        if label == rule.field and label not in rule.placeholders:
            return None
        raise Refusal("证件号码不得写入提示")
    return term
