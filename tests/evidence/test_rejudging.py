"""A case is judged again from its bundle alone: the same facts and versions give the same verdicts, and whoever changed one is found out."""

from __future__ import annotations

import copy
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from tests.casework.approval_room import NEXT_MON, brought_to, settle
from tests.evidence.room import bundle, cannot, different, document, tampered
from tests.quality.ticket_room import at
from workflow.db import Base, open_engine
from workflow.engine.judges import answers, judges
from workflow.engine.registry import book
from workflow.engine.timers import fire_due
from workflow.errors import BadInput
from workflow.evidence.bundle import DOCUMENT, verified
from workflow.evidence.findings import DIFFERENT, SAME
from workflow.evidence.rejudging import judged_again, rejudged
from workflow.insight.wording import condition_titles

Change = Callable[[dict[str, Any]], None]


def approved_city(engine: Engine) -> int:
    """An application carried to its notice, past the day on which the office was reminded."""
    settle(engine)
    case_id = brought_to(engine, "endorse")
    fire_due(engine, at(date(2026, 4, 20)))
    return case_id


@pytest.fixture
def kept() -> dict[str, Any]:
    return copy.deepcopy(KEPT[0])


@pytest.fixture
def sealed(kept: dict[str, Any], tmp_path: Path) -> Path:
    return bundle(tmp_path / "case.zip", kept)


def test_everything_of_an_application_is_judged_again_the_same(kept: dict[str, Any]) -> None:
    found = rejudged(kept)
    assert different(found.rows) == []
    assert cannot(found.rows) == []
    assert {row.part for row in found.rows} == {"versions", "steps", "verdicts", "audit", "timers", "case"}
    assert len([row for row in found.rows if row.part == "verdicts"]) >= 20
    assert kept["rejudged"]["ok"] is True


def test_the_bundle_as_it_was_made_is_all_the_same(sealed: Path) -> None:
    found, about = verified(sealed)
    assert different(found.rows) == []
    assert (about["process"], about["made_by"]) == ("approval", "reviewer")


def step(kept: dict[str, Any], do: str) -> Any:
    return next(act for act in kept["history"] if act["do"] == do)


def _verdict(kept: dict[str, Any]) -> None:
    step(kept, "submit")["facts"]["verdicts"][-1]["holds"] = False


def _fact(kept: dict[str, Any]) -> None:
    step(kept, "submit")["facts"]["read"]["quota_is_free"]["facts"]["balance"]["approved"] = 0


def _said(kept: dict[str, Any]) -> None:
    step(kept, "submit")["facts"]["verdicts"][0]["says"] = "表单基本完整"


def _state(kept: dict[str, Any]) -> None:
    kept["case"]["state"] = "issued"


def _jump(kept: dict[str, Any]) -> None:
    step(kept, "receive")["to_state"] = "deciding"


def _person(kept: dict[str, Any]) -> None:
    step(kept, "submit")["actor"] = "head@1"


def _due(kept: dict[str, Any]) -> None:
    kept["timers"][0]["due_on"] = "2026-03-31"


def _start(kept: dict[str, Any]) -> None:
    kept["timers"][0]["start_on"] = "2026-03-03"


def _length(kept: dict[str, Any]) -> None:
    kept["timers"][0]["n"] += 1


def _pause(kept: dict[str, Any]) -> None:
    written = kept["history"][0]["at"]
    day = {"cause": "平台停用", "from_on": "2026-03-03", "to_on": "2026-03-04", "written_at": written}
    kept["pauses"].append(day)


def _holiday(kept: dict[str, Any]) -> None:
    kept["calendar"]["notices"]["2026"][0]["holidays"].append(["假日", "2026-03-03", "2026-03-04"])


def _definition(kept: dict[str, Any]) -> None:
    kept["definition"]["text"] = kept["definition"]["text"].replace('"no_red_light"', '"not_on_negative_list"')


def _hash(kept: dict[str, Any]) -> None:
    kept["definition"]["hash"] = "0" * 64


def _moment(kept: dict[str, Any]) -> None:
    step(kept, "confirm")["effective_at"] = "2026-02-01T01:00:00+00:00"


def _hour(kept: dict[str, Any]) -> None:
    step(kept, "confirm")["at"] = step(kept, "confirm")["at"].replace("T01:", "T02:")


def _dropped(kept: dict[str, Any]) -> None:
    kept["history"].pop(2)


def _silent(kept: dict[str, Any]) -> None:
    facts = step(kept, "confirm")["facts"]
    facts["verdicts"] = [verdict for verdict in facts["verdicts"] if verdict["guard"] != "no_red_light"]


