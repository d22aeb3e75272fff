"""The loop as the workers turn it: a file in, lights out, red by the clock, green by a better file; requests that are done once."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import asdict
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from tests.workers.conftest import eventually
from workers.clock import pass_time
from workers.jobs import carry_out, run_request
from workers.lease import REQUEST, lease_on
from workflow.access.accounts import create_account, grant
from workflow.access.scopes import Actor, actor_named
from workflow.clock import present
from workflow.db import reading, writing
from workflow.engine.models import Case, Outbox
from workflow.errors import Conflict, NotFound
from workflow.insight.roster import RosterFilter
from workflow.operations import imports, notices, progress, requests
from workflow.operations.models import DailyJob, JobRequest, Notice
from workflow.quality.models import CheckRun
from workflow.registry.models import ImportBatch, RecordVersion
from workflow.settings import Settings

Part = Callable[..., subprocess.Popen[bytes]]

HEADER = "机构编码,机构全称,机构状态,所在政区,机构层级,机构性质\n"
BARE = HEADER + "330200901,宁波市示例局,正常,宁波市,市级,国家机关\n"
MONDAY = "2026-03-02T09:00:00+08:00"


@pytest.fixture
def reviewer(city: Engine, monkeypatch: pytest.MonkeyPatch) -> str:
    """A reviewer of the city, on a Monday morning."""
    monkeypatch.setenv("SANDENG_CLOCK", MONDAY)
    with writing(city) as session:
        create_account(session, name="reviewer", person_name="审核员", now=present(), by="test")
        place = {"scope": "district", "district": "330200"}
        grant(session, account="reviewer", role_name="reviewer", now=present(), by="test", **place)
    return "reviewer"


def upload(city: Engine, settings: Settings, text: str, by: str) -> int:
    """Keep a unit file and preview it; returns the batch."""
    with writing(city) as session:
        batch = imports.receive(
            session, settings.folder(), "unit", "机构.csv", [text.encode("utf-8-sig")], by=by, now=present()
        )
    process(city, batch.id, dry_run=True, by=by)
    return batch.id


def process(city: Engine, batch_id: int, *, dry_run: bool, by: str) -> JobRequest:
    with writing(city) as session:
        request = imports.ask_for(session, batch_id, dry_run=dry_run, by=by, now=present())
    run_request(request.id)
    with reading(city) as session:
        found = requests.request_of(session, request.id)
        session.expunge(found)
        return found


def batch_of(city: Engine, batch_id: int) -> ImportBatch:
    with reading(city) as session:
        found = session.get_one(ImportBatch, batch_id)
        session.expunge(found)
        return found


def lights(city: Engine) -> dict[str, int]:
    """Light → how many rectification cases."""
    counted = select(Case.light, func.count()).where(Case.process == "rectification").group_by(Case.light)
    with reading(city) as session:
        return dict(session.execute(counted).all())


def digests(city: Engine, role: str) -> dict[str, str]:
    """Day → title of the digests for a role."""
    with reading(city) as session:
        rows = session.scalars(select(Notice).where(Notice.kind == "digest", Notice.role == role)).all()
        return {row.key.rpartition(":")[2]: row.title for row in rows}


def head_of_unit(city: Engine) -> Actor:
    with writing(city) as session:
        unit_id = session.scalar(select(Case.unit_id).limit(1))
        create_account(session, name="head", person_name="负责人", now=present(), by="test", unit_id=unit_id)
        grant(session, account="head", role_name="unit_head", now=present(), by="test", scope="unit", unit_id=unit_id)
        return actor_named(session, "head", present())


def test_a_file_turns_yellow_then_red_by_the_clock_and_tells_the_unit(
    city: Engine, settings: Settings, reviewer: str
) -> None:
    batch_id = upload(city, settings, BARE, reviewer)
    assert batch_of(city, batch_id).state == "ready"
    assert batch_of(city, batch_id).created == 1
    assert lights(city) == {}

    request = process(city, batch_id, dry_run=False, by=reviewer)
    assert request.state == "done"
    assert batch_of(city, batch_id).state == "done"
    assert set(lights(city)) == {"yellow"}

    deadline_passed = datetime.fromisoformat("2026-03-06T00:00:00+08:00")  # three working days after Monday
    pass_time(city, deadline_passed - timedelta(seconds=1), start=date(2026, 3, 3))
    assert set(lights(city)) == {"yellow"}
    pass_time(city, deadline_passed)
    assert set(lights(city)) == {"red"}

    assert digests(city, "unit_clerk") == {
        "20260303": f"今日待办：黄灯{sum(lights(city).values())}项",
        "20260304": f"今日待办：黄灯{sum(lights(city).values())}项",
        "20260305": f"今日待办：黄灯{sum(lights(city).values())}项；今日到期{sum(lights(city).values())}项",
    }
    told = head_of_unit(city)
    with reading(city) as session:
        ids = session.scalars(select(Outbox.id).where(Outbox.topic == "notice")).all()
    carry_out("notice", ids)
    with reading(city) as session:
        kinds = [notice.kind for notice, _ in notices.notices_for(session, told, deadline_passed + timedelta(days=4))]
    assert "light.red" in kinds


def test_a_refused_file_writes_nothing_and_says_why(city: Engine, settings: Settings, reviewer: str) -> None:
    batch_id = upload(city, settings, "机构编码,没有这一列\n330200901,x\n", reviewer)
    batch = batch_of(city, batch_id)
    assert batch.state == "refused"
    assert "没有这一列" in f"{batch.says}{batch.errors}"
    with pytest.raises(Conflict), writing(city) as session:
        imports.ask_for(session, batch_id, dry_run=False, by=reviewer, now=present())


def test_a_batch_is_written_once(city: Engine, settings: Settings, reviewer: str) -> None:
    batch_id = upload(city, settings, BARE, reviewer)
    process(city, batch_id, dry_run=False, by=reviewer)
    with pytest.raises(Conflict), writing(city) as session:
        imports.ask_for(session, batch_id, dry_run=False, by=reviewer, now=present())


class Killed(BaseException):
    """What nothing catches, as a killed process catches nothing."""


@pytest.mark.parametrize("last", ["import_file", "_check"])
@pytest.mark.parametrize("blow", [Killed, ValueError])
def test_a_batch_that_was_written_stays_so_and_is_checked_whenever_its_worker_dies(
    city: Engine,
    settings: Settings,
    reviewer: str,
    monkeypatch: pytest.MonkeyPatch,
    last: str,
    blow: type[BaseException],
) -> None:
    batch_id, honest = upload(city, settings, BARE, reviewer), getattr(imports, last)

    def dying(*args: object, **more: object) -> None:
        honest(*args, **more)
        raise blow

    with monkeypatch.context() as died, pytest.raises(blow):
        died.setattr(imports, last, dying)
        process(city, batch_id, dry_run=False, by=reviewer)
    assert batch_of(city, batch_id).state == "done"
    with reading(city) as session:
        begun = session.scalar(select(JobRequest.id).where(JobRequest.state == "running"))
    run_request(begun)
    batch = batch_of(city, batch_id)
    assert (batch.state, batch.created, batch.says) == ("done", 1, "已导入 1 行：新增 1 行，更新 0 行，未变 0 行")
    with reading(city) as session:
        assert requests.request_of(session, begun).state == "done"
        assert session.scalar(select(func.count()).select_from(CheckRun)) >= 1
    assert not (settings.folder() / batch.file_path).exists()


def test_every_version_that_a_file_writes_names_the_document_it_rests_on(
    city: Engine, settings: Settings, reviewer: str
) -> None:
    basis, content = "甬编〔2026〕7号", [BARE.encode("utf-8-sig")]
    with writing(city) as session:
        batch = imports.receive(
            session, settings.folder(), "unit", "机构.csv", content, by=reviewer, now=present(), basis=basis
        )
    for dry_run in (True, False):
        process(city, batch.id, dry_run=dry_run, by=reviewer)
    with reading(city) as session:
        ours = select(RecordVersion.basis).where(RecordVersion.source_ref == f"batch:{batch.id}")
        assert session.scalars(ours).all() == [basis]


def test_a_file_is_kept_until_it_is_written_and_no_longer(city: Engine, settings: Settings, reviewer: str) -> None:
    batch_id = upload(city, settings, BARE, reviewer)
    kept = settings.folder() / batch_of(city, batch_id).file_path
    assert kept.stat().st_mode & 0o777 == 0o600
    process(city, batch_id, dry_run=False, by=reviewer)
    assert not kept.exists()
    refused = batch_of(city, upload(city, settings, "机构编码,没有这一列\n330200901,x\n", reviewer))
    assert (settings.folder() / refused.file_path).exists()  # for the copy with the errors marked


def test_a_request_that_is_done_is_not_done_again(city: Engine, settings: Settings, reviewer: str) -> None:
    batch_id = upload(city, settings, BARE, reviewer)
    request = process(city, batch_id, dry_run=False, by=reviewer)
    before = batch_of(city, batch_id).finished_at
    run_request(request.id)
    assert batch_of(city, batch_id).finished_at == before


def test_a_request_that_another_worker_is_at_is_left_alone(city: Engine, settings: Settings, reviewer: str) -> None:
    with writing(city) as session:
        asked = requests.ask(session, "check", {}, by=reviewer, now=present())
    other = lease_on(city, REQUEST, asked.id)
    assert other.hold()
    run_request(asked.id)
    with reading(city) as session:
        assert requests.request_of(session, asked.id).state == "queued"
    other.release()
    run_request(asked.id)
    with reading(city) as session:
        assert requests.request_of(session, asked.id).state == "done"
    assert list(settings.data_dir.glob("*.request*")) == []


def test_nobody_sees_anothers_batch_or_request(city: Engine, settings: Settings, reviewer: str) -> None:
    batch_id = upload(city, settings, BARE, reviewer)
    with reading(city) as session:
        for look in (imports.batch_of, requests.request_of):
            with pytest.raises(NotFound):
                look(session, batch_id, by="somebody")


def test_a_check_on_request_judges_only_what_it_names(city: Engine, settings: Settings, reviewer: str) -> None:
    process(city, upload(city, settings, BARE, reviewer), dry_run=False, by=reviewer)
    with writing(city) as session:
        unit_id = session.scalar(select(Case.unit_id).limit(1))
        asked = requests.ask(session, "check", {"records": [["unit", unit_id]]}, by=reviewer, now=present())
    run_request(asked.id)
    with reading(city) as session:
        request = requests.request_of(session, asked.id)
        assert request.state == "done"
        assert request.result["opened"] == 0
        assert request.result["findings"] == sum(lights(city).values())


def test_an_export_on_request_is_a_file_of_what_the_account_may_see(
    city: Engine, settings: Settings, reviewer: str
) -> None:
    process(city, upload(city, settings, BARE, reviewer), dry_run=False, by=reviewer)
    with writing(city) as session:
        wanted = {"filter": asdict(RosterFilter(dataset="unit"))}
        asked = requests.ask(session, "export", wanted, by=reviewer, now=present())
    run_request(asked.id)
    with reading(city) as session:
        request = requests.request_of(session, asked.id)
        assert request.state == "done"
        assert request.result["rows"] == 1
        assert (settings.folder() / str(request.result_path)).read_bytes().startswith(b"PK")


def test_progress_is_seen_while_the_work_holds_the_database(city: Engine, reviewer: str) -> None:
    with writing(city) as session:
        request = requests.ask(session, "check", {}, by=reviewer, now=present())
        requests.take(session, request.id, now=present())
    show = progress.progress_of(city, request.id)
    with writing(city):  # the one writer of the embedded database
        show(40, 100)
        with reading(city) as session:
            assert progress.shown(city, requests.request_of(session, request.id)) == (40, 100)
    progress.forget(city, request.id)


@pytest.mark.slow
def test_the_running_clock_follows_a_clock_that_is_moved(
    city: Engine, settings: Settings, reviewer: str, part: Part, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process(city, upload(city, settings, BARE, reviewer), dry_run=False, by=reviewer)
    hands = tmp_path / "now"
    hands.write_text(MONDAY)
    monkeypatch.setenv("SANDENG_CLOCK", f"file:{hands}")
    part("clock")
    eventually(lambda: days_done(city) == {"2026-03-02"}, within=20)
    assert set(lights(city)) == {"yellow"}
    hands.write_text("2026-03-06T09:00:00+08:00")
    eventually(lambda: set(lights(city)) == {"red"}, within=15)
    eventually(lambda: len(days_done(city)) == 5, within=15, what="missed days were not caught up")
    with reading(city) as session:
        order = session.scalars(select(DailyJob.business_date).order_by(DailyJob.started_at, DailyJob.due_at)).all()
        red_since = session.scalars(select(Case.state_since).where(Case.light == "red")).first()
    assert list(order) == sorted(order)
    assert red_since == datetime.fromisoformat("2026-03-06T00:00:00+08:00")


def days_done(city: Engine) -> set[str]:
    """The business days whose jobs are all done."""
    with reading(city) as session:
        rows = session.execute(select(DailyJob.business_date, DailyJob.state)).all()
    return {str(day) for day, _ in rows if all(state == "done" for other, state in rows if other == day)}
