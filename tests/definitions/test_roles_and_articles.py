"""Who may do what, and which article is carried by what: both lists are whole and say nothing that is not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from workflow.engine.registry import load_all

ROOT = Path(__file__).resolve().parents[2]
ROLES: dict[str, Any] = yaml.load((ROOT / "definitions/roles.yaml").read_text("utf-8"), yaml.CSafeLoader)
ARTICLES: list[dict[str, Any]] = yaml.load((ROOT / "definitions/articles.yaml").read_text("utf-8"), yaml.CSafeLoader)[
    "articles"
]
GLOSSARY = (ROOT / "definitions/README.md").read_text("utf-8")
BUSINESS = ("record.", "import.", "export.", "check.", "ticket.", "explanation.", "case.", "dashboard.")
CONDITIONS: dict[str, str] = yaml.load((ROOT / "definitions/conditions.yaml").read_text("utf-8"), yaml.CSafeLoader)
each_article = pytest.mark.parametrize("article", ARTICLES, ids=[f"art{a['article']}" for a in ARTICLES])
each_role = pytest.mark.parametrize("name", ROLES["roles"])


def test_every_condition_of_a_process_has_a_name_on_screen() -> None:
    book = load_all()
    used = {name for definition in book.current.values() for step in definition.steps for name in step.when}
    assert not used - set(CONDITIONS), "add a line to definitions/conditions.yaml"
    assert not set(CONDITIONS) - set(book.guards)
    assert all(title and not title.isascii() for title in CONDITIONS.values())


@each_role
def test_roles_that_exclude_each_other_both_say_so(name: str) -> None:
    for other in ROLES["roles"][name]["excludes"]:
        assert name in ROLES["roles"][other]["excludes"]


@each_role
def test_who_runs_guards_or_audits_the_platform_does_no_business(name: str) -> None:
    role = ROLES["roles"][name]
    business = [action for action in role["may"] if action.startswith(BUSINESS)]
    administers = role["scope"] == "platform" or "account.manage" in role["may"]
    assert bool(business) != administers
    if administers:
        assert set(role["excludes"]) == set(ROLES["roles"]) - {name}


def test_every_action_is_somebodys_and_every_grant_is_an_action() -> None:
    granted = {action for role in ROLES["roles"].values() for action in role["may"]}
    assert granted == set(ROLES["actions"])


@pytest.mark.parametrize(("action", "holders"), [
    ("record.write_locked", {"reviewer"}),
    ("explanation.review", {"reviewer"}),
    ("ticket.explain", {"unit_clerk"}),
    ("ticket.void_request", {"reviewer"}),
    ("ticket.void_confirm", {"leader"}),
    ("account.manage", {"security", "county_security"}),
    ("audit.read", {"auditor"}),
])  # fmt: skip
def test_what_needs_two_persons_is_in_two_roles(action: str, holders: set[str]) -> None:
    assert {name for name, role in ROLES["roles"].items() if action in role["may"]} == holders


def test_a_grant_can_be_asked_for_in_every_role_and_by_its_name() -> None:
    asked = next(f for f in load_all().process("grant_change").form if f.name == "role")
    assert asked.options == {name: role["title"] for name, role in ROLES["roles"].items()}


def test_all_twenty_four_articles_are_listed_once() -> None:
    assert [a["article"] for a in ARTICLES] == list(range(1, 25))


@each_article
def test_an_article_says_how_far_it_is_carried_out(article: dict[str, Any]) -> None:
    assert article["status"] in {"working", "partly", "planned"}
    assert article["note"]
    assert set(article["carried_by"]) == {"definitions", "workflow", "screens", "tests"}


@each_article
def test_what_carries_an_article_exists(article: dict[str, Any]) -> None:
    named = [path for kind in ("definitions", "workflow", "tests") for path in article["carried_by"][kind]]
    assert [path for path in named if not (ROOT / path).exists()] == []


@each_article
def test_a_planned_article_claims_no_mechanism(article: dict[str, Any]) -> None:
    if article["status"] == "planned":
        assert article["carried_by"]["workflow"] == article["carried_by"]["tests"] == []
    if article["status"] == "partly":
        assert "尚未建设" in article["note"]


@pytest.mark.parametrize("name", sorted(p.stem for p in (ROOT / "definitions/dictionary").glob("*.yaml")))
def test_the_glossary_names_every_data_set(name: str) -> None:
    assert f"`{name}`" in GLOSSARY


@pytest.mark.parametrize("folder", sorted(p.name for p in (ROOT / "definitions").iterdir() if p.is_dir()))
def test_the_map_of_the_folder_shows_every_room(folder: str) -> None:
    assert f"`{folder}/`" in GLOSSARY
