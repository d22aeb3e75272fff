"""Guards and effects of explanations and other cases. Rows only: no network, no commit."""
