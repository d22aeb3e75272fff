"""Rule texts: what the language admits and refuses, three-valued answers, the traps between engines, and a broken rule among sound ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from tests.quality.conftest import TODAY
from tests.quality.staged import stage
from workflow.errors import DefinitionError
from workflow.quality.amendments import Amended, source_of, with_amendment
from workflow.quality.compiler import compile_book, compile_rule
from workflow.quality.explain import message, values
from workflow.quality.findings import find
from workflow.quality.increment import record_scope
from workflow.quality.rulebook import RuleBook
from workflow.quality.rules import compiled, load, rules
from workflow.quality.vocabulary import DIALECTS
from workflow.registry.dictionary import dictionary

Row = dict[str, Any]
MakeBook = Callable[..., RuleBook]


@pytest.fixture
def book_of(tmp_path: Path) -> MakeBook:
    """Makes a rule book of some rows; what a row leaves out is filled in."""

    def make(*rows: Row, measures: list[Row] | None = None) -> RuleBook:
        folder = tmp_path / "definitions" / "rules"
        folder.mkdir(parents=True, exist_ok=True)
        told = {"title": "试", "level": "E", "basis": ["办法10"], "message": "试", "remedy": "试", "of": "person"}
        rules = [told | {"id": f"R{i}"} | row for i, row in enumerate(rows)]
        (folder / "R.yaml").write_text(
            yaml.safe_dump({"group": "R", "title": "试", "rules": rules}, allow_unicode=True)
        )
        (folder / "measures.yaml").write_text(yaml.safe_dump({"measures": measures or []}, allow_unicode=True))
        return load(folder.parent, dictionary())

    return make


def _found(session: Session, book: RuleBook, rows: Row, dataset: str = "person") -> list[tuple[Any, ...]]:
    stage(session.connection(), book.dictionary, dataset, rows)
    result = find(session, TODAY, book=book)
    assert result.failed == []
    told = session.execute(text("SELECT rule_id, record_key, part FROM found ORDER BY rule_id, record_id, part")).all()
    session.rollback()
    return [tuple(row) for row in told]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"must": "出生日其 IS NOT NULL"}, "没有“出生日其”"),
        ({"must": "性别 = '雄'"}, "没有“雄”"),
        ({"must": "在编状态 > '在编'"}, "不能比较大小"),
        ({"must": "姓名 > '王'"}, "不能比较大小"),
        ({"must": "出生日期 = NULL"}, "IS NULL"),
        ({"must": "出生日期 = 法定退休年月"}, "日期不能与年月相比"),
        ({"must": "法定退休年月 + 1 > 202601"}, "加月"),
        ({"must": "姓名"}, "应是判断"),
        ({"must": "姓名 LIKE '王%'"}, "不允许 Like"),
        ({"must": "姓名 || '先生' = '王先生'"}, "不允许 DPipe"),
        ({"must": "出生日期 IN (SELECT 1)"}, "IN"),
        ({"must": "EXISTS (SELECT 1)"}, "不允许 Exists"),
        ({"must": "1 = 1; DROP TABLE person"}, "应是一个表达式"),
        ({"must": "1 = 1 FROM person"}, "应是一个表达式"),
        ({"must": "出生日期 BETWEEN SYMMETRIC 1 AND 2"}, "不允许 Between"),
        ({"must": "性别 = '男' AND ("}, "读不懂"),
        ({"must": "CASE 性别 WHEN '男' THEN TRUE END"}, "CASE WHEN"),
        ({"must": "岁数(出生日期) > 18"}, "没有函数“岁数”"),
        ({"must": "到岁(出生日期) > 18"}, "要 2 个参数"),
        ({"must": "到岁(姓名, 1) > 18"}, "应是日期"),
        ({"must": "含字符(姓名, '怪字')"}, "没有字符类"),
        ({"must": "职务层次.orders > 3"}, "没有统一的属性"),
        ({"must": "所在单位.隶属.隶属.机构全称 IS NOT NULL"}, "最多经过"),
        ({"must": "入编时间 >= '2026-02-30'"}, "没有“2026-02-30”"),
        ({"must": "编外人数 > 0"}, "没有“编外人数”"),
        ({"must": "出生日期 <= 检查日"}, "flips"),
        ({"must": "性别 = 民族"}, "不能相比"),
        ({"must": "姓名 BETWEEN 1 AND 2"}, "不能比较大小"),
        ({"must": "NOT 出生日期"}, "应是判断"),
        ({"must": "TRUE", "message": "号码 {身份证号}"}, "证件号码不得写入提示"),
        ({"must": "TRUE", "message": "{出生年月}"}, "没有“出生年月”"),
        ({"unique": ["所在单位.机构全称"]}, "自己的标签"),
        ({"none": {"of": "contract", "match": {"身份证号": "姓名"}}}, "不是同一类"),
        ({"each": ["没有这项"], "must": "值 IS NULL"}, "没有字段"),
        ({"per": "编制类型", "must": "TRUE"}, "没有按“编制类型”分列的指标"),
    ],
)
def test_a_text_outside_the_language_is_refused_by_file_and_rule(book_of: MakeBook, row: Row, says: str) -> None:
    with pytest.raises(DefinitionError) as refused:
        compiled(book_of(row), "sqlite")
    assert says in str(refused.value)
    assert "R.yaml" in str(refused.value)
    assert "R0" in str(refused.value)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"must": "TRUE", "unique": ["姓名"]}, "应恰有一种写法"),
        ({}, "应恰有一种写法"),
        ({"must": "TRUE", "level": "X"}, "未知的级别"),
        ({"must": "TRUE", "muss": 1}, "未知的键"),
        ({"must": "TRUE", "of": "pferson"}, "没有数据集"),
        ({"must": "TRUE", "field": "姓明"}, "field 没有“姓明”"),
        ({"must": "TRUE", "basis": []}, "都须写明"),
        ({"none": {"of": "contract", True: {"身份证号": "身份证号"}}}, "match"),
    ],
)
def test_a_row_that_is_no_rule_is_refused_at_load(book_of: MakeBook, row: Row, says: str) -> None:
    with pytest.raises(DefinitionError, match=says):
        book_of(row)


def test_the_same_rule_twice_for_a_data_set_is_refused(book_of: MakeBook) -> None:
    with pytest.raises(DefinitionError, match="重复"):
        book_of({"id": "R1", "must": "TRUE"}, {"id": "R1", "must": "TRUE"})


@pytest.mark.parametrize(
    ("measure", "says"),
    [
        ({"name": "人数", "of": "unit", "from": "person", "by": "姓名"}, "引用项"),
        ({"name": "人数", "of": "unit", "from": "person", "by": "所在单位", "where": "入编 = 1"}, "没有“入编”"),
        ({"name": "机构全称", "of": "unit", "from": "person", "by": "所在单位"}, "重名"),
        ({"name": "人数", "of": "unit", "from": "person", "by": "所在单位", "where": "入编时间 <= 检查日"}, "flips"),
        ({"name": "人数", "of": "unit", "from": "person", "by": "所在单位", "value": "1", "fold": "mean"}, "汇总方式"),
    ],
)
def test_a_measure_that_cannot_be_counted_is_refused(book_of: MakeBook, measure: Row, says: str) -> None:
    with pytest.raises(DefinitionError, match=says):
        compiled(book_of({"must": "TRUE"}, measures=[measure]), "postgresql")


THREE_VALUED = [
    ("参加工作时间 > 出生日期", {"出生日期": "1985-06-15"}, False),
    ("NOT 参加工作时间 > 出生日期", {"出生日期": "1985-06-15"}, False),
    ("参加工作时间 > 出生日期 AND 姓名 = '李四'", {"姓名": "王小明"}, True),
    ("参加工作时间 > 出生日期 OR 姓名 = '李四'", {"姓名": "王小明"}, False),
    ("性别 IN ('男', '女')", {}, False),
    ("性别 NOT IN ('男')", {"性别": "男"}, True),
    ("NOT 特招人员", {}, False),
    ("NOT 特招人员", {"特招人员": "是"}, True),
    ("COALESCE(特招人员, FALSE)", {}, True),
    ("连续旷工天数 BETWEEN 0 AND 15", {"连续旷工天数": 16}, True),
    ("CASE WHEN 性别 = '男' THEN 出生日期 > 19800101 ELSE FALSE END", {"出生日期": "1985-06-15"}, True),
    ("NULLIF(连续旷工天数, 0) > 1", {"连续旷工天数": 0}, False),
    ("姓名 IS NULL", {"姓名": "王"}, True),
]


def test_unknown_never_fails_and_false_does(both_engines: Engine, book_of: MakeBook) -> None:
    with Session(both_engines) as session:
        told = [(must, row, bool(_found(session, book_of({"must": must}), row))) for must, row, _ in THREE_VALUED]
    assert told == THREE_VALUED


FALSE_ON_BOTH = [
    ("形如(姓名, 'ABC*')", {"姓名": "abcd"}),
    ("形如(入编文号, '?编〔[0-9][0-9]〕*')", {"入编文号": "甬编〔１９〕3号"}),
    ("形如(姓名, '王?')", {"姓名": "王小\n"}),
    ("形如(姓名, 'a_%')", {"姓名": "abc"}),
    ("含(姓名, 'o')", {"姓名": "O'NEIL"}),
    ("姓名 = 'x:today'", {"姓名": "O'Neil"}),
    ("NOT 含(姓名, '''')", {"姓名": "O'Neil"}),
    ("含字符(姓名, '数字')", {"姓名": "王１"}),
    ("NOT 含字符(姓名, '非汉字')", {"姓名": "王a"}),
    ("整除(连续旷工天数, 2) = 4", {"连续旷工天数": 7}),
    ("余(连续旷工天数, 4) = 0", {"连续旷工天数": 7}),
    ("去空(姓名) = 姓名", {"姓名": "王小明\u3000"}),
    ("右(姓名, 1) = '小'", {"姓名": "王小明"}),
    ("文号年份(入编文号) = 2020", {"入编文号": "甬编〔2021〕5号"}),
    ("到岁(出生日期, 18) <= 入编时间", {"出生日期": "2008-03-02", "入编时间": "2026-03-01"}),
    ("加月日(出生日期, 14) = 20260531", {"出生日期": "2025-03-30"}),
    ("加月(法定退休年月, -3) = 202511", {"法定退休年月": 202601}),
    ("日序(入编时间) - 日序(出生日期) = 60", {"出生日期": "2024-01-01", "入编时间": "2024-03-02"}),
    ("加日(出生日期, 30) = 20240330", {"出生日期": "2024-02-28"}),
    ("属于(使用编制类型, '事业编制')", {"使用编制类型": "行政编制"}),
]


def test_the_vocabulary_says_the_same_on_both_engines(both_engines: Engine, book_of: MakeBook) -> None:
    with Session(both_engines) as session:
        held = [must for must, row in FALSE_ON_BOTH if len(_found(session, book_of({"must": must}), row)) != 1]
    assert held == []


def test_a_removed_record_is_out_of_rules_groups_references_and_figures(
    both_engines: Engine, book_of: MakeBook
) -> None:
    book = book_of(
        {"unique": ["姓名"]},
        {"must": "所在单位.机构全称 IS NOT NULL"},
        {"of": "unit", "must": "人数 = 2"},
        measures=[{"name": "人数", "of": "unit", "from": "person", "by": "所在单位"}],
    )
    people = [{"人员编码": f"P{i}", "姓名": "王小明", "所在单位": "U1"} for i in (1, 2)]
    rows = {"unit": [{"机构编码": "U1", "机构全称": "局"}], "person": people}
    with Session(both_engines) as session:
        assert _found(session, book, rows) == [("R0", "P1", ""), ("R0", "P2", "")]
        stage(session.connection(), book.dictionary, "person", rows)
        session.execute(text("UPDATE unit SET removed_on = 20260301"))
        session.execute(text("UPDATE person SET removed_on = 20260301 WHERE person_code = 'P2'"))
        find(session, TODAY, book=book)
        assert session.execute(text("SELECT rule_id, record_key FROM found")).all() == [("R1", "P1")]
        session.rollback()


@pytest.mark.parametrize("engine_name", ["sqlite", "postgresql"])
def test_every_rule_in_force_compiles_to_one_statement(rule_book: RuleBook, engine_name: str) -> None:
    for rule in rule_book.rules:
        statement = compile_rule(rule, rule_book, engine_name).insert_sql()
        assert statement.startswith("INSERT INTO found")
        assert ";" not in statement


def test_a_broken_rule_is_reported_and_takes_nothing_from_the_others(both_engines: Engine, book_of: MakeBook) -> None:
    broken = {"must": "ABS(0 - 9223372036854775807 - 连续旷工天数) > 0"}
    book = book_of({"must": "姓名 = '李四'"}, broken, {"must": "连续旷工天数 < 1"})
    with Session(both_engines) as session:
        stage(session.connection(), book.dictionary, "person", {"姓名": "王小明", "连续旷工天数": 1})
        result = find(session, TODAY, book=book)
        assert [run.rule_id for run in result.failed] == ["R1"]
        assert result.failed[0].error
        assert session.execute(text("SELECT rule_id FROM found ORDER BY 1")).scalars().all() == ["R0", "R2"]
        assert session.execute(text("SELECT rule_id FROM judged ORDER BY 1")).scalars().all() == ["R0", "R2"]
        session.rollback()


@pytest.mark.parametrize("scoped", [False, True])
def test_a_broken_rule_leaves_the_suspects_to_those_that_share_them(
    both_engines: Engine, book_of: MakeBook, scoped: bool
) -> None:
    broken = {"unique": ["姓名"], "when": "ABS(0 - 9223372036854775807 - 连续旷工天数) > 0"}
    book = book_of(broken, {"unique": ["姓名"]}, {"unique": ["姓名"], "when": "性别 IS NULL"})
    with Session(both_engines) as session:
        rows = [{"姓名": name, "连续旷工天数": 1} for name in ("王小明", "王小明", "李四")]
        stage(session.connection(), book.dictionary, "person", {"person": rows})
        if scoped:
            record_scope(session, "person", [1], book)
        result = find(session, TODAY, book=book, scoped=scoped)
        assert [run.rule_id for run in result.failed] == ["R0"]
        found = session.execute(text("SELECT rule_id, record_id FROM found ORDER BY 1, 2")).all()
        assert [tuple(row) for row in found] == [("R1", 1), ("R1", 2), ("R2", 1), ("R2", 2)]
        session.rollback()


def test_a_broken_measure_fails_the_rules_that_read_it(both_engines: Engine, book_of: MakeBook) -> None:
    value = "ABS(0 - 9223372036854775807 - 连续旷工天数)"
    measure = {"name": "天数", "of": "unit", "from": "person", "by": "所在单位", "value": value}
    book = book_of({"of": "unit", "must": "天数 = 0"}, {"must": "姓名 = '李四'"}, measures=[measure])
    rows = {"unit": [{"机构编码": "U1"}], "person": [{"姓名": "王小明", "连续旷工天数": 1, "所在单位": "U1"}]}
    with Session(both_engines) as session:
        stage(session.connection(), book.dictionary, "person", rows)
        result = find(session, TODAY, book=book)
        assert [run.rule_id for run in result.failed] == ["R0"]
        assert session.execute(text("SELECT rule_id FROM found")).scalars().all() == ["R1"]
        session.rollback()


def test_the_message_shows_labels_days_and_names_and_masks_numbers(book_of: MakeBook) -> None:
    book = book_of(
        {
            "must": "TRUE",
            "message": "{姓名}（{性别}）{出生日期} 在 {所在单位}，试用期 {是否试用期}，退休 {法定退休年月}，电话 {联系电话}",
        },
        {"each": ["入编时间", "入编文号"], "must": "值 IS NULL", "message": "{字段} 为 {值}"},
    )
    facts = {
        "姓名": "王小明",
        "性别": "1",
        "出生日期": 19850615,
        "所在单位": "市教育局",
        "是否试用期": 0,
        "法定退休年月": 204807,
        "联系电话": None,
    }
    told = message("R0", "person", facts, book=book)
    assert told == "王小明（男）1985-06-15 在 市教育局，试用期 否，退休 2048-07，电话（空）"
    assert message("R1", "person", {"值": "20080801"}, "entry_date", book=book) == "入编时间 为 2008-08-01"
    assert values("R1", "person", {"值": "20080801"}, "entry_date", book=book) == [("入编时间", "2008-08-01")]
    assert "不在现行规则" in message("R9", "person", {}, book=book)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_amended_book_is_compiled_like_one_that_was_written_so(dialect: str) -> None:
    changed = source_of("F01").replace("必填", "必须填写")
    amended = with_amendment(rules(), Amended(1, "F01", "change", changed))
    anew = compile_book(amended, dialect)
    made = compiled(amended, dialect).made
    told = [
        {key: (rule.insert_sql(), rule.tell_sql(), rule.before) for key, rule in book.rules.items()}
        for book in (made, anew)
    ]
    assert told[0] == told[1]
    assert made.families.keys() == anew.families.keys()
    kept = [key for key, rule in made.rules.items() if rule is compiled(rules(), dialect).made.rules.get(key)]
    assert {rule.id for rule in amended.rules} - {key[0] for key in kept} == {"F01"}
