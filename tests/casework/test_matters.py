"""Matters with a form: typed values or clear faults, complete before they are sent, numbered without a gap, decided by somebody else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from tests.casework.matter_room import WISH, wish_book
from workflow.casework.forms import typed_form
from workflow.casework.links import link
from workflow.casework.matters import open_matter
from workflow.casework.serials import next_number
from workflow.db import writing
from workflow.engine.actors import Person
from workflow.engine.definition import read_definition
from workflow.engine.models import CASE, OUTBOX
from workflow.engine.registry import using
from workflow.engine.steps import require_moved, take_step
from workflow.errors import BadInput, DefinitionError, NotAllowed, Refused
from workflow.registry import records
from workflow.registry.tables import TABLES

CODE = "330282101"
GOOD = {"kind": "many", "count": "3", "why": "人手不足"}


@pytest.fixture
def unit(session: Session, now: datetime) -> Iterator[int]:
    rows = [{"unit_code": CODE, "name": "示例局", "district_code": "330282"}]
    records.write(session, "unit", rows, by="reviewer", now=now, may_write_locked=True, may_create=True)
    with using(wish_book()):
        yield session.scalar(select(TABLES["unit"].c.id))  # type: ignore[misc]


CLERK, REVIEWER = Person("clerk", {"unit_clerk": None}), Person("reviewer", {"reviewer": None})
BOTH = Person("both", {"unit_clerk": None, "reviewer": None})


def opened(session: Session, unit: int, now: datetime, actor: Person = CLERK, **texts: Any) -> int:
    return open_matter(session, "wish", unit, GOOD | texts, now=now, actor=actor)


def step(session: Session, case_id: int, do: str, actor: Person, now: datetime, **more: Any) -> None:
    require_moved(take_step(session, "wish", do, [case_id], now=now, actor=actor, **more))


def form(session: Session, case_id: int) -> dict[str, Any]:
    return session.scalars(select(CASE.c.data).where(CASE.c.id == case_id)).one()["form"]


def test_what_is_typed_is_kept_in_its_type(session: Session, unit: int, now: datetime) -> None:
    case = opened(session, unit, now, wanted_on="2026-03-09", month="2026-03", partner=CODE, urgent="1", quota=" ")
    assert form(session, case) == {
        "kind": "many", "count": 3, "why": "人手不足", "wanted_on": "2026-03-09", "month": "2026-03", "partner": CODE,
        "urgent": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("kind", "none", "不在可选范围"), ("count", "1", "应在 2 至 9 之间"), ("count", "三", "不是整数"),
        ("count", "３", "不是整数"), ("wanted_on", "2026-02-30", "不是日期"), ("month", "2026-13", "不是月份"),
        ("quota", "没有的", "不在代码表"), ("partner", "330282999", "没有机构"), ("urgent", "maybe", "应为“是”或“否”"),
        ("why", "长" * 21, "最多 20 个字"), ("why", "a\x00b", "不可见字符"),
    ],
)  # fmt: skip
def test_a_fault_names_the_field_and_nothing_is_opened(
    session: Session, unit: int, now: datetime, name: str, text: str, says: str
) -> None:
    with pytest.raises(BadInput, match=says) as refused:
        opened(session, unit, now, **{name: text})
    assert [error["field"] for error in refused.value.facts["errors"]] == [name]
    assert session.scalars(select(CASE.c.id)).all() == []


def test_a_field_that_is_not_asked_for_is_dropped(session: Session, unit: int, now: datetime) -> None:
    assert "count" not in form(session, opened(session, unit, now, kind="one"))


def test_nothing_is_sent_on_before_it_is_complete(session: Session, unit: int, now: datetime) -> None:
    case = opened(session, unit, now, count="", why="")
    with pytest.raises(Refused, match="还须填写：数量、事由"):
        step(session, case, "submit", CLERK, now)
    step(session, case, "edit", CLERK, now, inputs=GOOD)
    step(session, case, "submit", CLERK, now)
    told = session.scalars(select(OUTBOX.c.payload)).one()["items"][0]
    assert (told["role"], told["district"], told["title"]) == ("reviewer", "330282", "心愿：待审核")


def test_files_are_added_and_dropped_by_their_digest(session: Session, unit: int, now: datetime) -> None:
    one, two = ({"name": f"{n}.pdf", "file": n, "sha256": n, "bytes": 1} for n in "ab")
    case = opened(session, unit, now, papers=[one])
    step(session, case, "edit", CLERK, now, inputs=GOOD | {"papers": [two], "_drop": ["a"]})
    assert form(session, case)["papers"] == [two]


def test_whoever_took_part_does_not_decide_nor_anybody_for_them(session: Session, unit: int, now: datetime) -> None:
    case = opened(session, unit, now, BOTH)
    step(session, case, "submit", BOTH, now)
    for who, behalf in ((BOTH, None), (REVIEWER, "both")):
        with pytest.raises(Refused, match="不得再作决定"):
            step(session, case, "grant", who, now, inputs={"places": "2"}, on_behalf_of=behalf)
    step(session, case, "grant", REVIEWER, now, inputs={"places": "2"})


def test_a_role_that_may_not_open_opens_nothing(session: Session, unit: int, now: datetime) -> None:
    with pytest.raises(NotAllowed):
        opened(session, unit, now, REVIEWER)


def test_numbers_run_on_within_a_year_without_a_gap(both_engines: Engine) -> None:
    with writing(both_engines) as session:
        assert [next_number(session, "letter", 2026) for _ in range(3)] == [1, 2, 3]
        session.rollback()
    with writing(both_engines) as session:
        assert [next_number(session, "letter", year) for year in (2026, 2026, 2027)] == [1, 2, 1]
        assert next_number(session, "notice", 2026) == 1


def test_an_unknown_kind_of_tie_is_refused(session: Session, now: datetime) -> None:
    with pytest.raises(ValueError, match="unknown kind"):
        link(session, 1, 2, "likes", now)


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("type: date", "type: moment", "没有“moment”这种字段"),
        ("{name: month, label: 月份", "{name: kind, label: 月份", "同名"),
        ("only: {kind: many}", "only: {sort: many}", "不存在"),
        ("codes: quota_type", "max: 3", "缺少“codes”"),
        ("label: 附件", "labl: 附件", "不认识的键"),
        ("needs: [places]", "needs: [seats]", "不认识的所需填写"),
    ],
)
def test_a_form_that_cannot_be_asked_stops_the_start(before: str, after: str, says: str) -> None:
    assert before in WISH
    with pytest.raises(DefinitionError, match=says):
        book = wish_book()
        type(book)(
            {"wish": read_definition(WISH.replace(before, after), "wish.yaml")}, book.guards, book.effects, book.roles
        )


TEXTS = st.dictionaries(
    st.sampled_from(["kind", "count", "wanted_on", "month", "urgent", "why", "stranger"]),
    st.text(max_size=30) | st.sampled_from(["one", "many", "2", "9", "2026-01-31", "2026-01", "1"]),
)


@given(texts=TEXTS)
def test_whatever_is_typed_becomes_values_that_stay_as_they_are_or_faults(texts: dict[str, str]) -> None:
    fields = [f for f in read_definition(WISH).form if f.type not in ("unit", "record")]
    none: Any = None  # these fields ask the database nothing
    try:
        values = typed_form(none, fields, texts, on=date(2026, 3, 2), kept={}, may_name=bool)
    except BadInput as fault:
        faulty = {error["field"] for error in fault.facts["errors"]}
        if not faulty <= set(texts):
            raise
        return
    assert set(values) <= {f.name for f in fields}
    again = {name: value if isinstance(value, bool) else str(value) for name, value in values.items()}
    assert typed_form(none, fields, again, on=date(2026, 3, 2), kept={}, may_name=bool) == values
