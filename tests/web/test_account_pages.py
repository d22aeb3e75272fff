"""Accounts and grants in the browser: what one security officer does alone, what takes two, and how far a county's reaches (办法16)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from tests.web.conftest import COUNTY, FAR, NEIGHBOUR, SCHOOL, Town, Visitor, counted
from workflow.access.models import Account, AccountIdentity, Grant, LoginSession
from workflow.db import reading, writing
from workflow.engine.models import CASE

SignIn = Callable[[str], Visitor]
NEW = {"name": f"li@{COUNTY}", "person_name": "李某某", "title": "办公室", "unit": COUNTY}
GRANT = {"kind": "grant", "role": "unit_clerk", "at_unit": COUNTY, "why": "接替经办"}


def text(visitor: Visitor, path: str) -> str:
    answer = visitor.get(path)
    assert answer.status_code == 200, path
    return answer.get_data(as_text=True)


def names(page: str) -> set[str]:
    return set(re.findall(r'data-open href="/accounts/([^"]+)"', page))


def waiting(town: Town) -> tuple[int, int]:
    with reading(town.engine) as session:
        row = session.execute(
            select(CASE.c.id, CASE.c.version).where(CASE.c.process == "grant_change", CASE.c.open)
        ).one()
    return row.id, row.version


def approve(town: Town, visitor: Visitor) -> int:
    case_id, version = waiting(town)
    return visitor.post(f"/cases/{case_id}/steps/approve", {"version": str(version)}).status_code


def test_an_account_is_opened_by_one_and_given_its_role_by_two(town: Town, sign_in: SignIn) -> None:
    first, second = sign_in("security"), sign_in("security2")
    assert first.post("/accounts", NEW).status_code == 302
    assert "没有授权" in text(first, f"/accounts/li@{COUNTY}")
    assert first.post(f"/accounts/li@{COUNTY}/changes", GRANT).status_code == 302
    case_id, _ = waiting(town)
    assert approve(town, first) == 422
    assert f"/cases/{case_id}" in text(second, "/tasks")
    assert approve(town, second) == 302
    page = text(second, f"/accounts/li@{COUNTY}")
    assert "security2 批准" in page
    assert f'href="/cases/{case_id}"' in page
    assert "接替经办" in page


def test_a_grant_is_taken_back_by_two(town: Town, sign_in: SignIn) -> None:
    with reading(town.engine) as session:
        given = session.scalar(select(Grant.id).where(Grant.account == f"clerk@{COUNTY}"))
    first, second = sign_in("security"), sign_in("security2")
    sent = {"kind": "withdraw", "grant": str(given), "why": "轮岗"}
    assert first.post(f"/accounts/clerk@{COUNTY}/changes", sent).status_code == 302
    assert "生效" in text(first, f"/accounts/clerk@{COUNTY}")
    assert approve(town, second) == 302
    assert "已收回" in text(first, f"/accounts/clerk@{COUNTY}")


def test_what_cannot_be_kept_is_told_at_its_field_and_nothing_typed_is_lost(sign_in: SignIn) -> None:
    officer = sign_in("security")
    answer = officer.post("/accounts", NEW | {"name": "李", "unit": "000"})
    assert answer.status_code == 400
    page = answer.get_data(as_text=True)
    assert "没有这个机构" in page
    assert 'value="李某某"' in page
    answer = officer.post(f"/accounts/clerk@{COUNTY}/changes", GRANT | {"until_on": "明天"})
    assert answer.status_code == 400
    assert "截止日期" in answer.get_data(as_text=True)
    assert 'value="接替经办"' in answer.get_data(as_text=True)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"name": "cli"}, "用字母、数字"),
        ({"person_name": ""}, "须填写真实姓名"),
        ({"unit": ""}, "单位人员填机构编码"),
        ({"unit": "", "district": "999999"}, "没有这个政区"),
        ({"person_code": "P00000005"}, "本单位没有这一编码和姓名的人员"),
        ({"person_code": "P00000002"}, "本单位没有这一编码和姓名的人员"),
    ],
)
def test_an_account_is_a_real_persons_of_a_real_place(sign_in: SignIn, more: dict[str, str], says: str) -> None:
    answer = sign_in("security").post("/accounts", NEW | more)
    assert answer.status_code == 400
    assert says in answer.get_data(as_text=True)


def test_one_person_has_one_account_and_a_name_is_one_account(sign_in: SignIn) -> None:
    officer = sign_in("security")
    held = NEW | {"person_name": "张某某", "person_code": "P00000002"}
    assert officer.post("/accounts", held).status_code == 302
    for again, says in (
        ({"name": f"li2@{COUNTY}"}, f"本人已有账号 li@{COUNTY}"),
        ({"person_code": ""}, "已有此账号"),
    ):
        answer = officer.post("/accounts", held | again)
        assert answer.status_code == 409
        page = answer.get_data(as_text=True)
        assert says in page
        assert 'value="张某某"' in page


def test_a_disabled_account_is_out_at_once_and_comes_back_by_two(town: Town, sign_in: SignIn) -> None:
    clerk, first, second = sign_in(f"clerk@{COUNTY}"), sign_in("security"), sign_in("security2")
    assert clerk.get("/tickets").status_code == 200
    assert first.post(f"/accounts/clerk@{COUNTY}/disable", {}).status_code == 400
    assert first.post(f"/accounts/clerk@{COUNTY}/disable", {"reason": "离岗"}).status_code == 302
    assert clerk.get("/tickets").status_code == 302
    assert first.post(f"/accounts/clerk@{COUNTY}/changes", {"kind": "enable", "why": "返岗"}).status_code == 302
    with reading(town.engine) as session:
        assert session.get_one(Account, f"clerk@{COUNTY}").disabled_on is not None
    assert approve(town, second) == 302
    with reading(town.engine) as session:
        assert session.get_one(Account, f"clerk@{COUNTY}").disabled_on is None


def test_nobody_changes_the_own_account(sign_in: SignIn) -> None:
    officer = sign_in("security")
    assert officer.post("/accounts/security/disable", {"reason": "x"}).status_code == 422
    assert officer.post("/accounts/security/bind", {"provider": "zzd", "subject": "x"}).status_code == 400
    assert officer.post("/accounts/security/changes", GRANT).status_code == 422
    assert "提请授权" not in text(officer, "/accounts/security")


def test_an_identity_is_bound_by_one_before_there_is_a_role_and_by_two_after(
    app: Flask, town: Town, sign_in: SignIn
) -> None:
    app.extensions["sandeng"] = app.extensions["sandeng"].model_copy(update={"zzd_tenant": "12371"})
    first, second = sign_in("security"), sign_in("security2")
    first.post("/accounts", NEW)
    sent = {"kind": "bind", "provider": "zzd", "subject": "GE_1", "why": "换手机"}
    for name, by_two in ((f"li@{COUNTY}", False), (f"clerk@{COUNTY}", True)):
        assert first.post(f"/accounts/{name}/bind", sent | {"subject": name}).status_code == 302
        with reading(town.engine) as session:
            bound = session.scalars(select(AccountIdentity.subject).where(AccountIdentity.account == name)).all()
        assert list(bound) == ([] if by_two else [f"12371:{name}"])
    assert approve(town, second) == 302
    assert f"12371:clerk@{COUNTY}" in text(first, f"/accounts/clerk@{COUNTY}")
    assert first.post(f"/accounts/clerk@{COUNTY}/unbind", {"provider": "zzd"}).status_code == 302
    assert "尚未绑定" in text(first, f"/accounts/clerk@{COUNTY}")


def test_a_countys_officer_sees_and_changes_the_accounts_of_its_units_only(town: Town, sign_in: SignIn) -> None:
    county, clerk = sign_in("security@330282"), sign_in(f"clerk@{FAR}")
    mine = {f"{kind}@{code}" for kind in ("clerk", "head") for code in (COUNTY, SCHOOL, NEIGHBOUR)}
    assert names(text(county, "/accounts")) == mine
    for name in (f"clerk@{FAR}", "reviewer@330282", "security", "nobody"):
        assert county.get(f"/accounts/{name}").status_code == 404, name
        for do in ("disable", "bind", "unbind", "changes"):
            sent = GRANT | {"reason": "x", "provider": "zzd", "subject": "1"}
            assert county.post(f"/accounts/{name}/{do}", sent).status_code == 404, (name, do)
    assert county.post("/accounts", NEW | {"unit": FAR}).status_code == 400
    assert county.post(f"/accounts/clerk@{COUNTY}/changes", GRANT | {"at_unit": SCHOOL}).status_code == 302
    assert county.post(f"/accounts/clerk@{COUNTY}/changes", GRANT | {"at_unit": FAR}).status_code == 422
    assert f"clerk@{FAR}" not in text(county, "/sessions")
    with reading(town.engine) as session:
        far = session.scalar(select(LoginSession.id).where(LoginSession.account == f"clerk@{FAR}"))
    assert county.post(f"/sessions/{far}/revoke", {"reason": "x"}).status_code == 404
    assert clerk.get("/tickets").status_code == 200
    other = sign_in("security@330203")
    case_id, _ = waiting(town)
    assert county.get(f"/cases/{case_id}").status_code == 200
    assert other.get(f"/cases/{case_id}").status_code == 404
    assert approve(town, other) == 404


@pytest.mark.parametrize("account", [f"clerk@{COUNTY}", "reviewer", "leader", "auditor", "sysadmin"])
def test_nobody_else_sees_accounts_or_changes_of_them(town: Town, sign_in: SignIn, account: str) -> None:
    sign_in("security").post(f"/accounts/clerk@{COUNTY}/changes", GRANT | {"at_unit": SCHOOL})
    visitor, (case_id, _) = sign_in(account), waiting(town)
    assert visitor.get("/accounts").status_code == 403
    assert visitor.get(f"/accounts/clerk@{COUNTY}").status_code == 403
    assert visitor.get(f"/cases/{case_id}").status_code == 404


def test_the_list_narrows_by_text_state_role_and_unit_and_marks_the_dormant(town: Town, sign_in: SignIn) -> None:
    officer = sign_in("security")
    assert names(text(officer, "/accounts?role=leader")) == {"leader", "leader@330282", "leader@330203"}
    assert names(text(officer, f"/accounts?unit={COUNTY}&role=unit_head")) == {f"head@{COUNTY}", f"head@{SCHOOL}"}
    assert names(text(officer, "/accounts?text=clerk@33028210")) == {f"clerk@{c}" for c in (COUNTY, SCHOOL, NEIGHBOUR)}
    assert "没有符合条件的账号" in text(officer, "/accounts?state=dormant")
    with writing(town.engine) as session:
        idle = session.get_one(Account, f"clerk@{FAR}")
        idle.created_at -= timedelta(days=70)
        session.get_one(Account, f"head@{FAR}").disabled_on = idle.created_at.date()
    page = text(officer, "/accounts?state=dormant")
    assert names(page) == {f"clerk@{FAR}"}
    assert "70 天未登录" in page
    assert names(text(officer, "/accounts?state=off")) == {f"head@{FAR}"}


def test_an_account_whose_holder_left_is_marked(town: Town, sign_in: SignIn) -> None:
    officer = sign_in("security")
    officer.post("/accounts", NEW | {"person_name": "张某某", "person_code": "P00000002"})
    with writing(town.engine) as session:
        session.get_one(Account, f"li@{COUNTY}").person_code = "P00000005"  # somebody of another unit
    page = text(officer, "/accounts?state=left")
    assert names(page) == {f"li@{COUNTY}"}
    assert "人员已调离本单位" in page


def test_the_list_pages_by_name(town: Town, sign_in: SignIn) -> None:
    with writing(town.engine) as session:
        now = session.get_one(Account, "security").created_at
        for n in range(60):
            session.add(Account(name=f"zz{n:02}", person_name="某", created_at=now, created_by="x"))
    officer = sign_in("security")
    first = text(officer, "/accounts?text=zz")
    more = re.search(r'rel="next" href="([^"]+)"|href="([^"]+)" rel="next"', first)
    assert more, first
    second = text(officer, (more[1] or more[2]).replace("&amp;", "&"))
    assert names(first) | names(second) == {f"zz{n:02}" for n in range(60)}
    assert not names(first) & names(second)
    assert officer.get("/accounts?after=WzFd").status_code == 400


def test_its_pages_read_little(app: Flask, sign_in: SignIn) -> None:
    officer = sign_in("security")
    for path in ("/accounts", f"/accounts/clerk@{COUNTY}"):
        officer.get(path)
        with counted(app) as statements:
            assert officer.get(path).status_code == 200
        assert len(statements) <= 12, (path, statements)
