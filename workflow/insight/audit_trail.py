"""The auditor's lists over the audit chain: search by person, action, object, unit, period and result; the state of the chain. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Row, func, literal, select, tuple_
from sqlalchemy.orm import Session

from workflow.audit.chain import head
from workflow.audit.models import CHECKPOINT, ROW
from workflow.calendar.moments import local_midnight_utc
from workflow.engine.actors import PLATFORM_ROLES
from workflow.engine.registry import book
from workflow.registry.dictionary import dictionary
from workflow.registry.tables import TABLES

RESULTS = {"done": "已办成", "refused": "被拒绝", "failed": "未办成"}
SUBJECTS = {
    "session": "登录", "account": "账号和授权", "record": "记录", "import": "导入", "export": "导出", "check": "校验",
    "job": "每日任务", "audit": "审计", "cli": "命令行", "web": "页面操作", "evidence": "佐证材料和证据包", "backup": "备份",
    "simulation": "推演", "alarm": "安全告警", "setting": "平台设置", "audit_verify": "核对审计链",
}  # fmt: skip
VERBS = {
    "begin": "开始", "end": "结束", "refuse": "被拒绝", "create": "新增", "change": "修改", "remove": "移除", "revive": "恢复",
    "write": "批量写入", "grant": "授权", "revoke": "收回授权", "disable": "停用", "enable": "启用", "ask": "提交", "run": "办理", "fetch": "下载",
    "verify": "核对", "restart": "登记恢复", "purge": "到期清理", "reveal": "查看敏感信息", "open": "发起",
    "alarm": "告警", "raise": "发出", "acknowledge": "确认", "prove": "再次验证身份", "password": "更换密码", "break_glass": "设为应急账号",
    "break_glass_end": "取消应急账号", "second_factor": "登记动态口令", "bind": "绑定身份", "unbind": "解除绑定", "second_factor_reset": "重新登记动态口令",
    "export": "导出", "make": "备份", "restore": "恢复",
}  # fmt: skip

WORDS = {
    "from": "由", "to": "至", "version": "版次", "n": "数量", "ids": "编号摘要", "reason": "理由摘要", "inputs": "所填摘要",
    "source": "来源", "basis": "依据摘要", "session": "会话摘要", "why": "原因", "how": "方式", "status": "应答", "method": "方法",
    "guards": "未满足的条件", "rows": "行数", "created": "新增", "updated": "更新", "unchanged": "未变", "sha256": "文件摘要",
    "arguments": "参数摘要", "filter": "筛选条件", "params": "参数摘要", "message": "说明", "role": "角色", "scope": "范围",
    "district": "政区", "grant": "授权编号", "accounts": "账号数", "grants": "授权数", "names": "名单摘要", "kind": "方式",
    "rules": "规则数", "findings": "问题数", "opened": "新发现", "resolved": "已整改", "purged": "清理行数", "days": "天数",
    "unit": "机构", "by": "账号", "head": "链头", "anchors": "锚点数", "anchored_to": "锚定至", "problems_found": "不符之处",
    "first_bad": "首个不符", "ok": "相符", "seconds": "用时（秒）", "attempts": "次数", "until": "截止", "from_seq": "接续自", "lost_to": "失去至",
    "way": "登录方式", "subject": "身份摘要", "slot": "序号", "departed": "离开停用", "dormant": "久未登录停用", "reading": "查阅登记号", "networks": "网络", "approved_by": "批准人", "remark": "核实情况摘要", "changed": "已变的设置", "digests": "各项摘要", "bytes": "字节数", "suppressed": "不再发送的消息", "case_id": "事项",
}  # fmt: skip
SHORT = 12  # hex digits of a field's digest that are shown


@dataclass(frozen=True)
class AuditFilter:
    """What is looked for; empty means all. `action`: an action or its subject; `unit`: a unit's code; days in Asia/Shanghai."""

    since: date | None = None
    until: date | None = None
    actor: str = ""
    action: str = ""
    kind: str = ""
    key: str = ""
    unit: str = ""
    result: str = ""