def _policy(kept: dict[str, Any]) -> None:
    name = "approval.receive"
    kept["policy"]["entries"][name] = kept["policy"]["entries"][name].replace('"value":', '"value":9')


def _lost(kept: dict[str, Any]) -> None:
    del kept["timers"]


CHANGES = (_verdict, _fact, _said, _state, _jump, _person, _due, _start, _length, _pause, _holiday, _definition, _hash, _moment, _hour,
           _dropped, _silent, _policy, _lost)  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_document_is_found_even_under_a_new_manifest(sealed: Path, change: Change) -> None:
    found, _ = verified(tampered(sealed, change, sealed=True))
    assert [row for row in different(found.rows) if row[0] != "files"], change.__name__


def test_a_change_under_the_old_manifest_is_found_by_its_digest(sealed: Path) -> None:
    found, _ = verified(tampered(sealed, lambda kept: kept["comments"].append({"text": "补"}), sealed=False))
    assert [(part, where) for part, where, _ in different(found.rows)] == [("files", DOCUMENT)]


def test_a_changed_attachment_and_a_file_beside_the_manifest_are_found(sealed: Path) -> None:
    other = sealed.with_name("other.zip")
    with zipfile.ZipFile(sealed) as old, zipfile.ZipFile(other, "w") as new:
        for name in old.namelist():
            new.writestr(name, b"%PDF-1.7 other" if name.startswith("attachments/") else old.read(name))
        new.writestr("more.txt", b"x")
    found, _ = verified(other)
    assert {where for _, where, _ in different(found.rows)} == {"attachments/001-申请.pdf", "申请.pdf", "more.txt"}


def test_a_file_that_is_no_bundle_is_refused(tmp_path: Path, sealed: Path) -> None:
    plain = tmp_path / "plain.zip"
    plain.write_bytes(b"not a zip")
    with pytest.raises(BadInput, match="不是可读的证据包"):
        verified(plain)
    with zipfile.ZipFile(plain, "w") as empty:
        empty.writestr("a.txt", b"")
    with pytest.raises(BadInput, match="缺少"):
        verified(plain)


def test_facts_that_were_not_kept_or_are_of_another_version_are_named_and_not_passed_over(kept: dict[str, Any]) -> None:
    facts = step(kept, "confirm")["facts"]
    del facts["read"]["no_red_light"]
    facts["read"]["not_on_negative_list"]["version"] = 99
    found = rejudged(kept)
    assert found.ok
    assert [says for _, says in cannot(found.rows)] == ["当时按判断第 99 版，现为第 1 版", "办理时尚未记下所读事实"]


@settings(max_examples=80)
@given(st.data())
def test_whatever_fact_is_changed_the_row_is_the_same_only_where_the_verdict_does_not_rest_on_it(
    data: st.DataObject,
) -> None:
    act = copy.deepcopy(data.draw(st.sampled_from([act for act in KEPT[0]["history"] if act["facts"].get("read")])))
    acts = [act if one["version"] == act["version"] else one for one in KEPT[0]["history"]]
    guard = data.draw(st.sampled_from(sorted(act["facts"]["read"])))
    facts, title = act["facts"]["read"][guard]["facts"], condition_titles()[guard]
    name = data.draw(st.sampled_from(sorted(facts)))
    facts[name] = data.draw(st.none() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=2))
    rows = list(judged_again([DEFINITION] * len(acts), acts))
    assert rows == list(judged_again([DEFINITION] * len(acts), acts))
    (row,) = [row for row in rows if row.where == f"第 {act['version']} 步 {act['title']} · {title}"]
    given_then = [verdict for verdict in act["facts"]["verdicts"] if verdict["guard"] == guard]
    if row.result == SAME:
        assert [verdict.as_json() for verdict in answers(judges()[guard], facts)] == given_then
    assert [one for one in rows if one.result != SAME] == [row] * (row.result == DIFFERENT)


DEFINITION = book().process("approval")
KEPT: list[dict[str, Any]] = []  # the document that the examples change, each in a copy


@pytest.fixture(autouse=True, scope="module")
def remembered(tmp_path_factory: pytest.TempPathFactory) -> None:
    engine = open_engine(f"sqlite:///{tmp_path_factory.mktemp('kept') / 'kept.db'}")
    Base.metadata.create_all(engine)
    KEPT[:] = [document(engine, approved_city(engine), at(NEXT_MON))]
    engine.dispose()
