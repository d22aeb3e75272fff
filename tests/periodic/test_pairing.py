"""Who checks whom: nobody itself, no two each other, never above or below or of the same superior, the same by the same seed (办法10(四))."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from workflow.periodic.pairing import LEAST, Node, county_pairs, pairs_of, sampled


@st.composite
def trees(draw: st.DrawFn) -> list[Node]:
    """A random forest: each unit may stand under an earlier one."""
    nodes: list[Node] = []
    for id_ in range(1, draw(st.integers(0, 14)) + 1):
        boss = draw(st.sampled_from([None, *nodes]))
        nodes.append(Node(id_, () if boss is None else (boss.id, *boss.superiors)))
    return nodes


@given(nodes=trees(), seed=st.text(max_size=5))
def test_every_pair_keeps_the_rules_or_the_reason_is_given(nodes: list[Node], seed: str) -> None:
    by_id = {node.id: node for node in nodes}
    found = pairs_of({"a": nodes}, seed)
    made = found.made.get("a", [])
    assert bool(made) != ("a" in found.impossible)
    for checker, checked in made:
        assert by_id[checker].may_check(by_id[checked])
        assert (checked, checker) not in made
    if made:
        assert sorted(c for c, _ in made) == sorted(c for _, c in made) == sorted(by_id)
    assert pairs_of({"a": list(reversed(nodes))}, seed) == found


@given(count=st.integers(LEAST, 60), seed=st.text(max_size=5))
def test_departments_without_superiors_are_always_paired(count: int, seed: str) -> None:
    assert pairs_of({"a": [Node(n) for n in range(count)]}, seed).made["a"]


def test_two_units_or_one_family_are_told_to_be_impossible() -> None:
    family = [Node(1), Node(2, (1,)), Node(3, (1,))]
    found = pairs_of({"two": [Node(1), Node(2)], "family": family}, "x")
    assert found.made == {}
    assert "至少 3 个" in found.impossible["two"]
    assert "同一主管部门" in found.impossible["family"]


def test_pools_are_paired_each_for_itself() -> None:
    pools = {"a": [Node(n) for n in range(5)], "b": [Node(n) for n in range(10, 14)]}
    found = pairs_of(pools, "x")
    assert all(c < 10 and d < 10 for c, d in found.made["a"])
    assert all(c >= 10 and d >= 10 for c, d in found.made["b"])


@given(count=st.integers(0, 400), percent=st.integers(5, 10), seed=st.text(max_size=5))
def test_a_sample_is_the_share_rounded_up_and_the_same_by_the_same_seed(count: int, percent: int, seed: str) -> None:
    ids = list(range(count))
    drawn = sampled(ids, percent, seed)
    assert len(drawn) == (-(-count * percent // 100) if count else 0)
    assert len(set(drawn)) == len(drawn)
    assert drawn == sampled(list(reversed(ids)), percent, seed)


@given(sizes=st.lists(st.integers(1, 9), max_size=11), seed=st.text(max_size=5))
def test_every_department_of_a_county_is_checked_once_by_one_other_county(sizes: list[int], seed: str) -> None:
    pools = {f"{place:06d}": [Node(100 * place + n) for n in range(size)] for place, size in enumerate(sizes, 1)}
    found = county_pairs(pools, seed)
    if len(sizes) < LEAST:
        assert found.made == {}
        assert all("至少 3 个" in why for why in found.impossible.values())
        return
    assert sorted(checked for pairs in found.made.values() for _, checked in pairs) == sorted(
        node.id for nodes in pools.values() for node in nodes
    )
    ways = {(checker // 100, checked // 100) for pairs in found.made.values() for checker, checked in pairs}
    assert len(ways) == len({one for one, _ in ways}) == len({other for _, other in ways}) == len(sizes)
    assert all(one != other and (other, one) not in ways for one, other in ways)
    assert county_pairs({place: nodes[::-1] for place, nodes in pools.items()}, seed) == found
