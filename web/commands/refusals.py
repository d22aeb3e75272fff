"""What the command line says when it was used wrongly, or cannot reach a file or the database: one Chinese sentence, no traceback."""

from __future__ import annotations

import click
from sqlalchemy.exc import DBAPIError

EXPECTED = {"integer": "整数", "float": "数字", "boolean": "是或否"}


def usage_sentence(error: click.ClickException) -> str:
    """The sentence for a wrong command line."""
    if isinstance(error, click.NoSuchOption):
        return f"没有选项 {error.option_name}"
    if isinstance(error, click.exceptions.NoSuchCommand):
        return f"没有命令“{error.command_name}”{_commands(error)}"
    if isinstance(error, click.MissingParameter):
        return f"缺少{_parameter(error)}"
    if isinstance(error, click.BadParameter):
        return f"{_parameter(error)}的值不正确{_expected(error)}"
    if isinstance(error, click.BadOptionUsage):
        return f"选项 {error.option_name} 的用法不对：要么缺少值，要么不带值"
    if isinstance(error, click.UsageError) and "extra argument" in error.message:
        return f"多出参数 {error.message[error.message.index('(') + 1 : -1]}"
    return error.format_message()


def _commands(error: click.UsageError) -> str:
    known = (
        error.ctx.command.list_commands(error.ctx) if error.ctx and isinstance(error.ctx.command, click.Group) else []
    )
    return f"（可用：{'、'.join(known)}）" if known else ""


def _parameter(error: click.BadParameter) -> str:
    if isinstance(error.param, click.Option):
        return f"选项 {max(error.param.opts, key=len)} "
    return f"参数 {error.param.make_metavar(error.ctx)} " if error.param and error.ctx else "参数"


def _expected(error: click.BadParameter) -> str:
    kind = error.param.type if error.param else None
    if isinstance(kind, click.Choice):
        return f"（可用：{'、'.join(map(str, kind.choices))}）"
    expected = EXPECTED.get(kind.name) if kind else None
    return f"，应为{expected}" if expected else ""


def breakdown_sentence(error: OSError | DBAPIError) -> str:
    """The sentence for a file or a database that cannot be used."""
    if isinstance(error, OSError):
        return f"文件 {error.filename or ''} 不能读写：{error.strerror or error}"
    return f"数据库无法使用：{str(error.orig).splitlines()[0]}"
