"""Signing in through identity providers, against complete servers on loopback: the whole way, and every way in which it is refused."""

from __future__ import annotations

import html
import http.client
import re
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import orjson
import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from tests.fakes.oidc import FakeOidc
from tests.fakes.serving import Fake, serving
from tests.fakes.zzd import FakeZzd
from tests.web.conftest import COUNTY, Town, Visitor
from web.providers import KINDS, oidc_subject, zzd_subject
from workflow.access.accounts import create_account, disable, grant
from workflow.access.identities import bind, unbind
from workflow.access.models import LoginSession, SignInAttempt
from workflow.audit.models import ROW
from workflow.db import reading, writing
from workflow.errors import BadInput, Conflict
from workflow.settings import Settings

LI, WANG, NOBODY = "li@330282", "wang@330282", "nobody"
PEOPLE = {"zzd": {LI: "GE_li", WANG: "GE_wang", NOBODY: "GE_nobody"}, "oidc": {LI: "u-1001", WANG: "u-1002", NOBODY: "u-1003"}}  # fmt: skip


class House:
    """The platform with one provider, and how a browser goes there and back."""

    def __init__(self, app: Flask, town: Town, name: str, fake: Any) -> None:
        self.app, self.town, self.name, self.fake = app, town, name, fake

    def browser(self) -> Visitor:
        """A browser of its own."""
        return Visitor(self.app.test_client())

    def leave(self, visitor: Visitor, wanted: str = "") -> str:
        """Press the button; the address of the provider's page."""
        answer = visitor.post(f"/sign-in/with/{self.name}", {"next": wanted})
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return answer.headers["Refresh"].partition("url=")[2]

    def come_back(self, page: str, who: str) -> str:
        """Choose somebody on the provider's page; where it sends the browser, as a path of the platform."""
        with urllib.request.urlopen(page, timeout=5) as answer:
            shown = answer.read().decode()
        person = PEOPLE[self.name][who]
        link = next(m[1] for m in re.finditer(r'<a href="([^"]+)">([^<]+)</a>', shown) if m[2] == person)
        parts = urlsplit(_location(self.fake.base + html.unescape(link)))
        assert parts.hostname == "localhost"
        return f"{parts.path}?{parts.query}"

    def go(self, visitor: Visitor, who: str, wanted: str = "") -> TestResponse:
        """The whole way."""
        return visitor.get(self.come_back(self.leave(visitor, wanted), who))

    def refusals(self) -> list[str]:
        """Why sign-ins were refused, as the audit chain tells it."""
        with reading(self.town.engine) as session:
            told = session.scalars(select(ROW.c.summary).where(ROW.c.action == "session.refuse").order_by(ROW.c.seq))
            return [orjson.loads(text)["why"] for text in told]


def _location(address: str) -> str:
    parts = urlsplit(address)
    with closing(http.client.HTTPConnection(parts.netloc, timeout=5)) as connection:
        connection.request("GET", f"{parts.path}?{parts.query}")
        answer = connection.getresponse()
        assert answer.status == 302
        return str(answer.headers["Location"])


@pytest.fixture
def people(town: Town, now: datetime) -> None:
    """Two people of the county's office; the third of each provider has no account."""
    with writing(town.engine) as session:
        for name in (LI, WANG):
            create_account(session, name=name, person_name="某某", now=now, by="security", district="330282")
            grant(
                session, account=name, role_name="reviewer", scope="district", district="330282", now=now, by="security"
            )


@pytest.fixture
def enter(
    app: Flask, town: Town, now: datetime, people: None
) -> Iterator[Callable[[str, Fake, dict[str, str]], House]]:
    """A function that gives the application one provider and binds the two people."""

    def made(name: str, fake: Any, settings: dict[str, str]) -> House:
        url = town.engine.url.render_as_string(hide_password=False)
        whole = Settings(env="test", data_dir=app.extensions["sandeng"].data_dir, database_url=url, **settings)
        app.extensions["sandeng.providers"] = {name: KINDS[name](whole)}
        with writing(town.engine) as session:
            for account in (LI, WANG):
                told = PEOPLE[name][account]
                subject = zzd_subject(fake.tenant, told) if name == "zzd" else oidc_subject(fake.base, told)
                bind(session, account, name, subject, now=now, by="security")
        return House(app, town, name, fake)

    yield made
    app.extensions["sandeng.providers"] = {}


