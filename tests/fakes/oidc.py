"""An OpenID provider: description, sign-in page, code with PKCE, signed ID token, keys that change. `spoil` makes it lie in one way."""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from tests.fakes.serving import Asked, Fake, Told

Spoil = Callable[[dict[str, Any]], None]


@functools.cache
def _first_key() -> Any:
    """The key of every provider of this process: making one takes a tenth of a second."""
    return RSAKey.generate_key(2048, parameters={"kid": "k1", "use": "sig"})


class FakeOidc(Fake):
    """One client, some people."""

    client_id, secret = "sandeng", "demo-client-secret"

    def __init__(self, callback: str) -> None:
        self.callback = callback
        self.people = ["u-1001", "u-1002", "u-1003"]
        self.codes: dict[str, dict[str, str]] = {}
        self.key: Any = _first_key()
        self.shown: list[Any] = [self.key]
        self.spoil: Spoil = lambda claims: None
        self.sign: Callable[[dict[str, Any]], str] = self._sign
        self.keys_asked = 0
        self.described: dict[str, Any] = {}  # overrides of the description
        self.asked_anew: list[str] = []

    def change_key(self) -> None:
        """From now on another key, of another kind, signs."""
        self.key = ECKey.generate_key("P-256", parameters={"kid": "k2", "use": "sig"})
        self.shown = [*self.shown, self.key]

    def answer(self, asked: Asked) -> Told:
        """One address each."""
        return {
            "/.well-known/openid-configuration": self._description, "/authorize": self._page, "/as": self._chosen,
            "/token": self._token, "/jwks": self._jwks,
        }.get(asked.path, lambda _asked: Told(404))(asked)  # fmt: skip

    def _description(self, _asked: Asked) -> Told:
        told = {
            "issuer": self.base, "authorization_endpoint": f"{self.base}/authorize", "token_endpoint": f"{self.base}/token",
            "jwks_uri": f"{self.base}/jwks", "response_types_supported": ["code"], "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256", "ES256", "HS256", "none"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "code_challenge_methods_supported": ["S256"], "authorization_response_iss_parameter_supported": True,
        }  # fmt: skip
        return Told(200, told | self.described)

    def _page(self, asked: Asked) -> Told:
        expected = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.callback,
            "code_challenge_method": "S256",
        }
        if any(asked.value(name) != value for name, value in expected.items()) or "openid" not in asked.value("scope"):
            return Told(400, "invalid_request")
        if not all(asked.value(name) for name in ("state", "nonce", "code_challenge")):
            return Told(400, "invalid_request")
        self.asked_anew.append(asked.value("prompt"))
        onward = {name: asked.value(name) for name in ("state", "nonce", "code_challenge")}
        links = "".join(f'<a href="/as?{urlencode({**onward, "sub": one})}">{one}</a>' for one in self.people)
        return Told(200, f"<!doctype html>{links}", (("Content-Type", "text/html; charset=utf-8"),))

    def _chosen(self, asked: Asked) -> Told:
        code = secrets.token_urlsafe(16)
        self.codes[code] = dict(asked.pairs)
        back = urlencode({"code": code, "state": asked.value("state"), "iss": self.base})
        return Told(302, "", (("Location", f"{self.callback}?{back}"),))

    def _token(self, asked: Asked) -> Told:
        pair = base64.b64encode(f"{self.client_id}:{self.secret}".encode()).decode()
        if asked.headers.get("Authorization") != f"Basic {pair}":
            return Told(401, {"error": "invalid_client"})
        given = self.codes.pop(asked.value("code"), None)
        if (
            given is None
            or asked.value("redirect_uri") != self.callback
            or asked.value("grant_type") != "authorization_code"
        ):
            return Told(400, {"error": "invalid_grant"})
        digest = hashlib.sha256(asked.value("code_verifier").encode()).digest()
        if base64.urlsafe_b64encode(digest).decode().rstrip("=") != given["code_challenge"]:
            return Told(400, {"error": "invalid_grant"})
        now = int(time.time())
        claims = {
            "iss": self.base, "sub": given["sub"], "aud": self.client_id, "exp": now + 300, "iat": now, "auth_time": now,
            "nonce": given["nonce"],
        }  # fmt: skip
        self.spoil(claims)
        return Told(200, {"access_token": "x", "token_type": "Bearer", "id_token": self.sign(claims)})

    def _jwks(self, _asked: Asked) -> Told:
        self.keys_asked += 1
        return Told(200, {"keys": [key.as_dict(private=False) for key in self.shown]})

    def _sign(self, claims: dict[str, Any]) -> str:
        head = {"alg": "RS256" if isinstance(self.key, RSAKey) else "ES256", "kid": self.key.kid}
        return jwt.encode(head, claims, self.key, algorithms=["RS256", "ES256"])

    def sign_with_nothing(self, claims: dict[str, Any]) -> str:
        """alg none."""
        return ".".join([_part({"alg": "none"}), _part(claims), ""])

    def sign_with_the_public_key_as_secret(self, claims: dict[str, Any]) -> str:
        """The old confusion of algorithms: HS256 under what everybody can read."""
        text = f"{_part({'alg': 'HS256', 'kid': 'k1'})}.{_part(claims)}"
        digest = hmac.new(self.key.as_pem(private=False), text.encode(), hashlib.sha256).digest()
        return f"{text}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"

    def sign_with_a_strange_key(self, claims: dict[str, Any]) -> str:
        """A key that is not among those shown, under the name of one that is."""
        strange = RSAKey.generate_key(2048, parameters={"kid": "k1"})
        return jwt.encode({"alg": "RS256", "kid": "k1"}, claims, strange, algorithms=["RS256"])


def _part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
