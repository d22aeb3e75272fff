"""Commands about the keys of encrypted fields."""

from __future__ import annotations

import click

from web.commands.shared import as_json, opened, progress, say
from workflow.clock import present


@click.group("key", help="加密密钥")
def key() -> None:
    """Commands about keys."""


@key.command("rotate", help="更换加密密钥：全部证件号重新加密，期间可照常办理；中断后再运行即接着办")
@as_json
def rotate(json_: bool) -> None:
    """Bring in a new key and seal everything under it, or take up a change that was begun."""
    from workflow.access.rotation import rotate as change

    with opened() as (settings, engine):
        told = change(engine, settings, by="cli", now=present(), progress=lambda name, done: progress(f"{name} {done}"))
    lost = f"（另有 {told['damaged']} 个已损坏，未能打开）" if told["damaged"] else ""
    says = f"已更换为密钥 {told['key']}，重新加密 {told['rows']} 项、文件 {told['files']} 个{lost}；旧密钥须保留，用于打开此前的备份"
    say(dict(told), json_, says)


COMMANDS = (key,)
