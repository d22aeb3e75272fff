"""Alembic's entry: runs on the connection that workflow.migrations hands over."""

from typing import Any, Literal

from alembic import context

from workflow.db import Base, UtcDateTime, YmdDate

connection = context.config.attributes["connection"]


def render_item(kind: str, item: Any, autogen: Any) -> str | Literal[False]:
    """Write our column types by their own names."""
    if kind == "type" and isinstance(item, UtcDateTime | YmdDate):
        autogen.imports.add("from workflow.db import UtcDateTime, YmdDate")
        return f"{type(item).__name__}()"
    if kind == "type" and repr(item).startswith("JSON"):
        autogen.imports.add("from workflow.db import Json")
        return "Json"
    if kind == "type" and type(item).__name__ == "BigInteger":
        autogen.imports.add("from workflow.db import BigId")
        return "BigId"
    return False


context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    render_item=render_item,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
