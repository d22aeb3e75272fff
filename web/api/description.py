"""GET /api/openapi.json: the API described from its own routes (OpenAPI 3.1); what a route says about itself is its docstring."""

from __future__ import annotations

import re
from typing import Any

from flask import Blueprint, current_app, jsonify

from web.api.shared import PREFIX
from web.permissions import list_routes, public

bp = Blueprint("api_description", __name__, url_prefix="/api")
BODIES: dict[str, dict[str, Any]] = {
    "api_session.enter": {
        "account": {"type": "string"},
        "password": {"type": "string"},
        "code": {"type": "string", "description": "动态口令，应急账号须填"},
    },
    "api_cases.open_one": {"ticket": {"type": "integer"}, "reason": {"type": "string"}},
    "api_cases.step": {"reason": {"type": "string"}, "inputs": {"type": "object"}},
    "api_records.save": {"values": {"type": "object"}, "basis": {"type": "string"}},
}
PROBLEMS = {
    "400": "输入有误",
    "401": "请先登录",
    "403": "没有权限",
    "404": "没有找到",
    "409": "内容已被他人更改",
    "422": "不能办理",
}


@bp.get("/openapi.json")
@public
def openapi() -> Any:
    """The description itself."""
    paths: dict[str, dict[str, Any]] = {}
    for route in list_routes(current_app):
        if route["rule"].startswith(PREFIX):
            path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route["rule"])
            for method in route["methods"]:
                paths.setdefault(path, {})[method.lower()] = _operation(route, path)
    return jsonify(
        openapi="3.1.0",
        info={
            "title": "三灯 API",
            "version": "1",
            "description": "机构编制实名制数据管理平台。错误为 RFC 9457 问题文档。",
        },
        paths=paths,
        components={
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "sandeng"},
            },
            "schemas": {"Problem": _problem_schema()},
        },
    )


def _operation(route: dict[str, Any], path: str) -> dict[str, Any]:
    says = (current_app.view_functions[route["endpoint"]].__doc__ or "").strip().splitlines()[0]
    described: dict[str, Any] = {
        "operationId": route["endpoint"].replace(".", "_"),
        "summary": says,
        "x-permission": route["permission"],
        "parameters": [_path_parameter(name) for name in re.findall(r"\{(\w+)\}", path)],
        "responses": {"default": _answer("成功")} | {status: _problem(title) for status, title in PROBLEMS.items()},
    }
    if route["permission"] != "public":
        described["security"] = [{"bearer": []}, {"session": []}]
    if set(route["methods"]) & {"POST", "PUT", "DELETE"}:
        described["parameters"] += [_header("Idempotency-Key"), _header("If-Match")]
    if route["endpoint"] in BODIES:
        schema = {"type": "object", "properties": BODIES[route["endpoint"]]}
        described["requestBody"] = {"content": {"application/json": {"schema": schema}}}
    return described


def _path_parameter(name: str) -> dict[str, Any]:
    kind = "integer" if name.endswith("_id") else "string"
    return {"name": name, "in": "path", "required": True, "schema": {"type": kind}}


def _header(name: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": False, "schema": {"type": "string"}}


def _answer(title: str) -> dict[str, Any]:
    return {"description": title, "content": {"application/json": {"schema": {"type": "object"}}}}


def _problem(title: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": title, "content": {"application/problem+json": {"schema": schema}}}


def _problem_schema() -> dict[str, Any]:
    text = {"type": "string"}
    listed = {"type": "array", "items": {"type": "object"}}
    return {
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": text,
            "title": text,
            "status": {"type": "integer"},
            "detail": text,
            "errors": listed,
            "verdicts": listed,
        },
    }
