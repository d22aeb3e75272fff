"""Refusals and errors as answers: a Chinese page for people, an RFC 9457 problem document for programs; neither reveals anything inner."""

from __future__ import annotations

import logging
from typing import Any

from flask import Flask, Response, jsonify, render_template, request
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import DataError
from werkzeug.exceptions import HTTPException

from web.auditing import note_refusal
from web.identity import NotSignedIn, ask_to_sign_in
from web.providers import Unrecognised
from workflow.access.accounts import AccountDisabled, AccountLocked, CodeWrong, PasswordExpired, SignInFailed
from workflow.access.identities import AttemptRefused, UnknownPerson
from workflow.errors import BadInput, Conflict, NotAllowed, NotFound, Refused, SandengError

STATUS: tuple[tuple[type[SandengError], int], ...] = (
    (NotSignedIn, 401),
    (SignInFailed, 401),
    (CodeWrong, 401),
    (AttemptRefused, 401),
    (Unrecognised, 401),
    (UnknownPerson, 403),
    (PasswordExpired, 403),
    (AccountLocked, 423),
    (AccountDisabled, 403),
    (NotFound, 404),
    (NotAllowed, 403),
    (Conflict, 409),
    (Refused, 422),
    (BadInput, 400),
)
TITLES = {
    400: "输入有误",
    401: "请先登录",
    403: "没有权限",
    404: "没有找到",
    405: "不支持的操作",
    409: "内容已被他人更改",
    413: "文件过大",
    415: "不支持的内容类型",
    422: "不能办理",
    423: "账号已锁定",
    428: "缺少前提",
    429: "操作过于频繁",
    500: "系统出错",
    503: "暂时不能提供服务",
}
SAYS = {
    403: "您没有办理此事项的权限。",
    404: "没有找到，或不在您的管理范围内。",
    405: "此地址不支持这样的操作。",
    413: "上传内容超过 64 MB 的上限，未作任何改动。",
    415: "请求的内容类型不受支持。",
    500: "系统出错，本次操作未作任何改动。已记录，请稍后重试或联系系统管理员。",
}
UNSTORABLE = "输入中有超出范围的数字或者无法保存的字符，未作任何改动。"
log = logging.getLogger("sandeng.web")


def status_of(error: SandengError) -> int:
    """The HTTP status of an error of the tree; 500 for one that no page should meet."""
    return next((code for kind, code in STATUS if isinstance(error, kind)), 500)


def wants_json() -> bool:
    """Whether the one who asks is a program."""
    return request.path.startswith("/api/")


def problem(status: int, says: str, **more: Any) -> Response:
    """An RFC 9457 problem document in Chinese."""
    body = {
        "type": f"urn:sandeng:problem:{status}",
        "title": TITLES.get(status, "操作未能完成"),
        "status": status,
        "detail": says,
    }
    answer = jsonify({**body, **more})
    answer.status_code, answer.mimetype = status, "application/problem+json"
    return answer


def page(status: int, says: str, verdicts: list[Any] | None = None) -> tuple[str, int]:
    """The error page."""
    title = TITLES.get(status, "操作未能完成")
    return render_template("problem.html", status=status, title=title, says=says, verdicts=verdicts or []), status


def _sandeng(error: SandengError) -> Any:
    status = status_of(error)
    note_refusal(error)
    if status == 500:
        log.error("%s at %s: %s", type(error).__name__, request.path, error.says)
    verdicts = getattr(error, "verdicts", [])
    if wants_json():
        more = {"errors": error.facts.get("errors", []), **({"verdicts": verdicts} if verdicts else {})}
        return problem(status, error.says, **more)
    if status == 401 and isinstance(error, NotSignedIn):
        return ask_to_sign_in()
    return page(status, error.says if status != 500 else SAYS[500], verdicts)


def _http(error: HTTPException) -> Any:
    status = error.code or 500
    if status < 400:
        return error
    says = SAYS.get(status) or f"{TITLES.get(status, '操作未能完成')}。"
    return problem(status, says) if wants_json() else page(status, says)


def _csrf(_error: CSRFError) -> Any:
    says = "页面已过期，请刷新后重新提交，未作任何改动。"
    return problem(400, says) if wants_json() else page(400, says)


def _unstorable(error: Exception) -> Any:
    """A number beyond what a database counts, or a character that it cannot keep, in whatever was sent."""
    log.warning("%s at %s", type(error).__name__, request.path)
    return problem(400, UNSTORABLE) if wants_json() else page(400, UNSTORABLE)


def _crash(error: Exception) -> Any:
    log.error("%s at %s", type(error).__name__, request.path, exc_info=error)
    return problem(500, SAYS[500]) if wants_json() else page(500, SAYS[500])


def install(app: Flask) -> None:
    """Hang the answers on the application."""
    app.register_error_handler(SandengError, _sandeng)
    app.register_error_handler(CSRFError, _csrf)
    app.register_error_handler(HTTPException, _http)
    for unstorable in (OverflowError, DataError):
        app.register_error_handler(unstorable, _unstorable)
    if not app.testing:
        app.register_error_handler(Exception, _crash)
