"""Rule text to SQL: parsed by sqlglot, admitted node by node from an allow-list, written by hand per engine. Anything else is refused."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from workflow.quality.compiler_frame import Frame
from workflow.quality.compiler_terms import (
    KIND_NAMES,
    Refusal,
    Term,
    check_comparable,
    codes_of,
    family_of,
    list_sql,
    settle,
    unify,
)
from workflow.quality.vocabulary import class_sql, glob_sql, quote, vocabulary

COMPARISONS: dict[type, str] = {exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">="}
ARITHMETIC: dict[type, str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*"}
ARGUMENTS = {
    "this", "expression", "expressions", "ifs", "default", "low", "high", "is_string", "table", "db", "catalog",
}  # fmt: skip
SPECIAL = ("形如", "含字符", "属于", "代码")


@functools.lru_cache(4096)
def parse(text: str) -> exp.Expression:
    """A rule text as a tree; read behind SELECT, since bare text may be taken for a command. Raises Refusal."""
    try:
        tree = sqlglot.parse_one(f"SELECT {text}")
    except SqlglotError as error:
        raise Refusal(f"读不懂（{str(error).splitlines()[0][:80]}）") from None
    if (
        not isinstance(tree, exp.Select)
        or len(tree.expressions) != 1
        or {k for k, v in tree.args.items() if v} - {"expressions", "kind"}
    ):
        raise Refusal("应是一个表达式")
    made = tree.expressions[0]
    assert isinstance(made, exp.Expression)
    return made


def condition(text: str, frame: Frame) -> str:
    """A text that says yes or no, as SQL. Raises Refusal where it is not a condition."""
    term = express(text, frame)
    if term.kind != "bool":
        raise Refusal(f"应是判断，却是{KIND_NAMES[term.kind]}")
    return term.sql


def conjuncts(text: str, frame: Frame) -> list[str]:
    """A condition as the conditions that all have to hold, in order. Raises Refusal like `condition`."""
    waiting, made = [parse(text)], []
    while waiting:
        node = waiting.pop()
        if isinstance(node, exp.And):
            waiting += [node.args["expression"], node.this]
        elif isinstance(node, exp.Paren) and isinstance(node.this, exp.And):
            waiting.append(node.this)
        else:
            made.append(_yes_no(node, frame))
    return made


def number(text: str, frame: Frame) -> Term:
    """A text that gives a number or a day, as SQL. Raises Refusal for anything else."""
    term = express(text, frame)
    if not term.number:
        raise Refusal(f"应是数值或日期，却是{KIND_NAMES[term.kind]}")
    return term


def express(text: str, frame: Frame) -> Term:
    """A text as a typed piece of SQL over a frame. Raises Refusal with the reason and the known names."""
    return _translate(parse(text), frame)


def label_path(text: str) -> tuple[str, ...]:
    """A dotted label as its parts. Raises Refusal where the text is anything else."""
    node = parse(text)
    if not isinstance(node, exp.Column):
        raise Refusal("应是一个标签")
    return tuple(part.name for part in node.parts)


def _translate(node: exp.Expression, frame: Frame) -> Term:
    rule = RULES.get(type(node))
    further = {name for name, value in node.args.items() if value} - ARGUMENTS
    if rule and further:
        raise Refusal(f"不允许 {type(node).__name__} 带 {sorted(further)}")
    if rule is None:
        raise Refusal(f"不允许 {type(node).__name__}", [cls.__name__ for cls in RULES])
    return rule(node, frame)


def _column(node: exp.Expression, frame: Frame) -> Term:
    assert isinstance(node, exp.Column)
    return frame.resolve(tuple(part.name for part in node.parts))


def _literal(node: exp.Expression, frame: Frame) -> Term:
    if node.args["is_string"]:
        return Term(quote(node.name), "literal", value=node.name)
    if not node.name.isdigit():
        raise Refusal(f"数“{node.name}”应是整数")
    return Term(node.name, "int", value=int(node.name))


def _boolean(node: exp.Expression, frame: Frame) -> Term:
    return Term("TRUE" if node.this else "FALSE", "bool")


def _null(node: exp.Expression, frame: Frame) -> Term:
    return Term("NULL", "null")


def _paren(node: exp.Expression, frame: Frame) -> Term:
    inner = _translate(node.this, frame)
    return replace(inner, sql=f"({inner.sql})")


def _logic(word: str) -> Callable[[exp.Expression, Frame], Term]:
    def both(node: exp.Expression, frame: Frame) -> Term:
        left, right = _yes_no(node.this, frame), _yes_no(node.args["expression"], frame)
        return Term(f"({left} {word} {right})", "bool")

    return both


def _not(node: exp.Expression, frame: Frame) -> Term:
    inner = node.this
    if isinstance(inner, exp.Is):
        return Term(f"({_translate(inner.this, frame).sql} IS NOT NULL)", "bool")
    return Term(f"(NOT {_yes_no(inner, frame)})", "bool")


def _yes_no(node: exp.Expression, frame: Frame) -> str:
    term = _translate(node, frame)
    if term.kind != "bool":
        raise Refusal(f"“{node.sql()}”应是判断，却是{KIND_NAMES[term.kind]}")
    return term.sql


def _is(node: exp.Expression, frame: Frame) -> Term:
    if not isinstance(node.args["expression"], exp.Null):
        raise Refusal("IS 之后只能是 NULL 或 NOT NULL")
    return Term(f"({_translate(node.this, frame).sql} IS NULL)", "bool")


def _comparison(node: exp.Expression, frame: Frame) -> Term:
    sign = COMPARISONS[type(node)]
    left, right = _translate(node.this, frame), _translate(node.args["expression"], frame)
    if left.kind == "literal" and right.kind == "code":
        left, right = right, left
    if left.kind == "code" and right.kind == "literal":
        return _among(left, [right], frame, negated=sign == "<>", ordered=sign not in ("=", "<>"))
    left, right = settle(left, right), settle(right, left)
    check_comparable(left, right, ordered=sign not in ("=", "<>"))
    return Term(f"({left.sql} {sign} {right.sql})", "bool")


def _among(left: Term, literals: list[Term], frame: Frame, *, negated: bool = False, ordered: bool = False) -> Term:
    if ordered:
        raise Refusal("代码不能比较大小，请用代码的属性")
    codes = tuple(dict.fromkeys(c for one in literals for c in codes_of(frame.dictionary, left.of, str(one.value))))
    if len(codes) == 1:
        return Term(f"({left.sql} {'<>' if negated else '='} {quote(codes[0])})", "bool")
    return Term(f"({left.sql} {'NOT IN' if negated else 'IN'} {list_sql(codes)})", "bool")


def _in(node: exp.Expression, frame: Frame) -> Term:
    if not node.expressions:
        raise Refusal("IN 之后应是常量列表")
    left = _translate(node.this, frame)
    members = [_translate(one, frame) for one in node.expressions]
    if left.kind == "code" and all(m.kind == "literal" for m in members):
        return _among(left, members, frame)
    members = [settle(m, left) for m in members]
    for member in members:
        check_comparable(left, member, ordered=False)
    return Term(f"({left.sql} IN ({', '.join(m.sql for m in members)}))", "bool")


def _between(node: exp.Expression, frame: Frame) -> Term:
    left = _translate(node.this, frame)
    low, high = (settle(_translate(node.args[side], frame), left) for side in ("low", "high"))
    check_comparable(left, low, ordered=True)
    check_comparable(left, high, ordered=True)
    return Term(f"({left.sql} BETWEEN {low.sql} AND {high.sql})", "bool")


def _arithmetic(node: exp.Expression, frame: Frame) -> Term:
    left, right = _translate(node.this, frame), _translate(node.args["expression"], frame)
    if not (left.number and right.number):
        raise Refusal(f"{KIND_NAMES[left.kind]}与{KIND_NAMES[right.kind]}不能相加减乘")
    multiplied = isinstance(node, exp.Mul)
    if "month" in (left.kind, right.kind) and not multiplied:
        raise Refusal("年月不能直接加减，请用 加月(…)")
    kind = "date" if "date" in (left.kind, right.kind) and left.kind != right.kind and not multiplied else "int"
    return Term(f"({left.sql} {ARITHMETIC[type(node)]} {right.sql})", kind)


def _negative(node: exp.Expression, frame: Frame) -> Term:
    inner = _translate(node.this, frame)
    if inner.kind != "int":
        raise Refusal("负号之后应是整数")
    return Term(f"(-{inner.sql})", "int")


def _case(node: exp.Expression, frame: Frame) -> Term:
    if node.args.get("this") is not None:
        raise Refusal("请写 CASE WHEN 判断 THEN …")
    whens = [_yes_no(branch.this, frame) for branch in node.args["ifs"]]
    results = [_translate(branch.args["true"], frame) for branch in node.args["ifs"]]
    default = node.args.get("default")
    ended = _translate(default, frame) if default is not None else Term("NULL", "null")
    (*results, ended), kind, of = unify([*results, ended])
    body = " ".join(f"WHEN {w} THEN {r.sql}" for w, r in zip(whens, results, strict=True))
    return Term(f"(CASE {body} ELSE {ended.sql} END)", kind, of)


def _coalesce(node: exp.Expression, frame: Frame) -> Term:
    terms, kind, of = unify([_translate(one, frame) for one in (node.this, *node.expressions)])
    return Term(f"COALESCE({', '.join(t.sql for t in terms)})", kind, of)


def _nullif(node: exp.Expression, frame: Frame) -> Term:
    left, right = _translate(node.this, frame), _translate(node.args["expression"], frame)
    right = settle(right, left)
    check_comparable(left, right, ordered=False)
    return replace(left, sql=f"NULLIF({left.sql}, {right.sql})", value=None)


def _length(node: exp.Expression, frame: Frame) -> Term:
    inner = _text(_translate(node.this, frame))
    return Term(f"LENGTH({inner.sql})", "int")


def _absolute(node: exp.Expression, frame: Frame) -> Term:
    inner = _translate(node.this, frame)
    if not inner.number:
        raise Refusal("ABS 之内应是整数")
    return Term(f"ABS({inner.sql})", "int")


def _text(term: Term) -> Term:
    if term.kind not in ("text", "literal"):
        raise Refusal(f"应是文字，却是{KIND_NAMES[term.kind]}")
    return replace(term, kind="text")


def _function(node: exp.Expression, frame: Frame) -> Term:
    named, arguments = node.name, [_translate(one, frame) for one in node.expressions]
    if named in SPECIAL:
        return _special(named, arguments, frame)
    function = vocabulary().functions.get(named)
    if function is None:
        raise Refusal(f"没有函数“{named}”", [*vocabulary().functions, *SPECIAL])
    if len(arguments) != len(function.takes):
        raise Refusal(f"函数“{named}”要 {len(function.takes)} 个参数，却有 {len(arguments)} 个")
    settled = [_argument(named, kind, term) for (_, kind), term in zip(function.takes, arguments, strict=True)]
    return Term(function.sql(frame.dialect, settled), function.gives)


def _argument(named: str, kind: str, term: Term) -> str:
    if kind == "text" and term.kind == "literal":
        return term.sql
    if kind == "date" and term.kind == "literal":
        return settle(term, Term("", "date")).sql
    if term.kind == kind or (term.kind == "int" and kind in ("date", "month")):
        return term.sql
    raise Refusal(f"函数“{named}”的参数应是{KIND_NAMES[kind]}，却是{KIND_NAMES[term.kind]}")


def _special(named: str, arguments: list[Term], frame: Frame) -> Term:
    if named == "代码":
        if len(arguments) != 1 or arguments[0].kind != "code":
            raise Refusal("代码(…) 之内应是一个代码项")
        return Term(arguments[0].sql, "text")
    if len(arguments) < 2 or any(a.kind != "literal" for a in arguments[1:]):
        raise Refusal(f"函数“{named}”的第二个参数起应是文字常量")
    words = [str(a.value) for a in arguments[1:]]
    if named == "属于":
        return _family(arguments[0], words, frame)
    if len(words) != 1:
        raise Refusal(f"函数“{named}”要 2 个参数")
    subject = _text(arguments[0]).sql
    if named == "形如":
        return Term(f"({glob_sql(frame.dialect, subject, words[0])})", "bool")
    contents = vocabulary().classes.get(words[0])
    if contents is None:
        raise Refusal(f"没有字符类“{words[0]}”", list(vocabulary().classes))
    return Term(f"({class_sql(frame.dialect, subject, contents)})", "bool")


def _family(subject: Term, labels: list[str], frame: Frame) -> Term:
    if subject.kind != "code":
        raise Refusal("属于(…) 的第一个参数应是代码项")
    codes = tuple(dict.fromkeys(c for label in labels for c in family_of(frame.dictionary, subject.of, label)))
    return Term(f"({subject.sql} IN {list_sql(codes)})", "bool")


RULES: dict[type, Callable[[exp.Expression, Frame], Term]] = {
    exp.Column: _column,
    exp.Literal: _literal,
    exp.Boolean: _boolean,
    exp.Null: _null,
    exp.Paren: _paren,
    exp.And: _logic("AND"),
    exp.Or: _logic("OR"),
    exp.Not: _not,
    exp.Is: _is,
    exp.In: _in,
    exp.Between: _between,
    exp.Neg: _negative,
    exp.Case: _case,
    exp.Coalesce: _coalesce,
    exp.Nullif: _nullif,
    exp.Length: _length,
    exp.Abs: _absolute,
    exp.Anonymous: _function,
    **dict.fromkeys(COMPARISONS, _comparison),
    **dict.fromkeys(ARITHMETIC, _arithmetic),
}