@pytest.fixture
def zzd(enter: Callable[..., House]) -> Iterator[House]:
    """The platform with 浙政钉."""
    fake = FakeZzd()
    for employee in PEOPLE["zzd"].values():
        fake.add(employee)
    with serving(fake):
        yield enter("zzd", fake, {
            "zzd_key": fake.key, "zzd_secret": fake.secret, "zzd_client_id": fake.client_id, "zzd_tenant": fake.tenant,
            "zzd_api_url": fake.base, "zzd_login_url": fake.base,
        })  # fmt: skip


@pytest.fixture
def oidc(enter: Callable[..., House]) -> Iterator[House]:
    """The platform with an OpenID provider."""
    fake = FakeOidc("http://localhost/sign-in/with/oidc/callback")
    with serving(fake):
        settings = {"oidc_issuer": fake.base, "oidc_client_id": fake.client_id, "oidc_client_secret": fake.secret}
        yield enter("oidc", fake, settings)


@pytest.fixture(params=["zzd", "oidc"])
def either(request: pytest.FixtureRequest) -> House:
    """The platform with each provider in turn."""
    return request.getfixturevalue(request.param)  # type: ignore[no-any-return]


def test_a_bound_person_comes_in_and_goes_where_one_wanted_to_go(either: House, town: Town) -> None:
    visitor = either.browser()
    assert f"/sign-in/with/{either.name}" in visitor.get("/sign-in").get_data(as_text=True)
    before = visitor.client.get_cookie("sandeng")
    assert either.go(visitor, LI, "/tickets?light=red").location == "/tickets?light=red"
    assert visitor.get("/").status_code == 200
    after = visitor.client.get_cookie("sandeng")
    assert before is not None
    assert after is not None
    assert before.value != after.value
    with reading(town.engine) as session:
        row = session.scalars(select(LoginSession)).one()
        assert (row.account, row.way) == (LI, either.name)


def test_the_browser_leaves_with_a_long_state_and_our_own_way_back(either: House) -> None:
    page = either.leave(either.browser())
    sent = parse_qs(urlsplit(page).query)
    assert sent["redirect_uri"] == [f"http://localhost/sign-in/with/{either.name}/callback"]
    assert len(sent["state"][0]) >= 40


def test_an_unknown_person_is_refused_and_told(either: House) -> None:
    visitor = either.browser()
    answer = either.go(visitor, NOBODY)
    assert answer.status_code == 403
    assert "尚未与本平台的账号绑定" in answer.get_data(as_text=True)
    assert visitor.get("/").status_code == 302
    assert either.refusals() == ["unknown_person"]


def test_a_disabled_person_is_refused_and_told(either: House, town: Town, now: datetime) -> None:
    with writing(town.engine) as session:
        disable(session, LI, now=now)
    visitor = either.browser()
    assert either.go(visitor, LI).status_code == 403
    assert visitor.get("/").status_code == 302
    assert either.refusals() == ["disabled"]


def test_a_wrong_state_is_refused(either: House) -> None:
    visitor = either.browser()
    back = either.come_back(either.leave(visitor), LI)
    wrong = re.sub(r"state=[^&]+", "state=" + "x" * 43, back)
    assert visitor.get(wrong).status_code == 401
    assert visitor.get("/").status_code == 302
    assert either.refusals() == [f"{either.name}_unknown"]


def test_a_state_of_another_browser_is_refused_and_stays_good_for_its_own(either: House) -> None:
    mine, theirs = either.browser(), either.browser()
    back = either.come_back(either.leave(theirs), LI)
    either.leave(mine)
    assert mine.get(back).status_code == 401
    assert mine.get("/").status_code == 302
    assert either.browser().get(back).status_code == 401, "nor in one that never left"
    assert either.refusals() == [f"{either.name}_browser"]
    assert theirs.get(back).status_code == 302


def test_a_state_is_good_once_even_with_the_cookie_of_then(either: House) -> None:
    visitor = either.browser()
    back = either.come_back(either.leave(visitor), LI)
    cookie = visitor.client.get_cookie("sandeng")
    assert cookie is not None
    assert visitor.get(back).status_code == 302
    thief = either.browser()
    thief.client.set_cookie("sandeng", cookie.value)
    again = re.sub(r"code=[^&]+", "code=fresh", back)
    for address in (back, again):
        thief.client.set_cookie("sandeng", cookie.value)
        assert thief.get(address).status_code == 401
    assert either.refusals() == [f"{either.name}_used"] * 2
    assert thief.get("/").status_code == 302


