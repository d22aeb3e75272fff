"""The words of the audit pages: actions, objects, parts of a summary and their values in Chinese; nothing of a record's content. No reads."""

from __future__ import annotations

from typing import Any

from workflow import errors
from workflow.access.sessions import ENDINGS, WAYS
from workflow.engine.registry import book
from workflow.insight.record import SOURCES
from workflow.insight.wording import condition_titles
from workflow.registry.dictionary import dictionary

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
    "export": "导出",
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
    "way": "登录方式", "on": "校验日", "run": "校验批次", "records": "记录数", "recurred": "再次出现", "still_open": "仍未整改",
    "reminders": "提醒", "proposals": "暂停建议", "backup": "备份", "bytes": "字节数", "missing": "缺失", "fields": "字段", "dataset": "数据集", "error": "差错", "subject": "身份摘要", "slot": "序号", "departed": "离开停用", "dormant": "久未登录停用", "reading": "查阅登记号", "networks": "网络", "approved_by": "批准人", "remark": "核实情况摘要", "changed": "已变的设置", "part": "部分", "case_id": "事项",
}  # fmt: skip
OBJECTS = {
    "account": "账号", "check_run": "校验批次", "daily_job": "每日任务", "job_request": "后台任务", "page": "页面", "command": "命令",
    "audit": "审计链", "alarm": "安全告警", "evidence": "佐证材料", "field_key": "加密密钥", "ticket": "工单", "simulation": "推演",
    "backup": "备份", "setting": "平台设置",
}  # fmt: skip
JOBS = {
    "full_check": "完整校验", "check": "每日校验", "digest": "待办汇总", "monthly": "月报开账", "weekly_audit": "每周审核", "backup": "备份",
    "backup_verify": "备份验证", "audit_chain": "审计链核对", "accounts": "账号清理", "duty": "安全排查",
}  # fmt: skip
COMMANDS = {
    "up": "启动平台", "web": "启动网页服务", "worker": "启动后台任务", "clock": "启动时钟", "db": "升级数据库", "demo": "演示城市", "template": "导入模板",
    "import": "导入", "export": "导出", "check": "每日校验", "findings": "列出问题", "fire": "办理到期", "deadline": "推算期限", "retire": "推算退休",
    "unit": "查看单位", "can": "能否办理", "simulate": "推演", "definitions": "定义文件", "routes": "列出网址", "audit": "审计记录", "backup": "备份与恢复",
    "user": "账号和授权", "key": "更换密钥", "evidence": "证据包",
}  # fmt: skip
PAGES = {
    "accounts": "账号", "alarms": "安全告警", "approvals": "申请事项", "audit": "审计", "backups": "备份", "beside": "意见、附件、抄送、催办",
    "bulk": "一并办理", "calendar": "工作日历", "case": "事项页", "checks": "检查任务", "codes": "代码表", "dashboard": "仪表盘", "evidence": "证据包",
    "exports": "导出", "filing_batch": "批量填报", "filings": "填报", "health": "健康检查", "home": "首页", "imports": "导入", "law": "办法对照", "letters": "函告",
    "matters": "事项", "migrations": "流程换版", "monthly": "月报", "negative": "负面清单", "notices": "通知", "processes": "流程图",
    "prove": "验证身份", "records": "记录", "red": "红灯轮次", "reports": "请示报告", "reveal": "查看完整号码", "roster": "名册", "rules": "规则目录",
    "search": "查找", "sessions": "会话", "sign_in": "登录", "simulation": "推演", "standing": "能否办理", "suspensions": "暂停办理", "system": "系统",
    "tasks": "待办", "ticket": "工单", "tickets": "工单", "units": "单位", "ways": "登录", "api": "接口",
}  # fmt: skip
ORIGINS = {"cli": "命令行", "start": "平台启动"}
PARTS = {"job": JOBS, "cli": COMMANDS, "web": PAGES}
VALUES: dict[str, dict[str, str]] = {
    "source": SOURCES,
    "how": ENDINGS,
    "way": WAYS,
    "kind": {"full": "全量", "incremental": "增量", "scoped": "部分", "person": "本人", "contract": "编外"},
    "scope": {"unit": "本单位", "district": "本地区", "platform": "平台"},
}


def shown(name: str, value: Any) -> str:
    """One part of a summary as the page shows it: names of the platform's own in Chinese, digests and numbers as they are."""
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, list):
        return "、".join(_word(name, each) for each in value)
    if isinstance(value, dict):
        return "；".join(f"{_word('records', key)} {inner}" for key, inner in value.items())
    return _word(name, value)


def _word(name: str, value: Any) -> str:
    text = str(value)
    match name:
        case "guards":
            return condition_titles().get(text, text)
        case "role" | "roles":
            return book().roles.get(text, text)
        case "why":
            return _of_error(text)
        case "records" | "dataset":
            described = dictionary().datasets.get(text)
            return described.title if described else WORDS.get(text, text)
    return VALUES.get(name, {}).get(text, text)


def _of_error(text: str) -> str:
    """The sentence of a kind of error, without its full stop; other texts as they are."""
    kind = getattr(errors, text, None) if text.isidentifier() else None
    return (kind.__doc__ or text).strip().rstrip("。") if isinstance(kind, type) else text
