"""Before an upgrade everything is archived for good (办法18: 涉及系统更新迭代的，全量历史数据应备份至本地存储介质，长期保存)."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Engine, make_url

from workflow import migrations
from workflow.backup import making, postgresql
from workflow.backup.making import Clock
from workflow.backup.repository import Backup
from workflow.errors import Refused
from workflow.settings import Settings

FRESH = timedelta(hours=24)  # an archive that is older does not hold what would be upgraded


def upgrade(engine: Engine, settings: Settings, clock: Clock, *, archive_now: bool) -> tuple[str, Backup | None]:
    """Migrate to this release, with an archive of what stood before; returns (revision, archive or None).

    An empty database and one of this release need none. Raises Refused where an archive of the present revision is missing and
    `archive_now` does not ask for one.
    """
    stands = migrations.current(engine)
    kept = None
    if stands is not None and stands != migrations.head():
        kept = _archive_of(settings, stands, clock) or _archive(engine, settings, clock, stands, archive_now)
    runtime = make_url(settings.database_url).username or ""
    return migrations.upgrade(engine, runtime=runtime, system=settings.system_role), kept


def _archive_of(settings: Settings, revision: str, clock: Clock) -> Backup | None:
    known = [b for b in making.archives(settings).backups() if b.revision == revision and clock() - b.moment <= FRESH]
    return known[-1] if known else None


def _archive(engine: Engine, settings: Settings, clock: Clock, stands: str, archive_now: bool) -> Backup:
    if not archive_now:
        raise Refused(
            f"数据库在版本 {stands}，升级前须归档：请运行 sandeng db upgrade --archive，归档将长期保存在 {settings.archives()}"
        )
    if engine.dialect.name == "postgresql":
        return postgresql.archive(engine, settings, clock)
    return making.archive(engine, settings, clock)