def test_a_state_is_used_up_by_a_failure_too(either: House) -> None:
    visitor = either.browser()
    page = either.leave(visitor)
    cookie = visitor.client.get_cookie("sandeng")
    assert cookie is not None
    good = either.come_back(page, LI)
    assert visitor.get(re.sub(r"code=[^&]+", "code=wrong", good)).status_code == 401
    visitor.client.set_cookie("sandeng", cookie.value)
    assert visitor.get(good).status_code == 401
    assert either.refusals() == [f"{either.name}_code", f"{either.name}_used"]


def test_a_state_lasts_ten_minutes(either: House, town: Town, now: datetime) -> None:
    visitor = either.browser()
    back = either.come_back(either.leave(visitor), LI)
    town.set_clock(now + timedelta(minutes=10, seconds=1))
    assert visitor.get(back).status_code == 401
    assert either.refusals() == [f"{either.name}_late"]


def test_a_code_is_good_once(either: House) -> None:
    visitor = either.browser()
    back = either.come_back(either.leave(visitor), LI)
    assert visitor.get(back).status_code == 302
    code = parse_qs(urlsplit(back).query)["code"][0]
    thief = either.browser()
    theirs = either.come_back(either.leave(thief), WANG)
    assert thief.get(re.sub(r"code=[^&]+", f"code={code}", theirs)).status_code == 401
    assert either.refusals() == [f"{either.name}_code"]


def test_who_declines_there_is_not_in(either: House) -> None:
    visitor = either.browser()
    state = parse_qs(urlsplit(either.leave(visitor)).query)["state"][0]
    told = {"error": "access_denied", "state": state, "iss": either.fake.base}
    assert visitor.get(f"/sign-in/with/{either.name}/callback?{urlencode(told)}").status_code == 401
    assert either.refusals() == [f"{either.name}_denied"]


def test_a_stranger_who_brings_nothing_is_refused_and_not_told(either: House) -> None:
    assert either.browser().get(f"/sign-in/with/{either.name}/callback?state=x&code=y").status_code == 401
    assert either.refusals() == []


def test_a_provider_that_is_down_is_said_to_be(either: House) -> None:
    visitor = either.browser()
    back = either.come_back(either.leave(visitor), LI)
    either.fake.down = True
    answer = visitor.get(back)
    assert answer.status_code == 503
    assert "暂时不能连接" in answer.get_data(as_text=True)
    assert either.refusals() == [f"{either.name}_provider_down"]
    assert visitor.get("/").status_code == 302


def test_a_provider_that_is_not_there_is_not_found(stranger: Visitor) -> None:
    assert stranger.post("/sign-in/with/zzd").status_code == 404
    assert stranger.get("/sign-in/with/zzd/callback").status_code == 404


def test_the_next_page_lies_inside(either: House) -> None:
    assert either.go(either.browser(), LI, "https://evil.example/").location == "/"


def test_old_states_are_forgotten(either: House, town: Town, now: datetime) -> None:
    either.leave(either.browser())
    town.set_clock(now + timedelta(days=2))
    either.leave(either.browser())
    with reading(town.engine) as session:
        assert len(session.scalars(select(SignInAttempt)).all()) == 1


# 浙政钉


def test_an_application_with_a_wrong_secret_lets_nobody_in(zzd: House) -> None:
    visitor = zzd.browser()
    back = zzd.come_back(zzd.leave(visitor), LI)
    zzd.fake.secret = "changed-since"
    answer = visitor.get(back)
    assert answer.status_code == 401
    assert "SignatureDoesNotMatch" in answer.get_data(as_text=True)
    assert zzd.refusals() == ["zzd_OPF-B001-05-16-0009"]


def test_a_token_that_was_taken_back_does_not_keep_a_person_out(zzd: House) -> None:
    assert zzd.go(zzd.browser(), LI).status_code == 302
    zzd.fake.expire_tokens()
    assert zzd.go(zzd.browser(), WANG).status_code == 302


def test_a_super_administrator_is_no_person(zzd: House) -> None:
    zzd.fake.forget = ("employeeCode",)
    assert zzd.go(zzd.browser(), LI).status_code == 401
    assert zzd.refusals() == ["zzd_employee"]


def test_a_person_of_another_tenant_is_nobody_here(zzd: House) -> None:
    for told in zzd.fake.people.values():
        told["tenantId"] = 999
    assert zzd.go(zzd.browser(), LI).status_code == 401
    assert zzd.refusals() == ["zzd_tenant"]


def test_the_tenant_may_stand_under_its_older_name(zzd: House) -> None:
    zzd.fake.forget = ("tenantId", "tenantName")
    assert zzd.go(zzd.browser(), LI).status_code == 302


