"""Policies: the city's terms, a county that is stricter, and every file that is refused, with its sentence."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import pytest
import yaml

from workflow.errors import DefinitionError
from workflow.policy import FOLDER, Policies, Term, load_policies, shipped_policies
from workflow.policy_entries import ENTRIES, Ladder

CITY = (FOLDER / "city.yaml").read_text(encoding="utf-8")
COUNTY = """
district: "330282"
name: 慈溪市
entries:
  light.red: {value: 2, unit: working_days, basis: [办法23], says: 两个工作日。}
"""


@pytest.fixture(scope="module")
def policies() -> Policies:
    return load_policies()


def write(folder: Path, *, city: str = CITY, county: str = COUNTY, county_file: str = "330282.yaml") -> Path:
    (folder / "city.yaml").write_text(city, encoding="utf-8")
    (folder / county_file).write_text(county, encoding="utf-8")
    return folder


def refusal_of(folder: Path) -> str:
    with pytest.raises(DefinitionError) as refusal:
        load_policies(folder)
    return str(refusal.value)


def county_with(entry: str) -> str:
    return f'district: "330282"\nname: 慈溪市\nentries:\n  {entry}\n'


def test_the_city_goes_by_the_terms_of_the_regulation(policies: Policies) -> None:
    city = policies.of("330200")
    assert city.term("light.yellow") == Term(0, "working_days")
    assert city.term("light.red") == Term(3, "working_days")
    assert city.term("light.relapse") == Term(5, "working_days")
    assert city.term("round.length") == Term(3, "working_days")
    assert city.term("filing.ledger") == city.term("filing.person") == Term(5, "working_days")
    assert city.term("negative_list.observation") == Term(3, "months")
    assert city.term("explanation.validity") == Term(12, "months")
    assert city.value("streak.reading") == "round"


def test_a_county_with_its_own_file_is_stricter_and_otherwise_goes_by_the_city(policies: Policies) -> None:
    cixi = policies.of("330282")
    assert cixi.name == "慈溪市"
    assert cixi.term("light.red") == Term(2, "working_days")
    assert cixi.term("filing.person") == policies.city.term("filing.person")


@pytest.mark.parametrize("district", ["330203", "330200", "", None, "999999"])
def test_a_district_without_a_file_goes_by_the_city(policies: Policies, district: str | None) -> None:
    assert policies.of(district) is policies.city


def test_a_longer_code_belongs_to_its_county(policies: Policies) -> None:
    assert policies.of("330282001000") is policies.of("330282")


@pytest.mark.parametrize(
    ("red_rounds", "expected"),
    [(0, None), (1, ("remind", None)), (2, ("propose_suspension", 3)), (3, ("propose_suspension", 6)), (7, ("propose_suspension", 6))],
)  # fmt: skip
def test_the_ladder_reminds_then_proposes_three_then_six_months(
    policies: Policies, red_rounds: int, expected: tuple[str, int | None] | None
) -> None:
    step = policies.city.ladder_step(red_rounds)
    assert (step and (step.do, step.months)) == expected


@pytest.mark.parametrize(
    ("local", "quiet"),
    [("20:00", True), ("23:59", True), ("00:00", True), ("07:29", True), ("07:30", False), ("12:00", False), ("19:59", False)],
)  # fmt: skip
def test_the_quiet_hours_run_across_midnight(policies: Policies, local: str, quiet: bool) -> None:
    assert policies.city.is_quiet(dt.time.fromisoformat(local)) is quiet


def test_the_quiet_hours_may_lie_within_a_day(tmp_path: Path) -> None:
    city = CITY.replace('"20:00"', '"12:00"').replace('"07:30"', '"13:30"')
    policy = load_policies(write(tmp_path, city=city)).city
    assert [policy.is_quiet(dt.time(hour)) for hour in (11, 12, 13, 14)] == [False, True, True, False]


def test_letters_are_numbered_by_year_and_district(policies: Policies) -> None:
    assert policies.city.value("letter.number").format(year=2026, n=7) == "甬编办函〔2026〕7号"
    assert policies.of("330282").value("letter.number").format(year=2026, n=12) == "慈编办函〔2026〕12号"


def test_the_daily_jobs_have_their_hours(policies: Policies) -> None:
    assert policies.city.time("job.check") == dt.time(6)
    assert policies.city.time("job.full_check") == dt.time(2)
    assert policies.city.time("digest.at") == dt.time(8, 30)


def test_every_entry_has_its_article_and_its_sentence(policies: Policies) -> None:
    for policy in (policies.city, *policies.counties.values()):
        for name, entry in policy.entries.items():
            assert all(re.fullmatch(r"办法\d+(\([一二三四]\))?", basis) for basis in entry.basis), name
            assert entry.says.endswith("。"), name


def test_the_sentence_of_a_term_names_its_number(policies: Policies) -> None:
    for policy in (policies.city, *policies.counties.values()):
        for name in ("light.red", "light.relapse", "round.length", "filing.ledger", "filing.person"):
            assert str(policy.term(name)) in policy.entry(name).says, (policy.name, name)


def test_the_shipped_policies_are_those_of_the_folder(policies: Policies) -> None:
    assert shipped_policies().version == policies.version
    assert set(policies.city.entries) == set(ENTRIES)


def test_a_version_changes_with_a_value_and_not_with_a_comment(tmp_path: Path) -> None:
    plain = load_policies(write(tmp_path))
    commented = load_policies(write(tmp_path, city="# 说明\n" + CITY))
    changed = load_policies(write(tmp_path, city=CITY.replace("value: 12", "value: 6")))
    assert commented.version == plain.version
    assert changed.version != plain.version
    assert changed.city.version != plain.city.version
    assert plain.of("330282").version != plain.city.version


def test_a_name_that_is_no_entry_is_refused_with_the_known_names(policies: Policies) -> None:
    with pytest.raises(DefinitionError, match=r"没有名为“light.read”.*light.red"):
        policies.city.term("light.read")
    with pytest.raises(DefinitionError, match=r"“job.check”不是期限"):
        policies.city.term("job.check")
    with pytest.raises(DefinitionError, match=r"“light.red”不是时刻.*job.check"):
        policies.city.time("light.red")


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("light.red: {value: 4, unit: working_days, basis: [办法23], says: 宽。}", "light.red：区县口径只能更严（办法23）：全市为 3，此处为 4"),
        ("light.yellow: {value: 1, unit: working_days, basis: [办法23], says: 宽。}", "light.yellow：区县口径只能更严"),
        ("light.relapse: {value: 4, unit: working_days, basis: [办法23], says: 宽。}", "light.relapse：区县口径只能更严"),
        ("round.length: {value: 5, unit: working_days, basis: [办法23], says: 宽。}", "round.length：区县口径只能更严"),
        ("streak.reading: {value: month, unit: reading, basis: [办法23], says: 宽。}", "全市为 round，此处为 month"),
        ("filing.person: {value: 6, unit: working_days, basis: [办法23], says: 宽。}", "filing.person：区县口径只能更严"),
        ("ladder: {value: [{red_rounds: 1, do: remind}], unit: steps, basis: [办法23], says: 宽。}", "ladder：区县口径只能更严（办法23）：某个连续红灯轮次的后果轻于全市"),
        ("ladder: {value: [{red_rounds: 2, do: propose_suspension, months: 6}], unit: steps, basis: [办法23], says: 首轮不提醒。}", "ladder：区县口径只能更严"),
        ("negative_list.observation: {value: 1, unit: months, basis: [办法23], says: 宽。}", "negative_list.observation：区县口径只能更严"),
        ("explanation.validity: {value: 120, unit: months, basis: [办法23], says: 宽。}", "explanation.validity：区县口径只能更严"),
        ('job.check: {value: "07:00", unit: time, basis: [办法23], says: 晚。}', "job.check：该条目全市统一"),
    ],
)  # fmt: skip
def test_a_county_that_is_laxer_is_refused(tmp_path: Path, entry: str, says: str) -> None:
    message = refusal_of(write(tmp_path, county=county_with(entry)))
    assert message.startswith("330282.yaml，")
    assert says in message


@pytest.mark.parametrize(
    "entry",
    [
        "light.red: {value: 3, unit: working_days, basis: [办法23], says: 同。}",
        "light.red: {value: 0, unit: working_days, basis: [办法23], says: 严。}",
        "light.relapse: {value: 9, unit: working_days, basis: [办法23], says: 严。}",
        "streak.reading: {value: daily, unit: reading, basis: [办法23], says: 严。}",
        "explanation.validity: {value: 6, unit: months, basis: [办法23], says: 严。}",
        "approval.validity: {value: 9, unit: months, basis: [办法23], says: 区县自定。}",
        "ladder: {value: [{red_rounds: 1, do: propose_suspension, months: 3}, {red_rounds: 2, do: propose_suspension, months: 6}], unit: steps, basis: [办法23], says: 严。}",
    ],
)
def test_a_county_may_be_as_strict_or_stricter(tmp_path: Path, entry: str) -> None:
    written = yaml.load(entry, yaml.CSafeLoader)
    name = next(iter(written))
    value = load_policies(write(tmp_path, county=county_with(entry))).of("330282").value(name)
    plain = [step.model_dump(exclude_none=True) for step in value] if name == "ladder" else value
    assert plain == written[name]["value"]


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("light.reed: {value: 2, unit: working_days, basis: [办法23], says: 错。}", "entries：不认识的条目“light.reed”（可用：alarm.export_night、"),
        ("light.red: {value: 2, unit: months, basis: [办法23], says: 错。}", "light.red：单位应为 working_days，现为 months"),
        ("light.red: {value: 2, basis: [办法23], says: 错。}", "light.red：单位应为 working_days，现为 None"),
        ("light.red: 2", "light.red：单位应为 working_days"),
        ("light.red: {value: -1, unit: working_days, basis: [办法23], says: 错。}", "light.red.value：不得小于 0，现为“-1”"),
        ("light.red: {value: 2.5, unit: working_days, basis: [办法23], says: 错。}", "light.red.value：应为整数，现为“2.5”"),
        ('light.red: {value: "2", unit: working_days, basis: [办法23], says: 错。}', "light.red.value：应为整数，现为“2”"),
        ("light.red: {value: 2, unit: working_days, says: 错。}", "light.red.basis：缺少“basis”"),
        ("light.red: {value: 2, unit: working_days, basis: [], says: 错。}", "light.red.basis：不得为空"),
        ('light.red: {value: 2, unit: working_days, basis: [办法23], says: ""}', "light.red.says：不得为空"),
        ("light.red: {value: 2, unit: working_days, basis: [办法23], says: 错。, until: 1}", "light.red.until：不认识“until”"),
        ("light.red: {value: 2, value: 9, unit: working_days, basis: [办法23], says: 错。}", "“value”写了两次"),
        ("explanation.validity: {value: 0, unit: months, basis: [办法23], says: 错。}", "不得小于 1"),
        ("explanation.validity: {value: 121, unit: months, basis: [办法23], says: 错。}", "不得大于 120"),
        ("digest.at: {value: 12:30, unit: time, basis: [办法23], says: 错。}", "digest.at.value：应为文字，现为“750”（时刻须加引号）"),
        ('digest.at: {value: "24:00", unit: time, basis: [办法23], says: 错。}', "digest.at.value：格式不对，现为“24:00”"),
        ("streak.reading: {value: weekly, unit: reading, basis: [办法23], says: 错。}", "streak.reading.value：应为 month、round、daily 之一"),
        ('letter.number: {value: "慈编办函{n}号", unit: template, basis: [办法23], says: 错。}', "letter.number：文号格式须含且只含 year、n 两处花括号"),
        ('letter.number: {value: "{year}{n}{x}", unit: template, basis: [办法23], says: 错。}', "须含且只含"),
        ('letter.number: {value: "{year}{n", unit: template, basis: [办法23], says: 错。}', "须含且只含"),
        ("ladder: {value: [], unit: steps, basis: [办法21], says: 错。}", "ladder.value：不得为空"),
        ("ladder: {value: [{red_rounds: 2, do: propose_suspension}], unit: steps, basis: [办法21], says: 错。}", "propose_suspension 须写 months"),
        ("ladder: {value: [{red_rounds: 1, do: remind, months: 3}], unit: steps, basis: [办法21], says: 错。}", "remind 不写"),
        ("ladder: {value: [{red_rounds: 2, do: remind}, {red_rounds: 1, do: remind}], unit: steps, basis: [办法21], says: 错。}", "red_rounds 应逐级增加"),
        ("ladder: {value: [{red_rounds: 1, do: scold}], unit: steps, basis: [办法21], says: 错。}", "ladder.value.0.do：应为"),
    ],
)  # fmt: skip
def test_a_wrong_entry_is_refused_by_file_and_name(tmp_path: Path, entry: str, says: str) -> None:
    message = refusal_of(write(tmp_path, county=county_with(entry)))
    assert "330282.yaml" in message
    assert says in message


def test_a_file_must_bear_the_code_of_its_district(tmp_path: Path) -> None:
    assert "应与文件名一致" in refusal_of(write(tmp_path, county_file="330281.yaml"))


def test_a_city_without_one_of_the_entries_is_refused(tmp_path: Path) -> None:
    content = yaml.load(CITY, yaml.CSafeLoader)
    del content["entries"]["light.red"], content["entries"]["ladder"]
    city = yaml.safe_dump(content, allow_unicode=True)
    assert refusal_of(write(tmp_path, city=city)) == "city.yaml，entries：缺少条目：light.red、ladder"


def test_a_file_that_is_no_policy_is_refused(tmp_path: Path) -> None:
    assert "没有这份口径文件" in refusal_of(tmp_path)
    assert "内容不合要求" in refusal_of(write(tmp_path, county="- 1"))
    assert "不是可读的 YAML" in refusal_of(write(tmp_path, county="entries: ["))
    assert "缺少“entries”" in refusal_of(write(tmp_path, county='district: "330282"\nname: 慈溪市\n'))
    assert "district：格式不对" in refusal_of(write(tmp_path, county=COUNTY.replace("330282", "3302")))


def test_the_shipped_ladder_is_the_one_of_article_21(policies: Policies) -> None:
    ladder = policies.city.entry("ladder")
    assert isinstance(ladder, Ladder)
    assert [(step.red_rounds, step.do, step.months) for step in ladder.value] == [
        (1, "remind", None),
        (2, "propose_suspension", 3),
        (3, "propose_suspension", 6),
    ]
    assert ladder.basis == ["办法21"]
