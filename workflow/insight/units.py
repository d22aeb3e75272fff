"""What the page of one unit shows: quotas, posts, people, inner organisations, ledger, red rounds, negative list. Reads only, eight statements.

Quota numbers follow from the ledger and the people, never from a typed figure; the conditions are those of the measures of the
same names in definitions/rules/measures.yaml.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, literal, or_, select, union_all
from sqlalchemy.orm import Session

from workflow.engine.models import Case
from workflow.quality import negative_list
from workflow.quality.models import RedRound, Ticket
from workflow.registry.dictionary import dictionary
from workflow.registry.history import as_of
from workflow.registry.queries import Record, find_by_id
from workflow.registry.tables import TABLES
from workflow.registry.values import show

Figures = Mapping[str, Mapping[str, int]]  # kind → code → number
LEDGER_SHOWN = 12
LISTED = 60


@dataclass(frozen=True)
class Quota:
    """One quota type of a unit: approved, planned for use, occupied; vacant and over follow."""

    code: str
    label: str
    approved: int
    plan: int
    occupied: int

    @property
    def vacant(self) -> int:
        """What is left after people and plans."""
        return max(0, self.approved - self.occupied - self.plan)

    @property
    def over(self) -> int:
        """Occupied beyond what is approved."""
        return max(0, self.occupied - self.approved)


@dataclass(frozen=True)
class Post:
    """Leader posts of one range, level and kind: approved and held."""

    scope: str
    level: str
    kind: str
    approved: int
    held: int


def unit_page(session: Session, unit_id: int, day: date, *, today: bool) -> dict[str, Any]:
    """Everything on the page of a unit as of a day; `today`: whether that day is now."""
    numbers = figures(session, unit_id, day, today=today)
    record = find_by_id(session, "unit", unit_id)
    assert record is not None
    return {
        "record": record,
        "texts": texts(record, None if today else as_of(session, "unit", unit_id, day)),
        "quotas": quotas(numbers, "quota_type", "approved", "plan", "occupied"),
        "contracts": quotas(numbers, "contract_category", "control", "none", "contracts"),
        "posts": posts(numbers),
        "people": people_by_status(numbers),
        "inner_orgs": inner_orgs(session, unit_id),
        "leaders": leaders(session, unit_id),
        "ledger": ledger(session, unit_id, day),
        "rounds": rounds(session, unit_id),
        "negative": negative_list.entries(session, unit_id)[:20],
        "problems": problems(numbers),
    }


def code(codes: str, label: str) -> str:
    """The code of a label."""
    return dictionary().codes[codes].by_label[label].code


def occupying() -> list[str]:
    """The quota types that a person in post occupies."""
    return [item.code for item in dictionary().codes["quota_type"].items if item.attrs.get("occupies") == 1]


def figures(session: Session, unit_id: int, day: date, *, today: bool) -> Figures:
    """All numbers of a unit in one statement: kind → code → number."""
    parts = [
        *_quota_parts(unit_id, day, today),
        *_contract_parts(unit_id, day),
        *_post_parts(unit_id),
        _problem_part(unit_id),
    ]
    found: dict[str, dict[str, int]] = {}
    for kind, what, number in session.execute(union_all(*parts)):
        found.setdefault(kind, {})[what or ""] = int(number or 0)
    return found


def _part(kind: str, what: Any, number: Any, *conditions: ColumnElement[bool]) -> Select[Any]:
    return select(literal(kind), what, number).where(*conditions).group_by(what)


def _quota_parts(unit_id: int, day: date, today: bool) -> list[Select[Any]]:
    row, person = TABLES["ledger"].c, TABLES["person"].c
    valid = and_(row.unit_id == unit_id, row.removed_on.is_(None), row.status == code("valid_status", "有效"))
    counts = row.ledger_type.in_([code("ledger_type", "编制"), code("ledger_type", "综合")])
    if not today:
        valid = and_(valid, func.coalesce(row.effective_date, row.doc_date) <= day)
    moved = func.sum(func.coalesce(row.delta_plus, 0) - func.coalesce(row.delta_minus, 0))
    planned = func.sum(func.coalesce(row.plan_approved_quota, 0))
    running = or_(row.plan_valid_until.is_(None), row.plan_valid_until >= day)
    here = and_(person.unit_id == unit_id, person.removed_on.is_(None))
    in_post = person.estab_status == code("estab_status", "在编")
    if not today:
        in_post = and_(person.entry_date <= day, or_(person.exit_date.is_(None), person.exit_date > day))
    return [
        _part("approved", row.quota_type, moved, valid, counts, row.quota_type.is_not(None)),
        _part("plan", row.quota_type, planned, valid, running, row.quota_type.is_not(None)),
        _part("occupied", person.quota_type, func.count(), here, in_post, person.quota_type.in_(occupying())),
        _part("people", person.estab_status, func.count(), here),
    ]


def _contract_parts(unit_id: int, day: date) -> list[Select[Any]]:
    quota, staff = TABLES["contract_quota"].c, TABLES["contract"].c
    valid = and_(quota.unit_id == unit_id, quota.removed_on.is_(None), quota.status == code("valid_status", "有效"))
    begun = or_(quota.valid_from.is_(None), quota.valid_from <= day)
    working = and_(
        staff.unit_id == unit_id, staff.removed_on.is_(None), staff.status == code("contract_status", "在岗")
    )
    bought = staff.hire_mode != code("hire_mode", "购买服务")
    return [
        _part("control", quota.category, func.sum(quota.n_control), valid, begun),
        _part("contracts", staff.category, func.count(), working, bought),
    ]


def _post_parts(unit_id: int) -> list[Select[Any]]:
    quota, held = TABLES["leader_quota"].c, TABLES["position"].c
    valid = and_(quota.unit_id == unit_id, quota.removed_on.is_(None), quota.status == code("valid_status", "有效"))
    present = and_(held.unit_id == unit_id, held.removed_on.is_(None), held.status == code("position_status", "现任"))
    counts = and_(held.is_leader, func.coalesce(held.counts_post, True), ~func.coalesce(held.is_above_level, False))
    return [
        _part("posts", _post_code(quota), func.sum(quota.n_approved), valid, quota.post_level.is_not(None)),
        _part("held", _post_code(held), func.count(), present, counts, held.post_level.is_not(None)),
    ]


def _problem_part(unit_id: int) -> Any:
    what = Ticket.rule_id + "|" + Case.light
    open_here = and_(Case.unit_id == unit_id, Case.open)
    counted = select(literal("problems"), what, func.count()).select_from(Case).join(Ticket, Ticket.case_id == Case.id)
    return counted.where(open_here).group_by(what)


def _post_code(table: Any) -> Any:
    parts = (func.coalesce(table[name], "") for name in ("scope", "post_level", "rank_kind"))
    first, *rest = parts
    joined: Any = first
    for part in rest:
        joined = joined.concat("|").concat(part)
    return joined


def quotas(numbers: Figures, codes: str, approved: str, plan: str, occupied: str) -> list[Quota]:
    """One line for each type that any of the three figures knows."""
    known = dictionary().codes[codes]
    given, planned, used = (numbers.get(kind, {}) for kind in (approved, plan, occupied))
    found = sorted({*given, *used, *(c for c, n in planned.items() if n)} - {""})
    return [Quota(c, known.label(c), given.get(c, 0), planned.get(c, 0), used.get(c, 0)) for c in found]


def posts(numbers: Figures) -> list[Post]:
    """One line for each range, level and kind of leader posts, highest first."""
    known = dictionary().codes
    approved, held = numbers.get("posts", {}), numbers.get("held", {})
    lines = []
    for joined in {*approved, *held}:
        scope, level, kind = joined.split("|")
        line = Post(
            known["leader_scope"].label(scope or None),
            known["post_level"].label(level or None),
            known["rank_kind"].label(kind or None),
            approved.get(joined, 0),
            held.get(joined, 0),
        )
        lines.append(((scope, level, kind), line))
    return [line for _, line in sorted(lines, key=lambda pair: pair[0])]


def people_by_status(numbers: Figures) -> list[tuple[str, str, int]]:
    """(code, label, people) by the state of their post, in the order of the code list."""
    found = numbers.get("people", {})
    items = dictionary().codes["estab_status"].items
    return [(item.code, item.label, found[item.code]) for item in items if found.get(item.code)]


def inner_orgs(session: Session, unit_id: int) -> Sequence[Any]:
    """The inner organisations of a unit with the people in them."""
    org, person = TABLES["inner_org"].c, TABLES["person"].c
    in_post = and_(
        person.inner_org_id == org.id, person.removed_on.is_(None), person.estab_status == code("estab_status", "在编")
    )
    people = select(func.count()).where(in_post).scalar_subquery()
    columns = (
        org.inner_org_code,
        org.name,
        org.level,
        org.approved_staff,
        org.n_main,
        org.n_deputy,
        org.status,
        people.label("people"),
    )
    mine = select(*columns).where(org.unit_id == unit_id, org.removed_on.is_(None))
    return session.execute(mine.order_by(org.status, org.sort_no, org.inner_org_code).limit(LISTED)).all()


def leaders(session: Session, unit_id: int) -> Sequence[Any]:
    """Who holds the leading posts of the unit now."""
    held, person = TABLES["position"].c, TABLES["person"].c
    columns = (
        person.person_code,
        person.name,
        held.name.label("post"),
        held.post_level,
        held.rank_kind,
        held.appoint_date,
        held.is_main,
    )
    present = and_(
        held.unit_id == unit_id,
        held.removed_on.is_(None),
        held.status == code("position_status", "现任"),
        held.is_leader,
    )
    unit_range = held.scope == code("leader_scope", "单位领导")
    mine = select(*columns).join(TABLES["person"], person.id == held.person_id).where(present, unit_range)
    return session.execute(mine.order_by(held.post_level, held.rank_kind, held.appoint_date).limit(LISTED)).all()


def ledger(session: Session, unit_id: int, day: date) -> Sequence[Any]:
    """The latest ledger rows of a unit up to a day, newest first."""
    row = TABLES["ledger"].c
    mine = select(TABLES["ledger"]).where(
        row.unit_id == unit_id, row.removed_on.is_(None), or_(row.doc_date.is_(None), row.doc_date <= day)
    )
    return session.execute(mine.order_by(row.doc_date.desc(), row.ledger_no.desc()).limit(LEDGER_SHOWN)).all()


def rounds(session: Session, unit_id: int) -> Sequence[RedRound]:
    """The unit's red rounds, newest first (办法21)."""
    mine = select(RedRound).where(RedRound.unit_id == unit_id).order_by(RedRound.id.desc()).limit(12)
    return session.scalars(mine).all()


def problems(numbers: Figures) -> list[tuple[str, str, int]]:
    """(rule, light, number) of the unit's own open problems, most first."""
    split = ((*joined.partition("|")[::2], number) for joined, number in numbers.get("problems", {}).items())
    return sorted(split, key=lambda row: (-row[2], row[0]))


def texts(record: Record, then: Mapping[str, Any] | None) -> dict[str, str]:
    """Field → shown text of the unit as it was on the day asked for, else as it is."""
    values = record.values if then is None else then
    return {name: show(f, values.get(name)) for name, f in record.dataset.fields.items() if f.type != "ref"}
