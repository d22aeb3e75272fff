"""Which fields a list of each data set shows and narrows by; everything else about them stands in the dictionary. Data only."""

from __future__ import annotations

LISTED: dict[str, tuple[str, ...]] = {
    "person": (
        "name", "sex", "birth_date", "id_no", "unit", "inner_org", "estab_status", "quota_type",
        "position_name", "rank", "onpost_status", "entry_date",
    ),
    "contract": ("name", "sex", "id_no", "unit", "category", "job", "hire_mode", "status", "first_contract_date", "contract_to"),
    "position": ("person", "name", "unit", "post_level", "rank_kind", "scope", "is_main", "status", "appoint_date"),
    "unit": ("name", "parent", "district_code", "org_nature", "org_level", "fund_form", "status", "uscc"),
    "inner_org": ("name", "unit", "level", "approved_staff", "n_main", "n_deputy", "approve_doc_no", "status"),
    "ledger": (
        "unit", "ledger_type", "change_kind", "quota_type", "delta_plus", "delta_minus", "balance_after",
        "doc_no", "doc_date", "due_on", "status",
    ),
    "leader_quota": ("unit", "scope", "post_level", "rank_kind", "n_approved", "post_name", "doc_no", "status"),
    "contract_quota": ("unit", "category", "n_control", "valid_from", "valid_to", "approve_doc_no", "status"),
    "school": ("unit", "school_year", "semester", "stage", "class_count", "students", "staff_total", "approved_quota", "snapshot_date"),
    "hospital": ("unit", "year", "hospital_level", "hospital_type", "bed_approved", "bed_actual", "staff_total", "snapshot_date"),
}  # fmt: skip

NARROWED: dict[str, tuple[str, ...]] = {
    "person": ("estab_status", "quota_type", "onpost_status", "post_category"),
    "contract": ("status", "category", "hire_mode"),
    "position": ("status", "post_level", "scope"),
    "unit": ("org_nature", "org_level", "status", "district_code"),
    "inner_org": ("status", "level"),
    "ledger": ("ledger_type", "change_kind", "quota_type", "status"),
    "leader_quota": ("scope", "post_level", "status"),
    "contract_quota": ("category", "status"),
    "school": ("stage", "semester"),
    "hospital": ("hospital_level", "hospital_type"),
}

ORDER = (
    "person",
    "contract",
    "position",
    "unit",
    "inner_org",
    "ledger",
    "leader_quota",
    "contract_quota",
    "school",
    "hospital",
)
