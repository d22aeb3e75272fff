"""The REST API of CONTRACT: sign-in, inbox, cases with steps and history, tickets, units, records; problems as RFC 9457."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from tests.web.conftest import CITY, COUNTY, FAR, NEIGHBOUR, SCHOOL, Town, Visitor, counted
from web.paging import encode
from workflow.db import reading
from workflow.engine.models import Case
from workflow.operations.models import JobRequest
from workflow.quality.models import Ticket
from workflow.registry.models import RecordVersion

CLERK = f"clerk@{COUNTY}"


class Program:
    """A program that holds a token and no cookie."""

    def __init__(self, client: FlaskClient, token: str) -> None:
        self.client, self.headers = client, {"Authorization": f"Bearer {token}"}

    def get(self, path: str, **more: Any) -> Any:
        return self.client.get(f"/api/v1{path}", headers=self.headers, **more)

    def post(self, path: str, sent: Any = None, **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(f"/api/v1{path}", json=sent or {}, headers=self.headers | named)


@pytest.fixture
def program(app: Flask) -> Callable[[str], Program]:
    """A function that signs an account in and gives a program with its token."""

    def enter(account: str) -> Program:
        client = app.test_client(use_cookies=False)
        answer = client.post("/api/v1/session", json={"account": account, "password": "sandeng-demo"})
        assert answer.status_code == 201, answer.json
        return Program(client, answer.json["token"])

    return enter


@pytest.fixture
def clerk_program(program: Callable[[str], Program]) -> Program:
    return program(CLERK)


def error_ticket(town: Town, field: str = "sex", code: str = COUNTY) -> Ticket:
    return next(t for t in town.tickets(code) if t.field == field and t.dataset == "person")


def doubt(town: Town) -> Ticket:
    return next(t for t in town.tickets(COUNTY) if t.level == "W")


def is_problem(answer: Any, status: int) -> bool:
    return (
        answer.status_code == status
        and answer.mimetype == "application/problem+json"
        and {"type", "title", "status", "detail"} <= set(answer.json)
    )


def test_the_token_opens_and_is_worthless_after_sign_out(clerk_program: Program) -> None:
    me = clerk_program.get("/session").json
    assert me["account"] == CLERK
    assert [held["role"] for held in me["roles"]] == ["unit_clerk"]
    assert clerk_program.client.delete("/api/v1/session", headers=clerk_program.headers).status_code == 204
    assert is_problem(clerk_program.get("/session"), 401)


def test_without_token_or_with_a_wrong_password_the_answer_is_401(app: Flask) -> None:
    client = app.test_client()
    assert is_problem(client.get("/api/v1/inbox"), 401)
    wrong = client.post("/api/v1/session", json={"account": CLERK, "password": "x"})
    assert is_problem(wrong, 401)
    assert wrong.json["detail"] == "账号或密码不正确。"


def test_the_inbox_holds_the_open_work_with_its_steps(town: Town, clerk_program: Program) -> None:
    answer = clerk_program.get("/inbox").json
    mine = [t for code in (COUNTY, SCHOOL) for t in town.tickets(code) if t.case_id]
    assert {item["case"] for item in answer["items"]} <= {t.case_id for t in mine}
    assert answer["items"][0]["light"] == "yellow"
    assert answer["items"][0]["unit"]["code"] in (COUNTY, SCHOOL)


def test_a_case_tells_its_state_steps_and_history(town: Town, clerk_program: Program) -> None:
    ticket = error_ticket(town)
    case = clerk_program.get(f"/cases/{ticket.case_id}")
    assert case.json["state"] == "yellow"
    assert case.headers["ETag"] == f'"{case.json["version"]}"'
    assert clerk_program.get(f"/cases/{ticket.case_id}/steps").json["steps"] == []
    acts = clerk_program.get(f"/cases/{ticket.case_id}/history").json["items"]
    assert [act["do"] for act in acts] == ["open", "warn"]


def test_a_case_out_of_scope_is_not_found(town: Town, clerk_program: Program) -> None:
    far = error_ticket(town, code=FAR)
    for path in (
        f"/cases/{far.case_id}",
        f"/cases/{far.case_id}/steps",
        f"/cases/{far.case_id}/history",
        f"/tickets/{far.id}",
    ):
        assert is_problem(clerk_program.get(path), 404), path
    assert is_problem(clerk_program.post(f"/cases/{far.case_id}/steps/resolve"), 404)


def test_an_explanation_is_opened_and_refused_with_every_verdict(town: Town, clerk_program: Program) -> None:
    refused = clerk_program.post("/cases/explanation", {"ticket": error_ticket(town).id})
    assert is_problem(refused, 422)
    assert refused.json["verdicts"][0]["guard"] == "problem_is_doubtful"
    opened = clerk_program.post("/cases/explanation", {"ticket": doubt(town).id})
    assert opened.status_code == 201
    steps = {s["do"]: s for s in clerk_program.get(f"/cases/{opened.json['case']}/steps").json["steps"]}
    assert steps["submit"]["allowed"]
    assert {v["guard"] for v in steps["submit"]["verdicts"]} >= {"problem_is_doubtful", "problem_still_open"}
    missing = clerk_program.post(f"/cases/{opened.json['case']}/steps/submit", {"inputs": {"text": "说明"}})
    assert is_problem(missing, 422)
    assert "证明材料" in missing.json["detail"]


def test_what_only_the_platform_begins_is_not_opened_by_a_person(clerk_program: Program) -> None:
    assert is_problem(clerk_program.post("/cases/rectification", {"ticket": 1}), 403)
    assert is_problem(clerk_program.post("/cases/nothing", {"ticket": 1}), 404)


def test_a_step_on_an_old_version_is_a_conflict_that_names_who_acted(
    town: Town, program: Callable[[str], Program]
) -> None:
    reviewer, leader = program("reviewer@330282"), program("leader@330282")
    case = reviewer.post("/cases/void_light", {"ticket": error_ticket(town).id, "reason": "平台误判"}).json
    assert is_problem(leader.post(f"/cases/{case['case']}/steps/confirm", If_Match='"0"'), 409)
    done = leader.post(f"/cases/{case['case']}/steps/confirm", If_Match=f'"{case["version"]}"')
    assert done.status_code == 200
    assert done.json["state"] == "confirmed"
    again = leader.post(f"/cases/{case['case']}/steps/refuse", {"reason": "迟了"}, If_Match=f'"{case["version"]}"')
    assert is_problem(again, 409)
    assert "leader@330282" in again.json["detail"]


def test_the_same_idempotency_key_is_carried_out_once(town: Town, clerk_program: Program) -> None:
    sent = {"ticket": doubt(town).id}
    first = clerk_program.post("/cases/explanation", sent, Idempotency_Key="k1")
    again = clerk_program.post("/cases/explanation", sent, Idempotency_Key="k1")
    assert (again.status_code, again.json) == (first.status_code, first.json)
    with reading(town.engine) as session:
        assert session.scalar(select(func.count()).select_from(Case).where(Case.process == "explanation")) == 1
    assert is_problem(clerk_program.post("/cases/explanation", {"ticket": 1}, Idempotency_Key="k1"), 409)


def test_a_refused_write_leaves_no_answer_behind_for_its_key(town: Town, clerk_program: Program) -> None:
    sent = {"ticket": error_ticket(town).id}
    assert clerk_program.post("/cases/explanation", sent, Idempotency_Key="k2").status_code == 422
    good = clerk_program.post("/cases/explanation", {"ticket": doubt(town).id}, Idempotency_Key="k2")
    assert good.status_code == 201


def test_a_ticket_derives_its_deadline_day_by_day(town: Town, clerk_program: Program) -> None:
    answer = clerk_program.get(f"/tickets/{error_ticket(town).id}").json
    assert answer["says"] == "性别是必填项，现为空"
    assert answer["deadline_on"] == "2026-03-04"
    assert [day["counted"] for day in answer["deadline"]["days"]] == [False, True, True]


def test_a_list_pages_by_cursor_and_counts_its_lights(town: Town, program: Callable[[str], Program]) -> None:
    leader = program("leader")
    seen: list[int] = []
    after = ""
    while after is not None:
        answer = leader.get(f"/tickets?state=all&after={after}").json
        seen += [item["ticket"] for item in answer["items"]]
        after = answer["next"]
    assert sorted(seen) == sorted(t.id for code in town.units for t in town.tickets(code))
    assert sum(answer["lights"].values()) == len(seen)


def test_a_unit_tells_what_the_command_tells(clerk_program: Program) -> None:
    answer = clerk_program.get(f"/units/{COUNTY}").json
    assert answer["lamp"] == "yellow"
    assert answer["children"] == [SCHOOL]
    for code in (CITY, NEIGHBOUR, FAR):
        for part in ("", "/people", "/tickets", "/quota"):
            assert is_problem(clerk_program.get(f"/units/{code}{part}"), 404), (code, part)
    people = clerk_program.get(f"/units/{COUNTY}/people").json["items"]
    assert {person["unit"] for person in people} == {COUNTY, SCHOOL}
    assert clerk_program.get(f"/units/{COUNTY}/quota").json["unit"] == COUNTY
    listed = clerk_program.get(f"/units/{SCHOOL}/tickets").json["items"]
    assert {item["unit"]["code"] for item in listed} == {SCHOOL}


NAMING_A_UNIT: list[tuple[str, str, dict[str, Any]]] = [
    *(("get", f"/units/{{unit}}{part}", {}) for part in ("", "/people", "/tickets", "/quota")),
    ("get", "/tickets?unit={unit}", {}),
    ("get", "/tickets?unit={unit}&own=1", {}),
    ("get", "/person?unit={unit}", {}),
    ("get", "/inbox?unit={unit}", {}),
    ("post", "/person", {"values": {"name": "某", "unit": "{unit}"}}),
    ("post", "/person", {"values": {"name": "某", "unit": "示例单位（{unit}）", "sex": "不详"}}),
    ("post", "/person", {"values": {"person_code": "P00000002", "unit": "{unit}"}}),
    ("post", "/unit", {"values": {"unit_code": "330282109", "name": "某", "parent": "{unit}"}}),
    ("post", "/cases/filing", {"dataset": "person", "unit": "{unit}"}),
    ("post", "/cases/filing", {"dataset": "person", "unit": "{unit}", "values": {"nothing": "x"}}),
    *(("post", f"/cases/{process}", {"unit": "{unit}", "values": {}}) for process in ("approval", "report_request", "violation")),
]  # fmt: skip


@pytest.mark.parametrize("account", [CLERK, "reviewer@330282"])
@pytest.mark.parametrize(("method", "path", "sent"), NAMING_A_UNIT)
def test_a_unit_out_of_reach_is_answered_as_one_that_does_not_exist(
    town: Town, program: Callable[[str], Program], account: str, method: str, path: str, sent: dict[str, Any]
) -> None:
    one = program(account)

    def answered(code: str) -> tuple[int, Any]:
        given = json.loads(json.dumps(sent).replace("{unit}", code))
        at = path.replace("{unit}", code)
        answer = one.get(at) if method == "get" else one.post(at, given)
        return answer.status_code, answer.json

    there, nowhere = answered(FAR), answered("330203999")
    assert there == nowhere
    assert there[0] == 404 or "?" in path


def test_a_record_is_read_as_of_a_day_with_its_versions(town: Town, clerk_program: Program) -> None:
    key = error_ticket(town).record_key
    assert clerk_program.get(f"/person/{key}").json["values"]["name"] == "张某某"
    assert is_problem(clerk_program.get(f"/person/{key}?as_of=2026-02-01"), 404)
    versions = clerk_program.get(f"/person/{key}/versions").json["items"]
    assert [v["kind"] for v in versions] == ["首次录入"]
    assert is_problem(clerk_program.get(f"/person/{error_ticket(town, code=FAR).record_key}"), 404)
    assert is_problem(clerk_program.get("/nonsense/1"), 404)


def test_a_clerk_writes_free_fields_and_no_locked_ones(town: Town, clerk_program: Program) -> None:
    key = error_ticket(town).record_key
    good = clerk_program.post("/person", {"values": {"person_code": key, "phone": "0574-12345678"}})
    assert good.status_code == 200, good.json
    assert good.json["problems"]
    locked = clerk_program.post("/person", {"values": {"person_code": key, "name": "改名"}})
    assert locked.status_code in (400, 403)
    assert is_problem(clerk_program.post("/person", {"values": {"person_code": key, "birth_date": "某日"}}), 400)
    far = error_ticket(town, code=FAR).record_key
    assert is_problem(clerk_program.post("/person", {"values": {"person_code": far, "phone": "1"}}), 404)
    with reading(town.engine) as session:
        changed = session.scalars(
            select(RecordVersion).where(RecordVersion.kind == "change", RecordVersion.dataset == "person")
        )
        assert [v.by for v in changed] == [CLERK]
        assert session.scalar(select(func.count()).select_from(JobRequest).where(JobRequest.kind == "check")) == 1


def test_the_figures_of_the_dashboard_are_those_of_the_lists(town: Town, program: Callable[[str], Program]) -> None:
    reviewer = program("reviewer@330282")
    whole = reviewer.get("/quality").json["whole"]
    for light in ("yellow", "red"):
        listed = reviewer.get("/tickets", query_string=whole[light]["query"]).json
        assert whole[light]["number"] == listed["lights"][light]


def test_a_write_from_another_site_is_refused(app: Flask, town: Town, clerk: Visitor) -> None:
    sent = {"ticket": doubt(town).id}
    foreign = clerk.client.post("/api/v1/cases/explanation", json=sent, headers={"Origin": "https://evil.example"})
    assert is_problem(foreign, 403)
    as_form = clerk.client.post("/api/v1/cases/explanation", data=sent)
    assert is_problem(as_form, 400)
    assert clerk.client.post("/api/v1/cases/explanation", json=sent).status_code == 201


@pytest.mark.parametrize("sent", [[], "text", 1, {"ticket": "x"}, {"ticket": True}, {}])
def test_a_body_of_the_wrong_shape_is_told_so(clerk_program: Program, sent: Any) -> None:
    answer = clerk_program.client.post("/api/v1/cases/explanation", json=sent, headers=clerk_program.headers)
    assert is_problem(answer, 400)


@pytest.mark.parametrize(
    "path",
    [
        "/inbox",
        "/tickets",
        f"/units/{COUNTY}",
        f"/units/{COUNTY}/people",
        f"/units/{COUNTY}/tickets",
        f"/units/{COUNTY}/quota",
        "/quality",
        "/person",
    ],
)
def test_an_answer_takes_at_most_twelve_statements(app: Flask, clerk_program: Program, path: str) -> None:
    clerk_program.get(path)
    with counted(app) as statements:
        assert clerk_program.get(path).status_code == 200
    assert len(statements) <= 12, statements


def test_every_route_of_the_api_is_described(app: Flask) -> None:
    described = app.test_client().get("/api/openapi.json").json
    assert described["openapi"] == "3.1.0"
    for path in (
        "/session",
        "/inbox",
        "/cases/{case_id}",
        "/cases/{case_id}/steps/{do}",
        "/cases/{case_id}/claim",
        "/units/{code}",
        "/quality",
        "/{dataset}/{key}/versions",
    ):
        assert f"/api/v1{path}" in described["paths"]


def test_moments_carry_their_offset(clerk_program: Program, town: Town) -> None:
    acts = clerk_program.get(f"/cases/{error_ticket(town).case_id}/history").json["items"]
    moment = datetime.fromisoformat(acts[0]["at"])
    assert moment.utcoffset() is not None
    assert acts[0]["at"].endswith("+08:00")


def test_a_number_beyond_what_a_database_counts_names_nothing(clerk_program: Program) -> None:
    for number in (2**63, 10**30):
        assert is_problem(clerk_program.get(f"/tickets/{number}"), 404)
    assert is_problem(clerk_program.get(f"/tickets/{2**63 - 1}"), 404)


def test_what_no_database_keeps_is_a_fault_of_what_was_sent(clerk_program: Program) -> None:
    answer = clerk_program.get(f"/tickets?after={encode(20260301, 2**64 - 1)}")
    assert is_problem(answer, 400)
    assert "超出范围" in answer.json["detail"]
