"""The quota ledger, leader quotas and contract quotas of a unit: balances add up, and there is room for everybody in post."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from workflow.demo.bundle import MARK, Bundle, Record
from workflow.demo.careers import ranks
from workflow.demo.numbers import between, document_no, weekday, years
from workflow.demo.organs import APPROVERS
from workflow.demo.seats import Seat

PLAN_SHARE = 0.25  # of the units have a plan for new people this year
GROUPS = {"2": "一级和二级调研员", "3": "三级和四级调研员", "4": "一级和二级主任科员", "5": "三级和四级主任科员"}


@dataclass
class Books:
    """The ledger rows of one unit in order of entry."""

    bundle: Bundle
    rows: list[Record]

    def enter(self, kind: str, change: str, day: date, **more: object) -> Record:
        """One row, entered within the five working days of 办法7."""
        planned, rng = self.bundle.planned, self.bundle.rng
        nth = len(self.rows) + 1
        day = weekday(day)
        number = document_no(
            planned.region, "编" if kind == "机构" else "编办", day, 100 + (planned.nth * 7 + nth) % 800
        )
        row: Record = {
            "ledger_no": f"T{planned.code}-{nth:03d}",
            "unit": planned.code,
            "ledger_type": kind,
            "change_kind": change,
            "effective_date": day,
            "abstract": f"{planned.name}{change}",
            "status": "有效",
            "doc_kind": "编委文件" if kind == "机构" else "编办批复",
            "doc_title": f"关于{planned.name}{change}的批复",
            "doc_no": number,
            "doc_org": APPROVERS[planned.city],
            "doc_date": day,
            "doc_received_date": day + timedelta(days=1),
            "doc_file": f"{planned.code}-{nth:03d}.pdf",
            "entered_on": day + timedelta(days=1 + rng.randrange(3)),
            "entered_by": "演示编办经办人",
            "remark": MARK,
        }
        row |= more
        self.rows.append(row)
        return row

    def move(
        self, change: str, day: date, quota: str, before: int, plus: int = 0, minus: int = 0, **more: object
    ) -> int:
        """A change of one quota type; gives the balance after it."""
        after = before + plus - minus
        source = "市级" if self.bundle.planned.city else "县级"
        numbers = {"balance_before": before, "delta_plus": plus, "delta_minus": minus, "balance_after": after}
        self.enter(
            "编制",
            change,
            day,
            quota_type=quota,
            quota_source=source,
            fund_type=self.bundle.unit["fund_form"],
            **numbers,
            **more,
        )
        return after


def ledger(bundle: Bundle, seats: list[Seat]) -> list[Record]:
    """Founding, first quota per type, changes since, and perhaps a plan; the vacancies stay below a quarter."""
    books, unit, rng = Books(bundle, []), bundle.unit, bundle.rng
    founded = books.enter(
        "机构",
        "设立",
        unit["approve_date"],
        effective_date=unit["setup_date"],
        name_after=unit["name"],
        level_after=unit["org_level"],
    )
    founded["doc_no"], founded["doc_kind"] = unit["approve_doc_no"], "编委文件"
    vacancies: dict[str, int] = {}
    for quota, used in sorted(Counter(seat.quota for seat in seats).items()):
        vacancies[quota] = int(used * rng.random() * 0.12) if used > 3 else 0
        _settle(books, quota, used + vacancies[quota], rng)
    _plan(books, vacancies, {r["quota_type"]: r["balance_after"] for r in books.rows if r.get("quota_type")})
    return books.rows


def _settle(books: Books, quota: str, target: int, rng: Random) -> None:
    """First quota, then perhaps an increase and a decrease, ending at the target."""
    setup, on = books.bundle.unit["setup_date"], books.bundle.on
    plus = rng.randrange(1, 6) if rng.random() < 0.4 else 0
    minus = rng.randrange(1, 4) if rng.random() < 0.3 else 0
    first = max(1, target - plus + minus)
    balance = books.move("核定", setup + timedelta(days=30), quota, 0, plus=first)
    if balance < target + minus:
        balance = books.move(
            "增编", between(rng, date(2019, 6, 3), date(2021, 11, 1)), quota, balance, plus=target + minus - balance
        )
    if balance > target:
        books.move(
            "减编",
            between(rng, date(2022, 1, 10), min(date(2024, 11, 1), on - timedelta(days=60))),
            quota,
            balance,
            minus=balance - target,
        )


def _plan(books: Books, vacancies: dict[str, int], balances: dict[str, int]) -> None:
    rng, on = books.bundle.rng, books.bundle.on
    quota = max(vacancies, key=lambda q: vacancies[q], default=None)
    if quota is None or vacancies[quota] < 1 or rng.random() > PLAN_SHARE:
        return
    day = on - timedelta(days=rng.randrange(30, 120))
    plan: Record = {"plan_approved_quota": 1, "plan_approved_posts": 1, "plan_valid_until": years(weekday(day), 1)}
    books.move("计划核准", day, quota, balances[quota], **plan)


def revoked(bundle: Bundle) -> list[Record]:
    """The ledger of a unit that was given up: everything is back at zero."""
    books, unit = Books(bundle, []), bundle.unit
    founded = books.enter(
        "机构", "设立", unit["approve_date"], effective_date=unit["setup_date"], name_after=unit["name"]
    )
    founded["doc_no"] = unit["approve_doc_no"]
    quota = next(iter(bundle.planned.kind.quotas))
    balance = books.move("核定", unit["setup_date"] + timedelta(days=30), quota, 0, plus=8)
    books.move("减编", unit["revoke_date"], quota, balance, minus=8)
    books.enter("机构", "撤销", unit["revoke_date"], name_after=unit["name"])
    return books.rows


def leader_quotas(bundle: Bundle, filled: list[tuple[Seat, Record]]) -> list[Record]:
    """Leader posts by scope, level and kind, and rank posts by group: as many as are held, deputies at times one more."""
    counted = Counter((s.leads, s.level) for s, _ in filled if s.leads)
    spare = bundle.rng.random() < 0.2
    rows = []
    for (leads, level), held in sorted(counted.items()):
        scope = "单位领导" if leads.startswith("unit") else "内设机构领导"
        kind = "正职" if leads.endswith("main") else "副职"
        rows.append(
            {
                "scope": scope,
                "post_level": level,
                "rank_kind": kind,
                "n_approved": held + (spare and leads == "unit_deputy"),
                "is_above_level": False,
            }
        )
    groups = {c.label: str(c.attrs["group"]) for c in ranks("综合管理类") if c.attrs.get("group")}
    held_ranks = Counter(groups[p["rank"]] for _, p in filled if p.get("rank") in groups)
    rows += [{"scope": "职级职数", "rank_group": GROUPS[g], "n_approved": n + 1} for g, n in sorted(held_ranks.items())]
    day = weekday(bundle.unit["setup_date"] + timedelta(days=31))
    document = {"doc_no": document_no(bundle.planned.region, "编办", day, 1 + bundle.planned.nth % 99), "doc_date": day}
    code = bundle.planned.code
    return [
        {"leader_quota_no": f"L{code}-{n:02d}", "unit": code, **row, "status": "有效", **document, "remark": MARK}
        for n, row in enumerate(rows, start=1)
    ]


def contract_quotas(bundle: Bundle, used: dict[str, int]) -> list[Record]:
    """A control figure per category in use, in force for another year at least."""
    on, code, rng = bundle.on, bundle.planned.code, bundle.rng
    rows = []
    for nth, (category, number) in enumerate(sorted(used.items()), start=1):
        start = date(on.year - rng.randrange(0, 2), 1, 1)
        agreed = weekday(start - timedelta(days=20))
        rows.append({
            "contract_quota_no": f"K{code}-{nth:02d}", "unit": code, "category": category, "n_control": number + rng.randrange(0, 3),
            "valid_from": start, "valid_to": date(start.year + 2, 12, 31), "review_cycle": 3, "status": "有效",
            "approve_doc_no": document_no(bundle.planned.region, "编办", agreed, 200 + bundle.planned.nth % 300), "approve_date": agreed, "remark": MARK,
        })  # fmt: skip
    return rows
