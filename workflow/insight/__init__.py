"""Figures: read-only functions that pages and reports show."""
