"""月报 (办法10(三), readings 5.9): opened for every unit on its day, answered item by item, confirmed, compared.

Guards and effects of definitions/processes/monthly_report.yaml. No hold and no list bars a unit from reporting.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, time
from typing import Any

from sqlalchemy import ColumnElement, bindparam, delete, exists, func, insert, or_, select, update
from sqlalchemy.orm import Session

from workflow.casework.four_eyes import judged_people, of_people, people_of
from workflow.casework.telling import tell_units
from workflow.clock import SHANGHAI, business_date
from workflow.engine.actors import SYSTEM
from workflow.engine.context import CaseRow, StepContext
from workflow.engine.judges import Facts, judge_of, judged
from workflow.engine.registry import book, effect, guard
from workflow.engine.sets import among, chunks, grouped
from workflow.engine.steps import NewCase, open_cases
from workflow.engine.verdicts import Verdict
from workflow.errors import BadInput
from workflow.insight.units import code
from workflow.periodic.figures import Figures, figures_of
from workflow.periodic.locking import figures_locked
from workflow.periodic.models import ITEM, REPORT
from workflow.periodic.month_items import Item, Window, items_of
from workflow.periodic.months import first_day, last_day, month_before, month_of, terms_of_month
from workflow.registry.models import RecordVersion
from workflow.registry.tables import TABLES

PROCESS = "monthly_report"
BASIS = "办法10(三)"
ANSWERS = {"true": "属实", "corrected": "已更正", "explained": "说明"}
UNIT = TABLES["unit"].c


def open_due_months(session: Session, now: datetime) -> int:
    """Opens the month's reports in every district whose day has come (default the 25th); a repeat opens nothing. Returns how many."""
    today = business_date(now)
    month, due = month_of(today), []
    for district in session.scalars(select(UNIT.district_code).where(UNIT.removed_on.is_(None)).distinct()):
        if terms_of_month(month, book().policies.of(district or ""), book().calendar)["opens_on"] <= today:
            due.append(district)
    return open_month(session, month, due, now)


def open_month(session: Session, month: str, districts: Collection[str | None], now: datetime) -> int:
    """Opens a month's report for each living unit of the districts that has none. Returns how many were opened."""
    reported = exists().where(REPORT.c.unit_id == UNIT.id, REPORT.c.month == month)
    living = or_(UNIT.status.is_(None), UNIT.status.in_([code("unit_status", "正常"), code("unit_status", "筹建")]))
    place: ColumnElement[bool] = UNIT.district_code.in_([district for district in districts if district])
    if None in districts:
        place = or_(place, UNIT.district_code.is_(None))
    units = select(UNIT.id, UNIT.unit_code, UNIT.name, UNIT.district_code).where(
        UNIT.removed_on.is_(None), living, ~func.coalesce(UNIT.plate_only, False), place, ~reported
    )
    rows = session.execute(units.order_by(UNIT.unit_code)).all()
    before = _last_before(session, datetime.combine(first_day(month), time(0), SHANGHAI))
    for part in chunks(rows):
        _open(session, month, part, before, now)
    return len(rows)


def _open(session: Session, month: str, units: Sequence[Any], before: int, now: datetime) -> None:
    terms = {u.district_code: terms_of_month(month, book().policies.of(u.district_code or ""), book().calendar) for u in units}  # fmt: skip
    new = [
        NewCase(u.id, f"{u.unit_code}:{month}", f"{month} 月报：{u.name or u.unit_code}"[:200], business_date(now), _dates(month, terms[u.district_code]))
        for u in units
    ]  # fmt: skip
    ids = open_cases(session, PROCESS, new, now=now, actor=SYSTEM)
    windows = _windows(session, [u.id for u in units], month, before)
    reports = [
        {
            "case_id": case_id, "unit_id": u.id, "month": month, "figures": {}, "before": {},
            "since_version": windows[u.id].since, "until_version": windows[u.id].until,
            "confirm_by": terms[u.district_code]["confirm_by"], "compare_by": terms[u.district_code]["compare_by"],
        }
        for case_id, u in zip(ids, units, strict=True)
    ]  # fmt: skip
    session.execute(insert(REPORT), reports)
    _compare(session, month, {u.id: (case_id, u.unit_code) for case_id, u in zip(ids, units, strict=True)}, windows, business_date(now))  # fmt: skip


def _dates(month: str, terms: Mapping[str, date]) -> dict[str, str]:
    return {"month": month} | {name: terms[name].isoformat() for name in ("remind_on", "confirm_by", "compare_by")}


def _last_before(session: Session, moment: datetime) -> int:
    """The highest number of a version written before a moment, found by halving: numbers ascend with time, which has no index."""
    low, high = 0, _last_version(session)
    while low < high:
        middle = (low + high + 1) // 2
        upto = select(RecordVersion.at).where(RecordVersion.id <= middle).order_by(RecordVersion.id.desc()).limit(1)
        written_at = session.scalar(upto)
        if written_at is None or written_at < moment:
            low = middle
        else:
            high = middle - 1
    return low


