"""One step of the engine against the peers: an approval of four states, each step read, judged, written and committed by itself.

Ours writes state, history, timer, outbox and the audit chain; the peers what their users write: state and a log row (django-fsm-2, also
with a deadline and a message beside it), or the serialised workflow and a log row (SpiffWorkflow). Same databases, same durability, in turn;
each keeps its one connection, as the clock does.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from tests.bench.peer_home import peer_interpreter
from tests.bench.report import Report
from workflow.db import open_engine, reading, writing, writing_on
from workflow.engine.actors import Person
from workflow.engine.context import StepContext
from workflow.engine.definition import read_definition
from workflow.engine.models import CASE, HISTORY, OUTBOX, TIMER
from workflow.engine.outbox import Message, emit_all
from workflow.engine.registry import Book, using
from workflow.engine.steps import NewCase, open_cases, require_moved, take_step
from workflow.engine.verdicts import Verdict
from workflow.heap import settle
from workflow.policy import Term

APPROVAL = """
process: approval
version: 1
title: 审批
basis: [办法6]
initial: draft
opened_by: [clerk]
states:
  draft:     {title: 起草中, inbox: clerk}
  submitted: {title: 待审核, inbox: reviewer}
  endorsed:  {title: 待决定, inbox: leader}
  approved:  {title: 已核准, final: true}
transitions:
  - {do: submit,  title: 申报, from: draft,     to: submitted, by: clerk,    when: [form_is_complete, quota_is_free], then: [tell]}
  - {do: endorse, title: 审核, from: submitted, to: endorsed,  by: reviewer, when: [form_is_complete, quota_is_free], then: [tell]}
  - {do: approve, title: 核准, from: endorsed,  to: approved,  by: leader,   when: [form_is_complete, quota_is_free], then: [tell]}
  - {do: press,   title: 催办, from: submitted, to: submitted, by: clock}
  - {do: press,   title: 催办, from: endorsed,  to: endorsed,  by: clock}
timers:
  - {in: submitted, after: term, do: press}
  - {in: endorsed,  after: term, do: press}
"""
STEPS = (("submit", "clerk"), ("endorse", "reviewer"), ("approve", "leader"))
DATA = {"form": {"kind": "use", "n": 1, "what": "公开招聘", "why": "人手不足"}, "limit": 5}
PEERS = ("django-fsm-2", "SpiffWorkflow")
BESIDE = "django-fsm-2-full"
PACKAGES = ("django==5.2.*", "django-fsm-2", "spiffworkflow", "psycopg[binary]")
NOW = datetime(2026, 3, 2, 1, tzinfo=UTC)
CASES, WARM, ROUNDS = 300, 200, 5


def run(report: Report) -> None:
    """Median of the steps of several rounds, ours and the peers' in turn."""
    with tempfile.TemporaryDirectory(prefix="sandeng-steps-") as folder:
        os.environ["SANDENG_DATA_DIR"] = folder
        interpreter = peer_interpreter("steps", PACKAGES, Path(folder))
        for engine in report.engines():
            _rows(report, engine, interpreter, Path(folder))


def _rows(report: Report, engine: str, interpreter: Path | None, folder: Path) -> None:
    found: dict[str, list[dict[str, Any]]] = {}
    cases = report.scaled(CASES)
    for _ in range(ROUNDS):
        found.setdefault("", []).append(_ours(report, engine, cases))
        for peer in (*PEERS, BESIDE) if interpreter else ():
            found.setdefault(peer, []).append(_theirs(report, engine, interpreter, peer, cases, folder))
    ours = _middle(found.pop(""), cases)
    for peer, rounds in found.items():
        theirs = _middle(rounds, cases)
        work = "四态审批每一步（含提交）" + ("，对照另写期限与消息" if peer == BESIDE else "")
        note = f"处理器 {theirs[1]:.2f} ms，本平台 {ours[1]:.2f} ms"
        bound = None if peer == BESIDE else round(theirs[0], 2)
        more = {"baseline": peer.removesuffix("-full"), "baseline_value": theirs[0], "note": note}
        report.row(work, engine, ours[0], bound=bound, unit="ms", **more)
    if not found:
        report.row("四态审批每一步（含提交）", engine, ours[0], unit="ms", note=f"处理器 {ours[1]:.2f} ms")


