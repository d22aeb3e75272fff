"""What a unit goes through one by one before its monthly report (办法10(三) 逐条分析): totals, changes of the month, open problems.

Made set-based from the data for many units at once; a unit with very many changes of one kind answers them as one item. Reads only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from workflow.engine.models import CASE
from workflow.engine.sets import among
from workflow.insight.units import code
from workflow.insight.wording import rule_titles
from workflow.periodic.figures import Figures, label_of
from workflow.quality.models import TICKET
from workflow.registry.dictionary import dictionary
from workflow.registry.models import RecordVersion
from workflow.registry.tables import TABLES

KINDS = {
    "quota": "编制使用",
    "contract": "编外用工",
    "posts": "领导职数",
    "entry": "入编",
    "exit": "出编",
    "transfer": "单位间调整",
    "post": "职务职级变动",
    "ledger": "台账变动",
    "staff": "编外人员变动",
    "other": "其他信息变更",
    "finding": "未整改问题",
}
MOST = 20  # items of one kind; beyond that one item tells how many
DATASETS = ("person", "position", "ledger", "leader_quota", "contract_quota", "contract", "inner_org", "unit")
BY_DATASET = {"position": "post", "ledger": "ledger", "leader_quota": "ledger", "contract_quota": "ledger", "contract": "staff"}  # fmt: skip
POST_FIELDS = {"position_name", "post_level", "rank", "rank_date", "post_category", "post_grade", "title"}


@dataclass(frozen=True)
class Item:
    """One item to answer."""

    kind: str
    key: str
    says: str
    link: str = ""


@dataclass(frozen=True)
class Window:
    """Which versions of records a report lists: after `since`, up to `until` (ids of record_version)."""

    since: int
    until: int


def items_of(
    session: Session,
    codes: Mapping[int, str],
    figures: Mapping[int, Figures],
    before: Mapping[int, Figures],
    windows: Mapping[int, Window],
) -> dict[int, list[Item]]:
    """Unit id → its items in order. `codes`: unit id → unit code; `before`: the figures of the last locked month, if any."""
    found: dict[int, list[Item]] = {unit_id: [] for unit_id in codes}
    for unit_id, mine in found.items():
        mine += _totals(figures[unit_id], before.get(unit_id))
    for unit_id, changes in _changes(session, windows).items():
        found[unit_id] += _narrowed(changes)
    for unit_id, problem in _problems(session, codes):
        found[unit_id].append(problem)
    return found


def _totals(now: Figures, then: Figures | None) -> Iterator[Item]:
    for kind, titles in (("quota", ("核定", "实有", "空编", "超编")), ("contract", ("控制数", "在岗", "空余", "超出"))):
        past = then[kind] if then else {}
        for what in sorted({*now[kind], *past}):
            counts = now[kind].get(what) or dict.fromkeys(("approved", "occupied", "vacant", "over"), 0)
            told = "、".join(f"{title} {number}" for title, number in zip(titles, counts.values(), strict=True))
            yield Item(kind, what, f"{label_of(kind, what)}：{told}；{_compared(counts, past.get(what), then)}")
    posts = now["posts"]
    if posts["approved"] or posts["held"]:
        past = then["posts"] if then else None
        line = _compared(
            {"approved": posts["approved"], "occupied": posts["held"]},
            {"approved": past["approved"], "occupied": past["held"]} if past else None, then,
        )  # fmt: skip
        yield Item("posts", "all", f"领导职数：核定 {posts['approved']}、在任 {posts['held']}；{line}")


def _compared(now: Mapping[str, int], then: Mapping[str, int] | None, known: Figures | None) -> str:
    if known is None:
        return "尚无已锁定的上月数据"
    past = then or {"approved": 0, "occupied": 0}
    moves = [now[name] - past[name] for name in ("approved", "occupied")]
    if not any(moves):
        return "与上月一致"
    return f"上月核定 {past['approved']}（{moves[0]:+d}）、实有 {past['occupied']}（{moves[1]:+d}）"


def _changes(session: Session, windows: Mapping[int, Window]) -> dict[int, list[Item]]:
    """Unit id → one item a changed record and kind, in order of data set and key."""
    if not windows:
        return {}
    low, high = min(w.since for w in windows.values()), max(w.until for w in windows.values())
    found: dict[int, dict[tuple[str, str], Item]] = defaultdict(dict)
    for dataset in DATASETS:
        for row in session.execute(_versions(session, dataset, windows, low, high)):
            for unit_id, kind in _kinds(dataset, row, row.unit_id):
                window = windows.get(unit_id)
                if window and window.since < row.id <= window.until:
                    item = _change(dataset, kind, row)
                    found[unit_id][kind, item.key] = item
    return {unit_id: list(mine.values()) for unit_id, mine in found.items()}


def _versions(session: Session, dataset: str, windows: Mapping[int, Window], low: int, high: int) -> Any:
    table, described = TABLES[dataset].c, dictionary()[dataset]
    own = table[described.fields[described.unit].column] if described.unit else table.id
    version = RecordVersion
    columns = (
        version.id, version.kind, version.changes, version.effective_on, version.case_id,
        table[described.key].label("key"), own.label("unit_id"),
    )  # fmt: skip
    listed = select(*columns).join(TABLES[dataset], table.id == version.record_id).where(version.dataset == dataset)
    listed = listed.where(version.id > low, version.id <= high)
    ours = among(session, own, list(windows))
    if dataset == "person":  # a person may have left for another unit: both sides report it
        ours = or_(ours, version.changes["unit"].as_string().is_not(None))
    listed = listed.where(ours)
    return listed.order_by(table[described.key], version.id)


def _kinds(dataset: str, row: Any, unit_id: int) -> Iterator[tuple[int, str]]:
    """Whose change it is and of which kind; a transfer concerns both units."""
    if dataset in BY_DATASET:
        yield unit_id, BY_DATASET[dataset]
        return
    if dataset != "person":
        yield unit_id, "other"
        return
    status = (row.changes.get("estab_status") or [None, None])[1]
    if "unit" in row.changes and row.kind == "change":
        yield unit_id, "transfer"
        if isinstance(row.changes["unit"][0], int):
            yield row.changes["unit"][0], "transfer"
    elif row.kind == "create" or status == code("estab_status", "在编"):
        yield unit_id, "entry"
    elif status == code("estab_status", "出编") or row.kind == "remove":
        yield unit_id, "exit"
    else:
        yield unit_id, "post" if POST_FIELDS & set(row.changes) else "other"


def _change(dataset: str, kind: str, row: Any) -> Item:
    described = dictionary()[dataset]
    what = {"create": "新增", "remove": "移除", "revive": "恢复"}.get(row.kind, "")
    if not what:
        labels = [described.fields[name].label for name in row.changes if name in described.fields]
        what = "更改 " + "、".join(labels[:6]) + ("等" if len(labels) > 6 else "")
    filed = f"，填报事项 {row.case_id}" if row.case_id else "，未经填报"
    says = f"{KINDS[kind]}：{described.title} {row.key} {what}（{row.effective_on} 起{filed}）"
    link = f"/filings/{row.case_id}" if row.case_id else f"/records/{dataset}/{row.key}"
    return Item(kind, f"{dataset}:{row.key}"[:60], says, link[:200])


def _narrowed(changes: list[Item]) -> Iterator[Item]:
    by_kind: dict[str, list[Item]] = defaultdict(list)
    for item in changes:
        by_kind[item.kind].append(item)
    for kind in KINDS:
        mine = by_kind.get(kind, [])
        if len(mine) <= MOST:
            yield from mine
            continue
        keys = "、".join(item.key.partition(":")[2] for item in mine[:5])
        yield Item(kind, "all", f"{KINDS[kind]}：共 {len(mine)} 条（{keys} 等）")


def _problems(session: Session, codes: Mapping[int, str]) -> Iterator[tuple[int, Item]]:
    """The open problems of the units, one item a rule."""
    counted = (
        select(CASE.c.unit_id, TICKET.c.rule_id, CASE.c.light, func.count())
        .join(TICKET, TICKET.c.case_id == CASE.c.id)
        .where(CASE.c.open, CASE.c.process == "rectification", among(session, CASE.c.unit_id, list(codes)))
        .group_by(CASE.c.unit_id, TICKET.c.rule_id, CASE.c.light)
        .order_by(CASE.c.unit_id, TICKET.c.rule_id)
    )
    lit: dict[tuple[int, str], dict[str, int]] = defaultdict(dict)
    for unit_id, rule, light, number in session.execute(counted):
        lit[unit_id, rule][light] = number
    for (unit_id, rule), lights in lit.items():
        red = lights.get("red", 0)
        title = rule_titles().get(rule, rule)
        says = f"未整改问题：{rule} {title} {sum(lights.values())} 项" + (f"，其中红灯 {red} 项" if red else "")
        yield unit_id, Item("finding", rule, says, f"/tickets?rule={rule}&unit={codes[unit_id]}")