def entries(
    session: Session, wanted: AuditFilter, *, after: Sequence[Any] | None = None, limit: int = 50
) -> tuple[Sequence[Row[Any]], list[Any] | None]:
    """The entries, newest first, each with its unit's code, and the cursor of the next page. One statement."""
    unit = TABLES["unit"].c
    query = (
        select(*ROW.c, unit.unit_code).outerjoin(TABLES["unit"], unit.id == ROW.c.unit_id).where(*_conditions(wanted))
    )
    if after is not None and len(after) == 2:
        moment = literal(datetime.fromisoformat(str(after[0])), ROW.c.at.type)
        query = query.where(tuple_(ROW.c.at, ROW.c.seq) < tuple_(moment, literal(int(after[1]))))
    rows: Any = session.execute(query.order_by(ROW.c.at.desc(), ROW.c.seq.desc()).limit(limit + 1)).all()
    more = rows[limit - 1] if len(rows) > limit else None
    return rows[:limit], None if more is None else [more.at.isoformat(), more.seq]


def _conditions(wanted: AuditFilter) -> list[ColumnElement[bool]]:
    unit = TABLES["unit"].c
    conditions: list[ColumnElement[bool]] = []
    if wanted.since:
        conditions.append(ROW.c.at >= local_midnight_utc(wanted.since))
    if wanted.until:
        conditions.append(ROW.c.at < local_midnight_utc(wanted.until + timedelta(1)))
    if wanted.action:
        whole = "." in wanted.action
        conditions.append(
            ROW.c.action == wanted.action if whole else ROW.c.action.startswith(f"{wanted.action}.", autoescape=True)
        )
    exact = {"actor": ROW.c.actor, "kind": ROW.c.object_kind, "key": ROW.c.object_key, "result": ROW.c.result}
    conditions += [column == getattr(wanted, name) for name, column in exact.items() if getattr(wanted, name)]
    if wanted.unit:
        conditions.append(ROW.c.unit_id == select(unit.id).where(unit.unit_code == wanted.unit).scalar_subquery())
    return conditions


def summary_of(row: Any) -> list[tuple[str, str]]:
    """The summary as pairs to show; fields of a record as label and the digests before and after."""
    told: dict[str, Any] = orjson.loads(row.summary)
    process = book().current.get(row.object_kind)
    for name in ("from", "to"):
        if process is not None and isinstance(told.get(name), list):
            told[name] = [process.states[s].title if s in process.states else s for s in told[name]]
    fields = told.pop("fields", {}).items()
    pairs = [
        (label_of(row.object_kind, n), f"{old[:SHORT] or '空'} → {new[:SHORT] or '空'}") for n, (old, new) in fields
    ]
    return [
        *((WORDS.get(name, name), _shown(value)) for name, value in told.items() if value not in (None, "", [], {})),
        *pairs,
    ]


def label_of(dataset: str, name: str) -> str:
    """The label of a field; its name where there is no such field."""
    described = dictionary().datasets.get(dataset)
    return described.fields[name].label if described and name in described.fields else name


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, list):
        return "、".join(map(str, value))
    if isinstance(value, dict):
        return "；".join(f"{name} {inner}" for name, inner in value.items())
    return str(value)


def action_title(action: str) -> str:
    """What an action is called on screen."""
    subject, _, verb = action.partition(".")
    process = book().current.get(subject)
    if process is not None:
        return f"{process.title}：{VERBS[verb] if verb == 'open' else process.title_of(verb)}"
    if subject in ("cli", "web", "job"):
        return f"{SUBJECTS[subject]} {verb}"
    return f"{SUBJECTS.get(subject, subject)}：{VERBS.get(verb, verb)}"


def subjects() -> list[tuple[str, str]]:
    """What one may narrow the list to: subjects of actions with their names, processes included."""
    return [*SUBJECTS.items(), *((name, found.title) for name, found in sorted(book().current.items()))]


def actor_shown(account: str) -> str:
    """An account, a part of the platform, or nobody known."""
    if account.startswith("cli:"):
        return f"命令行（{account[4:]}）"
    return {**PLATFORM_ROLES, "cli": "命令行"}.get(account, account) or "未识别"


@dataclass(frozen=True)
class ChainState:
    """Head, number of entries, last verification and last checkpoint."""

    seq: int
    hash: str
    at: datetime | None
    rows: int
    verified: Row[Any] | None
    checkpoint: Row[Any] | None


def chain_state(session: Session) -> ChainState:
    """How the chain stands. Four statements."""
    last = head(session)
    walks = select(ROW).where(ROW.c.action == "audit.verify").order_by(ROW.c.at.desc(), ROW.c.seq.desc()).limit(1)
    first = session.scalar(select(func.min(ROW.c.seq)))
    return ChainState(
        last.seq, last.hash, last.at, last.seq - first + 1 if first else 0,
        session.execute(walks).one_or_none(),
        session.execute(select(CHECKPOINT).order_by(CHECKPOINT.c.seq.desc()).limit(1)).one_or_none(),
    )  # fmt: skip
