"""What a page's form holds for a process: texts and uploads by the names that its table gives. Nothing is judged here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flask import request

from web.uploads import kept_uploads
from workflow.engine.form import FormField


def sent_fields(fields: Iterable[FormField]) -> dict[str, Any]:
    """Field name → text as typed, or the files handed in; what was not sent is left out."""
    sent: dict[str, Any] = {}
    for each in fields:
        if each.type == "files":
            if files := kept_uploads(each.name):
                sent[each.name] = files
        elif each.name in request.form and request.form[each.name].strip():
            sent[each.name] = request.form[each.name]
    if dropped := request.form.getlist("_drop"):
        sent["_drop"] = dropped
    return sent
