"""The approval of bench_steps as a peer does it; run in the peers' own environment: `python step_peers.py PEER ADDRESS CASES WARM`.

django-fsm-2: the row locked and read, the guarded transition, the row saved, a log row; one transaction a step. With `-full` also what this
platform writes beside them: a deadline row and a message row. SpiffWorkflow: the serialised workflow read from its row, the
task completed, the workflow serialised into its row, a log row; one transaction a step. Prints the seconds of each step but those of the first WARM cases, and their processor time, as JSON.
"""

# mypy: ignore-errors

from __future__ import annotations

import datetime
import json
import sqlite3
import sys
import tempfile
import time
from pathlib import Path

STEPS = (("submit", "clerk"), ("endorse", "reviewer"), ("approve", "leader"))
DATA = {"form": {"kind": "use", "n": 1, "what": "公开招聘", "why": "人手不足"}, "limit": 5}


def django(address: str, cases: int, warm: int, *, full: bool) -> dict[str, object]:
    """django-fsm-2 on Django's ORM."""
    settings(address)
    from django.db import connection, models, transaction
    from django_fsm import FSMField, transition

    def form_is_complete(case):
        return all(case.data["form"].get(name) for name in ("kind", "n", "what", "why"))

    def quota_is_free(case):
        return case.data["form"]["n"] <= case.data["limit"]

    class Approval(models.Model):
        state = FSMField(default="draft", protected=True)
        state_since = models.DateTimeField()
        version = models.IntegerField(default=1)
        data = models.JSONField()

        class Meta:
            app_label = "bench"

        @transition(field=state, source="draft", target="submitted", conditions=[form_is_complete, quota_is_free])
        def submit(self, by):
            """The unit sends it in."""

        @transition(field=state, source="submitted", target="endorsed", conditions=[form_is_complete, quota_is_free])
        def endorse(self, by):
            """The office agrees."""

        @transition(field=state, source="endorsed", target="approved", conditions=[form_is_complete, quota_is_free])
        def approve(self, by):
            """The leader decides."""

    class Log(models.Model):
        case = models.ForeignKey(Approval, on_delete=models.PROTECT)
        version = models.IntegerField()
        do = models.CharField(max_length=40)
        from_state = models.CharField(max_length=40)
        to_state = models.CharField(max_length=40)
        actor = models.CharField(max_length=64)
        at = models.DateTimeField()

        class Meta:
            app_label = "bench"
            unique_together = ("case", "version")

    class Deadline(models.Model):
        case = models.ForeignKey(Approval, on_delete=models.PROTECT)
        due_at = models.DateTimeField(db_index=True)
        state = models.CharField(max_length=10)

        class Meta:
            app_label = "bench"

    class Message(models.Model):
        key = models.CharField(max_length=160, unique=True)
        payload = models.JSONField()
        created_at = models.DateTimeField(db_index=True)

        class Meta:
            app_label = "bench"

    with connection.schema_editor() as editor:
        for model in (Approval, Log, Deadline, Message):
            editor.create_model(model)
    now = datetime.datetime(2026, 3, 2, 1, tzinfo=datetime.UTC)
    with transaction.atomic():
        ids = [Approval.objects.create(state_since=now, data=DATA).pk for _ in range(warm + cases)]
    for n, pk in enumerate(ids):
        if n in (0, warm):
            taken, worked = [], time.process_time()
        for do, actor in STEPS:
            begun = time.perf_counter()
            with transaction.atomic():
                case = Approval.objects.select_for_update().get(pk=pk)
                source = case.state
                getattr(case, do)(by=actor)
                case.version += 1
                case.state_since = now
                case.save()
                Log.objects.create(
                    case=case, version=case.version, do=do, from_state=source, to_state=case.state, actor=actor, at=now
                )
                if full:
                    Deadline.objects.filter(case=case, state="armed").update(state="cancelled")
                    if case.state != "approved":
                        Deadline.objects.create(case=case, due_at=now + datetime.timedelta(7), state="armed")
                    Message.objects.create(key=f"{do}:{pk}", payload={"case": pk}, created_at=now)
            taken.append(time.perf_counter() - begun)
    worked = time.process_time() - worked
    assert Approval.objects.filter(state="approved").count() == warm + cases == Log.objects.count() // 3
    return {"seconds": taken, "cpu": worked}


def settings(address: str) -> None:
    """Django on the address, as durable as this platform: WAL and a full sync on SQLite, the server's own way on PostgreSQL."""
    import django
    from django.conf import settings

    if "://" in address:
        from urllib.parse import urlsplit

        url = urlsplit(address)
        database = {
            "ENGINE": "django.db.backends.postgresql", "NAME": url.path[1:], "USER": url.username or "",
            "PASSWORD": url.password or "", "HOST": url.hostname or "", "PORT": url.port or "",
        }  # fmt: skip
    else:
        options = {
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
        }
        database = {"ENGINE": "django.db.backends.sqlite3", "NAME": address, "OPTIONS": options}
    database["CONN_MAX_AGE"] = None
    settings.configure(
        DATABASES={"default": database},
        INSTALLED_APPS=[],
        USE_TZ=True,
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    )
    django.setup()


