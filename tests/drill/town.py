"""The drills' town: one unit in each relation to "our" unit, with a record, a light and a case of everything, marked so that each trace tells whose it is.

The relations are stated here, in a table of our own; nothing is asked of the code that the drills try.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, insert, select
from sqlalchemy.orm import Session

from web.app import create_app
from workflow.access import sealed_files
from workflow.access.demonstration import PASSWORD, create_demonstration_accounts
from workflow.access.models import LoginSession, SavedFilter
from workflow.access.scopes import Actor, actor_named
from workflow.access.sessions import begin_session
from workflow.casework.discussing import attach, comment
from workflow.casework.explanation import open_explanation
from workflow.casework.filing_drafting import Opening, open_filing, save_draft
from workflow.casework.handling_models import BulkRow, BulkStep, CaseAttachment, CaseCopy
from workflow.casework.letters import open_letter
from workflow.casework.matters import open_matter
from workflow.casework.voiding import request_void
from workflow.casework.weekly_audit import open_audits
from workflow.clock import SHANGHAI
from workflow.db import PRAGMAS, reading, writing
from workflow.duty.checking import open_due_checks
from workflow.engine.actors import SYSTEM
from workflow.engine.models import CASE, Case
from workflow.engine.steps import NewCase, open_cases
from workflow.engine.timers import fire_due
from workflow.insight.roster import RosterFilter
from workflow.operations.models import JobRequest
from workflow.periodic.models import REPORT, SAMPLE
from workflow.periodic.monthly import open_month
from workflow.quality.models import ENTRY, TICKET
from workflow.quality.red_rounds import count_rounds
from workflow.quality.run import run_check
from workflow.registry import records
from workflow.registry.identity import id_check
from workflow.registry.models import NOTICE, ImportBatch
from workflow.registry.queries import find_by_key
from workflow.registry.tables import TABLES
from workflow.settings import Settings

COUNTY, OTHER, CITY = "330282", "330203", "330200"
UNKNOWN, WHOLE = "不存在", "全市事项"


@dataclass(frozen=True)
class Place:
    """A unit of the town: code, county, superior (both today), superior before it was moved, and its mark."""

    code: str
    district: str
    parent: str | None
    mark: str
    was_under: str | None = None
    was_in: str = ""


BUREAU, SELF, SIBLING = "330282101", "33028210101", "33028210102"
PLACES = {
    "上级": Place(BUREAU, COUNTY, None, "甲"),
    "本单位": Place(SELF, COUNTY, BUREAU, "乙"),
    "下级": Place("3302821010101", COUNTY, SELF, "丙"),
    "同级": Place(SIBLING, COUNTY, BUREAU, "丁"),
    "编码相似": Place("330282101019", COUNTY, None, "戊"),
    "外县编码相似": Place("3302821010188", OTHER, None, "己"),
    "外县": Place("330203101", OTHER, None, "庚"),
    "划出": Place("3302821010103", COUNTY, SIBLING, "辛", was_under=SELF),
    "划出到外县": Place("3302821010104", OTHER, None, "壬", was_under=SELF, was_in=COUNTY),
    "划入": Place("3302821010203", COUNTY, SELF, "癸", was_under=SIBLING),
    "市级": Place("330200101", CITY, None, "子"),
}
RELATIONS = (*PLACES, UNKNOWN)
# Whom each scope reaches (办法16 分级管理): a unit itself and what is under it today; a county; the whole city.
OURS = frozenset({"本单位", "下级", "划入"})
REACH = {
    "本单位": OURS,
    "县": frozenset(name for name, place in PLACES.items() if place.district == COUNTY),
    "外县": frozenset(name for name, place in PLACES.items() if place.district == OTHER),
    "市": frozenset(PLACES),
    "平台": frozenset[str](),
    "无": frozenset[str](),
}


@dataclass(frozen=True)
class Visitor:
    """Somebody who visits: account, role as in roles.yaml, and over which of the scopes it is held."""

    account: str
    role: str
    scope: str


VISITORS = [
    Visitor(f"clerk@{SELF}", "unit_clerk", "本单位"), Visitor(f"head@{SELF}", "unit_head", "本单位"),
    Visitor(f"reviewer@{COUNTY}", "reviewer", "县"), Visitor(f"leader@{COUNTY}", "leader", "县"),
    Visitor(f"reviewer@{OTHER}", "reviewer", "外县"), Visitor(f"leader@{OTHER}", "leader", "外县"),
    Visitor("reviewer", "reviewer", "市"), Visitor("leader", "leader", "市"),
    Visitor(f"security@{COUNTY}", "county_security", "县"),
    Visitor("security", "security", "平台"), Visitor("auditor", "auditor", "平台"), Visitor("sysadmin", "sysadmin", "平台"),
    Visitor("", "", "无"),
]  # fmt: skip

FIRST, OPENED = date(2026, 3, 2), date(2026, 3, 25)
MORNING = datetime.combine(OPENED, time(9), SHANGHAI).astimezone(UTC)
ABSENT = 99_999_999
FORMS: dict[str, dict[str, Any]] = {
    "approval": {"kind": "use", "what": "公开招聘", "why": "", "quota_type": "221", "n": "1", "entry_way": "03"},
    "transfer": {"late_reason": "", "doc_no": "甬人社〔2026〕3号"},
    "report_request": {"kind": "important_field", "what": "", "why": "理由"},
    "violation": {"situation": "false_data", "source": "check", "what": ""},
    "substitution": {"role": "unit_clerk", "reach": "all", "why": ""},
}
OPENERS = {"violation": f"reviewer@{COUNTY}"}


def number_of(n: int) -> str:
    """An invented ID number, each n its own."""
    first = f"33028219{60 + n % 40}0{1 + n // 40 % 9}1{n // 360 % 10}{n % 1000:03d}"
    return first + id_check(first)


@dataclass
class Town:
    """The town: its application, and per kind of thing the one of each relation (`things["ticket"]["同级"]`)."""

    engine: Engine
    folder: Path
    settings: Settings
    app: Flask
    units: dict[str, int] = field(default_factory=dict)
    things: dict[str, dict[str, Any]] = field(default_factory=dict)
    numbers: dict[str, str] = field(default_factory=dict)

    def keep(self, kind: str, relation: str, key: Any) -> None:
        """Remember one thing."""
        self.things.setdefault(kind, {})[relation] = key

    def token(self, visitor: Visitor) -> str:
        """The token of a new session."""
        answer = self.app.test_client().post("/api/v1/session", json={"account": visitor.account, "password": PASSWORD})
        assert answer.status_code == 201, answer.get_data(as_text=True)
        return str(answer.get_json()["token"])

    def enter(self, visitor: Visitor) -> FlaskClient:
        """A browser, signed in."""
        client = self.app.test_client()
        if visitor.account:
            answer = client.post("/api/v1/session", json={"account": visitor.account, "password": PASSWORD})
            assert answer.status_code == 201, answer.get_data(as_text=True)
        return client


def words(relation: str) -> str:
    """The words that stand in everything of a unit but its name."""
    return f"金丝雀{PLACES[relation].mark}鸣"


def name_of(relation: str) -> str:
    """A unit's name."""
    return f"鸟巢{PLACES[relation].mark}局"


