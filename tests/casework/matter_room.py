"""A small process with a form, for the tests of forms and matters: they prove the mechanism and not the law."""

from __future__ import annotations

from dataclasses import replace

from workflow.engine.definition import read_definition
from workflow.engine.registry import Book, load_all

WISH = """
process: wish
version: 1
title: 心愿
basis: [办法14]
initial: draft
opened_by: [unit_clerk]
states:
  draft:   {title: 起草中, inbox: unit_clerk}
  sent:    {title: 待审核, inbox: reviewer}
  granted: {title: 已同意, final: true}
transitions:
  - {do: edit,   title: 修改, from: draft, to: draft,   by: unit_clerk, then: [keep_form]}
  - {do: submit, title: 提交, from: draft, to: sent,    by: unit_clerk, when: [form_is_complete], then: [tell_whose_turn]}
  - {do: grant,  title: 同意, from: sent,  to: granted, by: reviewer,   when: [took_no_part], needs: [places], then: [tell_applicant]}
form:
  - {name: kind, label: 种类, type: choice, options: {one: 单项, many: 多项}, required: true}
  - {name: count, label: 数量, type: int, min: 2, max: 9, required: true, only: {kind: many}}
  - {name: wanted_on, label: 希望日期, type: date}
  - {name: month, label: 月份, type: month}
  - {name: quota, label: 编制类型, type: code, codes: quota_type}
  - {name: partner, label: 对方单位, type: unit}
  - {name: urgent, label: 是否紧急, type: flag}
  - {name: why, label: 事由, type: long, max: 20, required: true}
  - {name: papers, label: 附件, type: files}
inputs:
  - {name: places, label: 同意数量, type: int, min: 1, max: 9}
"""


def wish_book() -> Book:
    """The book of this release with one more process."""
    release = load_all()
    return replace(release, current={**release.current, "wish": read_definition(WISH, "wish.yaml")}, pinned={})
