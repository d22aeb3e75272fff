"""Where backups lie and what each is: one folder a backup with its manifest; a folder without one is not a backup.

A manifest is plain JSON without personal data: kind, moment, chain, files with SHA-256, rows per table, the wrapped data key; a code
over all of it tells of a change.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from workflow.access.crypto import CannotOpen, derived
from workflow.access.sealing import Damaged, unwrap
from workflow.errors import BadInput
from workflow.keys import fingerprint

MANIFEST = "manifest.json"
MAKING = ".making-"  # a folder under this name is not finished
KINDS = {"full": "全量", "incremental": "增量", "archive": "升级前归档"}


@dataclass(frozen=True)
class StoredFile:
    """One sealed file of a backup."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Backup:
    """One backup, as its manifest tells."""

    id: str
    seq: int
    kind: str
    engine: str
    at: str  # the moment up to which it holds everything, ISO 8601, UTC
    began_at: str
    parent: str | None
    revision: str
    wrapped: str
    backup_key: int
    backup_key_print: str
    field_keys: dict[str, str]  # number → fingerprint of the keys that open what lies in it
    files: list[StoredFile] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    page_size: int = 0
    pages: int = 0
    pages_stored: int = 0
    log: dict[str, Any] | None = None  # {"from": [log, record], "to": [log, record]}: what of the log goes on from here
    more: dict[str, Any] = field(default_factory=dict)
    mac: str = ""

    @property
    def moment(self) -> datetime:
        """`at` as a moment."""
        return datetime.fromisoformat(self.at)

    @property
    def bytes(self) -> int:
        """Size of its files."""
        return sum(file.bytes for file in self.files)


class Repository:
    """The folder of backups and the keys that open them."""

    def __init__(self, folder: Path, keys: dict[int, bytes], algorithm: str) -> None:
        self.folder, self.keys, self.algorithm = folder, keys, algorithm

    def backups(self) -> list[Backup]:
        """Every finished backup, in the order of making."""
        found = (path for path in self.folder.glob(f"*/{MANIFEST}") if not path.parent.name.startswith("."))
        return sorted((_read(path) for path in found), key=lambda backup: backup.seq)

    def backup(self, backup_id: str) -> Backup:
        """One backup. Raises BadInput where there is none of that name."""
        path = self.folder / Path(backup_id).name / MANIFEST
        if not path.is_file():
            raise BadInput(f"没有备份 {backup_id}")
        return _read(path)

    def path(self, backup: Backup, name: str = "") -> Path:
        """Where a file of a backup lies."""
        return self.folder / backup.id / name

    def chain(self, backup: Backup) -> list[Backup]:
        """The full one and every increment up to this one, in order. Raises Damaged where a link is missing."""
        by_id = {known.id: known for known in self.backups()}
        links = [backup]
        while links[-1].parent:
            parent = by_id.get(links[-1].parent)
            if parent is None:
                raise Damaged(f"备份 {links[-1].id} 所依赖的备份 {links[-1].parent} 不在")
            links.append(parent)
        return links[::-1]

    def data_key(self, backup: Backup) -> bytes:
        """The key of a backup's files. Raises BadInput without the backup key, Damaged where the manifest was changed."""
        key = self.keys.get(backup.backup_key)
        if key is None or fingerprint(key) != backup.backup_key_print:
            raise BadInput(
                f"备份 {backup.id} 用备份密钥 {backup.backup_key}（指纹 {backup.backup_key_print}）加密，当前没有这把密钥"
            )
        try:
            data_key = unwrap(backup.wrapped, key)
        except CannotOpen:
            raise Damaged(f"备份 {backup.id} 的清单已损坏或被改动") from None
        if not hmac.compare_digest(_mac(backup, data_key), backup.mac):
            raise Damaged(f"备份 {backup.id} 的清单已损坏或被改动")
        return data_key

    def newest_key(self) -> tuple[int, bytes]:
        """The backup key in use."""
        number = max(self.keys)
        return number, self.keys[number]

    def finish(self, making: Path, backup: Backup, data_key: bytes) -> Backup:
        """Write the manifest into a folder and give it its name: from now on it is a backup."""
        signed = replace(backup, mac=_mac(backup, data_key))
        with (making / MANIFEST).open("w", encoding="utf-8") as file:
            json.dump(asdict(signed), file, ensure_ascii=False, indent=1)
            file.flush()
            os.fsync(file.fileno())
        os.rename(making, self.folder / backup.id)
        sync_folder(self.folder)
        return signed

    def remove(self, backups: Iterable[Backup]) -> None:
        """Delete backups: the manifest first, so that half a backup is none."""
        for backup in backups:
            (self.folder / backup.id / MANIFEST).unlink(missing_ok=True)
            shutil.rmtree(self.folder / backup.id, ignore_errors=True)

    def prove_files(self, backup: Backup) -> None:
        """Raises Damaged where a file is missing or differs from the manifest's SHA-256."""
        for stored in backup.files:
            path = self.path(backup, stored.name)
            if not path.is_file() or stored_file(path, stored.name) != stored:
                raise Damaged(f"备份 {backup.id} 的文件 {stored.name} 缺失或被改动")

    def sweep(self) -> None:
        """Remove what an earlier run left unfinished."""
        for path in self.folder.glob(f"{MAKING}*"):
            shutil.rmtree(path, ignore_errors=True)


def stored_file(path: Path, name: str) -> StoredFile:
    """A finished file with its digest."""
    with path.open("rb") as file:
        return StoredFile(name, path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())


def sync_folder(folder: Path) -> None:
    """Make names in a folder last through a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def as_text(moment: datetime) -> str:
    """A moment as manifests write it: ISO 8601, UTC, microseconds."""
    return moment.astimezone(UTC).isoformat()


def _read(path: Path) -> Backup:
    return _read_once(path, path.stat().st_mtime_ns)


@functools.lru_cache(maxsize=1024)
def _read_once(path: Path, _changed: int) -> Backup:
    """Manifests are not changed once they are written: /readyz asks for all of them every few seconds."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return Backup(**{**values, "files": [StoredFile(**file) for file in values["files"]]})
    except (ValueError, TypeError, KeyError):
        raise Damaged(f"备份 {path.parent.name} 的清单无法读取") from None


def _mac(backup: Backup, data_key: bytes) -> str:
    text = json.dumps(asdict(replace(backup, mac="")), ensure_ascii=False, sort_keys=True)
    return hmac.new(derived(data_key, b"backup manifest", 32), text.encode(), "sha256").hexdigest()
