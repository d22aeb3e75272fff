"""The dashboard: every figure is the length of the list that it opens, for every role and after every change; the catalogue and the calendar beside it."""

from __future__ import annotations

import html
import re
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import Engine, select

from tests.conftest import Staged
from tests.web.conftest import CITY, COUNTY, FAR, SCHOOL, Town, Visitor, counted
from workflow.access.scopes import actor_named, visible_units
from workflow.clock import business_date
from workflow.db import reading, writing
from workflow.engine.timers import fire_due
from workflow.insight.dashboard import Dashboard, Figure, dashboard
from workflow.insight.lamps import view
from workflow.insight.tickets import TicketFilter, tickets
from workflow.quality.daily import check_day
from workflow.quality.models import CheckRun, Ticket
from workflow.quality.rules import rules
from workflow.registry import records
from workflow.registry.tables import TABLES

FIGURE = re.compile(r'<a class="(?:fig|n n-)[^"]*" href="(/tickets\?[^"]+)"[^>]*>([\d,]+)</a>')
TOTAL = re.compile(r"共 ([\d,]+) 条")
AT = datetime(2026, 3, 2, 1, tzinfo=UTC)
WATCHERS = ["reviewer", "leader", "reviewer@330282", f"clerk@{COUNTY}", f"head@{SCHOOL}"]


def live_a_fortnight(engine: Engine, now: datetime, far: int) -> datetime:
    """Ten days in the town: some records put right, others left until they turned red, new ones wrong."""
    moment = now
    for day in range(1, 11):
        moment = now + timedelta(days=day)
        fire_due(engine, moment)
        with writing(engine) as session:
            office = {"by": "reviewer", "now": moment, "may_write_locked": True, "may_create": True}
            if day == 2:
                records.write(session, "person", [{"person_code": "P00000003", "sex": "2", "ethnic": "01"}], **office)
            if day == 8:
                records.write(session, "person", [{"person_code": "P00000002", "sex": "1"}], **office)
                records.write(session, "person", [{"person_code": "P8", "name": "新人", "unit": far}], **office)
        check_day(engine, business_date(moment), moment)
    return moment


@pytest.fixture
def fortnight(town: Town, staged: Staged, now: datetime) -> datetime:
    """Ten days later."""
    moment: datetime = staged(town.engine, live_a_fortnight, now, town.units[FAR])
    town.set_clock(moment)
    return moment


def every_figure(shown: Dashboard) -> list[Figure]:
    """Each number of the dashboard with its filter."""
    figures = [shown.resolved, shown.hints]
    for line in [shown.whole, *shown.rules, *shown.levels, *shown.datasets, *shown.dimensions]:
        figures += [line.red, line.yellow, line.open, line.timely, line.late]
    for region in shown.regions:
        figures += [region.red, region.yellow, *region.groups.values()]
    for day in shown.trend:
        figures += [day.opened, day.resolved, day.red]
    return figures


def as_filter(query: dict[str, str]) -> TicketFilter:
    """The list that a figure's parameters open."""
    dates = ("found_from", "found_to", "resolved_from", "resolved_to", "red_from", "red_to")
    return TicketFilter(**{k: date.fromisoformat(v) if k in dates else v for k, v in query.items()})


@pytest.mark.parametrize("account", WATCHERS)
def test_each_figure_is_the_length_of_its_list(town: Town, fortnight: datetime, account: str) -> None:
    today = business_date(fortnight)
    with reading(town.engine) as session:
        actor = actor_named(session, account, fortnight)
        shown = dashboard(session, actor, today)
        assert shown.whole.open.number > 0
        for figure in every_figure(shown):
            rows, _ = tickets(session, actor, as_filter(figure.query), limit=10_000)
            assert figure.number == len(rows), figure


def test_one_district_shows_its_own_figures(town: Town, fortnight: datetime) -> None:
    with reading(town.engine) as session:
        actor = actor_named(session, "reviewer", fortnight)
        shown = dashboard(session, actor, business_date(fortnight), district="330203")
        assert {region.code for region in shown.regions} == {"330203"}
        for figure in every_figure(shown):
            assert figure.query["district"] == "330203"
            assert figure.number == len(tickets(session, actor, as_filter(figure.query), limit=10_000)[0])


