"""People, roles, scopes, sessions and field encryption."""
