"""月报 of the demonstration (办法10(三)): last month's reports of the city's own units and of one county, answered, confirmed, compared, locked; a few are late."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from workflow.access.scopes import CITY
from workflow.demo.doing import NOTE, Doing, office
from workflow.engine.sets import grouped
from workflow.periodic.models import ITEM, REPORT
from workflow.periodic.monthly import PROCESS, open_month
from workflow.periodic.months import month_before, month_of

COUNTY = "330282"
# What becomes of every eighth report: not answered, answered, handed to the head; the others are confirmed.
STOPS = {3: "answer", 5: "submit", 6: ""}
EVERY = 8


def report_last_month(doing: Doing) -> None:
    """Opened late, on the first day of the demonstration, and gone through by the units that morning."""
    month = month_before(month_of(doing.today))
    open_month(doing.session, month, [CITY, COUNTY], doing.now)
    go_through(doing, month)


def go_through(doing: Doing, month: str) -> None:
    """The units answer item by item, their heads confirm; every eighth stops somewhere."""
    ours = select(REPORT.c.case_id).where(REPORT.c.month == month)
    wanted = set(doing.session.scalars(ours))
    reports = [case for case in doing.cases(PROCESS, "checking") if case.id in wanted]
    items = _items(doing, [case.id for case in reports])
    for number, case in enumerate(reports):
        stops = STOPS.get(number % EVERY, "confirm")
        clerk, head = f"clerk@{case.unit_code}", f"head@{case.unit_code}"
        for do, account in (("answer", clerk), ("submit", clerk), ("confirm", head)):
            if not stops or (do == "answer" and not items.get(case.id)):
                continue
            given = {"answers": _answers(items[case.id])} if do == "answer" else {}
            doing.step(PROCESS, do, case.id, account, inputs=given)
            if do == stops:
                break


def _items(doing: Doing, case_ids: Sequence[int]) -> dict[int, list[int]]:
    rows = doing.session.execute(
        select(ITEM.c.case_id, ITEM.c.id).where(ITEM.c.case_id.in_(case_ids)).order_by(ITEM.c.id)
    )
    return grouped((row.case_id, row.id) for row in rows)


def _post_item(doing: Doing, case_id: int) -> int:
    """An item about somebody's post, or the last one of a report."""
    rows = doing.session.execute(
        select(ITEM.c.id, ITEM.c.kind).where(ITEM.c.case_id == case_id).order_by(ITEM.c.id)
    ).all()
    return int(next((row.id for row in rows if row.kind == "post"), rows[-1].id))


def _answers(items: Sequence[int]) -> dict[str, Any]:
    told = {str(item): {"answer": "true", "text": ""} for item in items}
    told[str(items[0])] = {"answer": "explained", "text": f"与编制文件核对一致{NOTE}"}
    return told


def compare_last_month(doing: Doing) -> None:
    """The offices ask two units for the correction of an item and pass the others."""
    for district, cases in grouped((case.district, case) for case in doing.cases(PROCESS, "comparing")).items():
        reviewer = office("reviewer", district)
        asked = {"items": str(_post_item(doing, cases[0].id)), "days": "5"}
        doing.step(PROCESS, "demand", cases[0].id, reviewer, inputs=asked, reason=f"与任免文件不符，请核对{NOTE}")
        doing.step(PROCESS, "pass", [case.id for case in cases[1:]], reviewer)


def correct_last_month(doing: Doing) -> None:
    """The first unit that was asked answers; the other lets its days pass."""
    for case in doing.cases("monthly_correction", "open")[:1]:
        told = {"text": f"已对照任免文件更正{NOTE}"}
        doing.step("monthly_correction", "answer", case.id, f"clerk@{case.unit_code}", inputs=told)


def lock_last_month(doing: Doing) -> None:
    """The offices lock what agrees with the ledger; the rest waits."""
    for district, cases in grouped((case.district, case.id) for case in doing.cases(PROCESS, "compared")).items():
        doing.step_those_that_may(PROCESS, "lock", cases, office("reviewer", district))
