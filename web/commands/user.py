"""Commands about accounts: adding, disabling, granting, binding to an identity, accounts for emergencies. Every use is told in the audit chain."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable
from typing import Any

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from web.commands.shared import as_json, opened, parse_day, say
from web.providers import oidc_subject, zzd_subject
from workflow.access import accounts, identities, passwords, second_factor
from workflow.access.models import Account, Grant
from workflow.access.roles import role, roles
from workflow.access.scopes import actor_named
from workflow.casework import granting
from workflow.clock import business_date, present
from workflow.db import writing
from workflow.errors import BadInput, NotFound, Refused
from workflow.registry.tables import TABLES
from workflow.settings import Settings

Command = Callable[..., Any]


def by_two(command: Command) -> Command:
    """Who asks and who approves: required in production, where nothing about grants is one person's act (办法16)."""
    asks = click.option("--by", default="", help="提请人的账号（数据安全管理员）；正式环境必填")
    seconds = click.option(
        "--approved-by", default="", help="批准人姓名或账号：正式环境本人以外不足两名数据安全管理员时必填"
    )
    return asks(seconds(command))


@click.group("user", help="账号、授权与登录方式")
def user() -> None:
    """Commands about accounts."""


@user.command("add", help="新增账号（实名，一人一号）")
@click.argument("account")
@click.option("--name", required=True, help="姓名")
@click.option("--title", default="", help="职务")
@click.option("--unit", default="", help="所在单位的机构编码")
@click.option("--district", default="", help="机构编制部门人员：政区代码")
@click.option("--person", default="", help="本人的人员编码或编外人员编码：出编、离职、调离时账号即时停用")
@as_json
def add(account: str, name: str, title: str, unit: str, district: str, person: str, json_: bool) -> None:
    """An account without roles; grant them one by one."""
    with opened() as (_settings, engine), writing(engine) as session:
        where = {
            "unit_id": _unit_id(session, unit) if unit else None,
            "district": district,
            "person_code": person or None,
        }
        made = accounts.create_account(
            session, name=account, person_name=name, title=title, now=present(), by=_operator(""), **where
        )
        told = {"account": made.name, "person_name": made.person_name, "unit_id": made.unit_id}
    say(told, json_, f"已新增账号 {account}")


@user.command("disable", help="停用账号，其会话即时结束")
@click.argument("account")
@as_json
def disable(account: str, json_: bool) -> None:
    """Disable an account at once."""
    with opened() as (_settings, engine), writing(engine) as session:
        accounts.disable(session, account, now=present(), by=_operator(""))
    say({"account": account}, json_, f"已停用账号 {account}")


@user.command("enable", help="启用已停用的账号；正式环境由两人办理")
@click.argument("account")
@click.option("--reason", default="命令行启用", help="理由")
@by_two
@as_json
def enable(account: str, reason: str, by: str, approved_by: str, json_: bool) -> None:
    """Let a disabled account in again."""
    with opened() as (settings, engine), writing(engine) as session:
        told = _proposed(session, settings, by, approved_by, kind="enable", account=account, why=reason)
        if not told:
            accounts.enable(session, account, now=present(), by=_operator(by), approved_by=approved_by)
    say(told or {"account": account}, json_, _waiting(told) or f"已启用账号 {account}")


@user.command("grant", help="授予角色；正式环境由一名数据安全管理员提请（--by），另一名用 user approve 批准")
@click.argument("account")
@click.argument("role_name", metavar="ROLE", type=click.Choice(sorted(roles())))
@click.option("--unit", default="", help="单位角色：机构编码")
@click.option("--district", default="", help="区域角色：政区代码，330200 为全市")
@click.option("--until", default="", help="最后一天，YYYY-MM-DD")
@click.option("--purpose", default="", help="用途")
@by_two
@as_json
def grant(
    account: str, role_name: str, unit: str, district: str, until: str, purpose: str, by: str, approved_by: str, json_: bool
) -> None:  # fmt: skip
    """Give a role from today on."""
    asked = {"kind": "grant", "account": account, "role": role_name, "at_unit": unit, "district": district}
    with opened() as (settings, engine), writing(engine) as session:
        told = _proposed(session, settings, by, approved_by, **asked, until_on=until, why=purpose or "命令行授权")
        if not told:
            where: dict[str, Any] = {"unit_id": _unit_id(session, unit) if unit else None, "district": district or None}
            more = {
                "until_on": parse_day(until) if until else None,
                "purpose": purpose,
                "approved_by": approved_by or None,
            }
            given = accounts.grant(
                session, account=account, role_name=role_name, scope=role(role_name).scope, now=present(), by=_operator(by),
                **where, **more,
            )  # fmt: skip
            told = {"grant": given.id, "account": account, "role": role_name}
    title = role(role_name).title
    say(told, json_, _waiting(told) or f"已授予 {account} 角色“{title}”，授权编号 {told['grant']}")


@user.command("revoke", help="收回授权；正式环境由两人办理")
@click.argument("grant_id", type=int)
@click.option("--reason", required=True, help="理由")
@by_two
@as_json
def revoke(grant_id: int, reason: str, by: str, approved_by: str, json_: bool) -> None:
    """Take a grant back from today on."""
    with opened() as (settings, engine), writing(engine) as session:
        given = session.get(Grant, grant_id)
        asked = {"kind": "withdraw", "account": given.account if given else "", "grant": str(grant_id), "why": reason}
        told = _proposed(session, settings, by, approved_by, **asked)
        if not told:
            second = approved_by or None
            accounts.revoke(
                session, grant_id, now=present(), by=_operator(by), reason=reason, approved_by=second
            )  # fmt: skip
    say(told or {"grant": grant_id}, json_, _waiting(told) or f"已收回授权 {grant_id}")


