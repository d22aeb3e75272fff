"""办法对照: every article stands with its text, and what the definitions say of it is what is shown."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any

import pytest

from workflow.engine.registry import load_all
from workflow.insight.law import articles, cited

LAW = articles()


def test_every_article_has_its_text() -> None:
    assert [article.number for article in LAW] == list(range(1, 25))
    assert all(article.text for article in LAW)
    assert "三色灯" in "".join(LAW[9].text)
    assert LAW[23].text[-1].startswith("本办法由")


def test_a_basis_names_its_articles() -> None:
    assert cited(["办法10(一)", "办法21", "GB 11643-1999", "办法2"]) == {10, 21, 2}


def test_the_articles_show_the_processes_that_name_them() -> None:
    by_article = {article.number: {carrier.process for carrier in article.processes} for article in LAW}
    assert {"rectification", "explanation"} <= by_article[10]
    assert {"suspension", "reminder"} <= by_article[21]
    assert "violation" in by_article[22]
    every = set().union(*by_article.values())
    assert every == set(load_all().current)


@pytest.mark.parametrize("article", [10, 21])
def test_deadlines_are_told_in_the_words_of_the_policy(article: int) -> None:
    assert any("工作日" in timer for carrier in LAW[article - 1].processes for timer in carrier.timers)


def _verdicts_without_basis(function: Any) -> list[str]:
    """Calls of Verdict(…) in a module that name neither a basis nor pass one on."""
    source = inspect.getsource(inspect.getmodule(function))
    calls = re.findall(r"Verdict\(((?:[^()]|\((?:[^()]|\([^()]*\))*\))*)\)", source)
    return [call for call in calls if not re.search(r"(?i)basis|\bLAW\b|办法", call)]


def test_every_guard_quotes_the_article_that_it_refuses_by() -> None:
    guards: Mapping[str, Any] = load_all().guards
    lacking = {call for function in guards.values() for call in _verdicts_without_basis(function)}
    assert not lacking
