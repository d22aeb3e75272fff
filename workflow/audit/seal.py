"""Keys of the audit chain: HMAC-SM3 seals entries and digests personal values; Ed25519 signs heads and checkpoints. No rows, no clock.

GB/T 32905-2016 (SM3), RFC 8032 (Ed25519). A key is named by algorithm and number, as sm3:1, so that entries outlive a rotation.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from workflow.settings import get_settings, kept_key

SIGNING_KEY = "audit-signing.key"  # in the data directory, outside the database
SHORT = 24  # hex digits of a digest of a value: 96 bits


class Ring:
    """The keys that seal and digest. Several may verify; the newest seals, the oldest digests values, so that digests stay comparable."""

    def __init__(self, secrets: Mapping[int, bytes]) -> None:
        """`secrets`: key number → 32 secret bytes."""
        self._macs = {f"{name}:{number}": _mac(secret, digest) for number, secret in secrets.items()
                      for name, digest in _digests().items()}  # fmt: skip
        self.current = f"{next(iter(_digests()))}:{max(secrets)}"
        self._values = _mac(secrets[min(secrets)], next(iter(_digests().values())), b"audit values")

    def seal(self, canonical: bytes, key_id: str | None = None) -> str | None:
        """The HMAC of an entry's canonical bytes as hex, under the newest key or the one named; None for a key that is not here."""
        mac = self._macs.get(key_id or self.current)
        return None if mac is None else _finished(mac, canonical)

    def digest(self, value: Any) -> str:
        """A value as the chain may tell it: equal for equal values, worth nothing without the key; empty for none."""
        return "" if value is None or value == "" else _finished(self._values, _bytes(value))[:SHORT]


def _bytes(value: Any) -> bytes:
    return orjson.dumps(value, default=str, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)


def _finished(mac: hmac.HMAC, message: bytes) -> str:
    copy = mac.copy()
    copy.update(message)
    return copy.finalize().hex()


def _mac(secret: bytes, digest: hashes.HashAlgorithm, purpose: bytes = b"audit chain") -> hmac.HMAC:
    key = HKDF(algorithm=hashes.SHA256(), length=32, salt=b"sandeng", info=purpose).derive(secret)
    return hmac.HMAC(key, digest)


@functools.cache
def _digests() -> dict[str, hashes.HashAlgorithm]:
    """The digests that this build of the library has, the preferred one first."""
    try:
        hmac.HMAC(bytes(32), hashes.SM3())
    except UnsupportedAlgorithm:
        return {"sha256": hashes.SHA256()}
    return {"sm3": hashes.SM3(), "sha256": hashes.SHA256()}


def ring() -> Ring:
    """The ring of this installation, from its data key."""
    folder = os.environ.get("SANDENG_DATA_DIR", "")
    return _ring(os.environ.get("SANDENG_DATA_KEY", ""), folder, "" if os.path.isabs(folder) else os.getcwd())


@functools.cache
def _ring(_data_key: str, _data_dir: str, _folder: str) -> Ring:
    return Ring(get_settings().field_keys)


class Signer:
    """Signs heads and checkpoints with the key of the data directory."""

    def __init__(self, folder: Path) -> None:
        """`folder`: the data directory; the key is made there at first use, readable by its owner alone."""
        self._key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(kept_key(folder / SIGNING_KEY)))
        self.public_key = self._key.public_key().public_bytes_raw().hex()

    def sign(self, facts: Sequence[Any]) -> str:
        """The signature of an ordered list of facts, as hex."""
        return self._key.sign(_bytes(list(facts))).hex()


def signed_by(public_key: str, facts: Sequence[Any], signature: str) -> bool:
    """Whether these facts carry that key's signature."""
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key))
        key.verify(bytes.fromhex(signature), _bytes(list(facts)))
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True
