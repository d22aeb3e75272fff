"""Field encryption: sealed with SM4-GCM, found again by a keyed digest (HMAC-SM3). The plain number leaves only through `open`.

A sealed value is: 1 byte algorithm, 1 byte key id, 12 bytes nonce, ciphertext, 16 bytes tag; the first two bytes are authenticated.
GB/T 32907-2016 (SM4), GB/T 32905-2016 (SM3).
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from workflow.errors import SandengError
from workflow.settings import get_settings

NONCE, TAG, HEAD = 12, 16, 2
_NUMBERS = {"sm4": 1, "aes": 2}
_NAMES = {number: name for name, number in _NUMBERS.items()}
_SHOWN = 2  # characters left at either end of a mask: neither region nor serial number can be read beside a birth date


class CannotOpen(SandengError):
    """加密字段无法解密：密钥不符，或数据已被改动。"""


class FieldCipher:
    """Seals, opens and digests the values of encrypted fields. Several keys may open; the newest seals and digests."""

    def __init__(self, keys: Mapping[int, bytes], algorithm: str = "sm4") -> None:
        """`keys`: key id (1–255) → 32 secret bytes. `algorithm`: sm4, or aes where the library was built without SM4."""
        self._keys = dict(keys)
        self._current = max(keys)
        self._head = bytes((_NUMBERS[algorithm], self._current))
        self._ciphers: dict[bytes, Any] = {}
        self._cipher(self._head)
        algorithms_known = [algorithm] if len(keys) == 1 else [algorithm, *(set(_NUMBERS) - {algorithm})]
        self._hmacs = [_index(keys[key], name) for key in sorted(keys, reverse=True) for name in algorithms_known]

    def seal(self, plain: str) -> bytes:
        """The value encrypted under the newest key; never the same bytes twice."""
        nonce = os.urandom(NONCE)
        encryptor = Cipher(self._cipher(self._head), modes.GCM(nonce)).encryptor()
        encryptor.authenticate_additional_data(self._head)
        return self._head + nonce + encryptor.update(plain.encode()) + encryptor.finalize() + encryptor.tag

    def open(self, sealed: bytes) -> str:
        """The plain value. Raises CannotOpen where the key is missing or a byte was changed."""
        head, nonce = sealed[:HEAD], sealed[HEAD : HEAD + NONCE]
        try:
            decryptor = Cipher(self._cipher(head), modes.GCM(nonce, sealed[-TAG:])).decryptor()
            decryptor.authenticate_additional_data(head)
            return (decryptor.update(sealed[HEAD + NONCE : -TAG]) + decryptor.finalize()).decode()
        except (InvalidTag, KeyError, ValueError, IndexError):
            raise CannotOpen from None

    def digest(self, plain: str) -> bytes:
        """32 bytes that are equal for equal numbers (case and outer spaces aside): the blind index."""
        return _digested(self._hmacs[0], plain)

    def digests(self, plain: str) -> list[bytes]:
        """Every digest that a number may stand under, the present one first: more than one while a key is being changed."""
        return [_digested(mac, plain) for mac in self._hmacs]

    def key_id(self, sealed: bytes) -> int:
        """Which key sealed it."""
        return sealed[1]

    def is_newest(self, sealed: bytes) -> bool:
        """Whether the newest key sealed it; others are still to be sealed anew."""
        return sealed[:HEAD] == self._head

    def _cipher(self, head: bytes) -> Any:
        """The keyed algorithm for a header, kept for reuse."""
        if head not in self._ciphers:
            name = _NAMES[head[0]]
            key = derived(self._keys[head[1]], f"field {name}".encode(), 16 if name == "sm4" else 32)
            self._ciphers[head] = algorithms.SM4(key) if name == "sm4" else algorithms.AES256(key)
        return self._ciphers[head]


def mask_id(plain: str | None) -> str:
    """A number as it may be shown beside a birth date: both ends of two characters, stars between; empty for none."""
    if not plain:
        return ""
    if len(plain) <= 2 * _SHOWN:
        return "*" * len(plain)
    return plain[:_SHOWN] + "*" * (len(plain) - 2 * _SHOWN) + plain[-_SHOWN:]


def is_mask(text: str) -> bool:
    """Whether a text is a mask rather than a number."""
    return "*" in text


def field_cipher() -> FieldCipher:
    """The cipher of this installation: its data keys; SM4, unless AES is asked for or the library has nothing else."""
    settings = get_settings()
    return cipher_of(tuple(settings.field_keys.items()), settings.cipher)


def algorithm_in_use() -> str:
    """sm4, or aes where that is asked for or the library has nothing else."""
    return "sm4" if get_settings().cipher == "sm4" and _sm4_works() else "aes"


@functools.lru_cache(maxsize=8)
def cipher_of(keys: tuple[tuple[int, bytes], ...], algorithm: str = "sm4") -> FieldCipher:
    """The cipher of some data keys."""
    return FieldCipher(dict(keys), "sm4" if algorithm == "sm4" and _sm4_works() else "aes")


def _index(key: bytes, algorithm: str) -> Any:
    digest = hashes.SHA256() if algorithm == "aes" or not _sm4_works() else hashes.SM3()
    return hmac.HMAC(derived(key, b"blind index", 32), digest)


def _digested(mac: Any, plain: str) -> bytes:
    mac = mac.copy()
    mac.update(plain.strip().upper().encode())
    return bytes(mac.finalize())


@functools.cache
def _sm4_works() -> bool:
    try:
        Cipher(algorithms.SM4(bytes(16)), modes.GCM(bytes(NONCE))).encryptor()
        hmac.HMAC(bytes(32), hashes.SM3())
    except UnsupportedAlgorithm:
        return False
    return True


def bytes_sealed(key: bytes, plain: bytes, about: bytes, algorithm: str) -> bytes:
    """Bytes encrypted under a 32-byte key, `about` authenticated with them: 1 byte algorithm, nonce, ciphertext, tag."""
    head, nonce = bytes((_NUMBERS[algorithm],)), os.urandom(NONCE)
    encryptor = Cipher(_block(algorithm, key), modes.GCM(nonce)).encryptor()
    encryptor.authenticate_additional_data(head + about)
    return head + nonce + encryptor.update(plain) + encryptor.finalize() + encryptor.tag


def bytes_opened(key: bytes, sealed: bytes, about: bytes) -> bytes:
    """What `bytes_sealed` sealed. Raises CannotOpen where the key, `about` or a byte is another."""
    try:
        nonce, tag = sealed[1 : 1 + NONCE], sealed[-TAG:]
        decryptor = Cipher(_block(_NAMES[sealed[0]], key), modes.GCM(nonce, tag)).decryptor()
        decryptor.authenticate_additional_data(sealed[:1] + about)
        return decryptor.update(sealed[1 + NONCE : -TAG]) + decryptor.finalize()
    except (InvalidTag, KeyError, ValueError, IndexError):
        raise CannotOpen from None


def _block(algorithm: str, key: bytes) -> Any:
    return algorithms.SM4(key[:16]) if algorithm == "sm4" else algorithms.AES256(key)


def derived(secret: bytes, purpose: bytes, length: int) -> bytes:
    """A key for one purpose from a secret (HKDF-SHA256)."""
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=b"sandeng", info=purpose).derive(secret)