@contextmanager
def clock_at(moment: datetime, folder: Path) -> Iterator[Path]:
    """The platform's present; another is written into the file."""
    before, clock = os.environ.get("SANDENG_CLOCK"), folder / "clock"
    clock.write_text(moment.isoformat(), encoding="utf-8")
    os.environ["SANDENG_CLOCK"] = f"file:{clock}"
    try:
        yield clock
    finally:
        if before is None:
            os.environ.pop("SANDENG_CLOCK", None)
        else:
            os.environ["SANDENG_CLOCK"] = before


@contextmanager
def not_waiting_for_the_disk(engine: Engine) -> Iterator[None]:
    """Thousands of refusals are each kept in the audit chain: here they need not outlive a power cut."""
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(f'ALTER DATABASE "{engine.url.database}" SET synchronous_commit = off')
    engine.dispose()
    before, PRAGMAS["synchronous"] = PRAGMAS["synchronous"], "OFF"
    try:
        yield
    finally:
        PRAGMAS["synchronous"] = before


@contextmanager
def found_town(engine: Engine, folder: Path) -> Iterator[Town]:
    """The town with all that is in it, on the morning when the month's reports are open."""
    with clock_at(MORNING, folder), not_waiting_for_the_disk(engine):
        url = engine.url.render_as_string(hide_password=False)
        settings = Settings(env="test", data_dir=folder / "web", database_url=url)
        app = create_app(settings)
        app.config["WTF_CSRF_ENABLED"] = False
        town = Town(engine, folder, settings, app)
        _units(town)
        _lights(town)
        _cases(town)
        _own_things(town)
        yield town
        with app.app_context():
            app.extensions["sqlalchemy"].engine.dispose()


