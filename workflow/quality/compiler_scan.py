"""One look at a data set for all rules that read a row, its references and its figures only: who might break which rule. Saves a scan per rule.

The rules themselves are then judged one by one among the suspects; where the look fails, each is judged on its own as if there were none.
"""

from __future__ import annotations

from dataclasses import dataclass

from workflow.quality.compiler_rule import CompiledRule, root_sql


@dataclass(frozen=True)
class Scan:
    """The rules of one data set that share a look, and the SELECT that marks the suspects of each."""

    dataset: str
    dialect: str
    rules: tuple[CompiledRule, ...]

    def select_sql(self, scoped: bool) -> str:
        """Yields data set, record id and marks: the ids of the rules that the record seems to break, each between bars.

        The conditions are asked first and the marks made of the few that break any; over few records PostgreSQL would spend more on
        planning the same conditions twice.
        """
        joins = dict(sorted({alias: join for rule in self.rules for alias, join in rule.scan_joins.items()}.items()))
        marks = " || ".join(
            f"CASE WHEN {' AND '.join(rule.suspicion)} THEN {rule.marked} ELSE '' END" for rule in self.rules
        )
        looked = (
            f"SELECT '{self.dataset}' AS dataset, t.id AS record_id, {marks} AS marks"
            f" FROM {root_sql(self.dataset, self.dialect, 'scope' if scoped else None)} {' '.join(joins.values())}"
            " WHERE t.removed_on IS NULL"
        )
        if scoped and self.dialect == "postgresql":
            return (
                f"WITH looked AS MATERIALIZED ({looked}) SELECT dataset, record_id, marks FROM looked WHERE marks <> ''"
            )
        return f"{looked} AND ({_any_of([rule.suspicion for rule in self.rules])})"


def _any_of(tests: list[list[str]]) -> str:
    """Whether all conditions of some list hold; lists that begin alike ask what they share only once."""
    sharing: dict[str, list[list[str]]] = {}
    for first, *rest in tests:
        sharing.setdefault(first, []).append(rest)
    return " OR ".join(
        first if [] in rests else f"({first} AND ({_any_of(rests)}))" for first, rests in sharing.items()
    )


def scans(rules: dict[tuple[str, str], CompiledRule], dialect: str) -> list[Scan]:
    """Per data set one scan of the rules without figures (PostgreSQL works in parallel on them) and one of those with; none for a lone rule."""
    grouped: dict[tuple[str, bool], list[CompiledRule]] = {}
    for rule in rules.values():
        if rule.suspicion:
            grouped.setdefault((rule.rule.dataset, bool(rule.measures)), []).append(rule)
    return [Scan(dataset, dialect, tuple(found)) for (dataset, _), found in grouped.items() if len(found) > 1]
