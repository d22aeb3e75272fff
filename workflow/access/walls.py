"""Which tables are walled and which of their rows a person reaches: one table of conditions for both walls (workflow/scoping.py, row_security.py).

A unit's rows are reached from itself, its superiors and the offices of its county. The tree of units itself is a directory that all may
read (办法4(一)); what hangs on it is not. Pages narrow further by action; this is what no page can exceed (办法16 分级管理、分类赋权).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from workflow.access.roles import roles_that_may
from workflow.access.scopes import CITY, Actor, may
from workflow.engine.registry import book
from workflow.registry.dictionary import dictionary
from workflow.scoping import EVERYTHING, Reach

READ = "record.read"  # a role without it reaches no unit's data
# Tables that name the unit, or each of the units, whose matter they are.
OF_UNITS: Mapping[str, tuple[str, ...]] = {
    "ticket": ("unit_id",),
    "filing": ("unit_id",),
    "negative_entry": ("unit_id",),
    "red_round": ("unit_id",),
    # A row for each unit bound: subordinates see theirs, the unit decided on all.
    "hold": ("unit_id", "source_unit_id"),
    "quota_counter": ("unit_id",),
    "approval_notice": ("unit_id",),
    "monthly_report": ("unit_id",),
    "month_snapshot": ("unit_id",),
    "check_pair": ("checker_id", "checked_id"),
}
# Tables whose rows hang on a case, or tie two, and are reached with it.
OF_CASES: Mapping[str, tuple[str, ...]] = {
    "case_history": ("case_id",),
    "case_attachment": ("case_id",),
    "case_comment": ("case_id",),
    "case_copy": ("case_id",),
    "case_urge": ("case_id",),
    "case_link": ("case_id", "other_id"),
    "signature": ("case_id",),
    "report_bond": ("case_id",),
    "timer": ("case_id",),
    "pause": ("case_id",),
    "monthly_item": ("case_id",),
    "check_sample": ("case_id",),
}
# Why the others are not walled → which they are. Each table stands here or has a condition.
OPEN: Mapping[str, tuple[str, ...]] = {
    "the directory of units, which all may read (办法4(一))": ("unit", "unit_closure"),
    "who may enter and do what: asked before anybody's reach is known": (
        "account", "account_identity", "break_glass", "login_session", "past_password", "second_factor", "sign_in_attempt",
        "role_grant", "role_revocation", "substitution",
    ),
    "by it a case is reached from elsewhere: its wall would ask itself": ("case_side",),
    "addressed to an account, or to a role at a place, which no reach names; read in operations/notices.py alone": (
        "notice", "notice_read",
    ),
    "one account's own, asked for by its name": (
        "bulk_step", "bulk_row", "idempotent_write", "import_batch", "job_request", "list_columns", "saved_filter", "snooze",
    ),
    "the law in force, and what changed it": ("process_definition", "rule_amendment", "code_amendment"),
    "written by everybody, read by those who watch": (
        "audit_row", "audit_head", "audit_checkpoint", "security_alarm", "sensitive_reading",
    ),
    "of the machine: runs, days and queues, shown as counts": (
        "check_run", "rule_run", "due", "outbox", "consumed", "daily_job", "heartbeat", "key_rotation", "serial_number",
    ),
}  # fmt: skip

SQLITE_UNITS = (
    "(SELECT descendant_id FROM unit_closure WHERE ancestor_id IN (SELECT value FROM json_each(session_reach(), '$.units'))"
    " UNION ALL SELECT id FROM unit WHERE district_code IN (SELECT value FROM json_each(session_reach(), '$.districts')))"
)
POSTGRESQL_UNITS = (
    "(SELECT descendant_id FROM unit_closure"
    " WHERE ancestor_id = ANY (coalesce(nullif(current_setting('sandeng.units', true), ''), '{}')::bigint[])"
    " UNION ALL SELECT id FROM unit"
    " WHERE district_code = ANY (coalesce(nullif(current_setting('sandeng.districts', true), ''), '{}')::text[]))"
)

OWN_PROCESSES = {
    "sqlite": "IN (SELECT value FROM json_each(session_reach(), '$.processes'))",
    "postgresql": "= ANY (coalesce(nullif(current_setting('sandeng.processes', true), ''), '{}')::text[])",
}
SIGNED = {  # somebody is signed in, and the reach of the transaction set
    "sqlite": "json_extract(session_reach(), '$.signed')",
    "postgresql": "coalesce(current_setting('sandeng.units', true), '') <> ''",
}


def reach_of(actor: Actor) -> Reach:
    """What a person reaches with all that is held and borrowed. Who guards the platform reaches no unit's records, and of the cases
    those of the processes that are the guards' own (`read:` of the table)."""
    reading = roles_that_may(READ)
    held = [h for h in (*actor.held, *(one.held for one in actor.borrowed)) if h.role in reading]
    if any(h.district == CITY for h in held):
        return EVERYTHING
    units = sorted({h.unit_id for h in held if h.scope == "unit" and h.unit_id is not None})
    districts = sorted({h.district for h in held if h.scope == "district" and h.district is not None})
    guarded = {d.process for d in book().current.values() if d.read and may(actor, d.read)}
    return Reach(tuple(units), tuple(districts), tuple(sorted(guarded)), signed=True)


@cache
def conditions(dialect: str) -> Mapping[str, str]:
    """Walled table → the condition of its rows in reach, in the SQL of `sqlite` or `postgresql`."""
    units = SQLITE_UNITS if dialect == "sqlite" else POSTGRESQL_UNITS
    records = [name for name, dataset in dictionary().datasets.items() if dataset.unit]
    found = {name: f"{name}.unit_id IN {units}" for name in records}
    for table, columns in OF_UNITS.items():
        found[table] = " OR ".join(f"{table}.{column} IN {units}" for column in columns)
    found["record_version"] = _version(dialect, records, units)
    cases = _case(dialect, units)
    found["case_file"] = cases
    for table, columns in OF_CASES.items():
        named = " OR ".join(f"case_file.id = {table}.{column}" for column in columns)
        found[table] = f"EXISTS (SELECT 1 FROM case_file WHERE ({named}) AND ({cases}))"
    found["pause"] += f" OR (pause.case_id IS NULL AND {SIGNED[dialect]})"  # a pause of every case
    return found


def _case(dialect: str, units: str) -> str:
    """A case is reached from its unit and from its other sides; one that concerns no unit is the platform's, and its pages judge by role."""
    side = f"EXISTS (SELECT 1 FROM case_side WHERE case_side.case_id = case_file.id AND case_side.unit_id IN {units})"
    return f"(case_file.unit_id IS NULL AND {SIGNED[dialect]}) OR case_file.unit_id IN {units} OR case_file.process {OWN_PROCESSES[dialect]} OR {side}"


def _version(dialect: str, records: list[str], units: str) -> str:
    """The versions of a record go with the record; those of the units are open as the units are."""
    each = " ".join(
        f"WHEN '{name}' THEN EXISTS (SELECT 1 FROM {name} WHERE {name}.id = record_version.record_id AND {name}.unit_id IN {units})"
        for name in records
    )
    return f"CASE record_version.dataset WHEN 'unit' THEN {SIGNED[dialect]} {each} END"