def _units(town: Town) -> None:
    entered = datetime.combine(date(2026, 1, 5), time(9), SHANGHAI)
    office: dict[str, Any] = {"by": "reviewer", "now": entered, "may_write_locked": True, "may_create": True}
    with writing(town.engine) as session:
        rows = [
            {"unit_code": p.code, "name": name_of(r), "district_code": p.was_in or p.district, "status": "1"}
            for r, p in PLACES.items()
        ]
        records.write(session, "unit", rows, **office)
        unit = TABLES["unit"].c
        ids = dict(session.execute(select(unit.unit_code, unit.id)).tuples().all())
        town.units = {relation: ids[place.code] for relation, place in PLACES.items()}
        for parents in ([p.was_under or p.parent for p in PLACES.values()], [p.parent for p in PLACES.values()]):
            moved = [
                {"unit_code": p.code, "parent": ids.get(parent or ""), "district_code": p.district}
                for p, parent in zip(PLACES.values(), parents, strict=True)
            ]
            records.write(session, "unit", moved, **office)
        for n, (relation, unit_id) in enumerate(town.units.items(), 1):
            _records(session, town, n, relation, unit_id, office)
        create_demonstration_accounts(session, now=entered)
        for relation, place in PLACES.items():
            town.keep("account", relation, f"head@{place.code}")
            if relation != "本单位":  # its people come themselves
                begin_session(session, f"head@{place.code}", now=MORNING)
                newest = select(LoginSession.id).where(LoginSession.account == f"head@{place.code}")
                town.keep("session", relation, session.scalars(newest).one())


def _records(session: Session, town: Town, n: int, relation: str, unit_id: int, office: dict[str, Any]) -> None:
    """A person, a contract, a room, a post and a ledger row of one unit; the person's data is wrong."""
    town.numbers[relation] = number_of(n)
    says = words(relation)
    base = {"unit": unit_id}
    rows: dict[str, dict[str, Any]] = {
        "inner_org": {**base, "inner_org_code": f"N{n:04d}", "name": f"{says}科"},
        "person": {**base, "person_code": f"P{n:08d}", "name": says, "id_no": number_of(n), "remark": says},
        "contract": {**base, "contract_code": f"C{n:08d}", "name": says, "id_no": number_of(500 + n)},
        "ledger": {**base, "ledger_no": f"L{n:04d}", "ledger_type": "2", "status": "1", "quota_type": "221",
                   "delta_plus": 3, "delta_minus": 0, "abstract": says, "entered_on": 20260105},
    }  # fmt: skip
    for dataset, row in rows.items():
        kept = records.write(session, dataset, [row], **office)
        town.keep(dataset, relation, kept.keys[0])
        town.keep(f"{dataset}.id", relation, kept.ids[0])
    town.keep("unit", relation, PLACES[relation].code)
    post = {**base, "position_code": f"Z{n:08d}", "person": town.things["person.id"][relation], "name": f"{says}长"}
    town.keep("position", relation, records.write(session, "position", [post], **office).keys[0])


