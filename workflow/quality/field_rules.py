"""Rules that the dictionary makes: which fields a field-wise rule covers, and what is wrong with each. One finding per record and field."""

from __future__ import annotations

from datetime import date, timedelta

from workflow.db import ymd
from workflow.quality.compiler_frame import Frame
from workflow.quality.compiler_terms import Refusal, list_sql
from workflow.quality.compiler_text import condition, number
from workflow.quality.rulebook import Rule
from workflow.quality.vocabulary import quote
from workflow.registry.dictionary import TYPES, Code, Field

TEXTS = ("text", "longtext", "uscc")
LATER = timedelta(days=1)


def wrong_fields(rule: Rule, frame: Frame) -> dict[str, str]:
    """Field name → the condition under which that field is wrong, as SQL. Conditions may be unknown (NULL): not wrong."""
    made: dict[str, str] = {}
    for f in covered_fields(rule, frame):
        wrong = _wrong(rule, f, frame)
        if wrong:
            made[f.name] = wrong
    return made


def covered_fields(rule: Rule, frame: Frame) -> list[Field]:
    """The fields of the data set that a field-wise rule looks at. Raises Refusal for labels that do not exist."""
    fields = list(frame.dictionary[frame.dataset].fields.values())
    match rule.shape:
        case "required":
            return [f for f in fields if (f.required or f.required_when) and not f.derived and f.name != "id"]
        case "codes" | "codes_retired":
            return [f for f in fields if f.type == "code"]
    if isinstance(rule.each, str):
        kinds = TEXTS if rule.each == "text" else (rule.each,)
        if rule.each not in TYPES:
            raise Refusal(f"each 之后应是类型或标签列表，没有“{rule.each}”", list(TYPES))
        return [f for f in fields if f.type in kinds]
    found = [f for f in fields if f.label in (rule.each or ())]
    if not found:
        raise Refusal(f"没有字段 {'、'.join(rule.each or ())}", [f.label for f in fields])
    return found


def field_flips(rule: Rule, frame: Frame) -> list[str]:
    """The days on which the answer for some field may change, as SQL (yyyymmdd or NULL)."""
    made: list[str] = []
    for f in covered_fields(rule, frame):
        if rule.shape in ("codes", "codes_retired"):
            made += _code_flips(rule, f, frame)
        elif rule.each is not None:
            frame.value = f
            made += [number(text, frame).sql for text in rule.flips]
    frame.value = None
    return made


def _wrong(rule: Rule, f: Field, frame: Frame) -> str | None:
    match rule.shape:
        case "required":
            return _missing(f, frame)
        case "codes":
            return _not_in_list(f, frame)
        case "codes_retired":
            return _no_longer(f, frame)
    frame.value = f
    wrong = f"NOT {condition(rule.must or '', frame)}"
    frame.value = None
    return wrong


def _missing(f: Field, frame: Frame) -> str:
    column = frame.of(f).sql
    empty = f"({column} IS NULL OR {column} = '')" if f.type in TEXTS else f"({column} IS NULL)"
    if f.required or not f.required_when:
        return empty
    return f"({empty} AND {condition(f.required_when, frame)})"


def _not_in_list(f: Field, frame: Frame) -> str:
    codes = frame.dictionary.codes_of(f)
    column = frame.of(f).sql
    wrong = f"{column} NOT IN {list_sql(tuple(codes.by_code))}"
    later = _by_day(column, codes.items, "valid_from")
    return f"({wrong} OR {later} > :today)" if later else f"({wrong})"


def _no_longer(f: Field, frame: Frame) -> str | None:
    ended = _by_day(frame.of(f).sql, frame.dictionary.codes_of(f).items, "valid_to")
    return f"({ended} < :today)" if ended else None


def _by_day(column: str, items: tuple[Code, ...], bound: str, shift: timedelta = timedelta()) -> str | None:
    days: dict[date, list[str]] = {}
    for item in items:
        day = getattr(item, bound)
        if day is not None:
            days.setdefault(day + shift, []).append(quote(item.code))
    whens = " ".join(f"WHEN {column} IN ({', '.join(codes)}) THEN {ymd(day)}" for day, codes in days.items())
    return f"(CASE {whens} END)" if whens else None


def _code_flips(rule: Rule, f: Field, frame: Frame) -> list[str]:
    bound, shift = ("valid_from", timedelta()) if rule.shape == "codes" else ("valid_to", LATER)
    flip = _by_day(frame.of(f).sql, frame.dictionary.codes_of(f).items, bound, shift)
    return [flip] if flip else []
