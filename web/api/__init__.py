"""The REST API under /api/v1 (CONTRACT): one module a subject, each a blueprint made by `web.api.shared.api`."""
