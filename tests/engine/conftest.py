"""A small process of its own for the engine's tests, so that they prove the mechanism and not the law."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import pytest
from sqlalchemy.orm import Session

from workflow.engine.actors import Person
from workflow.engine.context import StepContext
from workflow.engine.definition import read_definition
from workflow.engine.outbox import Message, emit_all
from workflow.engine.registry import Book, using
from workflow.engine.verdicts import Verdict
from workflow.policy import Term

PARCEL = """
process: parcel
version: 1
title: 包裹
basis: [办法10(一)]
initial: packed
opened_by: [sender]
states:
  packed:   {title: 已打包}
  waiting:  {title: 等待, light: yellow, inbox: sender}
  late:     {title: 迟到, light: red, inbox: sender}
  held:     {title: 扣留}
  arrived:  {title: 送达, light: green}
  lost:     {title: 遗失, final: true}
transitions:
  - {do: send,    title: 寄出, from: packed,           to: waiting, by: clock,   then: [announce]}
  - {do: delay,   title: 迟到, from: waiting,          to: late,    by: clock,   then: [announce]}
  - {do: arrive,  title: 送达, from: [waiting, late],  to: arrived, by: courier, when: [is_light, is_known]}
  - {do: return,  title: 退回, from: arrived,          to: packed,  by: courier, needs: [reason]}
  - {do: hold,    title: 扣留, from: [waiting, late],  to: held,    by: courier}
  - {do: release, title: 放行, from: held,             to: waiting, by: courier}
  - {do: lose,    title: 遗失, from: [late, held],     to: lost,    by: [courier, clock]}
timers:
  - {in: packed,  after: send,  do: send,  since: day_zero}
  - {in: waiting, after: delay, do: delay, since: day_zero}
  - {in: held,    until: held_until, do: lose}
"""
LENGTHS = {"send": Term(0, "working_days"), "delay": Term(3, "working_days")}

SENDER = Person("sender@1", {"sender": None})
COURIER = Person("courier@1", {"courier": frozenset({1})})


def lengths(session: Session, name: str, unit_ids: Iterable[int | None]) -> Mapping[int | None, Term]:
    return dict.fromkeys(unit_ids, LENGTHS[name])


def is_light(context: StepContext) -> dict[int, list[Verdict]]:
    return {
        case.id: [Verdict("is_light", case.data.get("kilos", 0) < 20, "不超过20公斤", basis="办法10")]
        for case in context.cases
    }


def is_known(context: StepContext) -> dict[int, list[Verdict]]:
    return {case.id: [Verdict("is_known", not case.data.get("stranger"), "收件人已登记")] for case in context.cases}


def announce(context: StepContext) -> None:
    if any(case.data.get("cursed") for case in context.cases):
        raise RuntimeError("cursed parcel")
    messages = [
        Message("announce", f"{context.step.do}:{case.id}:{case.version}", {"case": case.id}) for case in context.cases
    ]
    emit_all(context.session, messages, context.now)


def parcel_book(text: str = PARCEL) -> Book:
    roles = {"clock": "时钟", "sender": "寄件人", "courier": "快递员"}
    guards = {"is_light": is_light, "is_known": is_known}
    names = dict.fromkeys(LENGTHS, lengths)
    return Book({"parcel": read_definition(text, "parcel.yaml")}, guards, {"announce": announce}, roles, names)


@pytest.fixture(autouse=True)
def parcels() -> Iterator[Book]:
    """The book of this folder's tests."""
    with using(parcel_book()) as book:
        yield book
