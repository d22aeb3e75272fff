"""One table per data set, made from the dictionary. Column comments carry label and article; nothing is typed twice."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, LargeBinary, String, Table, Text, text

from workflow.db import Base, BigId, Json, UtcDateTime, YmdDate
from workflow.registry.dictionary import DataSet, Field, dictionary

# Facts about an ID number, computed when it is written (GB 11643-1999): rules never read the number itself.
ID_FACTS: dict[str, tuple[str, Any]] = {
    "id_form": ("身份证号形式", String(10)),
    "id_checksum_ok": ("身份证校验位相符", Boolean),
    "id_birth_valid": ("身份证出生段有效", Boolean),
    "id_birth_matches": ("出生日期与证号相符", Boolean),
    "id_sex_matches": ("性别与证号相符", Boolean),
    "id_region_known": ("身份证区划可识别", Boolean),
}
# Facts about a unified social credit code (GB 32100-2015), likewise.
USCC_FACTS: dict[str, tuple[str, Any]] = {
    "uscc_form_ok": ("信用代码格式相符", Boolean),
    "uscc_check_ok": ("信用代码校验相符", Boolean),
}
TYPES: dict[str, Any] = {
    "longtext": Text,
    "date": YmdDate,
    "month": Integer,
    "int": BigId,
    "bool": Boolean,
    "code": String(12),
    "uscc": String(18),
}


def _columns(f: Field, dataset: DataSet) -> list[Column[Any]]:
    comment = f"{f.label} {' '.join(f.basis)}".strip()
    if f.type == "id":
        hashed = Column(f"{f.name}_hash", LargeBinary, comment=f"{f.label} 盲索引 HMAC-SM3")
        facts = [Column(name, kind, comment=label) for name, (label, kind) in ID_FACTS.items()]
        return [Column(f.column, LargeBinary, comment=f"{comment} SM4-GCM"), hashed, *facts]
    if f.type == "ref":
        # Rows of one file may name each other in any order: references within a data set are checked at the end.
        own = f.ref == dataset.name
        target = ForeignKey(f"{f.ref}.id", deferrable=own or None, initially="DEFERRED" if own else None)
        return [Column(f.column, BigId, target, comment=comment)]
    if f.type == "uscc":
        facts = [Column(name, kind, comment=label) for name, (label, kind) in USCC_FACTS.items()]
        return [Column(f.column, TYPES[f.type], comment=comment), *facts]
    kind = String(f.length) if f.type == "text" else TYPES[f.type]
    return [Column(f.column, kind, nullable=f.name != dataset.key, comment=comment)]


REMOVED = "removed_on IS NOT NULL"


def _table(dataset: DataSet) -> Table:
    columns: list[Any] = [Column("id", BigId, primary_key=True)]
    for f in dataset.fields.values():
        columns += _columns(f, dataset)
    columns += [
        Column("version", Integer, nullable=False, server_default="1", comment="第几版，每次写入加一"),
        Column("removed_on", YmdDate, comment="移除日期；为空表示现存"),
        Column("first_entered_by", String(64), nullable=False, comment="首录人员 办法7 办法8"),
        Column("first_entered_at", UtcDateTime, nullable=False, comment="首录时间 UTC"),
        Column("changed_at", UtcDateTime, nullable=False, comment="最近写入时间 UTC"),
        Column("batch_id", BigId, comment="最近写入的导入批次"),
        Column("extra", Json, comment="尚无专列的补充字段"),
        Index(None, dataset.key, unique=True),
        # Small, for few records are ever removed: those at hand are counted as all less these, without reading a row.
        Index(None, "removed_on", postgresql_where=text(REMOVED), sqlite_where=text(REMOVED)),
    ]
    for f in dataset.fields.values():
        if f.type == "ref":
            # A day beside the unit lets the search for namesakes of one unit (P12) read the index alone.
            day = ["birth_date"] if f.name == dataset.unit and "birth_date" in dataset.fields else []
            columns.append(Index(None, f.column, *day))
        if f.type == "id":
            columns.append(Index(None, f"{f.name}_hash"))
        if f.name == "name":
            columns.append(Index(None, f.column))  # a roster is searched by the beginning of a name
    if dataset.name == "unit":
        # Whom a county's office reaches is asked with every statement, and whether the tree changed with most pages.
        columns += [Index(None, "district_code"), Index(None, "changed_at")]
    return Table(dataset.name, Base.metadata, *columns, comment=dataset.title)


TABLES: dict[str, Table] = {name: _table(dataset) for name, dataset in dictionary().datasets.items()}


def facts_of(dataset: DataSet) -> dict[str, tuple[str, Any]]:
    """The derived facts beside the dictionary's fields: column → (label, type); rules may name the labels."""
    kinds = {f.type for f in dataset.fields.values()}
    return (ID_FACTS if "id" in kinds else {}) | (USCC_FACTS if "uscc" in kinds else {})
