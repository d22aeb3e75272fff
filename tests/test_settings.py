"""The environment: embedded addresses by default, keys that are kept, and what production refuses."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.lightened import SHIPPED
from workflow.errors import BadInput
from workflow.settings import get_settings

STRONG = "k3Jq9vR2mX7tB4wZ8nY1cD6fG5hL0pSa"


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    for name in ("DATABASE_URL", "REDIS_URL", "ENV", "CLOCK", "SECRET_KEY", "DATA_KEY"):
        monkeypatch.delenv(f"SANDENG_{name}", raising=False)
    monkeypatch.setenv("SANDENG_DATA_DIR", str(tmp_path / "var"))
    return monkeypatch


def test_addresses_lead_into_the_data_directory_by_default(tmp_path: Path) -> None:
    settings = get_settings()
    assert settings.database_url == f"sqlite:///{tmp_path}/var/sandeng.db"
    assert settings.redis_url.startswith("unix:///")
    assert settings.embedded_queue


def test_postgresql_addresses_mean_the_installed_driver(bare_environment: pytest.MonkeyPatch) -> None:
    bare_environment.setenv("SANDENG_DATABASE_URL", "postgresql://a@127.0.0.1/b")
    assert get_settings().database_url == "postgresql+psycopg://a@127.0.0.1/b"


def test_a_deep_data_directory_still_has_a_socket_that_the_kernel_takes(
    bare_environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bare_environment.setenv("SANDENG_DATA_DIR", str(tmp_path / ("深" * 60)))
    assert len(str(get_settings().queue_socket).encode()) <= 107
    assert get_settings().queue_socket == get_settings().queue_socket


def test_keys_are_made_once_and_readable_by_their_owner_alone(tmp_path: Path) -> None:
    first, second = get_settings(), get_settings()
    assert first.session_key == second.session_key
    assert first.field_key == second.field_key
    assert len(first.field_key) == 32
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "var").glob("*.key")} == {0o600}


def test_processes_that_start_together_get_the_same_key() -> None:
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: get_settings().session_key, range(8)))) == 1


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"SANDENG_SECRET_KEY": ""}, "SANDENG_SECRET_KEY"),
        ({"SANDENG_DATA_KEY": ""}, "SANDENG_DATA_KEY"),
        ({"SANDENG_SECRET_KEY": "sandeng"}, "过于简单"),
        ({"SANDENG_DATA_KEY": "a" * 40}, "过于简单"),
        ({"SANDENG_CLOCK": "2026-03-02T09:00:00+08:00"}, "SANDENG_CLOCK"),
        ({"SANDENG_REDIS_URL": "redis://10.0.0.5:6379/0"}, "SANDENG_REDIS_URL 须含口令"),
    ],
)
def test_production_refuses_what_a_demonstration_may_have(
    bare_environment: pytest.MonkeyPatch, changed: dict[str, str], says: str
) -> None:
    for name, value in ({"SANDENG_SECRET_KEY": STRONG, "SANDENG_DATA_KEY": STRONG[::-1]} | changed).items():
        bare_environment.setenv(name, value)
    bare_environment.setenv("SANDENG_ENV", "production")
    with pytest.raises(BadInput, match=says):
        get_settings()


def test_production_starts_with_keys_of_its_own_and_has_no_demonstration_accounts(
    bare_environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bare_environment.setenv("SANDENG_ENV", "production")
    bare_environment.setenv("SANDENG_SECRET_KEY", STRONG)
    bare_environment.setenv("SANDENG_DATA_KEY", STRONG[::-1])
    bare_environment.setenv("SANDENG_REDIS_URL", "redis://:long@10.0.0.5:6379/0")
    settings = get_settings()
    assert settings.session_key == STRONG
    assert not settings.demo_accounts
    assert not list(tmp_path.rglob("*.key"))


def test_a_wrong_value_is_named_in_one_sentence(bare_environment: pytest.MonkeyPatch) -> None:
    bare_environment.setenv("SANDENG_ENV", "staging")
    with pytest.raises(BadInput, match=r"SANDENG_ENV 的值“staging”不正确，可用：.*production"):
        get_settings()


def test_an_unreadable_clock_is_refused_at_start(bare_environment: pytest.MonkeyPatch) -> None:
    bare_environment.setenv("SANDENG_CLOCK", "明天")
    with pytest.raises(BadInput, match="ISO 8601"):
        get_settings()


def test_what_the_tests_lighten_is_dear_in_the_house() -> None:
    assert SHIPPED["pragmas"]["synchronous"] == "FULL"  # a committed row outlives a power cut
    hasher = SHIPPED["hasher"]
    assert (hasher.type.name, hasher.time_cost, hasher.memory_cost, hasher.parallelism) == ("ID", 2, 19456, 1)  # OWASP