def _lights(town: Town) -> None:
    """Checked on the first day, red after three working days, three rounds long: entries, reminders, proposals."""
    begun = datetime.combine(FIRST, time(6), SHANGHAI)
    run_check(town.engine, FIRST, begun, kind="full")
    for n in range(1, 18):
        day = FIRST + timedelta(n)
        fire_due(town.engine, datetime.combine(day, time(0), SHANGHAI))
        with writing(town.engine) as session:
            count_rounds(session, day, datetime.combine(day, time(6, 30), SHANGHAI))
    with reading(town.engine) as session:
        for relation, unit_id in town.units.items():
            ticket = select(TICKET.c.id).where(TICKET.c.unit_id == unit_id, TICKET.c.dataset == "person")
            doubtful = ticket.where(TICKET.c.level == "W")
            town.keep("ticket", relation, session.scalars(ticket.order_by(TICKET.c.id)).first())
            town.keep("doubtful", relation, session.scalars(doubtful.order_by(TICKET.c.id)).first())
            entry = select(ENTRY.c.id).where(ENTRY.c.unit_id == unit_id)
            town.keep("entry", relation, session.scalars(entry.order_by(ENTRY.c.id)).first())


def _cases(town: Town) -> None:
    with writing(town.engine) as session:
        reviewer = actor_named(session, "reviewer", MORNING)
        about = {"year": "2026", "half": "1", "focus": "领导职数"}
        whole = open_matter(session, "cross_check", None, about, now=MORNING, actor=reviewer)
        town.keep("case.cross_check", WHOLE, whole)
        open_due_checks(session, date(2026, 3, 1), MORNING)
        duty = session.scalars(select(CASE.c.id).where(CASE.c.process == "security_check")).one()
        town.keep("case.security_check", WHOLE, duty)
        months = datetime.combine(OPENED, time(6, 30), SHANGHAI)
        open_month(session, "2026-03", [COUNTY, OTHER, CITY], months)
        open_audits(session, list(town.units.values()), OPENED, MORNING)
        for relation, unit_id in town.units.items():
            _cases_of(session, town, relation, unit_id)
        for relation, unit_id in town.units.items():
            for process, case_id in session.execute(
                select(CASE.c.process, CASE.c.id).where(CASE.c.unit_id == unit_id).order_by(CASE.c.id)
            ):
                town.keep(f"case.{process}", relation, case_id)
            report = select(REPORT.c.case_id).where(REPORT.c.unit_id == unit_id)
            town.keep("case.monthly_report", relation, session.scalars(report).one())


def _cases_of(session: Session, town: Town, relation: str, unit_id: int) -> None:
    code, says = PLACES[relation].code, words(relation)
    clerk, now = actor_named(session, f"clerk@{code}", MORNING), MORNING
    reviewer, paper = actor_named(session, "reviewer", now), paper_of(town, says)
    more = {
        "transfer": {"person": town.things["person"][relation], "receiver": code, "quota_type": "221", "moved_on": "2026-03-20"},
        "substitution": {"substitute": f"head@{code}", "from_on": "2026-04-01", "until_on": "2026-04-03"},
    }  # fmt: skip
    for process, form in FORMS.items():
        texts = {name: value or says for name, value in form.items()} | more.get(process, {})
        person = reviewer if process in OPENERS else clerk
        case_id = open_matter(session, process, unit_id, texts, now=now, actor=person)
        if process == "approval":
            _approved(session, town, relation, case_id, unit_id, paper)
    record = find_by_key(session, "person", town.things["person"][relation])
    filing = open_filing(session, Opening("person", unit_id, record), actor=clerk, now=now)
    save_draft(session, filing, {"native_place": says, "entry_doc_no": says, "_reason": says}, actor=clerk, now=now)
    found = [{"record": str(record.key if record else ""), "label": "实有人员", "says": says, "remedy": ""}]
    open_letter(session, unit_id, found, round_case=None, about=says, now=now)
    if doubtful := town.things["doubtful"][relation]:
        open_explanation(session, doubtful, now=now, actor=clerk)
    request_void(session, town.things["ticket"][relation], says, now=now, actor=reviewer)
    pair = NewCase(unit_id, f"drill:{unit_id}", f"交叉检查 {says}")
    pair_id = open_cases(session, "check_pair", [pair], now=now, actor=SYSTEM)[0]
    sample = {"case_id": pair_id, "dataset": "person", "record_id": town.things["person.id"][relation]}
    sampled = session.execute(insert(SAMPLE).returning(SAMPLE.c.id), [{**sample, "problem": "", "struck": False}])
    town.keep("sample", relation, (pair_id, sampled.scalar_one()))


