"""The watch: heads go to every holder, a break is noticed at the next look, the command and the daily job tell the same."""

from __future__ import annotations

import http.server
import json
import shutil
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from tests.audit import intruder
from tests.audit.intruder import START, fill, inside
from workers import anchoring
from workers.anchoring import Watch, look
from workflow.audit.anchors import read_anchors
from workflow.audit.models import ROW
from workflow.audit.watch import accept_restore, verified
from workflow.db import reading
from workflow.errors import BadInput, Refused
from workflow.operations.daily import Pending
from workflow.settings import Settings, get_settings


@pytest.fixture
def settings(data_dir: Path) -> Settings:
    """The settings of the test's data directory."""
    return get_settings()


def anchored(settings: Settings) -> list[list[int]]:
    """The entries that each holder has anchors of."""
    return [[a.seq for a in read_anchors(sorted(h.glob("*.anchors")))] for h in settings.anchor_holders]


def test_a_look_writes_the_head_to_two_holders_and_the_days_head_once(engine: Engine, settings: Settings) -> None:
    watch = Watch()
    for minute, more in enumerate((3, 2, 0)):
        fill(engine, more)
        assert look(engine, settings, watch, START + timedelta(minutes=minute)).ok
    assert anchored(settings) == [[3, 5], [3, 5]], "an unchanged head is not written again"
    look(engine, settings, watch, START + timedelta(hours=2))
    assert anchored(settings) == [[3, 5, 5], [3, 5, 5]], "but hourly"
    days = [[path.name for path in (holder / "daily").iterdir()] for holder in settings.anchor_holders]
    assert days == [["2026-03-02.json"]] * 2
    assert settings.anchor_holders[1].parent == settings.data_dir.parent, (
        "the second one lies outside the data directory"
    )


def test_a_break_is_noticed_at_the_next_look_and_told_in_the_chain(engine: Engine, settings: Settings) -> None:
    watch = Watch()
    fill(engine, 5)
    assert look(engine, settings, watch, START).ok
    fill(engine, 5)
    with inside(engine) as connection:
        intruder.take_away(connection, 8)
    assert not look(engine, settings, watch, START + timedelta(minutes=1)).ok
    with reading(engine) as session:
        last = session.execute(select(ROW).order_by(ROW.c.seq.desc()).limit(1)).one()
    assert (last.action, last.result) == ("audit.verify", "failed")


def test_a_new_watch_begins_with_the_whole_chain(engine: Engine, settings: Settings) -> None:
    fill(engine, 9)
    look(engine, settings, Watch(), START)
    with inside(engine) as connection:
        intruder.cut_off(connection, 6)
    found = look(engine, settings, Watch(), START + timedelta(minutes=1))
    assert [problem.kind for problem in found.problems] == ["truncated"]


