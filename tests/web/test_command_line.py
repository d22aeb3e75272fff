"""The command line itself: one JSON object, exit statuses of the contract, one Chinese sentence for whatever goes wrong."""

from __future__ import annotations

import json
import re
import secrets
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from web.cli import main
from workflow.policy import shipped_policies

CHINESE = re.compile(r"[一-鿿]")


class Done(NamedTuple):
    """What a command left: exit status, standard output, standard error."""

    status: int
    out: str
    err: str


Run = Callable[..., Done]


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory of its own on the embedded database."""
    monkeypatch.setenv("SANDENG_DATA_DIR", str(tmp_path / "var"))
    monkeypatch.delenv("SANDENG_DATABASE_URL", raising=False)
    return tmp_path / "var"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs one command as the console script does."""

    def command(*arguments: str) -> Done:
        with pytest.raises(SystemExit) as left:
            main(list(arguments))
        out, err = capsys.readouterr()
        return Done(int(left.value.code or 0), out, err)

    return command


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["chekc"], "没有命令“chekc”（可用："),
        (["check", "--onn", "2026-01-01"], "没有选项 --onn"),
        (["check", "--on"], "选项 --on 的用法不对"),
        (["check", "--on", "2026-02-30"], "“2026-02-30”不是 YYYY-MM-DD"),
        (["check", "--dataset", "people"], "没有“people”这个数据集"),
        (["template", "person"], "缺少选项 --out"),
        (["template", "people", "--out", "x.xlsx"], "没有“people”这个数据集"),
        (["template", "person", "--out", "nowhere/x.xlsx"], "没有文件夹 nowhere"),
        (["import", "person"], "缺少参数 FILE"),
        (["import", "person", "nowhere.xlsx"], "没有文件 nowhere.xlsx"),
        (["import", "people", "x.xlsx"], "没有“people”这个数据集"),
        (["export", "person", "--out", "x.pdf"], "扩展名应为 .xlsx 或 .csv"),
        (["export", "person", "--out", "."], "是文件夹"),
        (["export", "person", "--out", "x.csv", "--unit", "999"], "没有机构 999"),
        (["export", "person", "--out", "x.csv", "--by", "nobody"], "nobody"),
        (["unit", "999"], "没有机构 999"),
        (["findings", "--format", "xml"], "（可用：csv、json）"),
        (["deadline", "2026-03-02", "three"], "应为整数"),
        (["deadline", "2026-03-02", "-1"], "不能为负"),
        (["deadline", "02.03.2026", "3"], "不是 YYYY-MM-DD"),
        (["deadline", "2026-03-02", "3", "4"], "多出参数 4"),
        (["retire", "--sex", "女", "--birth", "1975-13", "--category", "F50"], "1975-13"),
        (["demo", "make", "--people", "-1", "--out", "x"], "每个机构至少 6 人"),
    ],
)
def test_whatever_is_wrong_is_said_in_one_chinese_sentence(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(*arguments)
    assert (done.status, done.out) == (2, "")
    assert says in done.err
    assert len(done.err.splitlines()) == 1
    assert CHINESE.search(done.err)


def test_in_production_no_more_people_are_taken_out_than_without_a_request(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("db", "upgrade").status == 0
    for name in ("SECRET_KEY", "DATA_KEY"):
        monkeypatch.setenv(f"SANDENG_{name}", secrets.token_hex(32))
    monkeypatch.setenv("SANDENG_ENV", "production")
    out, most = tmp_path / "人员.csv", shipped_policies().city.count("report.export_people")

    def written(rows: int) -> Callable[..., int]:
        return lambda _session, _dataset, path, **_more: path.write_text("x") and rows

    monkeypatch.setattr("workflow.registry.exporting.export", written(most + 1))
    refused = run("export", "person", "--out", str(out))
    assert refused.status != 0
    assert "须先请示批准" in refused.err
    assert not out.exists()
    monkeypatch.setattr("workflow.registry.exporting.export", written(most))
    assert run("export", "person", "--out", str(out)).status == 0
    assert out.exists()


def test_no_command_at_all_shows_the_help(run: Run) -> None:
    done = run()
    assert (done.status, done.out) == (2, "")
    assert "check" in done.err


@pytest.mark.parametrize(
    ("arguments", "keys"),
    [
        (["db", "upgrade"], {"revision"}),
        (["check", "--on", "2026-03-02"], {"run", "on", "records", "rules", "findings", "opened", "recurred", "still_open", "resolved", "seconds"}),
        (["findings"], {"findings"}),
        (["deadline", "2026-09-25", "3"], {"due_on", "provisional", "days"}),
        (["retire", "--sex", "男", "--birth", "1970-03", "--category", "M"], {"retire_month", "delay_months", "earliest", "latest"}),
        (["definitions", "check"], {"problems"}),
        (["routes"], {"routes"}),
    ],
)  # fmt: skip
def test_json_is_exactly_one_object(run: Run, arguments: list[str], keys: set[str]) -> None:
    done = run(*arguments, "--json")
    assert done.status == 0
    assert done.out.count("\n") == 1
    assert keys <= json.loads(done.out).keys()


def test_the_first_command_on_an_empty_data_directory_finds_its_tables(run: Run, data_dir: Path) -> None:
    assert run("findings").status == 0
    assert next(data_dir.glob("*.db")).stat().st_size > 0


def test_a_database_of_another_release_is_told_and_left_alone(run: Run, data_dir: Path) -> None:
    run("db", "upgrade")
    with closing(sqlite3.connect(next(data_dir.glob("*.db")), isolation_level=None)) as database:
        database.execute("UPDATE alembic_version SET version_num = '0000'")
    done = run("check")
    assert (done.status, done.out) == (2, "")
    assert "请先运行 sandeng db upgrade" in done.err


def test_a_database_that_does_not_answer_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDENG_DATABASE_URL", "postgresql+psycopg://nobody@127.0.0.1:1/none")
    done = run("findings")
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("数据库无法使用")
    assert len(done.err.splitlines()) == 1


HEADER = "机构编码,机构全称,机构状态,所在政区,机构层级,机构性质\n"
OFFICE = "330200901,宁波市示例局,正常,宁波市,市级,国家机关\n"


def test_an_import_tells_what_it_did_and_names_its_batch(run: Run, tmp_path: Path, data_dir: Path) -> None:
    file = tmp_path / "机构.csv"
    file.write_text(HEADER + OFFICE, encoding="utf-8")
    first, again = (json.loads(run("import", "unit", str(file), "--json").out) for _ in range(2))
    assert {"dataset", "file_sha256", "rows", "created", "updated", "unchanged", "errors", "seconds"} <= first.keys()
    assert (first["created"], first["errors"]) == (1, [])
    assert (again["created"], again["updated"], again["unchanged"]) == (0, 0, 1)
    with closing(sqlite3.connect(next(data_dir.glob("*.db")))) as database:
        batches = list(database.execute("SELECT id, by, state, created FROM import_batch ORDER BY id"))
        assert batches == [(1, "cli", "done", 1), (2, "cli", "done", 0)]
        assert set(database.execute("SELECT source_ref, by FROM record_version")) == {("batch:1", "cli")}
    assert file.exists()


@pytest.mark.parametrize(
    ("content", "row", "says"),
    [
        (HEADER + OFFICE + "330200902,示例二局,很好,宁波市,市级,国家机关\n", 3, "「机构状态」“很好”不在代码表"),
        ("", 0, "文件是空的"),
        ("PK\x03\x04 cut off", 0, "无法解压"),
    ],
)
def test_a_refused_file_is_reported_as_one_object_and_in_words(
    run: Run, tmp_path: Path, data_dir: Path, content: str, row: int, says: str
) -> None:
    file = tmp_path / "机构.csv"
    file.write_text(content, encoding="utf-8")
    done = run("import", "unit", str(file), "--json")
    told = json.loads(done.out)
    assert done.status == 2
    assert (told["created"], told["updated"]) == (0, 0)
    assert told["errors"][0]["row"] == row
    assert says in told["errors"][0]["message"]
    assert told["errors"][0]["message"] in done.err.splitlines()
    with closing(sqlite3.connect(next(data_dir.glob("*.db")))) as database:
        assert list(database.execute("SELECT state, error_count FROM import_batch")) == [("refused", 1)]
        assert list(database.execute("SELECT count(*) FROM unit")) == [(0,)]


def test_a_dry_run_leaves_nothing(run: Run, tmp_path: Path, data_dir: Path) -> None:
    file = tmp_path / "机构.csv"
    file.write_text(HEADER + OFFICE, encoding="utf-8")
    assert json.loads(run("import", "unit", str(file), "--dry-run", "--json").out)["created"] == 1
    with closing(sqlite3.connect(next(data_dir.glob("*.db")))) as database:
        assert list(database.execute("SELECT (SELECT count(*) FROM unit), (SELECT count(*) FROM import_batch)")) == [
            (0, 0)
        ]


def test_an_account_that_may_not_import_is_refused(run: Run, tmp_path: Path) -> None:
    run("demo", "load", "--people", "600")
    file = tmp_path / "机构.csv"
    file.write_text(HEADER + OFFICE, encoding="utf-8")
    done = run("import", "unit", str(file), "--by", "leader")
    assert (done.status, done.out) == (3, "")
    assert "账号 leader 没有导入数据的权限" in done.err


def test_the_audit_chain_is_verified_from_the_command_line(run: Run, data_dir: Path) -> None:
    run("findings")
    done = run("audit", "verify", "--json")
    told = json.loads(done.out)
    assert done.status == 0
    assert (told["ok"], told["rows"], told["first_bad"], told["anchored_to"]) == (True, 2, None, None)
    with closing(sqlite3.connect(next(data_dir.glob("*.db")), isolation_level=None)) as database:
        database.execute("DROP TRIGGER audit_row_no_update")
        database.execute("UPDATE audit_row SET actor = 'nobody' WHERE seq = 2")
    done = run("audit", "verify", "--json")
    told = json.loads(done.out)
    assert (done.status, told["ok"], told["first_bad"]) == (1, False, 2)
    assert "第 2 行的内容与封签不符" in done.err
    missing = run("audit", "verify", "--anchor", "nowhere")
    assert (missing.status, missing.out) == (2, "")
    assert "没有锚点文件 nowhere" in missing.err


def test_use_of_a_command_and_its_refusal_are_told(run: Run, data_dir: Path) -> None:
    run("unit", "330282101")
    with closing(sqlite3.connect(next(data_dir.glob("*.db")))) as database:
        told = database.execute("SELECT action, actor, result, origin FROM audit_row ORDER BY seq").fetchall()
    assert [row[:3] for row in told] == [("cli.unit", "cli", "done"), ("cli.unit", "cli", "refused")]
    assert all(row[3].startswith("cli ") for row in told)


def test_what_is_done_with_backups_is_told_and_works_without_a_database_too(
    run: Run, data_dir: Path, tmp_path: Path
) -> None:
    def told(folder: Path) -> list[tuple[str, str]]:
        with closing(sqlite3.connect(folder / "sandeng.db")) as database:
            asked = "SELECT action, result FROM audit_row WHERE action NOT LIKE 'cli.backup%' ORDER BY seq"
            return list(database.execute(asked))

    assert run("db", "upgrade").status == 0
    assert run("backup", "full").status == 0
    assert run("backup", "verify").status == 0
    assert run("backup", "restore", "--into", str(tmp_path / "aside")).status == 0
    done = [("cli.db.upgrade", "done"), ("backup.make", "done")]
    assert told(data_dir) == [*done, ("backup.verify", "done"), ("backup.restore", "done")]
    assert run("backup", "restore", "--yes").status == 0
    assert told(data_dir)[-1] == ("backup.restore", "done")
    (data_dir / "sandeng.db").unlink()
    assert run("backup", "verify").status == 0
    assert run("backup", "restore", "--into", str(tmp_path / "again")).status == 0
    assert not (data_dir / "sandeng.db").exists()
