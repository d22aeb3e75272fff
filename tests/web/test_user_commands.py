"""`sandeng user`: accounts, grants, and the two accounts for emergencies, from the command line."""

from __future__ import annotations

import getpass
import secrets
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from web.cli import sandeng
from workflow import migrations
from workflow.access.models import Account, AccountIdentity, BreakGlass, Grant
from workflow.db import open_engine, reading
from workflow.errors import BadInput, NotFound, Refused

GOOD = "Lantern-3-of-Ningbo\n"


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A migrated database of its own."""
    monkeypatch.setenv("SANDENG_DATA_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("SANDENG_DATABASE_URL", "")
    (tmp_path / "var").mkdir()
    engine = open_engine(f"sqlite:///{tmp_path / 'var' / 'sandeng.db'}")
    migrations.upgrade(engine)
    engine.dispose()
    return tmp_path / "var" / "sandeng.db"


def run(*arguments: str, typed: str = "") -> Result:
    return CliRunner().invoke(sandeng, ["user", *arguments, "--json"], input=typed)


def test_an_account_is_added_granted_taken_back_and_disabled(house: Path) -> None:
    assert run("add", "li@330282", "--name", "李某某", "--district", "330282").exit_code == 0
    given = orjson.loads(run("grant", "li@330282", "reviewer", "--district", "330282").stdout)
    assert given["role"] == "reviewer"
    assert isinstance(run("grant", "li@330282", "security").exception, Refused)
    assert run("revoke", str(given["grant"]), "--reason", "调离").exit_code == 0
    assert run("disable", "li@330282").exit_code == 0
    engine = open_engine(f"sqlite:///{house}")
    with reading(engine) as session:
        assert session.get_one(Account, "li@330282").disabled_on is not None
    engine.dispose()


def test_two_accounts_for_emergencies_and_no_third(house: Path) -> None:
    for name in ("one", "two", "three"):
        run("add", name, "--name", "某某")
    assert isinstance(run("emergency", "one", typed="short\n").exception, BadInput)
    for name in ("one", "two"):
        assert run("emergency", name, typed=GOOD).exit_code == 0
    assert isinstance(run("emergency", "three", typed=GOOD).exception, Refused)
    assert run("emergency", "one", "--end").exit_code == 0
    assert run("emergency", "three", typed=GOOD).exit_code == 0
    assert isinstance(run("emergency", "nobody", typed=GOOD).exception, NotFound)
    engine = open_engine(f"sqlite:///{house}")
    with reading(engine) as session:
        assert {row.account for row in session.query(BreakGlass)} == {"two", "three"}
    engine.dispose()


def test_the_password_is_told_nowhere(house: Path) -> None:
    run("add", "one", "--name", "某某")
    told = run("emergency", "one", typed=GOOD)
    assert GOOD.strip() not in told.output
    assert GOOD.strip().encode() not in house.read_bytes()


def test_an_identity_is_bound_to_the_tenant_that_is_set(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("add", "li@330282", "--name", "李某某")
    assert isinstance(run("bind", "li@330282", "zzd", "GE_li").exception, BadInput)
    for name in ("KEY", "SECRET", "CLIENT_ID"):
        monkeypatch.setenv(f"SANDENG_ZZD_{name}", "x")
    monkeypatch.setenv("SANDENG_ZZD_TENANT", "12371")
    assert run("bind", "li@330282", "zzd", "GE_li").exit_code == 0
    engine = open_engine(f"sqlite:///{house}")
    with reading(engine) as session:
        assert session.get_one(AccountIdentity, ("zzd", "12371:GE_li")).account == "li@330282"
    engine.dispose()
    assert run("unbind", "li@330282", "zzd").exit_code == 0
    assert isinstance(run("unbind", "li@330282", "zzd").exception, BadInput)


def test_in_production_a_grant_is_two_peoples_act(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SECRET_KEY", "DATA_KEY"):
        monkeypatch.setenv(f"SANDENG_{name}", secrets.token_hex(32))
    monkeypatch.setenv("SANDENG_ENV", "production")
    for name in ("one", "two", "li"):
        assert run("add", name, "--name", "某某").exit_code == 0
    for alone in ([], ["--by", "张", "--approved-by", "张"], ["--by", "张", "--approved-by", "one"]):
        assert isinstance(run("grant", "one", "security", *alone).exception, Refused), alone
    for name in ("one", "two"):
        assert run("grant", name, "security", "--by", "张某", "--approved-by", "王某").exit_code == 0
    assert isinstance(run("grant", "li", "auditor").exception, Refused)
    assert isinstance(run("grant", "li", "auditor", "--by", "张某", "--approved-by", "王某").exception, NotFound)
    told = orjson.loads(run("grant", "li", "auditor", "--by", "one", "--purpose", "审计").stdout)
    assert told["state"] == "proposed"
    assert isinstance(run("approve", str(told["case"]), "--by", "one").exception, Refused)
    assert run("approve", str(told["case"]), "--by", "two").exit_code == 0
    assert isinstance(run("grant", "two", "auditor", "--by", "one").exception, Refused), "nobody but one could approve"
    engine = open_engine(f"sqlite:///{house}")
    with reading(engine) as session:
        rows = {row.account: (row.granted_by, row.approved_by) for row in session.query(Grant)}
    engine.dispose()
    assert rows == {"one": ("张某", "王某"), "two": ("张某", "王某"), "li": ("one", "two")}


def test_the_operator_is_recorded(house: Path) -> None:
    run("add", "li", "--name", "某某")
    run("grant", "li", "auditor")
    engine = open_engine(f"sqlite:///{house}")
    with reading(engine) as session:
        assert session.query(Grant).one().granted_by == f"cli:{getpass.getuser()}"
    engine.dispose()
