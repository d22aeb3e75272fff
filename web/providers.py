"""The identity providers behind one interface: where a browser is sent, and who it is that comes back. Network only, no rows."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol
from urllib.parse import urlencode

from flask import Flask

from workflow.access.sessions import FRESH
from workflow.errors import Refused
from workflow.outside.zzd import Application, Zzd, ZzdRefused, agreed
from workflow.settings import Settings


class Unrecognised(Refused):
    """身份认证没有通过，请重新登录。"""

    def __init__(self, why: str, says: str | None = None) -> None:
        self.why = why  # a word for the audit entry
        super().__init__(says, why=why)


@dataclass(frozen=True)
class Trip:
    """One way to a provider and back: where it returns to, its state, two secrets derived for it, whether the proof must be new."""

    callback: str
    state: str
    verifier: str
    nonce: str
    anew: bool


class Provider(Protocol):
    """What signing in needs of a provider."""

    name: str
    title: str

    def entrance(self, trip: Trip) -> str:
        """The address to which the browser goes. Raises Unreachable."""

    def person(self, arrived: Mapping[str, str], trip: Trip) -> str:
        """The subject who came back, proved. Raises Unrecognised, Unreachable."""


class ZzdProvider:
    """浙政钉 by QR code."""

    name = "zzd"

    def __init__(self, settings: Settings) -> None:
        secret = settings.zzd_secret.get_secret_value() if settings.zzd_secret else ""
        self._zzd = Zzd(Application(settings.zzd_key, secret, settings.zzd_api_url), lambda: datetime.now(UTC))
        self._login, self._client = settings.zzd_login_url, settings.zzd_client_id
        self._tenant = settings.zzd_tenant
        self.title = str(agreed()["title"])

    def entrance(self, trip: Trip) -> str:
        """The page with the QR code."""
        wire = agreed()["login"]
        given = {**wire["parameters"], wire["client"]: self._client, wire["callback"]: trip.callback}
        return f"{self._login}{wire['path']}?{urlencode({**given, 'state': trip.state})}"

    def person(self, arrived: Mapping[str, str], trip: Trip) -> str:
        """Exchange the code; a person is tenant and employee code, a super-administrator without one is nobody here."""
        if not arrived.get("code"):
            raise Unrecognised("denied")
        try:
            found = self._zzd.person_of(arrived["code"])
        except ZzdRefused as refused:
            gone = refused.code in agreed()["errors"]["code_gone"]
            raise Unrecognised("code" if gone else refused.code, None if gone else refused.says) from None
        wire = agreed()["person"]
        tenant = next((str(found[name]) for name in wire["tenant"] if found.get(name)), "")
        if tenant != self._tenant:
            raise Unrecognised("tenant", "您的浙政钉身份不属于本平台所在的组织。")
        if not found.get(wire["employee"]):
            raise Unrecognised("employee", "浙政钉超级管理员账号不是实名人员，不能登录。")
        return zzd_subject(tenant, str(found[wire["employee"]]))


class OidcProvider:
    """A provider of OpenID Connect."""

    name = "oidc"

    def __init__(self, settings: Settings) -> None:
        from workflow.outside.oidc import Client, Oidc  # with its cryptography, where it is used

        secret = settings.oidc_client_secret.get_secret_value() if settings.oidc_client_secret else ""
        scope = " ".join(dict.fromkeys(["openid", *settings.oidc_scope.split()]))
        self._issuer = settings.oidc_issuer
        self._oidc = Oidc(Client(self._issuer, settings.oidc_client_id, secret, scope))
        self.title = settings.oidc_title

    def entrance(self, trip: Trip) -> str:
        """The provider's authorization endpoint with everything that binds the answer to this browser."""
        return self._oidc.entrance(
            callback=trip.callback, state=trip.state, nonce=trip.nonce, verifier=trip.verifier, anew=trip.anew
        )

    def person(self, arrived: Mapping[str, str], trip: Trip) -> str:
        """Exchange the code and prove the ID token."""
        from workflow.outside.oidc import TokenRefused

        try:
            self._oidc.prove_issuer(arrived)
            if not arrived.get("code"):
                raise Unrecognised("denied")
            subject = self._oidc.subject_of(
                arrived["code"], callback=trip.callback, nonce=trip.nonce, verifier=trip.verifier, now=datetime.now(UTC),
                proved_within=int(FRESH.total_seconds()) if trip.anew else None,
            )  # fmt: skip
        except TokenRefused as refused:
            raise Unrecognised(refused.why) from None
        return oidc_subject(self._issuer, subject)


KINDS: dict[str, Any] = {"zzd": ZzdProvider, "oidc": OidcProvider}


def zzd_subject(tenant: str, employee: str) -> str:
    """A person of 浙政钉, as bindings know it."""
    return f"{tenant}:{employee}"


def oidc_subject(issuer: str, sub: str) -> str:
    """A person of an OpenID provider, as bindings know it."""
    return f"{issuer}#{sub}"


def derived_for(key: str, purpose: str, secret: str) -> str:
    """A secret for one purpose of one trip; nobody makes it without the platform's key."""
    return hmac.new(key.encode(), f"{purpose}:{secret}".encode(), "sha256").hexdigest()


def install(app: Flask, settings: Settings) -> None:
    """Make the providers that are set."""
    app.extensions["sandeng.providers"] = {name: KINDS[name](settings) for name in settings.providers}
