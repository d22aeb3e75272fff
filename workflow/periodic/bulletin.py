"""通报 of a year's cross-checks (办法10(四)), to be put on paper like a letter; its words stand in definitions/documents/bulletin.yaml. Reads only."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import yaml
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from workflow.access.scopes import CITY
from workflow.casework.letters import Letter
from workflow.casework.letters import words as letter_words
from workflow.engine.registry import book
from workflow.engine.sets import among, grouped
from workflow.periodic.check_lists import letters_of, rounds_of_year
from workflow.periodic.cross_check import LETTER, ROUND
from workflow.periodic.models import PAIR, SAMPLE
from workflow.registry.dictionary import DEFINITIONS, dictionary

CLOSED = "closed"


@functools.cache
def words() -> dict[str, str]:
    """The sentences of a bulletin."""
    read: dict[str, str] = yaml.safe_load((DEFINITIONS / "documents" / "bulletin.yaml").read_text(encoding="utf-8"))
    return read


def bulletin_of(session: Session, year: int) -> Letter | None:
    """The year's bulletin for paper, dated when its last round was closed; a draft while one is open; None without a round."""
    rounds = [row for row in rounds_of_year(session, year) if "pairs" in row.data]
    if not rounds:
        return None
    ids = [row.id for row in rounds]
    drawn, sent, says = samples_drawn(session, ids), letters_of(session, ids), words()
    by_round = grouped((letter.round, letter) for letter in sent)
    lines = [_round(n, row, drawn.get(row.id, 0), by_round.get(row.id, [])) for n, row in enumerate(rounds, 1)]
    late = [_late(letter) for letter in sent if letter.data.get("late") or letter.state == "overdue"]
    told = [says["late"], *late] if late else [says["none_late"]] if sent else []
    days = [row.data.get("bulletin_on") for row in rounds]
    place = dictionary().codes["region"].label(CITY)
    return Letter(
        office=letter_words()["office"].format(place=place),
        number="" if all(days) else says["draft"],
        subject=says["subject"].format(year=year),
        addressee=says["addressee"],
        opening=says["opening"].format(year=year, rounds=len(rounds)),
        problems=(*lines, *told),
        demand=says["demand"],
        closing=says["closing"],
        issued_on=date.fromisoformat(max(days)) if all(days) else None,
    )


def samples_drawn(session: Session, round_ids: Sequence[int]) -> dict[int, int]:
    """Round → how many records were drawn for its checks."""
    drawn = select(PAIR.c.round_id, func.count()).join(SAMPLE, SAMPLE.c.case_id == PAIR.c.case_id)
    rows = session.execute(drawn.where(among(session, PAIR.c.round_id, round_ids)).group_by(PAIR.c.round_id))
    return {row[0]: row[1] for row in rows}


def _round(n: int, row: Any, samples: int, letters: Sequence[Any]) -> str:
    data: Mapping[str, Any] = row.data
    problems = data.get("problems", 0)
    says = words()["round" if "problems" in data else "round_open"]
    return says.format(
        n=n, title=row.title, state=book().process(ROUND).states[row.state].title,
        pairs=data["pairs"], samples=samples, problems=problems,
        rate=f"{100 * problems / samples:.1f}%" if samples else "—",
        letters=len(letters), closed=sum(letter.state == CLOSED for letter in letters),
    )  # fmt: skip


def _late(letter: Any) -> str:
    says, replied = words(), letter.data.get("replied_on")
    state = book().process(LETTER).states[letter.state].title
    return says["late_one"].format(
        number=letter.data.get("number", ""), unit=letter.name, due_on=letter.data.get("due_on", ""),
        how=says["replied"].format(on=replied, state=state) if replied else state,
    )  # fmt: skip
