"""OpenID Connect, the part that signs people in: authorization code with PKCE, and an ID token that is proved before it is believed.

OpenID Connect Core 1.0 §3.1, RFC 7636 (PKCE), RFC 9207 (issuer in the answer). Signatures by keys of the provider's JWKS, never by `none`
or by a shared secret.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from workflow.errors import SandengError
from workflow.outside.http import Unreachable, call

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
LEEWAY = 60  # seconds that clocks may differ
KEPT = 3600  # seconds that the provider's description and keys are kept
KEYS_AGAIN = 10  # seconds between two looks for a key that was not there


class TokenRefused(SandengError):
    """统一身份认证的令牌未通过核验。"""

    def __init__(self, why: str) -> None:
        self.why = why  # a word for the audit entry
        super().__init__(why=why)


@dataclass(frozen=True)
class Client:
    """How this platform is known to the provider."""

    issuer: str
    client_id: str
    secret: str = ""
    scope: str = "openid"


class Oidc:
    """One provider as found by its issuer."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._described: tuple[float, dict[str, Any]] | None = None
        self._keys: tuple[float, Any] | None = None

    def entrance(self, *, callback: str, state: str, nonce: str, verifier: str, anew: bool = False) -> str:
        """Where the browser goes to prove who it is; `anew`: although it may be signed in there already."""
        asked = {
            "response_type": "code", "client_id": self._client.client_id, "redirect_uri": callback, "scope": self._client.scope,
            "state": state, "nonce": nonce, "code_challenge": challenge(verifier), "code_challenge_method": "S256",
        }  # fmt: skip
        if anew:
            asked |= {"prompt": "login", "max_age": "0"}
        address = str(self._description()["authorization_endpoint"])
        return f"{address}{'&' if '?' in address else '?'}{urlencode(asked)}"

    def subject_of(
        self, code: str, *, callback: str, nonce: str, verifier: str, now: datetime, proved_within: int | None = None
    ) -> str:
        """Exchange the code; the subject of the ID token that comes for it, proved. `now`: real time; `proved_within`: seconds since
        the person showed the credentials there. Raises TokenRefused, Unreachable."""
        sent = {"grant_type": "authorization_code", "code": code, "redirect_uri": callback, "code_verifier": verifier}
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        described = self._description()
        if self._client.secret and "client_secret_basic" in described.get(
            "token_endpoint_auth_methods_supported", ["client_secret_basic"]
        ):
            pair = f"{quote(self._client.client_id, safe='')}:{quote(self._client.secret, safe='')}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            sent["client_id"] = self._client.client_id
            sent |= {"client_secret": self._client.secret} if self._client.secret else {}
        answer = call("POST", str(described["token_endpoint"]), body=urlencode(sent).encode(), headers=headers)
        told = answer.json()
        if answer.status != 200 or not isinstance(told, dict) or not isinstance(told.get("id_token"), str):
            raise TokenRefused("code")
        claims = self._claims(told["id_token"])
        prove_claims(claims, self._client, nonce=nonce, now=now, proved_within=proved_within)
        return str(claims["sub"])

    def prove_issuer(self, arrived: Mapping[str, str]) -> None:
        """Where the answer names its issuer, it is this one (RFC 9207). Raises TokenRefused."""
        promised = self._description().get("authorization_response_iss_parameter_supported") is True
        if arrived.get("iss", "" if promised else self._client.issuer) != self._client.issuer:
            raise TokenRefused("issuer")

    def _claims(self, token: str) -> dict[str, Any]:
        """The claims under a good signature."""
        try:
            head = jws.extract_compact(token.encode()).headers()
        except (JoseError, ValueError):
            raise TokenRefused("signature") from None
        offered = self._description().get("id_token_signing_alg_values_supported") or ["RS256"]
        algorithms = [name for name in ALGORITHMS if name in offered]
        if head.get("alg") not in algorithms:
            raise TokenRefused("algorithm")
        for afresh in (False, True):
            try:
                return dict(jwt.decode(token, self._key_set(afresh=afresh), algorithms=algorithms).claims)
            except (JoseError, ValueError):
                continue  # perhaps under a key that is new since
        raise TokenRefused("signature")

    def _key_set(self, *, afresh: bool) -> Any:
        with self._lock:
            age = KEYS_AGAIN if afresh else KEPT
            if self._keys is None or time.monotonic() - self._keys[0] > age:
                told = call("GET", str(self._describe()["jwks_uri"])).json()
                try:
                    keys = [key for key in told["keys"] if key.get("use", "sig") == "sig" and key.get("kty") != "oct"]
                    self._keys = time.monotonic(), KeySet.import_key_set({"keys": keys})
                except (JoseError, KeyError, TypeError, AttributeError, ValueError):
                    raise Unreachable("统一身份认证的公钥无法识别") from None
            return self._keys[1]

    def _description(self) -> dict[str, Any]:
        with self._lock:
            return self._describe()

    def _describe(self) -> dict[str, Any]:
        """The provider's own description, kept for an hour; believed only where it names the very issuer that was asked."""
        if self._described is None or time.monotonic() - self._described[0] > KEPT:
            answer = call("GET", f"{self._client.issuer.rstrip('/')}/.well-known/openid-configuration")
            told = answer.json()
            needed = ("authorization_endpoint", "token_endpoint", "jwks_uri")
            if answer.status != 200 or not isinstance(told, dict) or any(not told.get(name) for name in needed):
                raise Unreachable("统一身份认证的说明无法识别")
            if told.get("issuer") != self._client.issuer:
                raise Unreachable("统一身份认证的说明与所设的发布者不符")
            self._described = time.monotonic(), told
        return self._described[1]


def prove_claims(
    claims: Mapping[str, Any], client: Client, *, nonce: str, now: datetime, proved_within: int | None = None
) -> None:
    """Raises TokenRefused naming the first claim that does not hold (OpenID Connect Core 1.0 §3.1.3.7)."""
    at = now.timestamp()
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    azp = claims.get("azp")
    held = {
        "issuer": claims.get("iss") == client.issuer,
        "audience": client.client_id in audiences
        and azp in (None, client.client_id)
        and (len(audiences) == 1 or bool(azp)),
        "expired": _moment(claims, "exp") + LEEWAY > at,
        "issued": at - KEPT < _moment(claims, "iat") <= at + LEEWAY,
        "not_before": _moment(claims, "nbf") <= at + LEEWAY,
        "nonce": secrets.compare_digest(str(claims.get("nonce") or "").encode(), nonce.encode()),
        "subject": isinstance(claims.get("sub"), str) and 0 < len(claims["sub"]) <= 255,
        "proved": proved_within is None or at - _moment(claims, "auth_time") <= proved_within + LEEWAY,
    }
    for why, holds in held.items():
        if not holds:
            raise TokenRefused(why)


def _moment(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name, 0)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0


def challenge(verifier: str) -> str:
    """S256 of RFC 7636 §4.2."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