def _middle(rounds: list[dict[str, Any]], cases: int) -> tuple[float, float]:
    """Milliseconds of a step: the median of the rounds' medians, and the least processor time."""
    taken = [median(one["seconds"]) * 1000 for one in rounds]
    return median(taken), min(one["cpu"] for one in rounds) * 1000 / cases / len(STEPS)


def _theirs(report: Report, engine: str, interpreter: Path | None, peer: str, cases: int, folder: Path) -> Any:
    with ExitStack() as stack:
        if engine == "SQLite":
            place = stack.enter_context(tempfile.TemporaryDirectory(dir=folder))
            address = f"{place}/peer.db"
        else:
            url = stack.enter_context(report.database(engine)).url
            address = url.set(drivername="postgresql").render_as_string(hide_password=False)
        script = Path(__file__).with_name("step_peers.py")
        command = [str(interpreter), str(script), peer, address, str(cases), str(WARM)]
        told = subprocess.run(command, capture_output=True, text=True, check=True, cwd=script.parent)
    return json.loads(told.stdout.splitlines()[-1])


def _ours(report: Report, engine: str, cases: int) -> dict[str, Any]:
    with report.database(engine) as opened, multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(measured, (opened.url.render_as_string(hide_password=False), cases))


def measured(url: str, cases: int) -> dict[str, Any]:
    """Seconds of each step of ours, and the processor time of all of them, on a database with every table and nothing else."""
    engine, taken, worked = open_engine(url), [], 0.0
    settle()
    people = {role: Person(f"{role}@1", {role: None}) for _, role in STEPS}
    with using(_book()), engine.connect() as connection:
        ids = _opened(engine, WARM + cases, people["clerk"])
        for n, id_ in enumerate(ids):
            if n == WARM:
                taken, worked = [], time.process_time()
            for do, role in STEPS:
                begun = time.perf_counter()
                with writing_on(connection) as session:
                    require_moved(take_step(session, "approval", do, [id_], now=NOW, actor=people[role]))
                taken.append(time.perf_counter() - begun)
        worked = time.process_time() - worked
        _prove(engine, WARM + cases)
    return {"seconds": taken, "cpu": worked}


def _opened(engine: Engine, cases: int, clerk: Person) -> list[int]:
    with writing(engine) as session:
        new = [NewCase(1, f"2026-{n:04d}", "用编申请", data=DATA) for n in range(cases)]
        return open_cases(session, "approval", new, now=NOW, actor=clerk)


def _prove(engine: Engine, cases: int) -> None:
    """Everything that the step promises is there."""
    with reading(engine) as session:
        count = lambda table, *where: session.scalar(select(func.count()).select_from(table).where(*where))  # noqa: E731
        assert count(CASE, CASE.c.state == "approved") == cases
        assert count(HISTORY, HISTORY.c.do != "open") == count(OUTBOX) == 3 * cases
        assert count(TIMER, TIMER.c.state == "cancelled") == count(TIMER) == 2 * cases


def _complete(context: StepContext) -> dict[int, list[Verdict]]:
    verdicts = {}
    for case in context.cases:
        lacking = [name for name in ("kind", "n", "what", "why") if not case.data["form"].get(name)]
        verdicts[case.id] = [
            Verdict("form_is_complete", not lacking, "表单已填写完整", basis="办法6", clears_by="clerk")
        ]
    return verdicts


def _free(context: StepContext) -> dict[int, list[Verdict]]:
    return {
        case.id: [Verdict("quota_is_free", case.data["form"]["n"] <= case.data["limit"], "编制有空额", basis="办法6")]
        for case in context.cases
    }


def _tell(context: StepContext) -> None:
    messages = [Message("notice", f"{context.step.do}:{case.id}", {"case": case.id}) for case in context.cases]
    emit_all(context.session, messages, context.now)


def _terms(session: Session, name: str, unit_ids: Iterable[int | None]) -> Mapping[int | None, Term]:
    return dict.fromkeys(unit_ids, Term(5, "working_days"))


def _book() -> Book:
    roles = {"clock": "时钟", "clerk": "经办", "reviewer": "审核", "leader": "领导"}
    guards = {"form_is_complete": _complete, "quota_is_free": _free}
    definition = read_definition(APPROVAL, "approval.yaml")
    return Book({"approval": definition}, guards, {"tell": _tell}, roles, {"term": _terms})
