"""The copier beside the active clock: committed pages go to the backup twice a second; where frames were missed, a new copy begins the chain."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading

from sqlalchemy import Engine

from workers.backups import PATIENCE
from workers.signals import Stop
from workflow.backup.making import database_file, make, repository
from workflow.backup.shipping import Shipper
from workflow.backup.sqlite_files import LogChanged
from workflow.clock import present
from workflow.errors import SandengError
from workflow.settings import Settings, get_settings

EVERY = 0.5  # seconds between two looks
AGAIN_AFTER = 5.0  # seconds until the copier begins anew after a failure
MODEST = 10  # niceness of the thread that makes the copy the log begins with

log = logging.getLogger("sandeng.copier")


def follow(engine: Engine, stop: Stop) -> None:
    """Copy until asked to stop. A full disk or a missed frame is told, and the copier begins anew."""
    settings = get_settings()
    while not stop.asked():
        try:
            _follow_once(engine, settings, stop)
        except LogChanged:
            log.warning("frames were missed, a new copy begins the chain")
        except (OSError, sqlite3.Error, SandengError) as error:
            log.warning("copier: %s", error)
            stop.wait(AGAIN_AFTER)


def _follow_once(engine: Engine, settings: Settings, stop: Stop) -> None:
    with engine.connect() as connection:  # the shared index exists while somebody has the database open
        connection.exec_driver_sql("SELECT 1")
        shipper = Shipper(database_file(engine), repository(settings), present())
        base = None if shipper.continues else _begin_chain(engine, settings)
        try:
            while not stop.wait(EVERY):
                shipper.look(present())
            shipper.look(present())
        finally:
            shipper.close()
            if base is not None:
                base.join(EVERY)


def _begin_chain(engine: Engine, settings: Settings) -> threading.Thread:
    """Make the copy that the log goes on from, beside the copying."""

    def work() -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), MODEST)
        try:
            make(engine, settings, "incremental", present, patience=PATIENCE)
        except (OSError, sqlite3.Error, SandengError) as error:
            log.warning("copy at the beginning of the log: %s", error)

    thread = threading.Thread(target=work, name="base", daemon=True)
    thread.start()
    return thread
