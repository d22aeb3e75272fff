"""Matters of the demonstration in every position: applications, filings, requests, violations, a transfer, substitutions, changes of rules and codes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from workflow.access.scopes import CITY
from workflow.casework.filing_drafting import Opening, open_filing, save_draft
from workflow.casework.voiding import request_void
from workflow.casework.weekly_audit import audits_of_week
from workflow.demo.doing import NOTE, UNIT, Doing, office
from workflow.engine.models import CASE
from workflow.engine.registry import book
from workflow.quality.models import TICKET
from workflow.registry.models import COUNTER
from workflow.registry.queries import find_by_id
from workflow.registry.tables import TABLES

WHOLE, RECRUITED = "221", "03"  # 全额事业编制, 事业单位公开招聘
STOPS = ("issued", "deciding", "meeting", "reviewing", "auditing", "submitted", "confirming", "refused", "draft")
Road = tuple[tuple[str, str, dict[str, Any]], ...]
PERSON = TABLES["person"].c


@dataclass(frozen=True)
class Applicant:
    """A unit that may apply: its id, code, name and district."""

    id: int
    code: str
    name: str
    district: str


def apply_for_quota(doing: Doing) -> None:
    """Applications that stand at every step between the draft and the notice; one that is blocked by a red light."""
    free = _with_free_quota(doing)
    for number, stop in enumerate(STOPS):
        any(_applied(doing, unit, stop) for unit in free[number:] + free[:number])
    red = doing.session.execute(
        select(UNIT.id, UNIT.unit_code, UNIT.name, UNIT.district_code)
        .join(CASE, CASE.c.unit_id == UNIT.id)
        .where(CASE.c.process == "rectification", CASE.c.light == "red")
        .order_by(UNIT.unit_code)
    ).first()
    if red is not None:
        _draft(doing, Applicant(*red))


def _with_free_quota(doing: Doing) -> list[Applicant]:
    free = COUNTER.c.cap - COUNTER.c.used - COUNTER.c.reserved
    wanted = select(UNIT.id, UNIT.unit_code, UNIT.name, UNIT.district_code).join(COUNTER, COUNTER.c.unit_id == UNIT.id)
    rows = doing.session.execute(wanted.where(COUNTER.c.quota_type == WHOLE, free > 0).order_by(UNIT.unit_code))
    return [Applicant(*row) for row in rows]


def _draft(doing: Doing, unit: Applicant) -> int:
    return doing.open(
        "approval", unit.id, f"clerk@{unit.code}", kind="use", what=f"面向社会公开招聘事业编制人员1名{NOTE}",
        why=f"人员退休，岗位空缺{NOTE}", quota_type=WHOLE, n="1", entry_way=RECRUITED, request=[doing.evidence],
    )  # fmt: skip


def _applied(doing: Doing, unit: Applicant, stop: str) -> bool:
    """An application taken along its road to a state. False, and nothing of it, where the unit may not apply."""
    try:
        with doing.session.begin_nested():
            case_id = _draft(doing, unit)
            if not all(doing.walk("approval", case_id, step) for step in _road(doing, unit, stop)):
                raise _MayNotApply
    except _MayNotApply:
        return False
    return True


class _MayNotApply(Exception):
    """Takes back what was done for a unit that may not apply."""


def _road(doing: Doing, unit: Applicant, stop: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """The steps from the draft to a state; the week's audit passes on the way."""
    reviewer, own = office("reviewer", unit.district), book().policies.own(unit.district, "approval.number")
    leader = office("leader", unit.district if own else CITY)  # a county without numbers of its own issues no notices
    refusal = {"reason": f"本年度用编计划已用完，请列入下年度计划{NOTE}"}
    meeting = {"meeting_on": doing.today.isoformat()}
    road: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
        ("draft", "submit", f"clerk@{unit.code}", {}), ("confirming", "confirm", f"head@{unit.code}", {}),
        ("submitted", "receive", reviewer, {}), ("auditing", "pass_audit", reviewer, {}),
        ("reviewing", "endorse", reviewer, {}), ("meeting", "discuss", reviewer, meeting),
        ("deciding", "approve", leader, {}),
    )  # fmt: skip
    for state, do, account, inputs in road:
        if state == stop:
            return
        if state == "auditing":
            _pass_audit(doing, unit, reviewer)
        if stop == "refused" and state == "reviewing":
            yield "refuse", reviewer, refusal
            return
        yield do, account, inputs


def _pass_audit(doing: Doing, unit: Applicant, reviewer: str) -> None:
    audit = audits_of_week(doing.session, [unit.id], doing.today).get(unit.id)
    if audit is not None and audit.state == "due":
        doing.step_those_that_may("weekly_audit", "pass", [audit.id], reviewer)


def file_changes(doing: Doing) -> None:
    """Filings of changed records: a draft, one with the head, one sent back, one in the register."""
    chosen = _people(doing, 4)
    for (person_id, unit), stop in zip(chosen, ("draft", "submitted", "returned", "accepted"), strict=False):
        _filed(doing, person_id, unit, stop)


def _people(doing: Doing, count: int) -> list[tuple[int, Applicant]]:
    """People in post in units without a problem, one a unit."""
    troubled = select(TICKET.c.unit_id).where(TICKET.c.present)
    in_post = PERSON.removed_on.is_(None) & (PERSON.estab_status == "1") & PERSON.school.is_not(None)
    wanted = select(PERSON.id, UNIT.id.label("unit_id"), UNIT.unit_code, UNIT.name, UNIT.district_code)
    wanted = wanted.join(TABLES["unit"], UNIT.id == PERSON.unit_id).where(in_post, UNIT.id.not_in(troubled))
    found: dict[int, tuple[int, Applicant]] = {}
    for row in doing.session.execute(wanted.order_by(UNIT.unit_code, PERSON.id)):
        found.setdefault(row.unit_id, (row.id, Applicant(*row[1:])))
        if len(found) == count:
            break
    return list(found.values())


