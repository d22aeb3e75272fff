"""What the people of the demonstration do on which working day besides correcting records; day 0 is the day of the first import."""

from __future__ import annotations

from collections.abc import Callable

from workflow.demo.checks import (
    answer_letters,
    begin_last_half,
    begin_this_half,
    check_every_pair,
    check_some_pairs,
    tell_by_letter,
)
from workflow.demo.doing import Doing
from workflow.demo.guarding import ask_for_a_grant, check_last_month, contain_the_incident, report_an_incident
from workflow.demo.matters import apply_for_quota, ask_and_report, file_changes
from workflow.demo.months import (
    compare_last_month,
    correct_last_month,
    go_through,
    lock_last_month,
    report_last_month,
)
from workflow.periodic.months import month_of

AGENDA: dict[int, tuple[Callable[[Doing], None], ...]] = {
    0: (report_last_month,),
    1: (compare_last_month, begin_last_half),
    2: (check_every_pair,),
    3: (correct_last_month,),
    4: (tell_by_letter,),
    5: (lock_last_month,),
    7: (answer_letters,),
    8: (begin_this_half,),
    9: (check_some_pairs, file_changes),
    10: (apply_for_quota, check_last_month, report_an_incident),
    11: (ask_and_report, contain_the_incident, ask_for_a_grant),
}


def act(doing: Doing, working_day: int, *, month_opened: bool) -> None:
    """The day's work in order; where this month's reports were opened that morning, the units go through them."""
    if month_opened:
        go_through(doing, month_of(doing.today))
    for work in AGENDA.get(working_day, ()):
        work(doing)