BPMN = """<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" targetNamespace="bench">
 <bpmn:process id="approval" isExecutable="true">
  <bpmn:startEvent id="start"><bpmn:outgoing>f0</bpmn:outgoing></bpmn:startEvent>
  <bpmn:sequenceFlow id="f0" sourceRef="start" targetRef="submit"/>
{tasks}
  <bpmn:endEvent id="approved"><bpmn:incoming>f3</bpmn:incoming></bpmn:endEvent>
 </bpmn:process>
</bpmn:definitions>
"""
TASK = """  <bpmn:manualTask id="{do}" name="{do}"><bpmn:incoming>{into}</bpmn:incoming><bpmn:outgoing>g{n}</bpmn:outgoing></bpmn:manualTask>
  <bpmn:sequenceFlow id="g{n}" sourceRef="{do}" targetRef="may_{do}"/>
  <bpmn:exclusiveGateway id="may_{do}" default="r{n}"><bpmn:incoming>g{n}</bpmn:incoming><bpmn:outgoing>f{n}</bpmn:outgoing><bpmn:outgoing>r{n}</bpmn:outgoing></bpmn:exclusiveGateway>
  <bpmn:sequenceFlow id="f{n}" sourceRef="may_{do}" targetRef="{to}"><bpmn:conditionExpression xsi:type="bpmn:tFormalExpression">form["kind"] != "" and form["what"] != "" and form["why"] != "" and form["n"] &lt;= limit</bpmn:conditionExpression></bpmn:sequenceFlow>
  <bpmn:sequenceFlow id="r{n}" sourceRef="may_{do}" targetRef="refused_{do}"/>
  <bpmn:endEvent id="refused_{do}"><bpmn:incoming>r{n}</bpmn:incoming></bpmn:endEvent>
"""


def bpmn() -> str:
    """The approval as BPMN: each step a task, and behind it the gateway that asks the guards."""
    names = [do for do, _ in STEPS] + ["approved"]
    tasks = [TASK.format(do=do, n=n + 1, into=f"f{n}", to=names[n + 1]) for n, (do, _) in enumerate(STEPS)]
    return BPMN.replace("{tasks}", "".join(tasks))


def spiff(address: str, cases: int, warm: int) -> dict[str, object]:
    """SpiffWorkflow with its serializer, the workflow in one row as JSON."""
    from SpiffWorkflow.bpmn import BpmnWorkflow
    from SpiffWorkflow.bpmn.parser import BpmnParser
    from SpiffWorkflow.bpmn.serializer import BpmnWorkflowSerializer
    from SpiffWorkflow.util.task import TaskState

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "approval.bpmn"
        path.write_text(bpmn(), encoding="utf-8")
        parser = BpmnParser()
        parser.add_bpmn_file(str(path))
        spec = parser.get_spec("approval")
    serializer = BpmnWorkflowSerializer()
    connection, begin, lock, mark = connected(address)
    cursor = connection.cursor()
    for table in (
        "approval_workflow (id integer primary key, state text not null)",
        "approval_log (case_id integer not null references approval_workflow, version integer not null, do_ text not null, actor text not null, at text not null, primary key (case_id, version))",
    ):
        cursor.execute(f"create table {table}")
    connection.commit()
    for pk in range(1, warm + cases + 1):
        workflow = BpmnWorkflow(spec)
        workflow.do_engine_steps()
        workflow.get_tasks(state=TaskState.READY)[0].data.update(DATA)
        cursor.execute(
            f"insert into approval_workflow values ({mark}, {mark})", (pk, serializer.serialize_json(workflow))
        )
    connection.commit()
    for pk in range(1, warm + cases + 1):
        if pk in (1, warm + 1):
            taken, worked = [], time.process_time()
        for version, (do, actor) in enumerate(STEPS, 2):
            begun = time.perf_counter()
            cursor.execute(begin)
            cursor.execute(f"select state from approval_workflow where id = {mark}{lock}", (pk,))
            workflow = serializer.deserialize_json(cursor.fetchone()[0])
            ready = [task for task in workflow.get_tasks(state=TaskState.READY) if task.task_spec.bpmn_id == do]
            ready[0].run()
            workflow.do_engine_steps()
            cursor.execute(
                f"update approval_workflow set state = {mark} where id = {mark}",
                (serializer.serialize_json(workflow), pk),
            )
            cursor.execute(
                f"insert into approval_log values ({mark}, {mark}, {mark}, {mark}, {mark})",
                (pk, version, do, actor, "2026-03-02T01:00:00Z"),
            )
            connection.commit()
            taken.append(time.perf_counter() - begun)
            assert bool(workflow.is_completed()) == (do == "approve"), do
    return {"seconds": taken, "cpu": time.process_time() - worked}


def connected(address: str):
    """Connection, statement that begins, words that lock a row, mark of a bound value."""
    if "://" in address:
        import psycopg

        connection = psycopg.connect(address, autocommit=True)
        return connection, "begin", " for update", "%s"
    connection = sqlite3.connect(address, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
    return connection, "begin immediate", "", "?"


def main(peer: str, address: str, cases: int, warm: int) -> None:
    """Take the steps of one peer."""
    full = peer.endswith("-full")
    told = spiff(address, cases, warm) if peer == "SpiffWorkflow" else django(address, cases, warm, full=full)
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
