"""At the start of a part the chain is told which settings changed, by keyed digests and never by value (办法17)."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, select

from workers.configured import tell_settings
from workflow import migrations
from workflow.audit.models import ROW
from workflow.db import open_engine, reading, writing
from workflow.operations.configuration import configuration, note_settings
from workflow.settings import Settings

NOW = datetime(2026, 3, 2, 1, tzinfo=UTC)
SECRET = "a-secret-that-nobody-may-read-0123456789"


def told(engine: Engine) -> list[tuple[str, str, list[str]]]:
    with reading(engine) as session:
        rows = session.execute(select(ROW).where(ROW.c.object_kind == "setting").order_by(ROW.c.seq)).all()
    return [(row.action, row.object_key, orjson.loads(row.summary).get("changed", [])) for row in rows]


def begin(engine: Engine, part: str = "clock", **given: str) -> list[str]:
    with writing(engine) as session:
        return note_settings(session, part, {"env": "test", "public_url": "", "secret_key": SECRET} | given, NOW)


def test_the_first_start_tells_all_and_the_next_only_what_changed(both_engines: Engine) -> None:
    assert begin(both_engines) == ["env", "public_url", "secret_key"]
    assert begin(both_engines) == []
    assert begin(both_engines, public_url="https://a.example", zzd_key="k") == ["public_url", "zzd_key"]
    assert begin(both_engines, public_url="https://a.example", zzd_key="k") == []
    assert begin(both_engines) == ["public_url", "zzd_key"]
    assert begin(both_engines, "web") == ["env", "public_url", "secret_key"]
    assert told(both_engines) == [
        ("setting.begin", "clock", []),
        ("setting.change", "clock", ["public_url", "zzd_key"]),
        ("setting.change", "clock", ["public_url", "zzd_key"]),
        ("setting.begin", "web", []),
    ]


def test_no_value_is_told(engine: Engine) -> None:
    begin(engine, database_url="postgresql://sandeng:open-sesame@db/sandeng")
    with reading(engine) as session:
        kept = "".join(session.scalars(select(ROW.c.summary)))
    assert SECRET not in kept
    assert "open-sesame" not in kept
    assert '"test"' not in kept


def test_every_setting_counts_and_so_does_the_law(tmp_path: object) -> None:
    one = configuration(Settings(env="test", secret_key=SecretStr("a" * 40)))
    other = configuration(Settings(env="test", secret_key=SecretStr("b" * 40), proxies=1))
    assert {name for name in one if one[name] != other[name]} == {"secret_key", "proxies"}
    assert {"definitions/policies", "definitions/roles.yaml", "definitions/processes", "release"} <= set(one)


def test_a_part_tells_by_itself_and_starts_all_the_same_without_a_database(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"sqlite:///{tmp_path}/sandeng.db"
    monkeypatch.setenv("SANDENG_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("SANDENG_DATABASE_URL", address)
    assert tell_settings("clock") == [], "not migrated yet"
    engine = open_engine(address)
    migrations.upgrade(engine)
    assert "env" in tell_settings("clock")
    monkeypatch.setenv("SANDENG_PUBLIC_URL", "https://sandeng.example")
    assert tell_settings("clock") == ["public_url"]
    assert told(engine)[-1] == ("setting.change", "clock", ["public_url"])
    engine.dispose()
    monkeypatch.setenv("SANDENG_DATABASE_URL", "postgresql+psycopg://nobody@127.0.0.1:1/none")
    assert tell_settings("clock") == []
