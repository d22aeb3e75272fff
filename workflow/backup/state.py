"""How the backups stand: the list, the last of each kind, the last verification, the log, and what is missing (D10). Reading only."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from workflow.backup import log
from workflow.backup.making import ALIVE, archives, repository
from workflow.backup.repository import Backup, Repository
from workflow.backup.verifying import last_verified
from workflow.clock import SHANGHAI
from workflow.errors import SandengError
from workflow.settings import Settings

ANY_WITHIN = timedelta(hours=25)  # an increment each day
FULL_WITHIN = timedelta(days=16)  # a full one on the 1st and the 16th
VERIFIED_WITHIN = timedelta(days=8)


@dataclass
class State:
    """The backups of this installation, newest first, and what is wrong with them."""

    backups: list[Backup] = field(default_factory=list)
    archives: list[Backup] = field(default_factory=list)
    verified: dict[str, dict[str, Any]] = field(default_factory=dict)
    last: datetime | None = None
    last_full: datetime | None = None
    log_at: datetime | None = None  # up to when the log holds every write
    log_alive: bool = False
    external: bool = False  # another tool backs up and watches over it
    missing: list[str] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        """For /readyz."""
        last, full, until = _iso(self.last), _iso(self.last_full), _iso(self.log_at)
        return {
            "last": last,
            "last_full": full,
            "log_until": until,
            "log_alive": self.log_alive,
            "missing": self.missing,
        }

    def as_json(self) -> dict[str, Any]:
        """For `backup list --json`."""
        return {
            "backups": [_listed(backup, self.verified.get(backup.id)) for backup in self.backups],
            "archives": [_listed(backup, None) for backup in self.archives],
            "last": _iso(self.last),
            "last_full": _iso(self.last_full),
            "log_until": _iso(self.log_at),
            "log_alive": self.log_alive,
            "missing": self.missing,
        }


def state_of(settings: Settings, now: datetime) -> State:
    """The state now. What cannot be read is told under `missing`, never raised."""
    try:
        held, kept = repository(settings), archives(settings)
        state = _state(held, kept.backups(), now)
    except SandengError as problem:
        return State(missing=[str(problem)])
    except OSError as problem:  # a disk that is not there, or belongs to another
        return State(missing=[f"备份目录无法读取：{problem.strerror or type(problem).__name__}"])
    if settings.backup_tool == "external":
        state.external, state.missing = True, []
    return state


def _state(held: Repository, kept: list[Backup], now: datetime) -> State:
    backups = held.backups()
    fulls = [backup for backup in backups if backup.kind == "full"]
    position = log.position(held)
    state = State(
        backups=backups[::-1],
        archives=kept[::-1],
        verified={b.id: outcome for b in backups if (outcome := last_verified(held, b))},
        last=backups[-1].moment if backups else None,
        last_full=fulls[-1].moment if fulls else None,
        log_at=position.at if position else None,
        log_alive=position is not None and time.time() - position.beat < ALIVE,
    )
    state.missing = _missing(state, now)
    return state


def _missing(state: State, now: datetime) -> list[str]:
    """The alarms: D10 无25小时内备份，或无16天内全量备份; a verification that failed."""
    found = []
    if state.last is None:
        found.append("还没有任何备份")
    elif now - state.last > ANY_WITHIN:
        found.append(f"超过25小时没有备份，最近一次为 {_local(state.last)}")
    if state.last_full is not None and now - state.last_full > FULL_WITHIN:
        found.append(f"超过16天没有全量备份，最近一次为 {_local(state.last_full)}")
    for backup in state.backups:
        outcome = state.verified.get(backup.id)
        if outcome:
            if not outcome["ok"]:
                found.append(f"备份 {backup.id} 验证未通过：{'；'.join(outcome['problems'])}")
            break
    return found


def _listed(backup: Backup, verified: dict[str, Any] | None) -> dict[str, Any]:
    told = asdict(backup)
    for secret in ("wrapped", "mac"):
        del told[secret]
    return told | {"bytes": backup.bytes, "verified": verified}


def _iso(moment: datetime | None) -> str | None:
    return moment.astimezone(SHANGHAI).isoformat() if moment else None


def _local(moment: datetime) -> str:
    return moment.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M")
