"""Which policy holds for a unit: that of its district (办法23). The engine asks here for the length of a term."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy.orm import Session

from workflow.engine import registry
from workflow.policy import Policy, Term
from workflow.policy_entries import ENTRIES
from workflow.registry.places import districts_of


def policies_of(session: Session, unit_ids: Iterable[int | None]) -> dict[int | None, Policy]:
    """Unit id → the policy of its district; the city's for a unit that is not known, and for none."""
    policies = registry.book().policies
    known = {unit_id for unit_id in unit_ids if unit_id is not None}
    found: dict[int | None, Policy] = dict.fromkeys(known, policies.city) | {None: policies.city}
    if policies.counties and known:
        found |= {unit_id: policies.of(district) for unit_id, district in districts_of(session, known).items()}
    return found


def terms_of(session: Session, name: str, unit_ids: Iterable[int | None]) -> Mapping[int | None, Term]:
    """Unit id → the length of a term."""
    policies = policies_of(session, unit_ids)
    lengths = {policy: policy.term(name) for policy in set(policies.values())}
    return {unit_id: lengths[policy] for unit_id, policy in policies.items()}


registry.terms([name for name, known in ENTRIES.items() if known.unit in ("working_days", "months")], terms_of)
