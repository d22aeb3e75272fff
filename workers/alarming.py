"""The look-out for alarms beside the active clock (办法19): every twenty seconds, in real time, so that none is later than a minute.

Detectors are workflow's; here is when, and what only files tell: how the backups stand, and the key that signs checkpoints.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from workers.backups import not_here
from workers.signals import Stop
from workflow.audit.seal import Signer
from workflow.backup.state import state_of
from workflow.calendar.calendar import shipped_calendar
from workflow.clock import present
from workflow.db import reading, writing
from workflow.duty.alarms import (
    Alarm,
    Seen,
    backup_alarms,
    chain_alarms,
    lockout_alarms,
    raise_new,
    reading_alarms,
    red_alarms,
)
from workflow.duty.exports import export_alarms
from workflow.duty.overdue import duty_alarms
from workflow.policy import shipped_policies
from workflow.settings import Settings, get_settings

EVERY = 20.0  # seconds

log = logging.getLogger("sandeng.alarms")


@dataclass
class Watch:
    """What is remembered between two looks: the end of the audit chain."""

    seen: Seen | None = None


def follow(engine: Engine, stop: Stop, *, once: bool = False) -> None:
    """Look until asked to stop; with `once` a single look."""
    watch, settings = Watch(), get_settings()
    while not stop.asked():
        try:
            look(engine, settings, watch, present())
        except OperationalError as error:
            log.warning("database unreachable: %s", error.orig)
        if once or stop.wait(EVERY):
            break


def look(engine: Engine, settings: Settings, watch: Watch, now: datetime) -> list[str]:
    """One look for every cause; returns the numbers of the alarms that are new. What is wrong with one does not hide the others."""
    policy, calendar = shipped_policies().city, shipped_calendar()
    looks: list[Callable[[Session], list[Alarm]]] = [
        lambda session: _chain(session, settings, watch, now),
        lambda session: _backups(session, engine, settings, now),
        lambda session: reading_alarms(session, policy, now),
        lambda session: export_alarms(session, policy, calendar, now),
        lambda session: lockout_alarms(session, policy, now),
        lambda session: duty_alarms(session, policy, calendar, now),
        lambda session: red_alarms(session, policy, calendar, now),
    ]
    found: list[Alarm] = []
    for each in looks:
        try:
            with reading(engine) as session:
                found += each(session)
        except OperationalError:
            raise
        except Exception:  # one cause that cannot be looked at must not keep the others from being told
            log.exception("an alarm could not be looked for")
    if not found:
        return []
    with writing(engine) as session:
        new = raise_new(session, found, now)
    for key in new:
        log.error("alarm %s", key)
    return new


def _chain(session: Session, settings: Settings, watch: Watch, now: datetime) -> list[Alarm]:
    found, watch.seen = chain_alarms(session, Signer(settings.folder()).public_key, watch.seen, now)
    return found


def _backups(session: Session, engine: Engine, settings: Settings, now: datetime) -> list[Alarm]:
    if not_here(engine, settings):
        return []
    state = state_of(settings, now)
    return backup_alarms(session, state.missing, state.last is not None, now, production=settings.production)
