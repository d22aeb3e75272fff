"""The import template of a data set: labels in the first row, drop-downs, a note at every column. The first sheet can be handed in as it is."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import IO, Any

import xlsxwriter
from xlsxwriter.utility import xl_col_to_name

from workflow.registry.dictionary import DataSet, Field, dictionary
from workflow.registry.importing.annotate import WORKBOOK_OPTIONS
from workflow.registry.values import choices

ROWS = 5000  # rows that the drop-downs reach
CODES, NOTES = "代码", "填写说明"
KINDS = {
    "text": "文本", "longtext": "长文本", "code": "从下拉列表选择", "date": "日期，例如 2019-01-15", "month": "年月，例如 2019-01",
    "int": "整数", "bool": "是或否", "ref": "已有记录的编码", "id": "文本格式的身份证号码，不得以数字格式存放", "uscc": "18位统一社会信用代码",
}  # fmt: skip


def template(dataset: str, to: Path | IO[bytes], *, today: date) -> None:
    """Write the template of a data set, with the codes valid on that day."""
    described = dictionary()[dataset]
    with xlsxwriter.Workbook(
        str(to) if isinstance(to, Path) else to, WORKBOOK_OPTIONS | {"constant_memory": False}
    ) as book:
        formats = {
            "plain": book.add_format({"bold": True, "bg_color": "#E8ECEF", "border": 1}),
            "required": book.add_format({"bold": True, "bg_color": "#E8ECEF", "border": 1, "font_color": "#B01E1E"}),
            "text": book.add_format({"num_format": "@"}),
            "wrap": book.add_format({"text_wrap": True, "valign": "top"}),
        }
        sheet, notes, codes = (book.add_worksheet(name) for name in (described.title[:30], NOTES, CODES))
        codes.hide()
        _write_codes(codes, described, today)
        _write_notes(notes, described, formats)
        sheet.set_column(0, len(described.importable) - 1, 16, formats["text"])
        sheet.freeze_panes(1, 1)
        for place, f in enumerate(described.importable):
            sheet.write_string(0, place, f.label, formats["required" if f.required else "plain"])
            sheet.write_comment(0, place, note(f), {"x_scale": 2})
            _add_list(sheet, described, f, place, today)


def note(f: Field) -> str:
    """What the template says of a column: kind, length, whether required or locked, hint, sample."""
    parts = [KINDS[f.type] + (f"，最多 {f.length} 字" if f.type == "text" else "")]
    if f.required or f.required_when:
        parts.append("必填" if f.required else f"{f.required_when} 时必填")
    if f.locked:
        parts.append("锁定字段：写入后只能由编办修改")
    parts += [part for part in (f.note, f"示例：{f.sample}" if f.sample else "") if part]
    return "\n".join(parts)


def _coded(dataset: DataSet) -> list[Field]:
    return [f for f in dataset.importable if f.type == "code"]


def _write_codes(sheet: Any, dataset: DataSet, today: date) -> None:
    """One column a coded field: the labels that the drop-down offers."""
    for place, f in enumerate(_coded(dataset)):
        sheet.write_string(0, place, f.label)
        for row, code in enumerate(choices(f, today), 1):
            sheet.write_string(row, place, code.label)


def _add_list(sheet: Any, dataset: DataSet, f: Field, place: int, today: date) -> None:
    if f.type == "bool":
        sheet.data_validation(1, place, ROWS, place, {"validate": "list", "source": ["是", "否"]})
    elif f.type == "code" and choices(f, today):
        column = xl_col_to_name(_coded(dataset).index(f), col_abs=True)
        source = f"='{CODES}'!{column}$2:{column}${len(choices(f, today)) + 1}"
        refusal = {"error_title": f.label, "error_message": "请从下拉列表中选择"}
        sheet.data_validation(1, place, ROWS, place, {"validate": "list", "source": source, **refusal})


def _write_notes(sheet: Any, dataset: DataSet, formats: dict[str, Any]) -> None:
    """The second sheet: one row a field."""
    heads = ("字段", "填写要求", "必填", "锁定", "来源部门", "依据", "示例")
    for place, (head, width) in enumerate(zip(heads, (22, 50, 8, 8, 12, 40, 24), strict=True)):
        sheet.set_column(place, place, width, formats["wrap"])
        sheet.write_string(0, place, head, formats["plain"])
    for row, f in enumerate(dataset.importable, 1):
        required = "是" if f.required else f.required_when or ""
        kind = "；".join(part for part in (KINDS[f.type], f.note) if part)
        cells = (f.label, kind, required, "是" if f.locked else "", f.source, "、".join(f.basis), f.sample)
        for place, cell in enumerate(cells):
            sheet.write_string(row, place, cell)
    rules = (
        "表头须与模板一致，可以删去不填的列；空白单元格表示清空该项，不含的列保持原值。",
        f"「{dataset.fields[dataset.key].label}」是记录的标识"
        + ("，新增时留空由平台编码。" if dataset.key_pattern else "，每行必填。"),
        "一个文件要么全部写入，要么完全不写；同一文件重复导入不产生变化。",
    )
    for row, rule in enumerate(rules, len(dataset.importable) + 2):
        sheet.write_string(row, 0, rule)