@user.command("approve", help="批准另一名数据安全管理员提请的授权变更（事项编号）")
@click.argument("case_id", type=int)
@click.option("--by", required=True, help="批准人的账号：另一名数据安全管理员")
@as_json
def approve(case_id: int, by: str, json_: bool) -> None:
    """The second person's approval: the change is made. Exit status 3 with the verdicts where it is refused."""
    with opened() as (_settings, engine), writing(engine) as session:
        granting.approve(session, actor_named(session, by, present()), case_id, present())
    say({"case": case_id, "state": "done", "approved_by": by}, json_, f"授权变更 {case_id} 已批准，即时生效")


@user.command("emergency", help="设为应急账号（最多两个）：密码加动态口令；密码从标准输入读取或现场键入")
@click.argument("account")
@click.option("--end", is_flag=True, help="取消应急账号，密码和动态口令作废")
@click.option("--password", "only_password", is_flag=True, help="已是应急账号：另设密码")
@click.option("--reset-code", is_flag=True, help="已是应急账号：重新登记动态口令")
@as_json
def emergency(account: str, end: bool, only_password: bool, reset_code: bool, json_: bool) -> None:
    """One of the two accounts that may sign in with a password in production."""
    asked = "" if end or reset_code else _password()
    with opened() as (_settings, engine), writing(engine) as session:
        _known(session, account)
        if end:
            passwords.end_break_glass(session, account, now=present(), by=_operator(""))
        elif reset_code:
            second_factor.reset(session, account, now=present(), by=_operator(""))
        else:
            if not only_password:
                passwords.make_break_glass(session, account, now=present(), by=_operator(""))
            passwords.set_password(session, account, asked, now=present(), by=_operator(""))
    done = "已取消应急账号" if end else "动态口令待重新登记" if reset_code else "密码已设，首次登录时登记动态口令"
    say({"account": account, "emergency": not end}, json_, f"{account}：{done}")


@user.command("bind", help="绑定身份：浙政钉员工编码，或统一身份认证的用户标识（sub）")
@click.argument("account")
@click.argument("provider", type=click.Choice(["zzd", "oidc"]))
@click.argument("subject")
@by_two
@as_json
def bind(account: str, provider: str, subject: str, by: str, approved_by: str, json_: bool) -> None:
    """Let a person of an identity provider sign in as the account; the tenant or issuer is the one that is set."""
    with opened() as (settings, engine), writing(engine) as session:
        place = settings.zzd_tenant if provider == "zzd" else settings.oidc_issuer
        if not place:
            raise BadInput("请先设置 SANDENG_ZZD_* 或 SANDENG_OIDC_*，身份须与所接入的平台一致")
        whole = zzd_subject(place, subject) if provider == "zzd" else oidc_subject(place, subject)
        told: dict[str, Any] = {}
        if granting.holds_roles(session, account, present()):
            asked = {"kind": "bind", "account": account, "provider": provider, "subject": whole, "why": "命令行绑定"}
            told = _proposed(session, settings, by, approved_by, **asked)
        if not told:
            identities.bind(session, account, provider, whole, now=present(), by=_operator(by))
    say(told or {"account": account, "provider": provider}, json_, _waiting(told) or f"已绑定 {account}")


@user.command("unbind", help="解除身份绑定")
@click.argument("account")
@click.argument("provider", type=click.Choice(["zzd", "oidc"]))
@as_json
def unbind(account: str, provider: str, json_: bool) -> None:
    """Take a binding away."""
    with opened() as (_settings, engine), writing(engine) as session:
        identities.unbind(session, account, provider, now=present(), by=_operator(""))
    say({"account": account, "provider": provider}, json_, f"已解除 {account} 的绑定")


def _operator(by: str) -> str:
    """Who uses the command: the account named, else the user of the operating system."""
    return by or f"cli:{getpass.getuser()}"[:64]


def _proposed(session: Session, settings: Settings, by: str, second: str, **texts: str) -> dict[str, Any]:
    """In production: the change as a proposal that waits for a second officer; empty where the command itself is to make it.

    While there are no two officers beside the account itself who could propose and approve, two different people are named
    instead. Raises Refused.
    """
    if settings.env != "production":
        return {}
    guards = {*granting.officers(session, business_date(present()))} - {texts["account"]}
    if len(guards) < granting.OFFICERS:
        if not by or not second or by == second or second == texts["account"]:
            raise Refused(
                "本人以外不足两名数据安全管理员：须用 --by 和 --approved-by 写明办理人和批准人，两人不得相同，批准人不是本人"
            )
        return {}
    if not by:
        raise Refused("正式环境的授权由一名数据安全管理员提请（--by 账号），另一名用 sandeng user approve 批准")
    given = {name: text for name, text in texts.items() if text}
    case_id = granting.propose(session, actor_named(session, by, present()), given, present())
    return {"case": case_id, "account": texts["account"], "state": "proposed"}


def _waiting(told: dict[str, Any]) -> str:
    if "case" not in told:
        return ""
    return f"已提请，事项编号 {told['case']}；由另一名数据安全管理员执行 sandeng user approve {told['case']} --by 账号 后生效"


def _password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    return str(click.prompt("新密码", hide_input=True, confirmation_prompt="再输一遍", err=True))


def _known(session: Session, account: str) -> Account:
    found = session.get(Account, account)
    if found is None:
        raise NotFound(f"没有账号 {account}")
    return found


def _unit_id(session: Session, code: str) -> int:
    unit = TABLES["unit"].c
    found = session.scalar(select(unit.id).where(unit.unit_code == code))
    if found is None:
        raise BadInput(f"没有机构 {code}")
    return int(found)


COMMANDS = (user,)
