"""At the start of a part: tell the audit chain what its settings are now, where they changed (办法17). A database that is away delays nobody."""

from __future__ import annotations

import getpass
import logging
import socket

from sqlalchemy.exc import DBAPIError

from workflow import migrations
from workflow.audit.notes import coming_from
from workflow.clock import present
from workflow.db import open_engine, writing
from workflow.operations.configuration import configuration, note_settings
from workflow.settings import get_settings

log = logging.getLogger("sandeng.settings")


def tell_settings(part: str) -> list[str]:
    """The names of the settings that changed since the part's last start; none where the database is away or not migrated."""
    settings = get_settings()
    engine = open_engine(settings.database_url)
    try:
        if migrations.current(engine) != migrations.head():
            return []
        with coming_from(f"start {getpass.getuser()}@{socket.gethostname()}"), writing(engine) as session:
            return note_settings(session, part, configuration(settings), present())
    except DBAPIError as error:
        log.warning("settings of %s not told: %s", part, error.orig)
        return []
    finally:
        engine.dispose()