def test_regions_add_up_to_the_whole(town: Town, fortnight: datetime) -> None:
    with reading(town.engine) as session:
        shown = dashboard(session, actor_named(session, "reviewer", fortnight), business_date(fortnight))
        assert sum(r.red.number for r in shown.regions) == shown.whole.red.number > 0
        assert sum(r.yellow.number for r in shown.regions) == shown.whole.yellow.number
        assert sum(line.open.number for line in shown.dimensions) == shown.whole.open.number
        assert sum(line.open.number for line in shown.datasets) == shown.whole.open.number


def test_the_red_light_of_a_day_is_counted_on_that_day(town: Town, fortnight: datetime) -> None:
    with reading(town.engine) as session:
        shown = dashboard(session, actor_named(session, "reviewer", fortnight), business_date(fortnight))
        red_days = {day.on for day in shown.trend if day.red.number}
        assert date(2026, 3, 6) in red_days  # found on Monday 2 March: three working days end on Thursday


def test_links_of_the_page_open_lists_of_that_length(sign_in: Callable[[str], Visitor], fortnight: datetime) -> None:
    visitor = sign_in("reviewer")
    page = visitor.get("/quality").get_data(as_text=True)
    links = {(html.unescape(link), int(number.replace(",", ""))) for link, number in FIGURE.findall(page)}
    assert len(links) > 40
    for link, number in sorted(links)[::7]:
        found = TOTAL.search(visitor.get(link).get_data(as_text=True))
        assert found is not None
        assert int(found[1].replace(",", "")) == number, link


def test_a_fix_is_seen_at_once_by_everybody(town: Town, sign_in: Callable[[str], Visitor]) -> None:
    watcher, clerk = sign_in("reviewer"), sign_in("reviewer@330282")
    before = watcher.get("/quality").get_data(as_text=True)
    clerk.post("/records/person/P00000002/edit", {"version": "1", "sex": "1"})
    assert watcher.get("/quality").get_data(as_text=True) != before


def test_nobody_sees_figures_of_others(town: Town, sign_in: Callable[[str], Visitor]) -> None:
    page = sign_in(f"clerk@{SCHOOL}").get("/quality").get_data(as_text=True)
    assert CITY not in page
    assert FAR not in page


@pytest.mark.parametrize("account", WATCHERS)
def test_the_tree_shows_exactly_the_units_in_scope(town: Town, now: datetime, account: str) -> None:
    with reading(town.engine) as session:
        actor = actor_named(session, account, now)
        in_scope = set(session.scalars(visible_units(actor, "record.read")))
        assert {node.id for node in view(session, actor).units()} == in_scope


def test_lamps_of_a_unit_gather_those_below(town: Town, now: datetime) -> None:
    with reading(town.engine) as session:
        seen = view(session, actor_named(session, "reviewer", now))
        above, below = town.units[COUNTY], town.units[SCHOOL]
        assert seen.tree.count(above).yellow == seen.tree.own_count(above).yellow + seen.tree.own_count(below).yellow
        assert seen.tree.own_count(below).yellow > 0


def test_the_list_of_units_by_lamp_counts_what_the_tile_says(
    sign_in: Callable[[str], Visitor], fortnight: datetime
) -> None:
    visitor = sign_in("reviewer")
    page = visitor.get("/quality").get_data(as_text=True)
    tile = re.search(r'红灯单位</div><div class="tile-figure">(\d+)', page)
    assert tile is not None
    listed = visitor.get("/units?lamp=red").get_data(as_text=True)
    assert listed.count("data-row") == int(tile[1]) > 0
    assert "<title>红灯单位" in listed
    assert "None" not in listed


@pytest.mark.parametrize(
    "path",
    [
        "/quality",
        "/quality?district=330282",
        "/rules",
        "/rules/F01",
        "/units?lamp=yellow",
        f"/units/{COUNTY}",
        "/calendar",
    ],
)
def test_a_page_takes_at_most_twelve_statements_even_when_nothing_is_remembered(
    app: Flask, sign_in: Callable[[str], Visitor], path: str
) -> None:
    visitor = sign_in("reviewer")
    with counted(app) as statements:
        assert visitor.get(path).status_code == 200
    assert len(statements) <= 12, "\n".join(statements)


