"""The inputs of a step against the fields that its table describes: length, range, choice, day; by their labels, all at once."""

from __future__ import annotations

from typing import Any

import pytest

from tests.casework.matter_room import wish_book
from workflow.engine.inputs import prove_inputs
from workflow.engine.registry import book
from workflow.errors import BadInput


@pytest.mark.parametrize(
    ("process", "state", "do", "given", "says"),
    [
        ("suspension", "proposed", "change", {"months": "0"}, "「月数」应在 1 至 12 之间"),
        ("suspension", "proposed", "change", {"months": "13"}, "「月数」应在 1 至 12 之间"),
        ("suspension", "proposed", "change", {"months": "1.5"}, "「月数」“1.5”不是整数"),
        ("suspension", "proposed", "change", {"months": True}, "「月数」填写有误"),
        ("suspension", "proposed", "set_end", {"ends_on": "2026-02-30"}, "「截止日期」“2026-02-30”不是日期，应为 YYYY-MM-DD"),
        ("approval", "countersigning", "sign", {"opinion": "maybe"}, "「会签意见」“maybe”不在可选范围：同意、有条件同意、不同意"),
        ("approval", "reviewing", "countersign", {"signers": "签" * 201}, "「会签人账号」有 201 个字，最多 200 个字"),
        ("explanation", "draft", "submit", {"text": "\x00"}, "「情况说明」含有不可见字符，请删除"),
        ("filing", "submitted", "send_back", {"fields": {"name": "长" * 4001}}, "「fields」有 4001 个字，最多 4000 个字"),
        ("filing", "submitted", "confirm", {"anything": "长" * 4001}, "「anything」有 4001 个字，最多 4000 个字"),
    ],
)  # fmt: skip
def test_an_input_beyond_its_field_is_refused_by_its_label(
    process: str, state: str, do: str, given: dict[str, Any], says: str
) -> None:
    definition = book().process(process)
    step = definition.row(state, do)
    assert step is not None
    with pytest.raises(BadInput, match=r".") as refused:
        prove_inputs(definition, step, "理由", given)
    assert refused.value.says == says
    assert [error["field"] for error in refused.value.facts["errors"]] == list(given)


@pytest.mark.parametrize("given", [{"months": "1"}, {"months": 12}, {"months": " 3 "}, {"months": ""}, {}])
def test_what_lies_within_passes_and_what_is_empty_is_left_to_the_needs(given: dict[str, Any]) -> None:
    definition = book().process("suspension")
    step = definition.row("proposed", "change")
    assert step is not None
    prove_inputs(definition, step, "长" * 2000, given)


def test_every_fault_is_told_at_once_the_reason_too() -> None:
    definition = book().process("suspension")
    step = definition.row("proposed", "change")
    assert step is not None
    with pytest.raises(BadInput) as refused:
        prove_inputs(definition, step, "长" * 2001, {"months": "99"})
    assert refused.value.says == "「月数」应在 1 至 12 之间；「理由」有 2001 个字，最多 2000 个字"


def test_the_fields_of_a_form_are_left_to_the_form_where_the_step_keeps_it() -> None:
    definition = wish_book().process("wish")
    edit = definition.row("draft", "edit")
    assert edit is not None
    prove_inputs(definition, edit, None, {"why": "长" * 5000})
