"""The rules that every peer can express as well, as plain data: column by column, so that each side writes them in its own words. No imports.

Unknown never fails except for `not_null`, on every side.
"""

PERSON_RULES = [
    {"kind": "not_null", "column": "name"},
    {"kind": "not_null", "column": "quota_type"},
    {"kind": "not_null", "column": "post_category"},
    {"kind": "in", "column": "sex", "values": ["1", "2"]},
    {"kind": "in", "column": "id_form", "values": ["规范"]},
    {"kind": "in", "column": "estab_status", "values": ["1", "2", "3", "4", "5"]},
    {"kind": "between", "column": "birth_date", "low": 19260101, "high": 20081231},
    {"kind": "between", "column": "work_start_date", "low": 19450101, "high": 20260302},
    {"kind": "between", "column": "entry_date", "low": 19490101, "high": 20260302},
    {"kind": "between", "column": "retire_month", "low": 202603, "high": 209912},
    {"kind": "length", "column": "name", "low": 2, "high": 20},
    {"kind": "at_least", "column": "work_start_date", "other": "birth_date"},
    {"kind": "at_least", "column": "entry_date", "other": "work_start_date"},
    {"kind": "at_least", "column": "rank_date", "other": "work_start_date"},
    {"kind": "at_least", "column": "exit_date", "other": "entry_date"},
    {"kind": "at_least", "column": "party_join_date", "other": "birth_date"},
    {"kind": "unique", "column": "person_code"},
]
