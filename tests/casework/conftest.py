"""After every test of casework: each verdict that the history kept is given again by what it rested on."""

from __future__ import annotations

from tests.evidence.room import every_verdict_is_given_again  # noqa: F401  (fixture)
