"""Every process can be drawn, with its position; the drawing is well-formed and needs no style."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from tests.web.conftest import Visitor
from web.drawing import drawn
from workflow.engine.definition import read_folder
from workflow.engine.registry import book

PROCESSES = sorted({definition.process for definition in read_folder()})


@pytest.mark.parametrize("process", PROCESSES)
def test_a_process_is_drawn_with_every_state_and_action(process: str) -> None:
    definition = book().process(process)
    root = ElementTree.fromstring(str(drawn(definition)))
    words = {text.text for text in root.iter("text")}
    assert {state.title for state in definition.states.values()} <= words
    assert {step.title for step in definition.steps} <= {part for word in words for part in str(word).split("／")}
    assert not [node for node in root.iter() if "style" in node.attrib]


@pytest.mark.parametrize("process", PROCESSES)
def test_the_live_position_is_marked(process: str) -> None:
    definition = book().process(process)
    for name, state in definition.states.items():
        drawing = str(drawn(definition, name))
        assert drawing.count("state-here") == 1
        assert f"● {state.title}" in drawing


@pytest.mark.parametrize("process", PROCESSES)
def test_no_two_states_overlap_and_nothing_leaves_the_sheet(process: str) -> None:
    root = ElementTree.fromstring(str(drawn(book().process(process))))
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    boxes = [tuple(float(group[0].attrib[name]) for name in ("x", "y", "width", "height")) for group in root.iter("g")]
    for x, y, w, h in boxes:
        assert x >= 0
        assert y >= 0
        assert x + w <= width
        assert y + h <= height
    assert len({(x, y) for x, y, _, _ in boxes}) == len(boxes)


def test_the_page_of_a_process_names_conditions_and_inputs_in_chinese(reviewer: Visitor) -> None:
    for process in PROCESSES:
        page = reviewer.get(f"/processes/{process}").get_data(as_text=True)
        steps = page[page.index('id="steps-title"') :].split("</section>")[0]
        cells = re.findall(r'<td data-label="(?:条件|须填)">(.*?)</td>', steps, re.DOTALL)
        assert len(cells) == 2 * len(book().process(process).steps)
        words = re.sub(r"<[^>]*>", "", "".join(cells))
        assert not re.search("[a-z]", words), (process, words)
        days = re.findall(r'<td data-label="期限">(.*?)</td>', page, re.DOTALL)
        assert len(days) == len(book().process(process).timers)
        assert not re.search("[a-z]", "".join(days)), (process, days)
