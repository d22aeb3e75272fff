"""The command line `sandeng`: one edge among others. One JSON object on standard output with --json; words go to standard error."""

from __future__ import annotations

import sys

import click
import orjson
from sqlalchemy.exc import DBAPIError

from web.commands import audit, backup, data, demo, evidence, judging, key, migrating, quality, running, time, user
from web.commands.refusals import breakdown_sentence, usage_sentence
from workflow.errors import NotAllowed, Refused, SandengError


@click.group(help="三灯：机构编制实名制数据管理平台")
def sandeng() -> None:
    """Root of all commands."""


for module in (running, backup, key, user, audit, evidence, data, demo, quality, migrating, judging, time):
    for command in module.COMMANDS:
        sandeng.add_command(command)


def main(arguments: list[str] | None = None) -> None:
    """Run one command and leave with its exit status: 0 done, 1 own check failed, 2 bad input, 3 refused."""
    try:
        status = sandeng.main(arguments, standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        sys.exit(2)
    except click.ClickException as error:
        click.echo(f"用法有误：{usage_sentence(error)}", err=True)
        sys.exit(2)
    except click.Abort:
        sys.exit(130)
    except (Refused, NotAllowed) as error:
        _say_verdicts(error)
        sys.exit(3)
    except SandengError as error:
        for line in error.facts.get("errors") or [str(error)]:
            click.echo(str(line), err=True)
        sys.exit(2)
    except (OSError, DBAPIError) as error:
        click.echo(breakdown_sentence(error), err=True)
        sys.exit(2)
    sys.exit(status if isinstance(status, int) else 0)


def _say_verdicts(error: SandengError) -> None:
    click.echo(str(error), err=True)
    for verdict in getattr(error, "verdicts", []):
        click.echo(orjson.dumps(verdict, default=vars).decode(), err=True)


if __name__ == "__main__":
    main()
