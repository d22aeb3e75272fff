"""浙政钉: the golden vectors of its signature, its envelope, its token; against a server that checks every call."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.fakes.serving import serving
from tests.fakes.zzd import FakeZzd
from workflow.outside.http import Unreachable
from workflow.outside.zzd import Application, Zzd, ZzdRefused, data_of
from workflow.outside.zzd_signing import pairs, signature, text_to_sign, timestamp

SECRET, TIMESTAMP, NONCE = "demo-appsecret-001", "2025-01-02T03:04:05.678+08:00", "17357582456781234"
MESSAGE = '{"msgtype":"text","text":{"content":"整改提醒 & 测试=1"}}'
VECTORS: list[tuple[str, str, dict[str, Any], str]] = [
    ("GET", "/gettoken.json", {"appsecret": SECRET, "appkey": "demo-appkey-001"}, "D4pdAuWsLXsOScIsHOSgRbuyHqsjfGsfgbMmeLYRfVw="),
    ("POST", "/rpc/oauth2/getuserinfo_bycode.json", {"access_token": "app_demo_token", "code": "demo-code-1"}, "+8TAmcscGI2P+3oIzzAF8M2aRWYb/6TJgUOXJHFZ8FY="),
    ("POST", "/mozi/employee/listEmployeeAccountIds", {"tenantId": "57", "employeeCodes": ["GE_b", "GE_a"]}, "r7Jjj/irW7Phey1Dfcy9wSKzgFDEPHQwB+IG5qKIlno="),
    ("POST", "/message/workNotification", {"tenantId": "57", "receiverIds": "101,102", "msg": MESSAGE, "bizMsgId": "rect-1-20250102", "organizationCodes": " "}, "EKsuAXQqaJvRTZxg2moPpe2fhnIbnzEPihy7eakOByk="),
    ("GET", "/x/no/params", {}, "hNYsvas3WMVGD80z6ImnbbMsHzLkP0l1/ICCIcATaw4="),
]  # fmt: skip


def now() -> datetime:
    """The clock on the wall: the server compares it with its own."""
    return datetime.now(UTC)


@pytest.mark.parametrize(("method", "path", "parameters", "expected"), VECTORS, ids=["V1", "V2", "V3", "V4", "V5"])
def test_the_signature_is_that_of_the_golden_vectors(
    method: str, path: str, parameters: dict[str, Any], expected: str
) -> None:
    assert signature(SECRET, text_to_sign(method, TIMESTAMP, NONCE, path, parameters)) == expected


def test_what_is_empty_or_blank_is_neither_sent_nor_signed_and_lists_are_repeated_keys() -> None:
    given = {"b": "1", "A": ["z", "y", ""], "c": "", "d": "  ", "e": None}
    assert pairs(given) == [("A", "y"), ("A", "z"), ("b", "1")]


def test_a_moment_is_told_in_milliseconds_of_the_time_in_ningbo() -> None:
    assert timestamp(datetime(2025, 1, 1, 19, 4, 5, 678000, UTC)) == TIMESTAMP


@pytest.fixture
def fake() -> Iterator[FakeZzd]:
    made = FakeZzd()
    made.add("GE_1")
    with serving(made):
        yield made


@pytest.fixture
def zzd(fake: FakeZzd) -> Zzd:
    return Zzd(Application(fake.key, fake.secret, fake.base), now)


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_code_becomes_a_person_once(fake: FakeZzd, zzd: Zzd, wrapped: bool) -> None:
    fake.wrapped = wrapped
    code = fake.scan("GE_1")
    assert zzd.person_of(code)["employeeCode"] == "GE_1"
    with pytest.raises(ZzdRefused) as refused:
        zzd.person_of(code)
    assert refused.value.code == "240111"


def test_the_token_is_asked_for_once_while_it_lasts(fake: FakeZzd, zzd: Zzd) -> None:
    for _ in range(3):
        zzd.person_of(fake.scan("GE_1"))
    assert fake.tokens_given == 1


def test_a_token_near_its_end_is_asked_for_again(fake: FakeZzd, zzd: Zzd) -> None:
    fake.lifetime = 599
    for _ in range(2):
        zzd.person_of(fake.scan("GE_1"))
    assert fake.tokens_given == 2


def test_a_token_that_was_taken_back_is_replaced_and_the_call_made_once_more(fake: FakeZzd, zzd: Zzd) -> None:
    zzd.person_of(fake.scan("GE_1"))
    fake.expire_tokens()
    assert zzd.person_of(fake.scan("GE_1"))["employeeCode"] == "GE_1"
    assert fake.tokens_given == 2


def test_a_wrong_secret_is_told_as_what_it_is(fake: FakeZzd) -> None:
    with pytest.raises(ZzdRefused, match="SignatureDoesNotMatch"):
        Zzd(Application(fake.key, "wrong", fake.base), now).token()


def test_parameters_with_chinese_spaces_and_signs_pass_the_servers_own_check(fake: FakeZzd, zzd: Zzd) -> None:
    with pytest.raises(ZzdRefused) as refused:
        zzd.asked("POST", "/message/workNotification", {"msg": MESSAGE, "tenantId": "57", "codes": ["b", "a"]})
    assert refused.value.code == "OPF-404", "the signature was right, the address is not served"


def test_a_server_that_does_not_answer_is_unreachable(fake: FakeZzd, zzd: Zzd) -> None:
    fake.down = True
    with pytest.raises(Unreachable):
        zzd.token()
    with pytest.raises(Unreachable):
        Zzd(Application("x", "y", "http://127.0.0.1:1"), now).token()


@pytest.mark.parametrize(
    "answer",
    [
        {"success": False, "content": {"success": True}},
        {"success": True, "content": {"success": False, "responseCode": "240111"}},
        {"success": True, "content": {"success": True, "responseCode": "1"}},
        {"success": True, "content": '{"success":true,"content":{"success":false,"responseCode":"9"}}'},
        {"Code": "OPF", "Message": "x"},
    ],
)
def test_success_is_what_the_innermost_level_says(answer: Any) -> None:
    with pytest.raises(ZzdRefused):
        data_of(answer)


@pytest.mark.parametrize("answer", ["", None, [], {"success": True, "content": "no json"}])
def test_what_is_no_envelope_is_not_understood(answer: Any) -> None:
    with pytest.raises(Unreachable):
        data_of(answer)
