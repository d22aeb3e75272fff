"""Proof of the one writer: versions, locks, scope, conflicts, as-of reads, first recorders, revival."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from tests.registry.conftest import PERSON, counted, found_units
from workflow.db import writing
from workflow.errors import BadInput, Conflict, NotFound
from workflow.registry.dictionary import dictionary
from workflow.registry.history import as_of, first_recorders, versions
from workflow.registry.origin import RowsRefused
from workflow.registry.queries import find_by_id, find_by_key
from workflow.registry.records import WRITE_LOCKED, remove, writable, write

OFFICE: dict[str, Any] = {"by": "office", "may_write_locked": True}


def _person(session: Session, unit: int, now: datetime, **more: Any) -> int:
    return write(session, "person", [PERSON | {"unit": unit} | more], by="clerk", now=now).ids[0]


def test_a_new_person_gets_a_code_facts_and_a_first_version(both_engines: Engine, now: datetime) -> None:
    unit = found_units(both_engines, now)["U2"]
    with writing(both_engines) as session:
        record_id = _person(session, unit, now)
        record = find_by_id(session, "person", record_id)
        assert record
        assert (record.key, record.version, record.values["id_no"]) == ("P00000001", 1, "33**************1X")
        assert record.columns["id_form"] == "规范"
        assert record.columns["id_birth_matches"]
        assert (record.values["retire_category"], record.values["retire_month"]) == ("M", 202502)
        assert (record.columns["first_entered_by"], record.columns["first_entered_at"]) == ("clerk", now)
        [version] = versions(session, "person", record_id)
        assert (version.kind, version.by, version.changes["name"]) == ("create", "clerk", [None, "王小明"])


def test_no_table_holds_a_plain_id_number(engine: Engine, units: dict[str, int], now: datetime) -> None:
    with writing(engine) as session:
        record_id = _person(session, units["U2"], now)
        write(session, "person", [{"id": record_id, "id_no": "330205198808081233"}], now=now, **OFFICE)
        for table in ("person", "record_version"):
            told = repr(session.execute(text(f"SELECT * FROM {table}")).all())
            assert "33020319650115001X" not in told
            assert "330205198808081233" not in told
            assert "33**************" in told or table == "person"


def test_a_write_that_changes_nothing_leaves_no_trace(engine: Engine, units: dict[str, int], now: datetime) -> None:
    with writing(engine) as session:
        record_id = _person(session, units["U2"], now)
    before = counted(engine)
    with writing(engine) as session:
        same = write(session, "person", [PERSON | {"id": record_id, "unit": units["U2"]}], now=now, **OFFICE)
        assert (same.created, same.updated, same.unchanged) == (0, 0, 1)
        assert same.ids == {0: record_id}
    assert counted(engine) == before


def test_a_change_tells_old_and_new_and_renews_the_facts(both_engines: Engine, now: datetime) -> None:
    unit = found_units(both_engines, now)["U2"]
    with writing(both_engines) as session:
        record_id = _person(session, unit, now)
        write(
            session,
            "person",
            [{"id": record_id, "birth_date": 19650116, "probation": True}],
            now=now,
            basis="甬编〔2026〕1号",
            **OFFICE,
        )
        record = find_by_id(session, "person", record_id)
        assert record
        assert record.columns["id_birth_matches"] is False
        assert record.columns["id_checksum_ok"] is True
        assert record.columns["first_entered_by"] == "clerk"
        last = versions(session, "person", record_id)[-1]
        assert last.changes == {"birth_date": [19650115, 19650116], "probation": [None, True]}
        assert (last.version, last.kind, last.basis, record.version) == (2, "change", "甬编〔2026〕1号", 2)


def test_a_locked_field_is_only_for_the_office(engine: Engine, units: dict[str, int], now: datetime) -> None:
    with writing(engine) as session:
        record_id = _person(session, units["U2"], now)
    before = counted(engine)
    with writing(engine) as session:
        with pytest.raises(RowsRefused) as refused:
            write(
                session, "person", [{"id": record_id, "name": "王大明", "phone": "057400000000"}], by="clerk", now=now
            )
        [error] = refused.value.errors
        assert (error.field, error.rule) == ("name", "locked")
        assert "「姓名」为锁定字段，只能由编办修改" in error.message
        assert (
            write(session, "person", [{"id": record_id, "name": "王小明", "phone": "0"}], by="clerk", now=now).updated
            == 1
        )
    assert counted(engine)["person"] == before["person"]


def test_who_may_write_a_field_follows_from_the_dictionary() -> None:
    person = dictionary()["person"].fields
    assert not writable(person["id_no"], {"record.write_free"})
    assert writable(person["id_no"], {WRITE_LOCKED})
    assert writable(person["id_no"], set(), new=True)
    assert writable(person["phone"], set())
    assert not writable(person["retire_month"], {WRITE_LOCKED}, new=True)


def test_nobody_writes_outside_the_own_units(engine: Engine, units: dict[str, int], now: datetime) -> None:
    with writing(engine) as session:
        elsewhere = _person(session, units["U3"], now)
        for row in (
            {"id": elsewhere, "phone": "1"},
            {"id": elsewhere, "unit": units["U2"]},
            PERSON | {"unit": units["U3"], "id_no": "330205198808081233"},
        ):
            with pytest.raises(RowsRefused, match="不在您可维护的单位范围内"):
                write(session, "person", [row], by="clerk", now=now, units={units["U2"]})
        assert (
            write(session, "person", [PERSON | {"unit": units["U2"]}], by="clerk", now=now, units={units["U2"]}).created
            == 1
        )


def test_a_clerk_creates_people_but_no_units(engine: Engine, units: dict[str, int], now: datetime) -> None:
    with writing(engine) as session:
        with pytest.raises(RowsRefused, match="只能由编办新增"):
            write(session, "unit", [{"unit_code": "U9", "name": "新所", "parent": units["U1"]}], by="clerk", now=now)


def test_a_conflict_says_who_changed_what(engine: Engine, units: dict[str, int], now: datetime) -> None:
    with writing(engine) as session:
        record_id = _person(session, units["U2"], now)
        write(session, "person", [{"id": record_id, "version": 1, "phone": "0574"}], by="head", now=now)
        with pytest.raises(Conflict, match=r"head 于 2026-03-02 09:00 将「联系电话」由“空”改为“\*{4}”"):
            write(session, "person", [{"id": record_id, "version": 1, "phone": "110"}], by="clerk", now=now)
        assert (
            write(session, "person", [{"id": record_id, "version": 2, "phone": "110"}], by="clerk", now=now).updated
            == 1
        )


def test_a_person_who_comes_back_is_the_same_record(both_engines: Engine, now: datetime) -> None:
    unit = found_units(both_engines, now)["U2"]
    with writing(both_engines) as session:
        record_id = _person(session, unit, now)
        assert remove(session, "person", [record_id], by="office", now=now) == 1
        assert find_by_key(session, "person", "P00000001") is None
        assert remove(session, "person", [record_id], by="office", now=now) == 0
        again = write(
            session, "person", [PERSON | {"unit": unit, "person_code": "P77", "name": "王晓明"}], now=now, **OFFICE
        )
        assert again.ids == {0: record_id}
        record = find_by_key(session, "person", "P77")
        assert record
        assert (record.id, record.removed) == (record_id, False)
        assert record.columns["first_entered_by"] == "clerk"
        assert [v.kind for v in versions(session, "person", record_id)] == ["create", "remove", "revive"]


def test_the_same_number_in_another_unit_is_another_record(
    engine: Engine, units: dict[str, int], now: datetime
) -> None:
    with writing(engine) as session:
        first = _person(session, units["U2"], now)
        remove(session, "person", [first], by="office", now=now)
        assert _person(session, units["U3"], now) != first


def test_another_code_for_somebody_present_is_a_new_record_for_the_rules_to_find(
    engine: Engine, units: dict[str, int], now: datetime
) -> None:
    with writing(engine) as session:
        first = _person(session, units["U2"], now)
        assert _person(session, units["U2"], now, person_code="P50") != first
        assert _person(session, units["U2"], now) in (first, first + 1)


def test_a_key_never_changes(engine: Engine, units: dict[str, int], now: datetime) -> None:
    with writing(engine) as session:
        record_id = _person(session, units["U2"], now)
        with pytest.raises(RowsRefused, match="「人员编码」不能更改"):
            write(session, "person", [{"id": record_id, "person_code": "P9"}], now=now, **OFFICE)


def test_two_rows_of_one_write_cannot_mean_one_record(engine: Engine, units: dict[str, int], now: datetime) -> None:
    with writing(engine) as session:
        record_id = _person(session, units["U2"], now)
        with pytest.raises(RowsRefused, match="与第 1 行是同一条记录"):
            write(
                session,
                "person",
                [{"id": record_id, "phone": "1"}, {"person_code": "P00000001", "phone": "2"}],
                now=now,
                **OFFICE,
            )


def test_an_unknown_id_is_not_found(session: Session, now: datetime) -> None:
    with pytest.raises(NotFound):
        write(session, "person", [{"id": 99, "phone": "1"}], now=now, **OFFICE)
    with pytest.raises(NotFound):
        remove(session, "person", [99], by="office", now=now)


def test_a_record_reads_as_of_any_day(both_engines: Engine, now: datetime) -> None:
    unit = found_units(both_engines, now)["U2"]
    with writing(both_engines) as session:
        record_id = _person(session, unit, now)
        steps: list[tuple[int, dict[str, Any]]] = [(5, {"phone": "111"}), (9, {"phone": "222", "probation": False})]
        for days, change in steps:
            write(session, "person", [change | {"id": record_id}], by="clerk", now=now + timedelta(days=days))
        write(
            session,
            "person",
            [{"id": record_id, "phone": "333"}],
            by="clerk",
            now=now + timedelta(days=12),
            effective_on=date(2026, 3, 8),
        )
        remove(session, "person", [record_id], by="office", now=now + timedelta(days=20))

        def phone(day: date) -> Any:
            found = as_of(session, "person", record_id, day)
            return found["phone"] if found else "absent"

        days = [date(2026, 3, d) for d in (1, 2, 6, 7, 8, 11, 21, 22)]
        assert [phone(day) for day in days] == ["absent", None, None, "111", "333", "333", "333", "absent"]
        read = as_of(session, "person", record_id, date(2026, 3, 2))
        assert read
        assert (read["id_no"], read["birth_date"], read["retire_month"]) == ("33**************1X", 19650115, 202502)


def test_the_first_to_enter_a_value_stays_the_first(engine: Engine, units: dict[str, int], now: datetime) -> None:
    with writing(engine) as session:
        record_id = _person(session, units["U2"], now, phone="111")
        write(session, "person", [{"id": record_id, "phone": "222"}], by="head", now=now)
        write(
            session,
            "person",
            [{"id": record_id, "phone": "111", "major": "法学"}],
            by="reviewer",
            now=now,
            on_behalf_of="clerk2",
        )
        first = first_recorders(session, "person", record_id)
        assert first
        assert (first.record.by, first.fields["phone"].by, first.fields["name"].by) == ("clerk", "clerk", "clerk")
        assert (first.fields["major"].by, first.fields["major"].on_behalf_of) == ("reviewer", "clerk2")
        assert "remark" not in first.fields
        assert first_recorders(session, "person", 99) is None


def test_drawn_codes_go_on_after_those_that_are_there(engine: Engine, units: dict[str, int], now: datetime) -> None:
    with writing(engine) as session:
        _person(session, units["U2"], now, person_code="P00000041")
        _person(session, units["U2"], now, person_code="P0000004X", id_no="330212197004010025")
        written = write(session, "person", [PERSON | {"unit": units["U3"]}], by="clerk", now=now)
        assert written.keys == {0: "P00000042"}


def test_somebody_without_code_and_number_is_refused(engine: Engine, units: dict[str, int], now: datetime) -> None:
    with writing(engine) as session:
        with pytest.raises(RowsRefused, match="「所在单位」、「身份证号」都须填写"):
            write(session, "person", [{"unit": units["U2"], "name": "无号"}], by="clerk", now=now)


def test_a_ledger_knows_by_when_it_was_due(engine: Engine, units: dict[str, int], now: datetime) -> None:
    with writing(engine) as session:
        write(session, "ledger", [{"ledger_no": "T1", "unit": units["U1"], "doc_date": 20260213}], now=now, **OFFICE)
        record = find_by_key(session, "ledger", "T1")
        assert record
        assert record.values["due_on"] == date(2026, 2, 27)  # Saturday the 14th was worked, Spring Festival not


def test_a_woman_of_division_rank_retires_by_the_schedule_of_men(
    engine: Engine, units: dict[str, int], now: datetime
) -> None:
    woman = PERSON | {"unit": units["U2"], "id_no": "330212197004010025", "birth_date": 19700401, "sex": "2"}
    with writing(engine) as session:
        record_id = write(session, "person", [woman], by="clerk", now=now).ids[0]

        def category(**change: Any) -> Any:
            write(session, "person", [{"id": record_id} | change], now=now, **OFFICE)
            record = find_by_id(session, "person", record_id)
            return record.values["retire_category"] if record else None

        assert category() == "F55"
        assert category(post_category="5") == "F50"
        assert category(post_category="1", post_level="1A32") == "M"
        assert category(post_level=None, title_level="2") == "M"
        assert category(title_level=None, retire_category_set="F50") == "F50"


def test_a_reference_to_nothing_is_refused_by_the_database(both_engines: Engine, now: datetime) -> None:
    found_units(both_engines, now)
    before = counted(both_engines)
    with pytest.raises(BadInput, match="所引用的记录不存在"), writing(both_engines) as session:
        _person(session, 999, now)
    assert counted(both_engines) == before
