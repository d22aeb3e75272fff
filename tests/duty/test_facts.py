"""What the platform fills in beside each item is what its own rows say, of the period and of no other time (办法15)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from tests.duty.duty_room import at, settle
from workflow.access.accounts import create_account, disable, grant, refuse_sign_in, revoke
from workflow.access.alarms import acknowledge, keep_alarm
from workflow.access.models import Account, BreakGlass, Grant, SecurityAlarm, SensitiveReading
from workflow.access.sessions import begin_session
from workflow.audit.notes import note
from workflow.db import reading, writing
from workflow.duty.checking import MONTHLY
from workflow.duty.facts import READERS, Period
from workflow.operations.models import DailyJob

BEFORE, IN, AFTER = at(date(2026, 2, 10)), at(date(2026, 3, 10)), at(date(2026, 4, 1), 1)
MARCH = Period(date(2026, 3, 1), date(2026, 3, 31), at(date(2026, 4, 1), 5))


@pytest.fixture
def house(both_engines: Engine) -> Engine:
    with writing(both_engines) as session:
        settle(session)
        create_account(session, name="early", person_name="某", now=at(date(2025, 12, 1)), by="first")
        grant(session, account="early", role_name="leader", scope="district", district="330282", now=at(date(2025, 12, 1)), by="first")  # fmt: skip
    return both_engines


def lines(engine: Engine, name: str) -> list[tuple[str, bool]]:
    with reading(engine) as session:
        return [tuple(fact) for fact in READERS[name][1](session, MARCH)]


def acted(engine: Engine, *deeds: Any) -> None:
    with writing(engine) as session:
        for deed in deeds:
            deed(session)


def test_accounts_made_disabled_and_idle_are_counted(house: Engine) -> None:
    assert lines(house, "accounts")[1] == ("超过 60 天未登录的启用账号 1 个（满 90 天自动停用）", True)
    acted(
        house,
        lambda s: create_account(s, name="new", person_name="某", now=IN, by="guard1"),
        lambda s: disable(s, "early", now=IN, by="guard1"),
        lambda s: create_account(s, name="later", person_name="某", now=AFTER, by="guard1"),
    )
    told = lines(house, "accounts")
    assert told[0] == ("启用 7 个，停用 1 个；期间新建 1 个、停用 1 个、重新启用 0 个", False)
    assert told[1] == ("超过 60 天未登录的启用账号 0 个（满 90 天自动停用）", False)


def test_a_sign_in_with_an_emergency_account_deserves_a_look(house: Engine) -> None:
    assert lines(house, "accounts")[3] == ("应急账号期间登录 0 次", False)
    acted(
        house,
        lambda s: s.add(BreakGlass(slot=1, account="guard1", given_at=BEFORE, given_by="first")),
        lambda s: begin_session(s, "guard1", now=IN),
    )
    assert lines(house, "accounts")[3] == ("应急账号期间登录 1 次", True)
    assert lines(house, "passwords")[0] == ("应急账号 1 个，密码未设或已满 90 天的 1 个：guard1", True)


def test_roles_that_exclude_each_other_are_found_although_written_past_the_check(house: Engine) -> None:
    told = lines(house, "permissions")
    assert told[0][0] == "生效授权：编办审核员 1、编办领导 1、数据安全管理员 2、审计员 1、系统管理员 1"
    assert told[2] == ("同时持有相互排斥角色的账号 0 个", False)
    row = {"scope": "platform", "from_on": IN.date(), "granted_by": "x", "granted_at": IN}
    acted(house, lambda s: s.add(Grant(account="guard1", role="auditor", **row)))
    assert lines(house, "permissions")[2] == ("同时持有相互排斥角色的账号 1 个：guard1", True)


def test_grants_given_taken_and_left_with_a_disabled_account_are_counted(house: Engine) -> None:
    def leave(session: Session) -> None:
        given = grant(session, account="reviewer", role_name="reviewer", scope="district", district="330282", now=IN, by="guard1")  # fmt: skip
        revoke(session, given.id, now=IN, by="guard1", reason="误授")
        session.get_one(Account, "early").disabled_on = IN.date()

    acted(house, leave)
    told = lines(house, "permissions")
    assert told[1] == ("期间授予 1 项、收回 1 项，30 天内到期 0 项", False)
    assert told[3] == ("账号已停用而授权仍在的 1 项", True)
    assert told[4] == ("期间授予而未经第二人批准的 1 项", True)
    second = {"by": "guard1", "approved_by": "guard2", "district": "330203"}
    acted(
        house, lambda s: grant(s, account="reviewer", role_name="reviewer", scope="district", now=IN, **second) and None
    )
    assert lines(house, "permissions")[4] == ("期间授予而未经第二人批准的 1 项", True)


def test_a_grant_counts_as_used_by_a_sign_in_of_the_period_alone(house: Engine) -> None:
    assert lines(house, "unused_grants")[0][0].startswith("期间从未使用的授权 6 项：编办审核员 1、编办领导 1、")
    acted(
        house,
        lambda s: begin_session(s, "early", now=IN),
        lambda s: begin_session(s, "reviewer", now=AFTER),
    )
    assert lines(house, "unused_grants")[0][0].startswith("期间从未使用的授权 5 项：编办审核员 1、数据安全管理员 2、")


def test_refused_sign_ins_of_the_period_are_counted_by_account(house: Engine) -> None:
    def refuse(name: str, moment: Any, times: int) -> Any:
        return lambda s: [refuse_sign_in(s, s.get(Account, name), name, moment, "password") for _ in range(times)]

    acted(house, refuse("early", IN, 5), refuse("reviewer", IN, 4), refuse("nobody", IN, 2), refuse("early", BEFORE, 9))
    assert lines(house, "failed_sign_ins")[:2] == [
        ("被拒绝的登录 11 次，其中不存在的账号 2 次", False),
        ("失败 5 次及以上的账号 1 个：early 5 次", True),
    ]


def test_exports_are_counted_by_size_and_hour_and_readings_by_account(house: Engine) -> None:
    def exported(rows: int, moment: Any) -> Any:
        return lambda s: note(s, "export.run", at=moment, actor="reviewer", kind="person", summary={"rows": rows})

    quiet = lines(house, "unusual_exports")
    assert [odd for _, odd in quiet] == [False] * 5
    night = IN + timedelta(hours=14)
    readings = [
        SensitiveReading(account="reviewer", dataset="person", record_key="P1", reason="核对", at=IN) for _ in range(20)
    ]
    acted(
        house,
        exported(50, IN),
        exported(51, IN),
        exported(3, night),
        exported(99, AFTER),
        lambda s: s.add_all(readings),
        lambda s: keep_alarm(s, "export", "export:a", "x", IN),
        lambda s: keep_alarm(s, "export", "export:b", "x", IN),
        lambda s: acknowledge(
            s, s.query(SecurityAlarm.id).order_by("id").first()[0], by="guard1", now=IN, remark="已核实"
        ),
        lambda s: keep_alarm(s, "export", "export:c", "x", AFTER),
    )
    assert lines(house, "unusual_exports") == [
        ("导出 3 次：reviewer 3 次", False),
        ("一次超过 50 条的 1 次", True),
        ("夜间或非工作日导出 1 次", True),
        ("查看完整身份证号 20 次，其中 reviewer 20 次", True),
        ("安全告警 2 次，尚未确认 1 次", True),
    ]


def test_backups_that_were_not_made_or_proved_are_seen(house: Engine) -> None:
    def ran(job: str, day: int, state: str = "done", **outcome: Any) -> DailyJob:
        on = date(2026, 3, day)
        return DailyJob(business_date=on, job=job, due_at=at(on), state=state, started_at=at(on), outcome=outcome)

    jobs = [ran("backup", day) for day in range(1, 32)] + [ran("backup_verify", day) for day in range(1, 30)]
    acted(
        house,
        lambda s: s.add_all([*jobs, ran("backup_verify", 30, "failed"), ran("backup_verify", 31, skipped="补办")]),
    )
    assert lines(house, "backup_drill") == [
        ("备份：31 天中完成 31 天、失败 0 天、未做 0 天，最近一次成功 2026-03-31", False),
        ("恢复验证：31 天中完成 29 天、失败 1 天、未做 1 天，最近一次成功 2026-03-29", True),
    ]


def test_the_versions_are_those_that_run(house: Engine) -> None:
    told = lines(house, "patch_level")
    assert f"sqlalchemy {sqlalchemy.__version__}" in told[1][0]
    assert ("PostgreSQL 1" if house.dialect.name == "postgresql" else "SQLite 3.") in told[0][0]
    assert MONTHLY == "security_check"