def test_nobody_is_known_by_the_name(zzd: House) -> None:
    zzd.fake.people["GE_nobody"]["lastName"] = "某某"
    assert zzd.go(zzd.browser(), NOBODY).status_code == 403


# OpenID Connect

HOUR = 3600
SPOILT: dict[str, Callable[[dict[str, Any]], None]] = {
    "issuer": lambda c: c.update(iss="https://evil.example"),
    "audience": lambda c: c.update(aud="another-client"),
    "audience ": lambda c: c.update(aud=["sandeng", "another"]),
    "audience  ": lambda c: c.update(aud=["sandeng", "another"], azp="another"),
    "audience   ": lambda c: c.pop("aud"),
    "expired": lambda c: c.update(exp=c["exp"] - HOUR),
    "expired ": lambda c: c.pop("exp"),
    "issued": lambda c: c.update(iat=c["iat"] + HOUR),
    "issued ": lambda c: c.update(iat=c["iat"] - 2 * HOUR),
    "not_before": lambda c: c.update(nbf=c["iat"] + HOUR),
    "nonce": lambda c: c.update(nonce="another"),
    "nonce ": lambda c: c.pop("nonce"),
    "subject": lambda c: c.pop("sub"),
    "subject ": lambda c: c.update(sub=""),
    "subject  ": lambda c: c.update(sub=["u-1001"]),
}


@pytest.mark.parametrize("why", SPOILT)
def test_a_token_that_says_something_wrong_lets_nobody_in(oidc: House, why: str) -> None:
    oidc.fake.spoil = SPOILT[why]
    visitor = oidc.browser()
    assert oidc.go(visitor, LI).status_code == 401
    assert visitor.get("/").status_code == 302
    assert oidc.refusals() == [f"oidc_{why.strip()}"]


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("sign_with_a_strange_key", "signature"),
        ("sign_with_nothing", "algorithm"),
        ("sign_with_the_public_key_as_secret", "algorithm"),
    ],
)
def test_a_token_under_a_wrong_signature_lets_nobody_in(oidc: House, how: str, why: str) -> None:
    oidc.fake.sign = getattr(oidc.fake, how)
    visitor = oidc.browser()
    assert oidc.go(visitor, LI).status_code == 401
    assert visitor.get("/").status_code == 302
    assert oidc.refusals() == [f"oidc_{why}"]


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "a.b.c.d.e", None, 5])
def test_what_is_no_token_lets_nobody_in(oidc: House, token: Any) -> None:
    oidc.fake.sign = lambda claims: token
    assert oidc.go(oidc.browser(), LI).status_code == 401


def test_a_token_may_name_several_audiences_where_it_says_whom_it_is_for(oidc: House) -> None:
    oidc.fake.spoil = lambda c: c.update(aud=["sandeng", "another"], azp="sandeng")
    assert oidc.go(oidc.browser(), LI).status_code == 302


