"""批量填报: one change for many records, drafted as one filing each."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, g, render_template, request

from web.database import session
from web.filing_opening import ENTERED, begun_by
from web.identity import actor
from web.permissions import permission
from workflow.casework import filing as about
from workflow.casework.filing_batch import most_at_once, open_batch
from workflow.errors import BadInput, NotFound
from workflow.insight.lamps import view
from workflow.insight.record import record_named
from workflow.registry.dictionary import dictionary
from workflow.registry.queries import Record

bp = Blueprint("filing_batch", __name__)


@bp.get("/filings/batch")
@permission("filing.begin")
def page() -> Any:
    """One change for many records: which, which field, what, on what basis."""
    return _form(request.args)


@bp.post("/filings/batch")
@permission("filing.begin")
def begin() -> Any:
    """Draft it for every record, or say for each why not."""
    sent = request.form
    dataset, field = sent.get("dataset", ""), sent.get("field", "")
    try:
        if dataset not in ENTERED:
            raise BadInput("请选择数据集", errors=[{"field": "dataset"}])
        records = _records(dataset, sent.get("keys", ""))
        texts = {name: sent.get(name, "") for name in ("_doc_no", "_doc_on", "_fact_on", "_reason", "_late_reason")}
        given = {name: text for name, text in texts.items() if text} | ({field: sent.get("value", "")} if field else {})
        drafted = open_batch(session(), dataset, records, given, now=g.now, by=begun_by)
    except BadInput as bad:
        session().rollback()
        return _form(sent, bad), 400
    return render_template("filings/batch_done.html", drafted=drafted, dataset=dictionary()[dataset])


def _records(dataset: str, keys: str) -> list[Record]:
    wanted = list(dict.fromkeys(keys.split()))
    most = most_at_once(session(), actor().unit_id)
    if not wanted:
        raise BadInput("请填写记录编码，每行一个", errors=[{"field": "keys"}])
    if len(wanted) > most:
        raise BadInput(f"一次最多 {most} 条，更多的请用批量导入（须先请示）", errors=[{"field": "keys"}])
    found, seen = [], view(session(), actor())
    for number, key in enumerate(wanted, 1):
        try:
            found.append(record_named(session(), seen, dataset, key))
        except NotFound:
            says = f"第 {number} 条 {key[:40]}：没有这条记录，或不在您的管理范围内"
            raise BadInput(says, errors=[{"row": number, "field": "keys", "message": says}]) from None
    return found


def _form(given: Any, fault: BadInput | None = None) -> str:
    dataset = given.get("dataset") if given.get("dataset") in ENTERED else "person"
    fields = about.fields_of(dictionary()[dataset], new=False)
    return render_template(
        "filings/batch.html",
        given=given,
        fault=fault,
        dataset=dictionary()[dataset],
        datasets=[(name, dictionary()[name].title) for name in ENTERED],
        fields=[(f.name, f.label) for f in fields.values() if f.type != "id"],
        most=most_at_once(session(), actor().unit_id),
    )
