"""The first row of a file: exactly the dictionary's labels, each once, key or identity among them. One sentence per fault."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

from workflow.registry.dictionary import DataSet, Field
from workflow.registry.importing.reader import Table
from workflow.registry.origin import RowError, RowsRefused
from workflow.registry.values import clip

ERROR_COLUMN = "错误说明"  # the column that an annotated copy adds; ignored when it comes back


@dataclass(frozen=True)
class Header:
    """Which column holds which field: (place from 0, field), in file order; `blank` the places without a label."""

    columns: tuple[tuple[int, Field], ...]
    blank: tuple[int, ...]


def read_header(dataset: DataSet, table: Table) -> Header:
    """The columns of a table. Raises RowsRefused with one error per faulty column."""
    labels = [str(cell).strip() if cell not in ("", None) else "" for cell in table.header]
    known = {f.label: f for f in dataset.importable}
    columns = tuple((place, known[label]) for place, label in enumerate(labels) if label in known)
    errors = [*_faults(dataset, labels, known), *_missing(dataset, [f.name for _, f in columns])]
    errors += [_merged_fault(span, labels) for span in table.merged]
    if errors:
        raise RowsRefused(errors)
    return Header(columns, tuple(place for place, label in enumerate(labels) if not label))


def _faults(dataset: DataSet, labels: list[str], known: dict[str, Field]) -> list[RowError]:
    errors: list[RowError] = []
    seen: dict[str, int] = {}
    for place, label in enumerate(labels):
        where = f"第 1 行第 {place + 1} 列"
        if not label or label.startswith(ERROR_COLUMN):
            continue
        if label in seen:
            errors.append(_fault(label, f"{where}的表头「{label}」与第 {seen[label] + 1} 列重复"))
        elif label in dataset.by_label and dataset.by_label[label].derived:
            errors.append(_fault(label, f"{where}的「{label}」由平台计算，不能导入，请删除此列"))
        elif label not in known:
            near = get_close_matches(label, known, n=1, cutoff=0.5)
            hint = f"，是否应为「{near[0]}」" if near else ""
            errors.append(_fault(label, f"{where}的表头「{clip(label)}」不是{dataset.title}的字段{hint}"))
        seen.setdefault(label, place)
    return errors


def _missing(dataset: DataSet, present: list[str]) -> list[RowError]:
    if dataset.key in present:
        return []
    if dataset.key_pattern and dataset.identity and all(name in present for name in dataset.identity):
        return []
    label = dataset.fields[dataset.key].label
    others = "、".join(f"「{dataset.fields[name].label}」" for name in dataset.identity)
    alternative = f"（或{others}）" if dataset.key_pattern and others else ""
    return [_fault(label, f"第 1 行缺少列「{label}」{alternative}，请使用模板的表头")]


def _merged_fault(span: tuple[tuple[int, int], tuple[int, int]], labels: list[str]) -> RowError:
    (top, left), (bottom, _) = span
    label = labels[left] if left < len(labels) else ""
    rows = f"第 {top + 1} 行" if top == bottom else f"第 {top + 1} 至 {bottom + 1} 行"
    column = f"「{label}」列" if label else f"第 {left + 1} 列"
    message = f"{rows}{column}有合并单元格，请取消合并并逐行填写"
    return RowError(top + 1, "", label, "", "merged_cells", message)


def _fault(label: str, message: str) -> RowError:
    return RowError(1, "", clip(label), "", "header", message)
