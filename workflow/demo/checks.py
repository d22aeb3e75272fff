"""半年交叉检查 of the demonstration (办法10(四)): one round told by letters, some of them answered; the next one under way."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import select

from workflow.demo.doing import NOTE, Doing, office
from workflow.engine.models import Case
from workflow.engine.sets import grouped
from workflow.periodic.check_lists import judge_samples
from workflow.periodic.cross_check import LETTER, PAIR_PROCESS, ROUND
from workflow.periodic.models import SAMPLE
from workflow.quality.terms import policies_of

CITY_REVIEWER, CITY_LEADER = "reviewer", "leader"
FINDS = 3  # every third pair finds something
PROBLEMS = (
    "任免文件为副科长，登记为科员",
    "个人档案所载出生日期与登记不一致",
    "已任新职，任职记录未更新",
    "所在科室已调整，未更新",
)


def begin_last_half(doing: Doing) -> None:
    """The round of the half-year before this one: paired by the city's office, confirmed by its leader."""
    half = 2 if doing.today.month <= 6 else 1
    _begin(doing, doing.today.year - (half == 2), half, "领导职数、在编状态和任职信息")


def begin_this_half(doing: Doing) -> None:
    """The round of this half-year, county against county."""
    half = 1 if doing.today.month <= 6 else 2
    _begin(doing, doing.today.year, half, "内设机构调整后人员所在处（科）室", among="counties")


def _begin(doing: Doing, year: int, half: int, focus: str, among: str = "departments") -> None:
    texts = {"year": str(year), "half": str(half), "focus": focus + NOTE, "among": among}
    case_id = doing.open(ROUND, None, CITY_REVIEWER, **texts)
    doing.step(ROUND, "pair", case_id, CITY_REVIEWER)
    doing.step(ROUND, "begin", case_id, CITY_LEADER)


def check_every_pair(doing: Doing) -> None:
    """Every pair is checked, confirmed and accepted."""
    _check(doing, doing.cases(PAIR_PROCESS, "checking"))
    _accept(doing, doing.cases(PAIR_PROCESS, "reviewing"))


def check_some_pairs(doing: Doing) -> None:
    """A quarter of the pairs is accepted, a quarter confirmed; the others are still checking."""
    pairs = doing.cases(PAIR_PROCESS, "checking")
    _check(doing, pairs[: len(pairs) // 2])
    _accept(doing, doing.cases(PAIR_PROCESS, "reviewing")[::2])


def _check(doing: Doing, pairs: Iterable[Any]) -> None:
    for number, pair in enumerate(pairs):
        clerk, samples = f"clerk@{pair.unit_code}", _samples(doing, pair.id)
        found: dict[int, tuple[str, str]] = dict.fromkeys(samples, ("right", ""))
        if number % FINDS == 0 and samples:
            found[samples[0]] = ("wrong", PROBLEMS[number // FINDS % len(PROBLEMS)] + NOTE)
        judge_samples(doing.session, doing.actor(clerk), doing.session.get_one(Case, pair.id), found, now=doing.now)
        doing.step(PAIR_PROCESS, "submit", pair.id, clerk)
        doing.step(PAIR_PROCESS, "confirm", pair.id, f"head@{pair.unit_code}")


def _samples(doing: Doing, case_id: int) -> list[int]:
    return list(doing.session.scalars(select(SAMPLE.c.id).where(SAMPLE.c.case_id == case_id).order_by(SAMPLE.c.id)))


def _accept(doing: Doing, pairs: Iterable[Any]) -> None:
    for district, ids in grouped((pair.district, pair.id) for pair in pairs).items():
        doing.step(PAIR_PROCESS, "accept", ids, office("reviewer", district))


def tell_by_letter(doing: Doing) -> None:
    """The city's office writes the letters; whose number they bear hands them to its leader, who signs; the last two stay on the desks."""
    doing.step(ROUND, "letter", [case.id for case in doing.cases(ROUND, "checking")], CITY_REVIEWER)
    drafts = doing.cases(LETTER, "draft")
    policies = policies_of(doing.session, [letter.unit_id for letter in drafts])
    for number, letter in enumerate(drafts):
        place = policies[letter.unit_id].district
        left = len(drafts) - number
        if left > 1:
            doing.step(LETTER, "submit", letter.id, office("reviewer", place))
        if left > 2:
            doing.step(LETTER, "issue", letter.id, office("leader", place))


def answer_letters(doing: Doing) -> None:
    """Half of the units answer; half of the answers are accepted."""
    for number, letter in enumerate(doing.cases(LETTER, "sent")[::2]):
        told = {"answer": f"已对照个人档案和任免文件更正，并核对了全部人员{NOTE}"}
        doing.step(LETTER, "reply", letter.id, f"head@{letter.unit_code}", inputs=told)
        if number % 2 == 0:
            doing.step(LETTER, "accept", letter.id, office("reviewer", letter.district))
