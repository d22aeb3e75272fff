"""What the platform is set to (办法17 全程留痕): each part tells at its start which settings changed since its last start. Keyed digests, never values."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import version

import orjson
from pydantic import SecretStr
from sqlalchemy import select
from sqlalchemy.orm import Session

from workflow.audit.models import ROW
from workflow.audit.notes import note, told
from workflow.registry.dictionary import DEFINITIONS
from workflow.settings import Settings

KIND = "setting"
SHORT = 16  # hexadecimal digits of a digest: enough to tell that it is another one


def configuration(settings: Settings) -> dict[str, str]:
    """Setting → its value as text, secrets included: to be digested at once. With the release and the files of definitions/."""
    given = {name: _plain(value) for name, value in settings.model_dump().items()}
    files = sorted(path for path in DEFINITIONS.rglob("*.yaml") if path.is_file())
    by_folder: dict[str, hashlib._Hash] = {}
    for path in files:
        folder = path.relative_to(DEFINITIONS).parts[0]
        by_folder.setdefault(folder, hashlib.sha256()).update(path.name.encode() + b"\0" + path.read_bytes())
    law = {f"definitions/{folder}": digest.hexdigest() for folder, digest in by_folder.items()}
    return {**given, **law, "release": version("sandeng")}


def _plain(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def note_settings(session: Session, part: str, given: Mapping[str, str], now: datetime) -> list[str]:
    """Note the settings of a part that differ from those at its last start, all of them at the first; returns their names.

    Nothing is noted where nothing changed. What was there before is read from the chain itself.
    """
    digests = {name: told(f"{name}={value}")[:SHORT] for name, value in sorted(given.items())}
    before = _last(session, part)
    if before is None:
        note(session, "setting.begin", at=now, actor="system", kind=KIND, key=part, summary={"digests": digests})
        return sorted(digests)
    changed = sorted(name for name in {*digests, *before} if digests.get(name) != before.get(name))
    if changed:
        summary = {"changed": changed, "digests": digests}
        note(session, "setting.change", at=now, actor="system", kind=KIND, key=part, summary=summary)
    return changed


def _last(session: Session, part: str) -> dict[str, str] | None:
    mine = select(ROW.c.summary).where(ROW.c.object_kind == KIND, ROW.c.object_key == part)
    summary = session.scalar(mine.order_by(ROW.c.seq.desc()).limit(1))
    return None if summary is None else dict(orjson.loads(summary)["digests"])