def test_a_key_that_is_new_is_fetched_and_then_kept(oidc: House, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        assert oidc.go(oidc.browser(), LI).status_code == 302
    assert oidc.fake.keys_asked == 1
    monkeypatch.setattr("workflow.outside.oidc.KEYS_AGAIN", -1)
    oidc.fake.change_key()
    assert oidc.go(oidc.browser(), LI).status_code == 302
    assert oidc.fake.keys_asked == 2


def test_forged_tokens_do_not_make_us_ask_for_keys_without_end(oidc: House) -> None:
    assert oidc.go(oidc.browser(), LI).status_code == 302
    oidc.fake.sign = oidc.fake.sign_with_a_strange_key
    for _ in range(3):
        assert oidc.go(oidc.browser(), LI).status_code == 401
    assert oidc.fake.keys_asked == 1


def test_an_answer_of_another_issuer_is_refused(oidc: House) -> None:
    visitor = oidc.browser()
    back = oidc.come_back(oidc.leave(visitor), LI)
    assert visitor.get(re.sub(r"iss=[^&]+", "iss=https://evil.example", back)).status_code == 401
    assert oidc.refusals() == ["oidc_issuer"]


def test_an_answer_without_the_issuer_that_was_promised_is_refused(oidc: House) -> None:
    visitor = oidc.browser()
    back = oidc.come_back(oidc.leave(visitor), LI)
    assert visitor.get(re.sub(r"&iss=[^&]+", "", back)).status_code == 401


def test_a_code_that_was_stolen_is_worth_nothing_without_the_verifier(oidc: House) -> None:
    mine, theirs = oidc.browser(), oidc.browser()
    stolen = parse_qs(urlsplit(oidc.come_back(oidc.leave(mine), LI)).query)["code"][0]
    back = oidc.come_back(oidc.leave(theirs), WANG)
    assert theirs.get(re.sub(r"code=[^&]+", f"code={stolen}", back)).status_code == 401
    assert oidc.refusals() == ["oidc_code"]


def test_a_description_of_another_issuer_is_not_believed(oidc: House) -> None:
    oidc.fake.described = {"issuer": "https://evil.example"}
    answer = oidc.browser().post("/sign-in/with/oidc")
    assert answer.status_code == 503
    assert "发布者不符" in answer.get_data(as_text=True)


# bindings and settings


def test_one_person_is_one_account(town: Town, people: None, now: datetime) -> None:
    with writing(town.engine) as session:
        bind(session, LI, "zzd", "12371:GE_li", now=now, by="security")
        with pytest.raises(Conflict, match="一人一号"):
            bind(session, WANG, "zzd", "12371:GE_li", now=now, by="security")
        with pytest.raises(Conflict, match="已绑定"):
            bind(session, LI, "zzd", "12371:GE_other", now=now, by="security")
        unbind(session, LI, "zzd", now=now, by="security")
        bind(session, WANG, "zzd", "12371:GE_li", now=now, by="security")


def test_half_a_provider_is_no_setting(tmp_path: Any) -> None:
    with pytest.raises(BadInput, match="SANDENG_ZZD_SECRET"):
        Settings(env="test", data_dir=tmp_path, zzd_key="x")
    with pytest.raises(BadInput, match="SANDENG_OIDC_CLIENT_ID"):
        Settings(env="test", data_dir=tmp_path, oidc_issuer="https://x.example")


def test_production_asks_its_providers_by_https_and_says_where_it_is_itself(tmp_path: Any) -> None:
    keys = {"secret_key": "K7f3s9Qe2LmZx8Vb4NcT6yHw1RdG5uJp", "data_key": "P2w8Xz5Vt9Nq3Lr7Kc4Hy6Jm1Bd0GfSe"}
    given = {"oidc_issuer": "http://x.example", "oidc_client_id": "x"}
    with pytest.raises(BadInput, match=r"SANDENG_PUBLIC_URL.*https"):
        Settings(env="production", data_dir=tmp_path, **keys, **given)


def test_the_county_clerk_still_signs_in_with_the_demonstration_password(zzd: House) -> None:
    answer = zzd.browser().post("/sign-in", {"account": f"clerk@{COUNTY}", "password": "sandeng-demo"})
    assert answer.status_code == 302


# proving the identity anew


def prove_there(house: House, visitor: Visitor, who: str) -> TestResponse:
    """From the page that asks for it to the provider and back."""
    page = visitor.get("/me/prove?next=/notices").get_data(as_text=True)
    assert f"/sign-in/with/{house.name}" in page
    return house.go(visitor, who, "/notices")


def proved_at(town: Town) -> datetime:
    with reading(town.engine) as session:
        return session.scalars(select(LoginSession.proved_at).where(LoginSession.account == LI)).one()


def test_the_identity_is_proved_anew_at_the_provider(either: House, town: Town, now: datetime) -> None:
    visitor = either.browser()
    either.go(visitor, LI)
    town.set_clock(now + timedelta(minutes=9))
    assert prove_there(either, visitor, LI).location == "/notices"
    assert proved_at(town) == now + timedelta(minutes=9)
    assert visitor.get("/").status_code == 200, "the session is the same"


def test_another_person_proves_nothing_for_me(either: House, town: Town, now: datetime) -> None:
    visitor = either.browser()
    either.go(visitor, LI)
    town.set_clock(now + timedelta(minutes=9))
    assert prove_there(either, visitor, WANG).status_code == 403
    assert proved_at(town) == now
    assert either.refusals() == ["another_person"]


def test_a_provider_that_only_remembers_the_person_proves_nothing_anew(oidc: House, town: Town, now: datetime) -> None:
    visitor = oidc.browser()
    oidc.go(visitor, LI)
    oidc.fake.spoil = lambda c: c.update(auth_time=c["auth_time"] - 400)
    town.set_clock(now + timedelta(minutes=9))
    assert prove_there(oidc, visitor, LI).status_code == 401
    assert proved_at(town) == now
    assert oidc.refusals() == ["oidc_proved"]
    assert oidc.fake.asked_anew == ["", "login"]
