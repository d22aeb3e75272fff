"""The dimensions of data quality (GB/T 36344-2018) and which rules speak of which. Data only."""

from __future__ import annotations

from workflow.quality.rules import rules

ORDER = ("完整性", "规范性", "准确性", "一致性", "唯一性", "时效性")
BY_GROUP = {
    "F": "规范性", "P": "准确性", "T": "准确性", "Q": "一致性", "L": "一致性", "O": "准确性",
    "Z": "时效性", "N": "时效性", "Y": "准确性", "X": "一致性", "M": "一致性",
}  # fmt: skip
BY_RULE = dict.fromkeys(("F01", "F02", "F03", "F04"), "完整性") | dict.fromkeys(
    ("P08", "P09", "P10", "P11", "P12"), "唯一性"
)


def dimension(rule_id: str) -> str:
    """The dimension that a rule speaks of."""
    return BY_RULE.get(rule_id) or BY_GROUP.get(rule_id[:1], "准确性")


def rules_of(name: str) -> list[str]:
    """The rules that speak of a dimension."""
    return sorted(rule_id for rule_id in rules().by_id if dimension(rule_id) == name)