def _filed(doing: Doing, person_id: int, unit: Applicant, stop: str) -> None:
    clerk, head = f"clerk@{unit.code}", f"head@{unit.code}"
    record = find_by_id(doing.session, "person", person_id)
    case_id = open_filing(
        doing.session, Opening("person", unit.id, record, fact_on=doing.today), actor=doing.actor(clerk), now=doing.now
    )
    typed = {"school": "宁波大学（演示）", "_reason": f"依据毕业证书更正{NOTE}"}
    save_draft(doing.session, case_id, typed, actor=doing.actor(clerk), now=doing.now)
    back = ("send_back", head, {"reason": f"请附毕业证书复印件{NOTE}"})
    road: dict[str, Road] = {
        "draft": (),
        "submitted": (("submit", clerk, {}),),
        "returned": (("submit", clerk, {}), back),
        "accepted": (("submit", clerk, {}), ("settle", head, {})),
    }
    doing.walk("filing", case_id, *road[stop])


def ask_and_report(doing: Doing) -> None:
    """Requests in every position, reports of possible violations, a transfer, substitutions, drafts of changes, a light to be voided."""
    people = _people(doing, 6)
    for (_, unit), stop in zip(people, range(4), strict=False):
        _requested(doing, unit, stop)
    _reported(doing, [unit for _, unit in people])
    _moved(doing, people)
    _substituted(doing, people[0][1])
    _proposed(doing)
    _doubted(doing)


def _requested(doing: Doing, unit: Applicant, steps: int) -> None:
    clerk, reviewer, leader = f"clerk@{unit.code}", office("reviewer", unit.district), office("leader", unit.district)
    case_id = doing.open(
        "report_request", unit.id, clerk, kind="other", what=f"按批复更新历史任职文件的扫描件12份{NOTE}",
        why=f"原扫描件不清晰{NOTE}", rows="12", papers=[doing.evidence],
    )  # fmt: skip
    road: Road = (
        ("submit", clerk, {}), ("endorse", reviewer, {}), ("approve", leader, {}),
        ("report", clerk, {"result": f"已更新12份{NOTE}"}),
    )  # fmt: skip
    doing.walk("report_request", case_id, *road[: steps + 1])


def _reported(doing: Doing, units: list[Applicant]) -> None:
    """One suspicion that has just come in, one that the leader has to decide on."""
    for unit, steps in zip(units[:2], (1, 2), strict=False):
        reviewer = office("reviewer", unit.district)
        case_id = doing.open(
            "violation", unit.id, reviewer, situation="false_data", source="check",
            what=f"抽查发现一名人员的在岗状态与考勤记录不符，是否瞒报待核实{NOTE}",
        )  # fmt: skip
        found = {"findings": f"经核实，系借调手续未及时登记，非故意瞒报{NOTE}"}
        doing.walk("violation", case_id, *(("begin", reviewer, {}), ("conclude", reviewer, found))[:steps])


def _moved(doing: Doing, people: list[tuple[int, Applicant]]) -> None:
    """A person whose transfer waits for the head of the unit that is left."""
    (person_id, sender), (_, receiver) = people[0], people[1]
    row = doing.session.execute(select(PERSON.person_code, PERSON.quota_type).where(PERSON.id == person_id)).one()
    clerk = f"clerk@{sender.code}"
    case_id = doing.open(
        "transfer", sender.id, clerk, person=row.person_code, receiver=receiver.code, quota_type=row.quota_type,
        moved_on=doing.today.isoformat(), doc_no=f"演示调〔{doing.today.year}〕1号",
    )  # fmt: skip
    doing.walk("transfer", case_id, ("submit", clerk, {}))


def _substituted(doing: Doing, unit: Applicant) -> None:
    """The clerk is to be away; the head has not agreed yet."""
    clerk, until = f"clerk@{unit.code}", doing.today + timedelta(30)
    case_id = doing.open(
        "substitution", unit.id, clerk, substitute=f"head@{unit.code}", role="unit_clerk", reach="all",
        from_on=doing.today.isoformat(), until_on=until.isoformat(), why=f"参加脱产培训{NOTE}",
    )  # fmt: skip
    doing.walk("substitution", case_id, ("ask_head", clerk, {}))


def _proposed(doing: Doing) -> None:
    """A rule to be retired and a code to be added, both as drafts of the city's office."""
    later = (doing.today + timedelta(30)).isoformat()
    texts = {"why": f"与现行文件不一致，拟调整{NOTE}", "effective_on": later}
    doing.open("rule_change", None, office("reviewer", CITY), kind="retire", rule_id="T03", **texts)
    code = {"codes": "学历", "code": "99", "label": "其他学历（演示）"}
    doing.open("dictionary_change", None, office("reviewer", CITY), kind="add", **code, **texts)


def _doubted(doing: Doing) -> None:
    """A light that the office holds to be wrong waits for the second person."""
    lit = select(TICKET.c.id, UNIT.district_code).join(CASE, CASE.c.id == TICKET.c.case_id)
    lit = lit.join(TABLES["unit"], UNIT.id == TICKET.c.unit_id).where(TICKET.c.present, CASE.c.light == "red")
    ticket = doing.session.execute(lit.order_by(TICKET.c.id).limit(1)).first()
    if ticket is not None:
        reviewer = doing.actor(office("reviewer", ticket.district_code))
        request_void(doing.session, ticket.id, f"上级平台数据延迟，非本单位漏报{NOTE}", now=doing.now, actor=reviewer)
