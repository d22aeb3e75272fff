"""The one error tree: a class docstring is the sentence a user may see; the facts are keyword arguments."""

from __future__ import annotations

from typing import Any


class SandengError(Exception):
    """操作未能完成。"""

    def __init__(self, says: str | None = None, **facts: Any) -> None:
        self.says = says or (type(self).__doc__ or "").strip()
        self.facts = facts
        super().__init__(self.says)

    def __str__(self) -> str:
        return self.says


class BadInput(SandengError):
    """输入有误，未作任何改动。"""


class NotFound(SandengError):
    """没有找到，或不在您的管理范围内。"""


class UnknownUnit(NotFound):
    """没有这个机构，或不在您的管理范围内。"""


class Refused(SandengError):
    """条件不满足，不能办理。"""

    def __init__(self, says: str | None = None, *, verdicts: list[Any] | None = None, **facts: Any) -> None:
        self.verdicts = verdicts or []
        super().__init__(says, **facts)


class NotAllowed(SandengError):
    """您没有办理此事项的权限。"""


class Conflict(SandengError):
    """内容已被他人更改，请刷新后重试。"""


class DefinitionError(SandengError):
    """定义文件有误，系统不能启动。"""

    def __init__(self, says: str, *, file: str = "", row: str = "", known: list[str] | None = None) -> None:
        place = "，".join(p for p in (file, row) if p)
        tail = f"（可用：{'、'.join(sorted(known))}）" if known else ""
        super().__init__(f"{place}：{says}{tail}" if place else f"{says}{tail}", file=file, row=row, known=known or [])
