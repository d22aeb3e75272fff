"""Through the door in a browser: by QR code of 浙政钉 and back, an ID number after proving the identity anew, and the two steps of an emergency."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from flask import Flask
from playwright.sync_api import expect

from tests.access.test_passwords import GOOD, emergency
from tests.access.test_second_factor import code_at, device
from tests.browser.conftest import Window
from tests.fakes.serving import serving
from tests.fakes.zzd import FakeZzd
from tests.web.conftest import COUNTY, Town
from tests.web.test_reveal import NUMBER
from web.providers import ZzdProvider, zzd_subject
from workflow.access.accounts import create_account, grant
from workflow.access.identities import bind
from workflow.db import reading, writing
from workflow.registry import records
from workflow.settings import Settings

LI = "li@330282"


@pytest.fixture
def zzd(app: Flask, town: Town, now: datetime) -> Iterator[FakeZzd]:
    """The platform with 浙政钉 and one reviewer who is bound to an employee of it; a person with an ID number."""
    fake = FakeZzd(domain="127.0.0.1")
    fake.add("GE_li")
    with writing(town.engine) as session:
        create_account(session, name=LI, person_name="李某某", now=now, by="security", district="330282")
        place = {"scope": "district", "district": "330282"}
        grant(session, account=LI, role_name="reviewer", now=now, by="security", **place)
        bind(session, LI, "zzd", zzd_subject(fake.tenant, "GE_li"), now=now, by="security")
        row = {"person_code": "P90000001", "name": "王小明", "unit": town.units[COUNTY], "id_no": NUMBER}
        records.write(session, "person", [row], by="x", now=now, may_write_locked=True, may_create=True)
    with serving(fake):
        settings = Settings(
            env="test", data_dir=app.extensions["sandeng"].data_dir, zzd_key=fake.key, zzd_secret=fake.secret,
            zzd_client_id=fake.client_id, zzd_tenant=fake.tenant, zzd_api_url=fake.base, zzd_login_url=fake.base,
        )  # fmt: skip
        app.extensions["sandeng.providers"] = {"zzd": ZzdProvider(settings)}
        yield fake
    app.extensions["sandeng.providers"] = {}


def test_a_reviewer_scans_and_reads_an_id_number_after_proving_the_identity_anew(
    town: Town, zzd: FakeZzd, window: Window, now: datetime
) -> None:
    page = window.go("/sign-in?next=/me/sessions")
    assert window.barriers() == []
    page.get_by_role("button", name="浙政钉扫码登录").click()
    page.get_by_role("link", name="GE_li").click()
    page.wait_for_url("**/me/sessions")
    expect(page.get_by_role("main")).to_contain_text("本次会话")
    expect(page.get_by_role("main")).to_contain_text("浙政钉")
    assert window.barriers() == []
    assert window.too_wide() <= 0
    page.wait_for_load_state("networkidle")
    town.set_clock(now + timedelta(minutes=6))
    window.go("/records/person/P90000001").get_by_role("link", name="查看完整号码").click()
    page.get_by_role("button", name="用浙政钉验证").click()
    page.get_by_role("link", name="GE_li").click()
    page.get_by_label("理由 *").fill("核对入编档案")
    assert window.barriers() == []
    page.get_by_role("button", name="登记并查看").click()
    expect(page.get_by_role("main")).to_contain_text(NUMBER)
    assert window.barriers() == []
    assert window.complaints == []


def test_an_emergency_takes_a_password_a_picture_and_a_code(town: Town, window: Window, now: datetime) -> None:
    with writing(town.engine) as session:
        emergency(session, "guard", now)
        grant(session, account="guard", role_name="security", scope="platform", now=now, by="demo")
    page = window.go("/sign-in")
    page.get_by_label("账号", exact=True).fill("guard")
    page.get_by_label("密码").fill(GOOD)
    page.get_by_role("button", name="登录", exact=True).click()
    picture = page.get_by_alt_text("动态口令登记二维码")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.complete && image.naturalWidth > 100"), "the content policy lets it in"
    assert window.barriers() == []
    with reading(town.engine) as session:
        page.get_by_role("textbox", name="动态口令").fill(code_at(device(session, "guard"), now))
    page.get_by_role("button", name="登录", exact=True).click()
    page.wait_for_url(window.base + "/")
    window.go("/sessions")
    expect(page.get_by_role("main")).to_contain_text("guard")
    assert window.barriers() == []
    assert window.too_wide() <= 0
    assert window.complaints == []
