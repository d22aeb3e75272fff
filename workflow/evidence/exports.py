"""Bundles that left the platform, as the audit chain knows them: the digest of each manifest (办法17). Reads only."""

from __future__ import annotations

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from workflow.audit.models import ROW

ACTION, KIND = "evidence.export", "evidence"


def exported_as(session: Session, case_key: str, manifest_sha256: str) -> bool:
    """Whether a bundle of that case with that manifest was made on this platform."""
    told = select(ROW.c.summary).where(ROW.c.action == ACTION, ROW.c.object_kind == KIND, ROW.c.object_key == case_key)
    return any(orjson.loads(summary).get("sha256") == manifest_sha256 for summary in session.scalars(told))
