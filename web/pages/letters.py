"""函告 as files: what was signed, on paper, for whoever may see the case."""

from __future__ import annotations

import io
from typing import Any

from flask import Blueprint, send_file

from web.auditing import note_now
from web.database import session
from web.identity import actor
from web.permissions import permission
from workflow.casework.letter_files import letter_docx, letter_pdf
from workflow.casework.letters import Letter, letter_of
from workflow.errors import NotFound
from workflow.insight.case import case_in_scope

bp = Blueprint("letters", __name__)
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
FORMS = {"docx": (letter_docx, DOCX), "pdf": (letter_pdf, "application/pdf")}


@bp.get("/letters/<int:case_id>.<form>")
@permission("case.read")
def file(case_id: int, form: str) -> Any:
    """The letter as a Word document or as a PDF."""
    letter = letter_of(session(), case_in_scope(session(), actor(), case_id))
    made = on_paper(letter, form, letter.number)
    note_now("letter.fetch", kind="letter", key=case_id, summary={"how": form})
    return made


def on_paper(letter: Letter, form: str, name: str) -> Any:
    """A letter as a download in one of the forms. Raises NotFound for another form."""
    if form not in FORMS:
        raise NotFound
    make, kind = FORMS[form]
    return send_file(io.BytesIO(make(letter)), as_attachment=True, download_name=f"{name}.{form}", mimetype=kind)