def test_the_catalogue_lists_every_rule_and_those_that_wait_with_their_reason(reviewer: Visitor) -> None:
    page = reviewer.get("/rules").get_data(as_text=True)
    for rule in rules().rules:
        assert f'/rules/{rule.id}"' in page
    for waiting in rules().waiting:
        assert html.escape(waiting["why"], quote=False) in page


def test_every_rule_has_a_page_with_text_remedy_and_example(reviewer: Visitor) -> None:
    for rule_id, found in list(rules().by_id.items())[::9]:
        answer = reviewer.get(f"/rules/{rule_id}")
        page = html.unescape(answer.get_data(as_text=True))
        assert answer.status_code == 200
        assert all(rule.remedy in page and rule.text in page for rule in found)
    assert reviewer.get("/rules/A99").status_code == 404


def test_the_catalogue_counts_hits_within_scope(town: Town, sign_in: Callable[[str], Visitor]) -> None:
    one, city = (
        sign_in(name).get("/rules?hits=yes&dataset=person&text=F01").get_data(as_text=True)
        for name in (f"clerk@{SCHOOL}", "reviewer")
    )
    number = re.compile(r'rule=F01&amp;dataset=person">(\d+)<')
    mine, all_ = number.search(one), number.search(city)
    assert mine is not None
    assert all_ is not None
    assert int(all_[1]) == 5 * int(mine[1])


def test_every_count_of_the_catalogue_is_the_length_of_the_list_it_opens(town: Town, reviewer: Visitor) -> None:
    with writing(town.engine) as session:
        unit = TABLES["unit"].c
        unit_id = session.scalar(select(unit.id).where(unit.unit_code == SCHOOL))
        on = date(2026, 3, 2)
        what = {"rule_id": "Q15", "dataset": "unit", "record_id": unit_id, "record_key": SCHOOL, "unit_id": unit_id}
        session.add(Ticket(**what, level="H", present=True, first_found_on=on, found_on=on, last_run_id=0))
        session.add(CheckRun(kind="scoped", on=on, started_at=AT, finished_at=AT))
    page = reviewer.get("/rules?hits=yes").get_data(as_text=True)
    counts = re.findall(r'<a href="(/tickets\?rule=[^"]+)"[^>]*>([\d,]+)<', page)
    assert any("rule=Q15" in link for link, _ in counts)
    for link, count in counts:
        total = TOTAL.search(reviewer.get(html.unescape(link)).get_data(as_text=True))
        assert total is not None
        assert total[1] == count, link
    of_rule = html.unescape(reviewer.get("/rules/Q15").get_data(as_text=True))
    assert "未整改 0 项" not in of_rule
    assert f"/units/{SCHOOL}" in of_rule


@pytest.mark.parametrize("narrowed", ["", "&light=yellow", f"&unit={SCHOOL}&own=yes", "&level=B&dataset=person"])
def test_every_cause_opens_the_list_that_it_counts(town: Town, reviewer: Visitor, narrowed: str) -> None:
    with writing(town.engine) as session:
        some = session.scalars(select(Ticket).where(Ticket.present).order_by(Ticket.id.desc()).limit(7)).all()
        for ticket in some:
            ticket.batch_id = 4711
        session.add(CheckRun(kind="scoped", on=date(2026, 3, 2), started_at=AT, finished_at=AT))
    page = reviewer.get(f"/tickets?by=cause{narrowed}").get_data(as_text=True)
    causes = re.findall(r'data-open href="(/tickets\?[^"]+)".*?data-label="工单">([\d,]+)<', page, re.DOTALL)
    assert causes
    assert narrowed or {"4711", "0"} == {m[1] for link, _ in causes if (m := re.search(r"batch=(\d+)", link))}
    for link, count in causes:
        listed = reviewer.get(html.unescape(link)).get_data(as_text=True)
        total = TOTAL.search(listed)
        assert total is not None
        assert total[1] == count, link
        assert ("逐条录入" if "batch=0" in link else "导入批次 4711") in listed


