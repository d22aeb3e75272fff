"""Changing the field key: everything sealed and indexed anew, readable meanwhile, resumable, checks waiting (办法17)."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from workflow.access import rotation, sealed_files
from workflow.access.crypto import field_cipher
from workflow.access.models import KeyRotation
from workflow.access.rotation import rotate
from workflow.clock import business_date
from workflow.db import reading, writing
from workflow.errors import BadInput, Conflict
from workflow.quality.increment import changed_scope
from workflow.quality.run import run_check
from workflow.registry import records
from workflow.registry.identity import id_check
from workflow.registry.tables import TABLES
from workflow.settings import get_settings

PERSON = TABLES["person"]


def number(n: int) -> str:
    """An invented ID number."""
    first = f"33028219800101{n:03d}"
    return first + id_check(first)


@pytest.fixture(autouse=True)
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory of its own, with one key in a file."""
    for name in ("DATA_KEY", "ENV"):
        monkeypatch.delenv(f"SANDENG_{name}", raising=False)
    monkeypatch.setenv("SANDENG_DATA_DIR", str(tmp_path / "var"))
    return tmp_path / "var"


@pytest.fixture
def town(both_engines: Engine, now: datetime) -> Engine:
    """Ten people with ID numbers in one unit."""
    office: dict[str, Any] = {"by": "reviewer", "now": now, "may_write_locked": True, "may_create": True}
    with writing(both_engines) as session:
        records.write(
            session, "unit", [{"unit_code": "330282101", "name": "示例局", "district_code": "330282"}], **office
        )
        unit = session.scalar(select(TABLES["unit"].c.id))
        people = [{"name": "张某", "unit": unit, "person_code": f"P{n:08d}", "id_no": number(n)} for n in range(10)]
        records.write(session, "person", people, **office)
    return both_engines


def change(engine: Engine, now: datetime, progress: Any = lambda _t, _n: None) -> dict[str, int]:
    return rotate(engine, get_settings(), by="cli", now=now, progress=progress)


def found(engine: Engine, text: str) -> list[str]:
    """Person codes of a number, by its digest."""
    with reading(engine) as session:
        wanted = PERSON.c.id_no_hash.in_(field_cipher().digests(text))
        return list(session.scalars(select(PERSON.c.person_code).where(wanted)))


def numbers(engine: Engine) -> dict[int, list[str]]:
    """Key → the numbers that it sealed, opened."""
    cipher, sealed = field_cipher(), {}
    with reading(engine) as session:
        for value in session.scalars(select(PERSON.c.id_no_enc).order_by(PERSON.c.id)):
            sealed.setdefault(cipher.key_id(bytes(value)), []).append(cipher.open(bytes(value)))
    return sealed


def test_everything_is_sealed_and_indexed_under_the_new_key(town: Engine, now: datetime) -> None:
    assert change(town, now) == {"key": 2, "rows": 10, "files": 0, "damaged": 0}
    assert numbers(town) == {2: [number(n) for n in range(10)]}
    with reading(town) as session:
        digests = set(session.scalars(select(PERSON.c.id_no_hash)))
    assert digests == {field_cipher().digest(number(n)) for n in range(10)}


def test_kept_files_go_under_the_new_key_and_keep_their_names(town: Engine, now: datetime) -> None:
    folder = get_settings().folder("uploads", "evidence")
    name, _, _ = sealed_files.keep(folder, [b"one", b"two"])
    broken, _, _ = sealed_files.keep(folder, [b"three"])
    before = (folder / name).read_bytes()
    (folder / broken).write_bytes(before[:20] + b"?" + before[21:])
    told = change(town, now)
    assert (told["files"], told["damaged"]) == (1, 1)
    assert (folder / name).read_bytes() != before
    assert b"".join(sealed_files.pieces(folder / name)) == b"onetwo"
    only_new = {max(get_settings().field_keys): get_settings().field_keys[max(get_settings().field_keys)]}
    assert sealed_files._number(folder / name, only_new) == max(only_new), "it opens without the old key"
    with pytest.raises(sealed_files.Damaged):
        list(sealed_files.pieces(folder / broken))
    assert sealed_files.reseal(folder) == (0, [broken])
    assert sorted(path.name for path in folder.glob("*")) == sorted([name, broken])


def test_a_second_change_brings_in_a_third_key(town: Engine, now: datetime) -> None:
    change(town, now)
    assert change(town, now) == {"key": 3, "rows": 10, "files": 0, "damaged": 0}


def test_a_change_that_was_killed_is_readable_and_taken_up(
    town: Engine, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "CHUNK", 4)

    def killed(_table: str, done: int) -> None:
        if done >= 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        change(town, now, killed)
    assert {key: len(held) for key, held in numbers(town).items()} == {1: 6, 2: 4}
    assert [found(town, number(n)) for n in range(10)] == [[f"P{n:08d}"] for n in range(10)]
    with pytest.raises(Conflict, match="更换加密密钥"):
        run_check(town, business_date(now), now)
    assert change(town, now) == {"key": 2, "rows": 6, "files": 0, "damaged": 0}
    run_check(town, business_date(now), now)


def test_a_row_that_means_an_old_record_finds_it_in_the_middle_of_a_change(
    town: Engine, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "_reseal", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        change(town, now)
    office: dict[str, Any] = {"by": "reviewer", "now": now, "may_write_locked": True, "may_create": True}
    with writing(town) as session:
        unit = session.scalar(select(TABLES["unit"].c.id))
        written = records.write(session, "person", [{"unit": unit, "id_no": number(3), "name": "李某"}], **office)
    assert list(written.keys.values()) == ["P00000003"]
    assert found(town, number(3)) == ["P00000003"]


def test_after_a_change_the_next_check_is_full(town: Engine, now: datetime) -> None:
    run = run_check(town, business_date(now), now, kind="full")
    with reading(town) as session:
        assert not changed_scope(session, run, business_date(now)).full
    change(town, now)
    with reading(town) as session:
        assert changed_scope(session, run, business_date(now)).full


def test_keys_of_the_environment_are_changed_there_first(
    town: Engine, now: datetime, monkeypatch: pytest.MonkeyPatch, keys: Path
) -> None:
    old = (keys / "data.key").read_text().strip()
    monkeypatch.setenv("SANDENG_DATA_KEY", old)
    with pytest.raises(BadInput, match="2:新密钥"):
        change(town, now)
    monkeypatch.setenv("SANDENG_DATA_KEY", f"1:{old},2:another secret")
    assert change(town, now) == {"key": 2, "rows": 10, "files": 0, "damaged": 0}


def test_the_change_is_audited_and_dated(town: Engine, now: datetime) -> None:
    change(town, now)
    with reading(town) as session:
        assert session.get_one(KeyRotation, 2).finished_at == now
