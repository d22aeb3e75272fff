"""The evidence of one case as a document: what it is, what happened and why, by which versions (办法17 全程留痕). Reads only; masked throughout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Table, or_, select
from sqlalchemy.orm import Session

from workflow.access.scopes import Actor
from workflow.audit.models import ROW
from workflow.casework.discussing import beside
from workflow.casework.forms import shown_form
from workflow.casework.links import linked
from workflow.engine.definition import Definition
from workflow.engine.inbox import history, pauses_on, timers_of
from workflow.engine.judges import judges
from workflow.engine.migrating import MIGRATE
from workflow.engine.models import CASE, Case
from workflow.engine.registry import book
from workflow.evidence.grounds import grounds_of
from workflow.evidence.masking import masked, masked_facts
from workflow.evidence.rejudging import rejudged
from workflow.evidence.versions import calendar_kept, definition_kept, policy_kept
from workflow.insight.case import case_in_scope
from workflow.quality.rules import rules
from workflow.quality.terms import policies_of
from workflow.registry.tables import TABLES

FORMAT = 1
Document = dict[str, Any]


@dataclass(frozen=True)
class Evidence:
    """A document, and for the path of each attachment the name under which it lies on disk."""

    document: Document
    files: dict[str, str]


AUDITED = (
    "seq",
    "at",
    "actor",
    "on_behalf_of",
    "action",
    "object_kind",
    "object_key",
    "case_id",
    "result",
    "prev_hash",
    "hash",
)


def evidence_of(session: Session, case_id: int, asker: Actor, now: datetime) -> Evidence:
    """The document of a case in the asker's scope, judged again as of now. Raises NotFound.

    Shaped as JSON has it: dates and moments are ISO texts. ID numbers are masked; where that touches what a condition rested on,
    the condition says that it cannot be judged again.
    """
    case = case_in_scope(session, asker, case_id)
    definition = book().version(session, case.definition)
    acts, said = history(session, case_id), beside(session, case_id)
    files = attachments(case, said["files"], definition)
    document: Document = {
        "format": FORMAT,
        "made": {"at": now, "by": asker.account, "person": asker.person_name},
        "case": _case(session, case, definition),
        "history": [_act(definition, act) for act in acts],
        "timers": timers_of(session, case_id),
        "pauses": pauses_on(session, case_id),
        "comments": [{"account": one.account, "at": one.at, "text": one.text} for one in said["comments"]],
        "urges": [{"on": one.on, "account": one.account} for one in said["urges"]],
        "copies": [_copy(row) for row in said["copies"]],
        "attachments": files,
        "links": [
            {name: tie[name] for name in ("id", "process", "state", "title", "tie")}
            for tie in linked(session, asker, case_id)
        ],
        "grounds": grounds_of(session, asker, case),
        "audit": _audited(session, case, acts),
    }
    kept = _as_json(masked({name: part for name, part in document.items() if name != "history"}))
    kept["history"] = _as_json(
        [{**masked({**act, "facts": {}}), "facts": masked_facts(act["facts"])} for act in document["history"]]
    )
    kept |= {
        "definition": definition_kept(definition),
        "earlier": [definition_kept(book().version(session, hash_)) for hash_ in _left(acts)],
        "policy": policy_kept(policies_of(session, [case.unit_id])[case.unit_id]),
        "calendar": calendar_kept(book().calendar),
        "rules": rules().hash,
        "judges": {name: judge.version for name, judge in sorted(judges().items())},
    }
    kept["rejudged"] = {"at": kept["made"]["at"], **rejudged(kept).as_json()}
    return Evidence(kept, {one["path"]: one["file"] for one in files})


def _as_json(value: Any) -> Any:
    return orjson.loads(orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS))


def _case(session: Session, case: Case, definition: Definition) -> Document:
    unit = TABLES["unit"].c
    named = session.execute(select(unit.unit_code, unit.name).where(unit.id == case.unit_id)).one_or_none()
    lines = shown_form(session, definition.form, case.data.get("form", {}))
    shown = [
        {"label": one.field.label, "text": one.text or "、".join(file["name"] for file in one.files)} for one in lines
    ]
    return {
        **{column.name: getattr(case, column.name) for column in CASE.c},
        "unit": {"code": named.unit_code, "name": named.name} if named else None,
        "state_title": definition.states[case.state].title,
        "form": shown,
    }


def _act(definition: Definition, act: Mapping[str, Any]) -> Document:
    source = definition.states.get(act["from_state"] or "")
    return {
        **{name: part for name, part in act.items() if name not in ("id", "case_id")},
        "from_title": source.title if source else "",
    }


def _left(acts: Sequence[Mapping[str, Any]]) -> list[str]:
    """The versions that the case had before it moved to a new one."""
    return [act["facts"]["from"]["hash"] for act in acts if act["do"] == MIGRATE]


def _copy(row: Any) -> Document:
    copy = row.CaseCopy
    to = row.unit_name or copy.to_account
    return {"to": to, "by": copy.by, "at": copy.at, "read_by": copy.read_by, "read_at": copy.read_at}


def attachments(case: Case, laid: Sequence[Any], definition: Definition) -> list[Document]:
    """Every file of the case: handed in with the form, with an explanation, laid beside it; `file` is its name on disk."""
    form = case.data.get("form", {})
    found = [
        (field.label, file, None, None)
        for field in definition.form
        if field.type == "files"
        for file in form.get(field.name, [])
    ]
    found += [("证明材料", file, None, None) for file in case.data.get("evidence") or []]
    found += [("附件", one.file, one.account, one.at) for one in laid]
    return [
        {"path": f"attachments/{place:03d}-{_safe(file['name'])}", "from": where, "by": by, "at": at,
         **{name: file.get(name) for name in ("name", "file", "sha256", "bytes")}}
        for place, (where, file, by, at) in enumerate(found, 1)
        if isinstance(file, Mapping)
    ]  # fmt: skip


def _safe(name: str) -> str:
    """A name that is one part of a path on every system."""
    kept = "".join("_" if letter in '\\/:*?"<>|' or not letter.isprintable() else letter for letter in name)
    return str(masked(kept.lstrip(".") or "file"))


def _audited(session: Session, case: Case, acts: Sequence[Mapping[str, Any]]) -> list[Document]:
    """The entries of the audit chain on the case, and those on the sets of cases with which it went; from where people came is left out."""
    mine = (ROW.c.object_kind == case.process) & (ROW.c.object_key == case.subject) & (ROW.c.case_id == case.id)
    sets = [
        (ROW.c.action == f"{case.process}.{act['do']}") & (ROW.c.at == act["at"]) & ROW.c.case_id.is_(None)
        for act in acts
    ]
    rows = session.execute(_columns(ROW).where(or_(mine, *sets)).order_by(ROW.c.seq)).mappings()
    return [{**row, "summary": orjson.loads(row["summary"])} for row in rows]


def _columns(table: Table) -> Any:
    return select(*(table.c[name] for name in (*AUDITED, "summary")))
