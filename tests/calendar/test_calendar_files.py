"""A calendar file that says something impossible does not load, and the message names file and notice."""

from __future__ import annotations

from pathlib import Path

import pytest

from workflow.calendar.calendar import load_calendar
from workflow.errors import DefinitionError

GOOD = """
year: 2027
notices:
  - number: 国办发明电〔2026〕9号
    title: 国务院办公厅关于2027年部分节假日安排的通知
    issued_on: 2026-11-03
    holidays:
      - {name: 元旦, from: 2027-01-01, to: 2027-01-03}
      - {name: 春节, from: 2027-02-05, to: 2027-02-12}
    work:
      - {date: 2027-02-20, makes_up: 春节}
"""


def write(folder: Path, text: str, name: str = "2027.yaml") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_a_good_file_loads_without_its_neighbours(tmp_path: Path) -> None:
    assert load_calendar(write(tmp_path, GOOD)).announced == {2027}


def test_a_comment_does_not_change_the_version(tmp_path: Path) -> None:
    plain = load_calendar(write(tmp_path, GOOD)).version
    assert load_calendar(write(tmp_path, "# 说明\n" + GOOD)).version == plain
    assert load_calendar(write(tmp_path, GOOD.replace("02-12", "02-11"))).version != plain


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("year: 2027", "year: 2028", "应与文件名一致"),
        ("year: 2027", "year: '2027'", "“year”应为整数"),
        ("title:", "titel:", "不认识“titel”（可用：holidays、issued_on、number、title、work）"),
        ("    issued_on: 2026-11-03\n    holidays:", "    off:", "不认识“False”"),
        ("{name: 春节, from", "{from", "缺少“name”"),
        ("from: 2027-02-05", "from: 2027年2月5日", "“from”应为日期"),
        ("from: 2027-02-05", "from: 2027-02-13", "春节的起止日期颠倒"),
        ("from: 2027-02-05", "from: 2027-01-03", "2027-01-03 在同一通知中出现了两次"),
        ("to: 2027-02-12", "to: 2027-02-21", "2027-02-20 在同一通知中出现了两次"),
        ("2027-02-20", "2027-02-22", "2027-02-22 不是周六、周日"),
        ("2027-02-20", "2028-02-19", "2028-02-19 不在2027年"),
        ("2027-02-20", "2026-11-28", "2026-11-28 不在2027年（或上年12月）"),
        ("makes_up: 春节", "makes_up: 中秋节", "所补的“中秋节”不在本通知的假期中（可用：元旦、春节）"),
        (GOOD[GOOD.index("notices:") :], "notices: []", "至少要有一份通知"),
        (GOOD[GOOD.index("  - number") :], "  - 国办发明电", "应为“名称: 值”的形式"),
        ("notices:", "notices: [", "不是可读的 YAML"),
        ("2027-02-20", "2027-02-30", "不是可读的 YAML"),
    ],
)
def test_a_wrong_file_is_refused_by_name(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in GOOD
    with pytest.raises(DefinitionError) as refusal:
        load_calendar(write(tmp_path, GOOD.replace(old, new, 1)))
    assert says in str(refusal.value)
    assert "2027.yaml" in str(refusal.value)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="没有一份节假日安排文件"):
        load_calendar(tmp_path)