def test_a_holder_that_cannot_be_written_does_not_keep_the_other_from_it(
    engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    broken = settings.model_copy(update={"anchor_dir": tmp_path / "file" / "below"})
    fill(engine, 3)
    watch = Watch()
    look(engine, broken, watch, START)
    assert watch.failed == [str(broken.anchor_holders[1])]
    assert len(list(read_anchors(sorted(broken.anchor_holders[0].glob("*.anchors"))))) == 1


def alarms(engine: Engine) -> list[str]:
    """The alarms raised so far, without their day."""
    with reading(engine) as session:
        raised = select(ROW.c.object_key).where(ROW.c.action == "alarm.raise").order_by(ROW.c.seq)
        return [key.rpartition(":")[0] for key in session.scalars(raised)]


def test_a_holder_that_fails_or_has_lost_its_anchors_is_an_alarm(
    engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    fill(engine, 3)
    watch = Watch()
    look(engine, settings, watch, START)
    assert alarms(engine) == []
    shutil.rmtree(settings.anchor_holders[1])
    look(engine, settings, watch, START + timedelta(minutes=1))
    assert alarms(engine) == ["chain:holder"]


def test_an_old_entry_that_was_changed_is_an_alarm_after_the_daily_walk(engine: Engine, settings: Settings) -> None:
    fill(engine, 30)
    look(engine, settings, Watch(), START)
    with inside(engine) as connection:
        intruder.take_away(connection, 5)
    later = START + timedelta(days=1)
    assert not anchoring.daily_audit(engine, settings, Pending(later.date(), "audit_chain", later))["ok"]
    assert alarms(engine) == ["chain"]


@pytest.fixture
def witness() -> Iterator[tuple[str, list[dict[str, object]]]]:
    """A third party that takes anchors by HTTP: its address and what it was given."""
    given: list[dict[str, object]] = []

    class Taking(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            given.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Silent."""

    server = http.server.HTTPServer(("127.0.0.1", 0), Taking)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", given
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_webhook_is_given_each_anchor(
    engine: Engine, settings: Settings, witness: tuple[str, list[dict[str, object]]], tmp_path: Path
) -> None:
    address, given = witness
    fill(engine, 4)
    look(engine, settings.model_copy(update={"anchor_webhook": address}), Watch(), START)
    assert [anchor["seq"] for anchor in given] == [4]
    kept = tmp_path / "kept.json"
    kept.write_text(json.dumps(given[0]))
    assert verified(engine, settings, anchor_file=kept).ok, "what the witness kept serves as an anchor file"


def test_an_anchor_file_that_was_kept_elsewhere_finds_what_the_holders_no_longer_tell(
    engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    fill(engine, 6)
    look(engine, settings, Watch(), START)
    kept = tmp_path / "auditor.json"
    kept.write_bytes((settings.anchor_holders[0] / "daily" / "2026-03-02.json").read_bytes())
    for holder in settings.anchor_holders:
        for path in [*holder.glob("*.anchors"), *(holder / "daily").iterdir()]:
            path.unlink()
    with inside(engine) as connection:
        intruder.cut_off(connection, 4)
    assert verified(engine, settings).ok
    found = verified(engine, settings, anchor_file=kept)
    assert found.as_json()["ok"] is False
    assert found.as_json()["first_bad"] == 4
    with pytest.raises(BadInput, match="没有锚点文件"):
        verified(engine, settings, anchor_file=tmp_path / "none")
    kept.write_text("{}")
    with pytest.raises(BadInput, match="不是锚点"):
        verified(engine, settings, anchor_file=kept)


def test_the_daily_job_purges_verifies_and_tells(engine: Engine, settings: Settings) -> None:
    fill(engine, 7)
    later = START + timedelta(days=1096, minutes=3)
    outcome = anchoring.daily_audit(engine, settings, Pending(later.date(), "audit_chain", later))
    assert (outcome["purged"], outcome["ok"], outcome["rows"]) == (3, True, 5)
    with reading(engine) as session:
        actions = session.scalars(select(ROW.c.action).order_by(ROW.c.seq)).all()
    assert actions[-2:] == ["audit.purge", "audit.verify"]


def restored(engine: Engine, settings: Settings) -> None:
    """A database whose last entries a restore has lost, and that went on since."""
    fill(engine, 6)
    look(engine, settings, Watch(), START)
    fill(engine, 4)
    look(engine, settings, Watch(), START + timedelta(minutes=1))
    with inside(engine) as connection:
        intruder.cut_off(connection, 8)
    fill(engine, 5)


def test_a_declared_restore_is_told_as_lost_entries_and_not_as_a_break(
    both_engines: Engine, settings: Settings
) -> None:
    restored(both_engines, settings)
    assert not verified(both_engines, settings).ok
    later = START + timedelta(minutes=5)
    assert accept_restore(both_engines, settings, now=later, by="cli", reason="磁盘损坏") == (6, 10)
    found = verified(both_engines, settings)
    assert (found.ok, found.lost_to, [seq for _, seq in found.restarts]) == (True, 10, [6])
    look(both_engines, settings, Watch(), START + timedelta(minutes=6))
    with inside(both_engines) as connection:
        intruder.cut_off(connection, 12)
    assert not verified(both_engines, settings).ok, "what is cut off after the restore is found again"


def test_neither_a_sound_chain_nor_a_broken_one_passes_for_a_restore(engine: Engine, settings: Settings) -> None:
    fill(engine, 6)
    look(engine, settings, Watch(), START)
    with pytest.raises(Refused, match="没有需要登记的恢复"):
        accept_restore(engine, settings, now=START, by="cli", reason="x")
    with inside(engine) as connection:
        intruder.take_away(connection, 3)
    with pytest.raises(Refused, match="不能作为恢复备份登记"):
        accept_restore(engine, settings, now=START, by="cli", reason="x")