def _last_version(session: Session) -> int:
    return session.scalar(select(func.max(RecordVersion.id))) or 0


def _windows(session: Session, unit_ids: Collection[int], month: str, before: int) -> dict[int, Window]:
    """Each change stands in exactly one report: from where the unit's last one ended, at first from the last version `before` the month."""
    last = _last_version(session)
    ended = select(REPORT.c.unit_id, func.max(REPORT.c.until_version)).where(
        among(session, REPORT.c.unit_id, unit_ids), REPORT.c.month < month
    )
    until = {row[0]: row[1] for row in session.execute(ended.group_by(REPORT.c.unit_id))}
    return {unit_id: Window(until.get(unit_id, before), last) for unit_id in unit_ids}


def _compare(
    session: Session, month: str, units: Mapping[int, tuple[int, str]], windows: Mapping[int, Window], today: date
) -> None:
    """Writes the items and figures of reports: unit id → case and unit code. Answers given to unchanged items stay."""
    figures = figures_of(session, list(units), min(today, last_day(month)))
    before = figures_locked(session, list(units), month_before(month))
    items = items_of(session, {u: unit_code for u, (_, unit_code) in units.items()}, figures, before, windows)
    _keep_items(session, {case_id: items[unit_id] for unit_id, (case_id, _) in units.items()})
    _keep_figures(session, units, figures, before, windows)


def _keep_items(session: Session, items: Mapping[int, Sequence[Item]]) -> None:
    """Case id → its items: those that say what they said stay, the others are replaced. Three statements."""
    wanted = {(case_id, i.kind, i.key): i for case_id, mine in items.items() for i in mine}
    rows = session.execute(select(ITEM).where(among(session, ITEM.c.case_id, list(items)))).all()
    kept = {(row.case_id, row.kind, row.key): row.says for row in rows}
    same = {key for key, says in kept.items() if key in wanted and wanted[key].says == says}
    if gone := [row.id for row in rows if (row.case_id, row.kind, row.key) not in same]:
        session.execute(delete(ITEM).where(among(session, ITEM.c.id, gone)))
    fresh = [
        {"case_id": key[0], "kind": i.kind, "key": i.key, "says": i.says, "link": i.link, "text": ""}
        for key, i in wanted.items()
        if key not in same
    ]
    if fresh:
        session.execute(insert(ITEM), fresh)


def _keep_figures(
    session: Session, units: Mapping[int, tuple[int, str]], figures: Mapping[int, Figures],
    before: Mapping[int, Figures], windows: Mapping[int, Window],
) -> None:  # fmt: skip
    statement = update(REPORT).where(REPORT.c.case_id == bindparam("case"))
    values = {
        "figures": bindparam("now_", type_=REPORT.c.figures.type),
        "before": bindparam("then_", type_=REPORT.c.before.type),
        "until_version": bindparam("until_"),
    }
    rows = [
        {"case": case_id, "now_": figures[u], "then_": before.get(u, {}), "until_": windows[u].until}
        for u, (case_id, _) in units.items()
    ]  # fmt: skip
    session.connection().execute(statement.values(values), rows)


def items(session: Session, case_id: int) -> Sequence[Any]:
    """The items of a report in their order."""
    return session.execute(select(ITEM).where(ITEM.c.case_id == case_id).order_by(ITEM.c.id)).all()


@effect("compare_again")
def compare_again(context: StepContext) -> None:
    """The items are made anew from the data of today; what did not change keeps its answer."""
    session = context.session
    last = _last_version(session)
    rows = session.execute(
        select(REPORT, UNIT.unit_code)
        .join(TABLES["unit"], UNIT.id == REPORT.c.unit_id)
        .where(among(session, REPORT.c.case_id, context.ids))
    ).all()
    for month, ours in grouped((row.month, row) for row in rows).items():
        windows = {row.unit_id: Window(row.since_version, last) for row in ours}
        units = {row.unit_id: (row.case_id, row.unit_code) for row in ours}
        _compare(session, month, units, windows, context.today)


@effect("keep_answers")
def keep_answers(context: StepContext) -> None:
    """Item id → {"answer": true | corrected | explained, "text"}; a correction or an explanation says what."""
    given = context.request.inputs.get("answers")
    if not isinstance(given, Mapping) or not given:
        raise BadInput("逐条答复应为比对项编号与答复", errors=[{"field": "answers"}])
    answers = {_number(key): _answer(key, value) for key, value in given.items()}
    ours = select(ITEM.c.id).where(among(context.session, ITEM.c.case_id, context.ids))
    if strangers := set(answers) - set(context.session.scalars(ours)):
        raise BadInput(f"没有比对项 {min(strangers)}，请刷新后重试", errors=[{"field": "answers"}])
    statement = update(ITEM).where(ITEM.c.id == bindparam("item"))
    values = {"answer": bindparam("answer_"), "text": bindparam("text_"), "answered_by": context.account, "answered_at": context.now}  # fmt: skip
    rows = [{"item": id_, "answer_": answer, "text_": text} for id_, (answer, text) in answers.items()]
    context.session.connection().execute(statement.values(values), rows)


