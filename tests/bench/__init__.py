"""Measurements: each figure as a ratio to a named baseline of the same run. Never part of the tests."""
