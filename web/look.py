"""What every page shares: navigation, the person, the present moment, and how dates, lights and levels are spelt. Words only, no queries."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from flask import Flask, g, request, url_for
from flask import current_app as app_now
from flask_login import current_user as signed_in

from web.people import named
from workflow.access.scopes import may
from workflow.casework.seeing import may_see
from workflow.clock import SHANGHAI
from workflow.engine.actors import PLATFORM_ROLES
from workflow.engine.registry import book
from workflow.insight.wording import field_label, region_title, rule_named, rule_titles, said
from workflow.quality.rulebook import LEVELS
from workflow.registry.dictionary import dictionary
from workflow.settings import Settings

WEEKDAYS = "一二三四五六日"
ORIGINS = {"demo": "演示数据", "cli": "命令行"}  # writers that are no accounts
LIGHTS = {  # light → label, icon; never told by colour alone
    "red": ("红灯", "exclamation-octagon-fill"),
    "yellow": ("黄灯", "exclamation-triangle-fill"),
    "green": ("绿灯", "check-circle-fill"),
    "none": ("未亮灯", "circle"),
}


@dataclass(frozen=True)
class Entry:
    """One entry of the navigation; shown to whom may enter it, once its page exists."""

    label: str
    icon: str
    endpoint: str
    process: str = ""  # of a list of matters, which stands at one endpoint for every process

    @property
    def address(self) -> str:
        """Where it leads."""
        return url_for(self.endpoint, process=self.process) if self.process else url_for(self.endpoint)

    @property
    def subject(self) -> str:
        """What `current_subject` says on its pages."""
        return self.process or self.endpoint.partition(".")[0]


NAVIGATION = (
    (
        "",
        (
            Entry("首页", "house", "home.page"),
            Entry("我的待办", "check2-square", "tasks.page"),
            Entry("问题工单", "exclamation-diamond", "tickets.page"),
            Entry("填报", "file-earmark-text", "filings.page"),
            Entry("通知", "bell", "notices.page"),
            Entry("代办", "person-check", "matters.page", "substitution"),
        ),
    ),
    (
        "事项",
        (
            Entry("人员划转", "arrow-left-right", "matters.page", "transfer"),
            Entry("申请事项", "send", "matters.page", "approval"),
            Entry("每周审核", "calendar-check", "matters.page", "weekly_audit"),
            Entry("请示报告", "envelope-paper", "matters.page", "report_request"),
            Entry("违规线索", "flag", "matters.page", "violation"),
        ),
    ),
    (
        "台账",
        (
            Entry("人员名册", "people", "roster.page"),
            Entry("机构", "diagram-3", "units.page"),
            Entry("批量导入", "file-earmark-arrow-up", "imports.page"),
            Entry("导出文件", "file-earmark-arrow-down", "exports.page"),
        ),
    ),
    (
        "质量",
        (
            Entry("质量仪表盘", "speedometer2", "dashboard.page"),
            Entry("红灯与负面清单", "journal-x", "red.page"),
            Entry("月报", "calendar-check", "monthly.page"),
            Entry("交叉检查", "shuffle", "matters.page", "cross_check"),
            Entry("函告", "envelope-open", "matters.page", "letter"),
            Entry("检查任务", "clipboard-check", "matters.page", "check_pair"),
            Entry("暂停办理", "pause-circle", "suspensions.page"),
            Entry("推演", "fast-forward", "simulation.page"),
            Entry("校验规则", "list-check", "rules.page"),
            Entry("规则变更", "pencil-square", "matters.page", "rule_change"),
            Entry("字典变更", "journal-code", "matters.page", "dictionary_change"),
            Entry("流程换版", "signpost-2", "migrations.page"),
        ),
    ),
    (
        "安全",
        (
            Entry("账号和授权", "person-gear", "accounts.page"),
            Entry("授权变更", "key", "matters.page", "grant_change"),
            Entry("登录会话", "person-lock", "sessions.page"),
            Entry("安全告警", "bell-fill", "alarms.page"),
            Entry("月排查", "clipboard-check", "matters.page", "security_check"),
            Entry("季更新", "arrow-repeat", "matters.page", "security_update"),
            Entry("安全事件", "shield-exclamation", "matters.page", "incident"),
        ),
    ),
    (
        "审计",
        (Entry("审计记录", "journal-text", "audit.page"),),
    ),
    (
        "参考",
        (
            Entry("办法对照", "book", "law.page"),
            Entry("工作日历", "calendar3", "calendar.page"),
            Entry("流程图", "signpost-split", "processes.page"),
            Entry("系统", "gear", "system.page"),
            Entry("备份", "save", "backups.page"),
        ),
    ),
)


def navigation() -> list[tuple[str, list[Entry]]]:
    """The groups of entries that the person may enter."""
    person = signed_in.actor
    groups = [(title, [e for e in entries if _open_to(person, e)]) for title, entries in NAVIGATION]
    return [(title, entries) for title, entries in groups if entries]


def _open_to(person: Any, entry: Entry) -> bool:
    if entry.process and (entry.process not in book().current or not may_see(person, book().process(entry.process))):
        return False
    return _may_enter(person, entry.endpoint)


def _may_enter(person: Any, endpoint: str) -> bool:
    needed = getattr(app_now.view_functions.get(endpoint), "permission", None)
    return needed in ("public", "signed_in") or (needed is not None and may(person, needed))


# What the facts of verdicts are called; a fact of another name is told by its record alone.
FACTS = {"answered": "已答复", "sha256": "校验码", "watch_until": "观察至", "until_on": "截止日期", "vacant": "空编"}
UNDER = {
    "checks": "cross_check",
    "negative": "red",
    "reports": "report_request",
    "standing": "units",
    "ticket": "tickets",
    "records": "roster",
    "reveal": "roster",
    "prove": "",
    "case": "tasks",
    "bulk": "tasks",
    "beside": "tasks",
    "search": "",
}


def current_subject() -> str:
    """The navigation entry under which the present page stands."""
    subject = (request.endpoint or "").partition(".")[0]
    if subject == "matters":
        return str((request.view_args or {}).get("process", ""))
    return UNDER.get(subject, subject)


def day(value: date | None) -> str:
    """2026-03-02"""
    return value.isoformat() if value else ""


def day_long(value: date | None) -> str:
    """2026年3月2日 周一"""
    return f"{value.year}年{value.month}月{value.day}日 周{WEEKDAYS[value.weekday()]}" if value else ""


def moment(value: datetime | None) -> str:
    """2026-03-02 09:00, Asia/Shanghai."""
    return f"{value.astimezone(SHANGHAI):%Y-%m-%d %H:%M}" if value else ""


def last_day(value: datetime | None) -> str:
    """A term as people keep it: what ends as a day begins ends with the day before; else the moment."""
    if value is None:
        return ""
    local = value.astimezone(SHANGHAI)
    return day(local.date() - timedelta(days=1)) if local.time() == time(0) else moment(value)


def number(value: float | None) -> str:
    """12,345"""
    return "—" if value is None else f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"


def filesize(count: int) -> str:
    """900 字节, 12 KB, 3.4 MB"""
    if count < 1024:
        return f"{count} 字节"
    return f"{count / 1024:.0f} KB" if count < 1024 * 1024 else f"{count / 1024 / 1024:.1f} MB"


def percent(part: float | None, whole: float | None) -> str:
    """97.3 %, or — where there is nothing to count."""
    return f"{100 * (part or 0) / whole:.1f}%" if whole else "—"


def days_left(value: date | None, today: date) -> str:
    """What a deadline means today, in calendar days."""
    if value is None:
        return ""
    left = (value - today).days
    return (
        f"逾期 {-left} 天" if left < 0 else "今天到期" if left == 0 else "明天到期" if left == 1 else f"还有 {left} 天"
    )


def with_query(**changes: Any) -> str:
    """The present address with some query parameters changed; None takes one away."""
    values = {**request.args.to_dict(flat=False), **changes}
    kept = {key: value for key, value in values.items() if value not in (None, "", [])}
    return url_for(request.endpoint or "home.page", **(request.view_args or {}), **kept)


def link_to(endpoint: str, **values: Any) -> str:
    """The address of a page, empty where this release has no such page."""
    return url_for(endpoint, **values) if endpoint in app_now.view_functions else ""


def rule_title(rule_id: str) -> str:
    """The title of a rule; its id where this release no longer has it."""
    return rule_titles().get(rule_id, rule_id)


def dataset_title(name: str) -> str:
    """The title of a data set."""
    found = dictionary().datasets.get(name)
    return found.title if found else name


def ticket_says(ticket: Any) -> str:
    """What is wrong, with the values; the title of the case where this release no longer has the rule."""
    rule = rule_named(ticket.rule_id, ticket.dataset)
    return said(rule, ticket.part, ticket.facts) if rule else ticket.title or ticket.rule_id


def process_title(process: str) -> str:
    """The title of a process."""
    found = book().current.get(process)
    return found.title if found else process


def state_title(process: str, state: str) -> str:
    """The title of a state in the process as it is now."""
    found = book().current.get(process)
    return found.states[state].title if found and state in found.states else state


def fact_says(fact: Any) -> str:
    """One fact of a verdict in words: what it says itself, else the record, with the value where its field has a name."""
    if says := fact.get("says"):
        return str(says)
    record = str(fact.get("record", "")).replace("case", "本事项")
    label, value = FACTS.get(fact.get("field", "")), fact.get("value")
    if label is None:
        return record
    return f"{record}：{label} {'空' if value is None else value}"


def actor_title(account: str) -> str:
    """The person by name and account, or the part of the platform that acted; of the command line, its user."""
    origin, _, user = account.partition(":")
    if user and origin in ORIGINS:
        return f"{ORIGINS[origin]}（{user}）"
    known = PLATFORM_ROLES.get(account) or ORIGINS.get(account)
    if known:
        return known
    name = named(account)
    return f"{name}（{account}）" if name else account


def install(app: Flask, settings: Settings) -> None:
    """Give the templates their words."""
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters["filesize"] = filesize
    app.jinja_env.filters.update(
        day=day,
        day_long=day_long,
        moment=moment,
        last_day=last_day,
        number=number,
        percent=percent,
        days_left=days_left,
    )

    @app.context_processor
    def _shared() -> dict[str, Any]:
        return {
            "now": g.get("now"),
            "today": g.get("today"),
            "clock_moved": bool(os.environ.get("SANDENG_CLOCK", "").strip()),
            "demo": settings.demo_accounts,
            "person": signed_in.actor if signed_in.is_authenticated else None,
            "navigation": navigation,
            "current_subject": current_subject,
            "role_titles": lambda names: "、".join(book().roles.get(name, name) for name in names),
            "with_query": with_query,
            "can": lambda action: signed_in.is_authenticated and may(signed_in.actor, action),
            "region_name": region_title,
            "link_to": link_to,
            "rule_title": rule_title,
            "dataset_title": dataset_title,
            "field_label": field_label,
            "ticket_says": ticket_says,
            "process_title": process_title,
            "state_title": state_title,
            "actor_title": actor_title,
            "fact_says": fact_says,
            "LIGHTS": LIGHTS,
            "LEVELS": LEVELS,
        }