def test_a_file_of_tickets_says_where_it_was_cut(reviewer: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = reviewer.get("/tickets.csv").get_data(as_text=True)
    assert "仅导出前" not in whole
    monkeypatch.setattr("web.pages.tickets.EXPORT_MOST", 3)
    cut = reviewer.get("/tickets.csv").get_data(as_text=True).splitlines()
    assert cut[-2].strip('"') == f"仅导出前 3 条，共 {len(whole.splitlines()) - 2} 条，请缩小筛选范围后分次导出"
    assert len(cut) == 6


def test_what_everybody_shares_does_not_depend_on_who_asked_first(
    town: Town, sign_in: Callable[[str], Visitor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workflow.insight.remembered._kept", OrderedDict())
    pages = ("/", "/roster/person")
    for path in pages:
        sign_in(f"clerk@{FAR}").get(path)
    after = [sign_in(f"clerk@{SCHOOL}").get(path).get_data(as_text=True) for path in pages]
    monkeypatch.setattr("workflow.insight.remembered._kept", OrderedDict())
    first = [sign_in(f"clerk@{SCHOOL}").get(path).get_data(as_text=True) for path in pages]
    lamps = [
        [re.findall(r"lamp-(?:red|yellow|green)|edge-(?:red|yellow)|tile-figure\">[^<]*", page) for page in told]
        for told in (after, first)
    ]
    assert lamps[0] == lamps[1]
    assert any("red" in mark or "yellow" in mark for mark in lamps[0][0])


def test_the_calendar_marks_off_days_make_up_days_and_provisional_years(clerk: Visitor) -> None:
    page = clerk.get("/calendar?year=2026").get_data(as_text=True)
    assert 'title="2026-02-28 调休上班' in page
    assert "国办发明电〔2025〕7号" in page
    assert "暂定" not in page
    assert "2027年为暂定" in clerk.get("/calendar?year=2027").get_data(as_text=True)
    assert clerk.get("/calendar?year=9").status_code == 400


def test_the_calculator_counts_over_the_spring_festival(clerk: Visitor) -> None:
    page = clerk.get("/calendar?start=2026-02-13&n=3").get_data(as_text=True)
    assert "2026年2月25日 周三" in page  # Saturday 14 is worked, 15–23 are off
    assert clerk.get("/calendar?start=2026-02-13&n=999").status_code == 400
    assert clerk.get("/calendar?start=gestern").status_code == 400


def test_the_unit_page_agrees_with_the_registers_balances(town: Town, reviewer: Visitor, now: datetime) -> None:
    from workflow.insight.units import figures, quotas
    from workflow.registry.balances import quota_balances

    later = now.astimezone(UTC)
    ledger = {
        "ledger_no": "T1", "unit": town.units[COUNTY], "ledger_type": "2", "change_kind": "12", "status": "1", "quota_type": "11",
        "delta_plus": 10, "delta_minus": 2, "doc_date": 20250110, "doc_no": "慈编〔2025〕1号", "plan_approved_quota": 3,
    }  # fmt: skip
    with writing(town.engine) as session:
        office = {"by": "reviewer", "now": later, "may_write_locked": True, "may_create": True}
        records.write(session, "ledger", [ledger], **office)
        in_post = {
            "person_code": "P7",
            "unit": town.units[COUNTY],
            "name": "李",
            "estab_status": "1",
            "quota_type": "11",
        }
        records.write(session, "person", [in_post], **office)
    with reading(town.engine) as session:
        numbers = figures(session, town.units[COUNTY], business_date(now), today=True)
        mine = {q.code: q for q in quotas(numbers, "quota_type", "approved", "plan", "occupied")}
        theirs = quota_balances(session, [town.units[COUNTY]], business_date(now))[town.units[COUNTY]]
        before = figures(session, town.units[COUNTY], date(2024, 12, 31), today=False)
    assert {c: (q.approved, q.plan, q.occupied, q.over) for c, q in mine.items()} == {
        c: (b.approved, b.plan, b.occupied, b.over) for c, b in theirs.items()
    }
    assert mine["11"].approved == 8
    answer = reviewer.get(f"/api/v1/units/{COUNTY}/quota").json
    assert [each["approved"] for each in answer["quotas"] if each["code"] == "11"] == [8]
    assert "approved" not in before
    assert reviewer.get(f"/units/{COUNTY}?as_of=2024-12-31").status_code == 200
    assert reviewer.get(f"/units/{FAR}").status_code == 404
