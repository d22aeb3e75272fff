"""A definition is proved before anything runs under it; a refusal names file, row and the known names."""

from __future__ import annotations

import pytest

from tests.engine.conftest import PARCEL, parcel_book
from workflow.engine.definition import read_definition
from workflow.engine.registry import load_all, newest
from workflow.errors import DefinitionError


def changed(old: str, new: str) -> str:
    assert old in PARCEL
    return PARCEL.replace(old, new)


BROKEN = {
    "unknown guard": (
        changed("[is_light, is_known]", "[is_heavy]"),
        r"parcel.yaml，transitions 第 3 行.*条件“is_heavy”.*is_known、is_light",
    ),
    "unknown effect": (changed("then: [announce]", "then: [shout]"), r"第 1 行.*动作“shout”.*announce"),
    "unknown role": (changed("by: courier, when", "by: pilot, when"), r"第 3 行.*角色“pilot”.*clock、courier、sender"),
    "unknown role in an inbox": (changed("red, inbox: sender", "red, inbox: boss"), r"states.late.*角色“boss”"),
    "unknown term": (changed("after: delay", "after: dely"), r"timers 第 2 行（delay）.*期限“dely”.*delay、send"),
    "unknown state": (changed("to: late,", "to: tardy,"), r"第 2 行（delay）.*状态“tardy”"),
    "unknown light": (changed("light: red", "light: pink"), r"states.late.*“pink”这种灯.*yellow"),
    "unknown key": (
        changed("to: waiting, by: clock,", "into: waiting, by: clock,"),
        r"第 1 行.*(缺少“to”|不认识的键“into”)",
    ),
    "unreachable state": (
        changed("  lost: ", "  island: {title: 孤岛, final: true}\n  lost: "),
        r"states.island.*没有任何一步通向",
    ),
    "dead end": (changed("遗失, final: true", "遗失"), r"states.lost.*死路"),
    "way out of a final state": (
        changed("from: [late, held],     to: lost", "from: [late, held, lost], to: lost"),
        r"states.lost.*终结状态",
    ),
    "second way": (
        changed("timers:", "  - {do: hold, title: 再扣, from: late, to: lost, by: courier}\ntimers:"),
        r"第 8 行.*状态“late”下的“hold”已有去处",
    ),
    "timer that cannot act": (
        changed("in: held, ", "in: arrived, "),
        r"timers 第 3 行（lose）.*状态“arrived”没有“lose”",
    ),
    "timer for a person's step": (changed("by: [courier, clock]", "by: courier"), r"timers 第 3 行.*不由时钟办理"),
    "clock without a timer": (
        changed("  - {in: waiting, after: delay, do: delay, since: day_zero}\n", ""),
        r"第 2 行.*永远不会发生",
    ),
    "neither term nor date": (changed("until: held_until, ", ""), r"timers 第 3 行.*after（期限条目）与 until"),
    "boolean key": (changed("packed:   {title", "on:   {title"), r"“on”会被 YAML 读作真假值"),
    "boolean value": (changed("do: lose,    title", "do: no,    title"), r"“do”的值 False"),
    "key written twice": (changed("version: 1", "version: 1\nversion: 2"), r"“version”写了两次"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_definition_does_not_start(name: str) -> None:
    text, says = BROKEN[name]
    with pytest.raises(DefinitionError, match=says):
        parcel_book(text)


def test_the_hash_is_of_the_meaning_and_not_of_comments() -> None:
    plain, commented = read_definition(PARCEL), read_definition("# a note\n" + PARCEL)
    assert plain.hash == commented.hash
    assert plain.hash != read_definition(changed("title: 送达", "title: 收到")).hash


def test_the_pinned_text_reads_as_the_same_definition() -> None:
    original = read_definition(PARCEL)
    again = read_definition(original.text)
    assert (again.hash, again.rows, again.timers) == (original.hash, original.rows, original.timers)


def test_the_machine_of_the_library_has_no_back_doors() -> None:
    machine = read_definition(PARCEL).machine
    assert set(machine.events) == {"send", "delay", "arrive", "return", "hold", "release", "lose"}
    assert machine.models == []


def test_the_library_and_the_table_agree_on_every_way() -> None:
    definition = read_definition(PARCEL)
    for (state, do), step in definition.rows.items():
        assert definition.destination(state, do) == step.to


def test_the_newest_version_is_in_force_and_two_of_a_version_are_refused() -> None:
    first = read_definition(PARCEL)
    second = read_definition(changed("version: 1", "version: 2"))
    assert newest([second, first])["parcel"].version == 2
    with pytest.raises(DefinitionError, match="已是第 1 版"):
        newest([first, first])


def test_every_definition_of_this_release_is_proved() -> None:
    assert {"rectification", "explanation", "suspension", "void_light", "reminder"} <= set(load_all().current)