def _number(key: Any) -> int:
    text = str(key)
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise BadInput(f"“{text[:20]}”不是比对项编号", errors=[{"field": "answers"}])
    return int(text)


def _answer(key: Any, value: Any) -> tuple[str, str]:
    answer = value.get("answer") if isinstance(value, Mapping) else value
    text = str(value.get("text") or "").strip() if isinstance(value, Mapping) else ""
    if answer not in ANSWERS:
        raise BadInput(f"比对项 {key} 的答复应为：{'、'.join(ANSWERS.values())}", errors=[{"field": f"item-{key}"}])
    if answer != "true" and not text:
        raise BadInput(f"比对项 {key} 答复“{ANSWERS[answer]}”的，须写明情况", errors=[{"field": f"item-{key}"}])
    if len(text) > 500:
        raise BadInput(f"比对项 {key} 的情况最多 500 个字", errors=[{"field": f"item-{key}"}])
    return answer, text


@guard("every_item_is_answered")
def every_item_is_answered(context: StepContext) -> dict[int, list[Verdict]]:
    """逐条分析: nothing is reported with an item unanswered."""
    counted = select(ITEM.c.case_id, func.count(), func.count(ITEM.c.answer))
    counted = counted.where(among(context.session, ITEM.c.case_id, context.ids)).group_by(ITEM.c.case_id)
    found = {row[0]: (row[1], row[2]) for row in context.session.execute(counted)}
    verdicts = {}
    for case in context.cases:
        total, answered = found.get(case.id, (0, 0))
        read = {"case": case.id, "subject": case.subject, "items": total, "answered": answered}
        verdicts[case.id] = judged("every_item_is_answered", read)
    return verdicts


@judge_of("every_item_is_answered")
def _answered(facts: Facts) -> Verdict:
    total, answered = facts["items"], facts["answered"]
    says = f"比对项 {total} 项，已答复 {answered} 项" + ("" if total == answered else "，须逐条答复")
    told, link = [{"record": facts["subject"], "field": "answered", "value": answered}], f"/monthly/{facts['case']}"
    return Verdict("every_item_is_answered", total == answered, says, told, BASIS, clears_by="unit_clerk", link=link)


of_people("confirmer_did_not_answer", "确认人未参与答复", "答复比对项的人不得自行确认，请单位负责人确认", basis="办法8")


@guard("confirmer_did_not_answer")
def confirmer_did_not_answer(context: StepContext) -> dict[int, list[Verdict]]:
    """Whoever answered the items does not confirm them."""
    answered = people_of(context.session, context.ids, ("answer", "submit"))
    return judged_people(context, "confirmer_did_not_answer", answered, "unit_head")


def _set(context: StepContext, **values: Any) -> None:
    context.session.execute(update(REPORT).where(among(context.session, REPORT.c.case_id, context.ids)).values(values))


@effect("keep_month_confirmed")
def keep_month_confirmed(context: StepContext) -> None:
    """Who confirmed the month for the unit, and when."""
    _set(context, confirmed_on=context.today, confirmer=context.account)


@effect("take_back_confirmation")
def take_back_confirmation(context: StepContext) -> None:
    """What the office sends back is not confirmed any more; lateness stays."""
    _set(context, confirmed_on=None, confirmer=None)


@effect("keep_comparison")
def keep_comparison(context: StepContext) -> None:
    """The day on which the office's comparison was done."""
    _set(context, compared_on=context.today)


@effect("mark_month_late")
def mark_month_late(context: StepContext) -> None:
    """The term passed without confirmation: counted visibly, never erased."""
    for on, cases in grouped((context.effective_on(case), case.id) for case in context.cases).items():
        late = update(REPORT).where(among(context.session, REPORT.c.case_id, cases), REPORT.c.late_on.is_(None))
        context.session.execute(late.values(late_on=on))


@effect("remind_of_month")
def remind_of_month(context: StepContext) -> None:
    """The unit is reminded of its unconfirmed report."""
    late = context.step.do == "lapse"
    told: dict[int, tuple[str, list[int]]] = {case.id: (_title(case, late), _unit(case)) for case in context.cases}
    tell_units(context, "monthly.late" if late else "monthly.remind", told)


def _title(case: CaseRow, late: bool) -> str:
    month, until = case.data["month"], case.data["confirm_by"]
    return f"{month} 月报逾期未确认，请尽快办理" if late else f"{month} 月报尚未确认，期限至 {until}"


def _unit(case: CaseRow) -> list[int]:
    return [case.unit_id] if case.unit_id is not None else []


@effect("tell_of_lock")
def tell_of_lock(context: StepContext) -> None:
    """The unit learns that its month is locked, and what that means."""
    told = {c.id: (f"{c.data['month']} 月报已锁定，更正该月数据须先请示", _unit(c)) for c in context.cases}
    tell_units(context, "monthly.locked", told)
