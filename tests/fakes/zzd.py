"""浙政钉 for QR sign-in: the page, the code, the token, the person; every call's signature is computed again from what arrived.

Written from the protocol alone, without the client's code, so that a mistake in one is not made in both.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

from tests.fakes.serving import Asked, Fake, Told


class FakeZzd(Fake):
    """One tenant with its people and one scan-login application."""

    key, secret, client_id, tenant = "demo-appkey-001", "demo-appsecret-001", "sandeng-demo", "12371"

    def __init__(self, domain: str = "localhost") -> None:
        self.domain = domain
        self.people: dict[str, dict[str, Any]] = {}  # employee code → what is told
        self.codes: dict[str, str] = {}  # code → employee code, until it is used
        self.nonces: set[str] = set()
        self.token = ""
        self.tokens_given = 0
        self.wrapped = False  # the SDK's habit: the whole answer once more as text
        self.lifetime: Any = "7200"
        self.forget: tuple[str, ...] = ()  # fields that are missing from the person

    def add(self, employee: str, name: str = "测试甲") -> None:
        """A person of the tenant."""
        number = 100135 + len(self.people)
        self.people[employee] = {
            "accountId": number, "lastName": name, "clientId": "mozi-buc-sso", "realmId": int(self.tenant),
            "tenantId": int(self.tenant), "tenantUserId": f"{self.tenant}${number}", "namespace": "local", "account": "testuser1",
            "employeeCode": employee,
        }  # fmt: skip

    def scan(self, employee: str) -> str:
        """The code of a person who scans."""
        code = secrets.token_hex(8)
        self.codes[code] = employee
        return code

    def expire_tokens(self) -> None:
        """The application token in use is good no more."""
        self.token = ""

    def answer(self, asked: Asked) -> Told:
        """Pages for browsers, signed calls for servers."""
        if asked.path == "/oauth2/auth.htm":
            return self._page(asked)
        if asked.path == "/scan":
            return self._scanned(asked)
        if fault := self._fault(asked):
            return Told(403, {"success": False, "Code": fault[0], "Message": fault[1]})
        if asked.path == "/gettoken.json":
            return self._token(asked)
        if asked.path == "/rpc/oauth2/getuserinfo_bycode.json" and asked.method == "POST":
            return self._person(asked)
        return Told(404, {"success": False, "Code": "OPF-404"})

    def _page(self, asked: Asked) -> Told:
        expected = {
            "response_type": "code",
            "client_id": self.client_id,
            "scope": "get_user_info",
            "authType": "QRCODE",
        }
        if any(asked.value(name) != value for name, value in expected.items()):
            return Told(400, "参数错误")
        if urlsplit(asked.value("redirect_uri")).hostname != self.domain:
            return Told(200, "无权限访问")
        onward = {"redirect_uri": asked.value("redirect_uri"), "state": asked.value("state")}
        links = "".join(f'<a href="/scan?{urlencode({**onward, "as": one})}">{one}</a>' for one in self.people)
        return Told(200, f"<!doctype html>{links}", (("Content-Type", "text/html; charset=utf-8"),))

    def _scanned(self, asked: Asked) -> Told:
        back = urlencode({"code": self.scan(asked.value("as")), "state": asked.value("state")})
        return Told(302, "", (("Location", f"{asked.value('redirect_uri')}?{back}"),))

    def _fault(self, asked: Asked) -> tuple[str, str] | None:
        head = asked.headers
        moment, nonce = head.get("X-Hmac-Auth-Timestamp", ""), head.get("X-Hmac-Auth-Nonce", "")
        if head.get("apiKey") != self.key or head.get("X-Hmac-Auth-Version") != "1.0" or not head.get("X-Hmac-Auth-IP"):
            return "OPF-B001-05-16-0002", "API 未授权"
        at = datetime.fromisoformat(moment)
        if at.utcoffset() != timedelta(hours=8) or abs(datetime.now(at.tzinfo) - at) > timedelta(minutes=15):
            return "OPF-B001-05-16-0008", "timestamp"
        if nonce in self.nonces or not nonce.isdigit():
            return "OPF-B001-05-16-0010", "nonce"
        lines = [asked.method, moment, nonce, asked.path]
        told = sorted(asked.pairs, key=lambda pair: (pair[0].lower(), pair[1]))
        if told:
            lines.append("&".join(f"{name}={value}" for name, value in told))
        digest = hmac.new(self.secret.encode(), "\n".join(lines).encode(), hashlib.sha256).digest()
        if base64.b64encode(digest).decode() != head.get("X-Hmac-Auth-Signature"):
            return "OPF-B001-05-16-0009", "SignatureDoesNotMatch"
        self.nonces.add(nonce)
        return None

    def _token(self, asked: Asked) -> Told:
        if (asked.value("appkey"), asked.value("appsecret")) != (self.key, self.secret):
            return self._told("240100", "应用不存在")
        if not self.token:
            self.token = f"app_{secrets.token_hex(16)}"
        self.tokens_given += 1
        return self._told("0", "OK", {"accessToken": self.token, "expiresIn": self.lifetime})

    def _person(self, asked: Asked) -> Told:
        if not self.token or asked.value("access_token") != self.token:
            return self._told("240133", "应用 accessToken 失效或不存在")
        employee = self.codes.pop(asked.value("code"), None)
        if employee is None:
            return self._told("240111", "code 失效或不存在")
        return self._told("0", "OK", {k: v for k, v in self.people[employee].items() if k not in self.forget})

    def _told(self, code: str, message: str, data: Any = None) -> Told:
        good = code == "0"
        content = {
            "success": good, "requestId": secrets.token_hex(8), "responseCode": code, "responseMessage": message,
            "bizErrorCode": code,
        } | ({"data": data} if good else {})  # fmt: skip
        whole: dict[str, Any] = {"success": good, "content": content, "bizErrorCode": code}
        if self.wrapped:
            import json

            whole = {"success": True, "content": json.dumps(whole, ensure_ascii=False)}
        return Told(200, whole)