def _approved(session: Session, town: Town, relation: str, case_id: int, unit_id: int, paper: dict[str, Any]) -> None:
    """What hangs on a case: a notice, a file of its form, one beside it, a comment, a copy."""
    case = session.get_one(Case, case_id)
    case.data = case.data | {"form": case.data["form"] | {"request": [paper]}, "evidence": [paper]}
    given = {
        "case_id": case_id, "number": f"甬编通〔2026〕{words(relation)}号", "kind": "use", "unit_id": unit_id, "quota_type": "221",
        "entry_way": "03", "n": 1, "used": 0, "issued_on": OPENED, "valid_until": OPENED + timedelta(300),
    }  # fmt: skip
    session.execute(insert(NOTICE), [given])
    clerk: Actor = actor_named(session, f"clerk@{PLACES[relation].code}", MORNING)
    comment(session, case, clerk, words(relation), MORNING)
    attach(session, case, clerk, [paper], MORNING)
    copied = CaseCopy(case_id=case_id, by=clerk.account, at=MORNING, to_account="", to_unit_id=unit_id)
    session.add(copied)
    session.flush()
    laid = session.scalars(select(CaseAttachment.id).where(CaseAttachment.case_id == case_id)).one()
    town.keep("attachment", relation, (case_id, laid))
    town.keep("copy", relation, (case_id, copied.id))


def paper_of(town: Town, says: str) -> dict[str, Any]:
    """A file as a form keeps it."""
    content = b"%PDF-1.7 " + says.encode()
    kept, sha256, size = sealed_files.keep(town.settings.folder("uploads", "evidence"), [content])
    return {"name": f"{says}.pdf", "file": kept, "sha256": sha256, "bytes": size}


def _own_things(town: Town) -> None:
    """What belongs to one account and to nobody else: a batch, an export, a simulation, a bulk step, a backup request, filters."""
    with writing(town.engine) as session:
        for visitor in VISITORS:
            if visitor.account:
                _owned(session, town, visitor)


def _owned(session: Session, town: Town, visitor: Visitor) -> None:
    account = visitor.account
    digest = hashlib.sha256(account.encode()).hexdigest()
    batch = ImportBatch(
        dataset="person", file_name=f"{account}.xlsx", file_path="uploads/none", sha256=digest, by=account, state="ready",
        rows=1, uploaded_at=MORNING, errors=[], preview=[],
    )  # fmt: skip
    kept = sealed_files.keep(town.settings.folder("uploads"), ["人员编码,姓名\n,\n".encode()])[0]
    fault = {"row": 2, "field": "name", "label": "姓名", "value": "", "message": "须填写", "column": 1}
    refused = ImportBatch(
        dataset="person", file_name="名册.csv", file_path=f"uploads/{kept}", sha256=digest[::-1], by=account, state="refused",
        rows=1, uploaded_at=MORNING, errors=[fault], preview=[], error_count=1,
    )  # fmt: skip
    kinds = ("export", "simulation", "backup", "audit_verify")
    asked = {"filter": asdict(RosterFilter("person"))}
    made = {kind: JobRequest(kind=kind, params=asked, by=account, asked_at=MORNING) for kind in kinds}
    session.add_all([batch, refused, *made.values()])
    session.flush()
    for kind, request in made.items():
        town.keep(f"own.{kind}", account, request.id)
    town.keep("own.batch", account, batch.id)
    town.keep("own.refused", account, refused.id)
    bulk = BulkStep(
        account=account, key=digest, request_id=made["export"].id, process="approval", do="submit", asked_at=MORNING
    )
    session.add(bulk)
    session.flush()
    session.add(BulkRow(bulk_id=bulk.id, case_id=town.things["case.approval"]["本单位"], version=1))
    town.keep("own.bulk", account, bulk.id)
    for page in ("tasks", "tickets"):
        kept = SavedFilter(account=account, page=page, name="常用", created_at=MORNING, filters={})
        session.add(kept)
        session.flush()
        town.keep(f"own.filter.{page}", account, kept.id)
