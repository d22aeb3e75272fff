"""填报 through the API: opened with values as text, stepped through the generic case routes, refused with every verdict."""

from __future__ import annotations

from flask import Flask

from tests.web.conftest import COUNTY, NEIGHBOUR, Town
from tests.web.test_api import Program
from workflow.access.demonstration import PASSWORD
from workflow.db import reading
from workflow.registry.queries import find_by_key

MINE, THEIRS = "P00000002", "P00000005"


def program(app: Flask, account: str) -> Program:
    client = app.test_client(use_cookies=False)
    answer = client.post("/api/v1/session", json={"account": account, "password": PASSWORD})
    assert answer.status_code == 201, answer.json
    return Program(client, str(answer.json and answer.json["token"]))


def named(town: Town) -> str:
    with reading(town.engine) as session:
        found = find_by_key(session, "person", MINE)
        assert found is not None
        return str(found.values["name"])


def test_a_filing_is_opened_confirmed_and_reviewed_by_programs(town: Town, app: Flask) -> None:
    clerk, head, reviewer = (program(app, name) for name in (f"clerk@{COUNTY}", f"head@{COUNTY}", "reviewer@330282"))
    sent = {"dataset": "person", "key": MINE, "values": {"name": "张三丰"}, "reason": "户口簿"}
    opened = clerk.post("/cases/filing", sent)
    assert opened.status_code == 201, opened.json
    case = opened.json["case"]
    assert clerk.post("/cases/filing", sent | {"values": {"major": "史学"}}).json["case"] == case
    assert clerk.post(f"/cases/{case}/steps/submit").json["state"] == "submitted"
    refused = head.post(f"/cases/{case}/steps/settle")
    assert refused.status_code == 422
    assert "姓名" in refused.json["detail"]
    assert head.post(f"/cases/{case}/steps/confirm").json["state"] == "reviewing"
    back = {"reason": "见字段", "inputs": {"fields": {"name": "与档案不符"}}}
    assert reviewer.post(f"/cases/{case}/steps/send_back", back).json["state"] == "returned"
    assert clerk.post(f"/cases/{case}/steps/submit").json["state"] == "submitted"
    head.post(f"/cases/{case}/steps/confirm")
    assert reviewer.post(f"/cases/{case}/steps/accept").json["state"] == "accepted"
    assert named(town) == "张三丰"


def test_what_a_filing_cannot_hold_is_named(app: Flask) -> None:
    clerk = program(app, f"clerk@{COUNTY}")
    unknown = clerk.post("/cases/filing", {"dataset": "person", "key": MINE, "values": {"retire_month": "2040-01"}})
    assert unknown.status_code == 400
    assert unknown.json["errors"] == [{"field": "retire_month"}]
    assert clerk.post("/cases/filing", {"dataset": "nothing", "key": MINE}).status_code == 400
    assert clerk.post("/cases/filing", {"dataset": "person", "key": MINE, "values": ["x"]}).status_code == 400


def test_a_record_or_unit_out_of_scope_is_not_found(app: Flask) -> None:
    clerk = program(app, f"clerk@{COUNTY}")
    assert clerk.post("/cases/filing", {"dataset": "person", "key": THEIRS}).status_code == 404
    assert clerk.post("/cases/filing", {"dataset": "person", "unit": NEIGHBOUR}).status_code == 404
    reviewer = program(app, "reviewer@330282")
    assert reviewer.post("/cases/filing", {"dataset": "person", "key": MINE}).status_code == 403
