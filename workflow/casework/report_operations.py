"""Which operations are an adjustment of important data (办法17, readings 5.5), and how each is named in a request. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from workflow.casework.models import Filing
from workflow.casework.reporting import Operation, digest_key
from workflow.periodic.locking import month_locked
from workflow.periodic.months import month_of
from workflow.quality.terms import policies_of
from workflow.registry.dictionary import dictionary
from workflow.registry.models import ImportBatch

PERSONAL = ("person", "position", "contract")  # data sets whose export is personal data


def batch_needs_request(session: Session, batch: ImportBatch, unit_id: int | None) -> bool:
    """Whether an import writes more records than may be written on one's own word (report.batch_rows)."""
    most = policies_of(session, [unit_id])[unit_id].count("report.batch_rows")
    return (batch.created or 0) + (batch.updated or 0) > most


def batch_operation(batch: ImportBatch) -> Operation:
    """An import, bound to its very file by the SHA-256."""
    created, updated = batch.created or 0, batch.updated or 0
    title = dictionary()[batch.dataset].title
    says = (
        f"导入“{batch.file_name}”（{title}）：新增 {created} 条、更新 {updated} 条，文件 SHA-256 {batch.sha256[:16]}…"
    )
    return Operation(f"batch:{batch.id}", "batch", says, created + updated, f"/imports/{batch.id}")


def export_needs_request(session: Session, dataset: str, rows: int, unit_id: int | None) -> bool:
    """Whether an export holds the personal data of more people than may be taken out on one's own word (report.export_people)."""
    most = policies_of(session, [unit_id])[unit_id].count("report.export_people")
    return dataset in PERSONAL and rows > most


def export_key(dataset: str, wanted: Mapping[str, Any], account: str) -> str:
    """The key of an export: this list, as it is narrowed, by this account."""
    return digest_key("export", {"dataset": dataset, "filter": wanted, "account": account})


def export_operation(dataset: str, wanted: Mapping[str, Any], account: str, rows: int, link: str) -> Operation:
    """An export of a list as it is narrowed, by one account."""
    narrowed = "、".join(f"{v}" for k, v in wanted.items() if v and k not in ("dataset", "codes"))
    narrowed += "".join(f"、{code}" for _, code in wanted.get("codes", ()))
    says = f"由 {account} 导出{dictionary()[dataset].title} {rows} 条{f'（条件：{narrowed}）' if narrowed else ''}"
    return Operation(export_key(dataset, wanted, account), "export", says, rows, link)


def filing_operation(session: Session, filing: Filing, today: date) -> Operation | None:
    """What of a filing needs a request; None where nothing does.

    Important fields of a record that stands, and whatever concerns a month that is locked. Entry and exit have procedures of their
    own (readings 5.5), outside locked months.
    """
    title, key = dictionary()[filing.dataset].title, filing.record_key or "新增"
    month = locked_month(session, filing, today)
    if month:
        says = f"在月报已锁定的 {month} 更改{title} {key}：{_changes(filing, filing.lines)}"
        return Operation(f"filing:{filing.case_id}", "locked_month", says, 1, f"/filings/{filing.case_id}", month)
    important = [line for line in filing.lines if line["important"]]
    if filing.record_id is None or filing.kind == "exit" or not important:
        return None
    says = f"更改{title} {key}：{_changes(filing, important)}"
    return Operation(f"filing:{filing.case_id}", "important_field", says, 1, f"/filings/{filing.case_id}")


def locked_month(session: Session, filing: Filing, today: date) -> str:
    """The month (YYYY-MM) of a filing's fact where the unit's report of it is locked; empty where it is not (办法10(三)).

    A month that is not over is never locked, and not asked for.
    """
    month = month_of(filing.fact_on)
    if month >= month_of(today):
        return ""
    return month if month_locked(session, filing.unit_id, month) is not None else ""


def _changes(filing: Filing, lines: list[Any]) -> str:
    return "；".join(f"{line['label']} {line['old'] or '空'} → {line['new'] or '空'}" for line in lines)
