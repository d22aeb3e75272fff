"""The log between two copies: pages committed since the last look, sealed and appended twice a second, so that at most a second is lost.

A file of the log is one line of JSON (number, whether it goes on from the file before, wrapped key), then records: 4 bytes length and a
sealed payload (moment, pages of the database, zlib of pages). A record that was cut off at the very end never happened.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, NamedTuple

from workflow.access.crypto import CannotOpen, bytes_opened, bytes_sealed
from workflow.access.sealing import LARGEST, LENGTH, Damaged, new_key, unwrap, wrap
from workflow.backup.pages import packed, unpacked
from workflow.backup.repository import Repository, as_text, sync_folder
from workflow.backup.sqlite_files import Frames, LogState

FOLDER = "log"
POSITION = "position.json"
STAMP = struct.Struct(">dI")  # seconds since 1970, pages of the database
ROLL_AT = 64 * 1024 * 1024  # bytes of a file after which the next begins


class Place(NamedTuple):
    """A place in the log: file number and records before it. Places compare in order."""

    log: int
    record: int


class Record(NamedTuple):
    """One look at the database: everything committed up to `at`."""

    place: Place  # after the record
    at: datetime
    size: int  # pages of the database
    payload: bytes

    def pages(self) -> Iterator[tuple[int, bytes]]:
        """(number, content) of the pages."""
        return unpacked(self.payload)


@dataclass
class Position:
    """How far the log has come, as its writer left it: where, which frames of which SQLite log, when."""

    place: Place
    state: LogState
    at: datetime
    beat: float  # real time of the last look, seconds since 1970

    def write(self, folder: Path) -> None:
        """Leave it beside the log."""
        fresh = folder / f".{POSITION}"
        kept = {
            "log": self.place.log, "record": self.place.record, "salts": self.state.salts.hex(),
            "frames": self.state.frames, "page_size": self.state.page_size, "at": as_text(self.at), "beat": self.beat,
        }  # fmt: skip
        fresh.write_text(json.dumps(kept), encoding="ascii")
        os.replace(fresh, folder / POSITION)


def log_folder(repository: Repository) -> Path:
    """The folder of the log."""
    folder = repository.folder / FOLDER
    folder.mkdir(exist_ok=True, mode=0o700)
    return folder


def position(repository: Repository) -> Position | None:
    """The last position, None where there is no log."""
    try:
        kept = json.loads((repository.folder / FOLDER / POSITION).read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        return None
    state = LogState(bytes.fromhex(kept["salts"]), kept["frames"], kept["page_size"])
    return Position(Place(kept["log"], kept["record"]), state, datetime.fromisoformat(kept["at"]), kept["beat"])


class LogWriter:
    """Appends records to the newest file and begins the next when it is full. Each record is on disk before `append` returns."""

    def __init__(self, repository: Repository, *, continues: bool, now: datetime) -> None:
        self.repository, self.folder = repository, log_folder(repository)
        self._file: IO[bytes] | None = None
        self._begin(continues, now)

    def append(self, frames: Frames, at: datetime) -> Place:
        """Seal and write what was committed; returns the place after it."""
        assert self._file is not None
        plain = STAMP.pack(at.timestamp(), frames.size) + packed(frames.pages)
        about = _about(self.number, self.records)
        sealed = bytes_sealed(self._key, plain, about, self.repository.algorithm)
        self._file.write(LENGTH.pack(len(sealed)) + sealed)
        self._file.flush()
        os.fsync(self._file.fileno())
        self.records += 1
        if self._file.tell() > ROLL_AT:
            self._begin(True, at)
        return Place(self.number, self.records)

    @property
    def place(self) -> Place:
        """Where the next record will stand."""
        return Place(self.number, self.records)

    def close(self) -> None:
        """Close the newest file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _begin(self, continues: bool, now: datetime) -> None:
        self.close()
        self.number, self.records, self._key = 1 + max(log_numbers(self.repository), default=0), 0, new_key()
        number, key = self.repository.newest_key()
        head = {
            "log": self.number, "continues": continues, "at": as_text(now), "backup_key": number,
            "wrapped": wrap(self._key, key, self.repository.algorithm),
        }  # fmt: skip
        path = self.folder / f"{self.number:08d}.log"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._file = os.fdopen(descriptor, "wb")
        self._file.write(json.dumps(head).encode() + b"\n")
        self._file.flush()
        os.fsync(descriptor)
        sync_folder(self.folder)


def log_numbers(repository: Repository) -> list[int]:
    """The files of the log, in order."""
    return sorted(int(path.stem) for path in (repository.folder / FOLDER).glob("*.log"))


def records_from(repository: Repository, start: Place) -> Iterator[Record]:
    """Every record from a place on, through the files that go on from each other; ends at the first break.

    Raises Damaged for a record that was changed, unless it is the unfinished last one of its file.
    """
    for number in log_numbers(repository):
        if number < start.log:
            continue
        with (repository.folder / FOLDER / f"{number:08d}.log").open("rb") as file:
            head = json.loads(file.readline())
            if number > start.log and not head["continues"]:
                return
            key = _opened_key(repository, head)
            yield from _records(file, key, number, start.record if number == start.log else 0)


def end_of(repository: Repository, start: Place) -> Record | None:
    """The last record that can be reached from a place."""
    last = None
    for record in records_from(repository, start):
        last = record
    return last


def forget_before(repository: Repository, number: int) -> int:
    """Delete the files before that number; returns how many."""
    old = [known for known in log_numbers(repository) if known < number]
    for known in old:
        (repository.folder / FOLDER / f"{known:08d}.log").unlink(missing_ok=True)
    return len(old)


def _opened_key(repository: Repository, head: dict[str, object]) -> bytes:
    key = repository.keys.get(int(str(head["backup_key"])))
    try:
        return unwrap(str(head["wrapped"]), key or b"")
    except CannotOpen:
        raise Damaged(f"连续日志 {head['log']} 无法打开：备份密钥不符，或文件头被改动") from None


def _records(file: IO[bytes], key: bytes, number: int, after: int) -> Iterator[Record]:
    place = 0
    while len(head := file.read(LENGTH.size)) == LENGTH.size:
        length = LENGTH.unpack(head)[0]
        sealed = file.read(length) if length <= LARGEST else b""
        if len(sealed) < length:
            return  # the writer died over it: it was never acknowledged as shipped
        if place >= after:
            yield _record(sealed, key, number, place)
        place += 1


def _record(sealed: bytes, key: bytes, number: int, place: int) -> Record:
    try:
        plain = bytes_opened(key, sealed, _about(number, place))
    except CannotOpen:
        raise Damaged(f"连续日志 {number} 第 {place + 1} 条已损坏或被改动") from None
    seconds, size = STAMP.unpack_from(plain)
    return Record(Place(number, place + 1), datetime.fromtimestamp(seconds, UTC), size, plain[STAMP.size :])


def _about(number: int, place: int) -> bytes:
    return f"log {number}:{place}".encode()
