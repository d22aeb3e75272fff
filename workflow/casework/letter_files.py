"""A letter as DOCX and as PDF: red head, number, title, text, signature, date. Pure; no font file is needed (GB fonts are named, not embedded)."""

from __future__ import annotations

import io
from datetime import date
from xml.sax.saxutils import escape

from docx import Document
from docx.document import Document as Word
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml.ns import qn
from docx.shared import Cm, Pt, RGBColor
from reportlab.lib.enums import TA_CENTER, TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import cm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.platypus import HRFlowable, Paragraph, SimpleDocTemplate, Spacer

from workflow.casework.letters import Letter

FONT = "STSong-Light"  # a font that every PDF reader supplies for simplified Chinese
FACE = "仿宋"


def chinese_day(day: date | None) -> str:
    """2026年3月2日; empty before it is issued."""
    return f"{day.year}年{day.month}月{day.day}日" if day else ""


def letter_docx(letter: Letter) -> bytes:
    """The letter as a Word document."""
    document = Document()
    section = document.sections[0]
    section.page_width, section.page_height = Cm(21), Cm(29.7)
    section.left_margin = section.right_margin = Cm(2.7)
    _line(document, letter.office, size=26, align=WD_ALIGN_PARAGRAPH.CENTER, red=True, bold=True)
    _line(document, letter.number, size=16, align=WD_ALIGN_PARAGRAPH.CENTER)
    _line(document, letter.subject, size=22, align=WD_ALIGN_PARAGRAPH.CENTER, bold=True)
    _line(document, f"{letter.addressee}：", size=16)
    for text in (letter.opening, *letter.problems, letter.demand, letter.closing):
        _line(document, text, size=16, indent=True)
    for text in (letter.office, chinese_day(letter.issued_on)):
        _line(document, text, size=16, align=WD_ALIGN_PARAGRAPH.RIGHT)
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def _line(
    document: Word, text: str, *, size: int, align: WD_ALIGN_PARAGRAPH | None = None, red: bool = False,
    bold: bool = False, indent: bool = False,
) -> None:  # fmt: skip
    paragraph = document.add_paragraph()
    if align is not None:
        paragraph.alignment = align
    if indent:
        paragraph.paragraph_format.first_line_indent = Pt(2 * size)
    run = paragraph.add_run(text)
    run.font.size, run.font.name, run.bold = Pt(size), FACE, bold
    run._element.get_or_add_rPr().get_or_add_rFonts().set(qn("w:eastAsia"), FACE)
    if red:
        run.font.color.rgb = RGBColor(0xC0, 0x00, 0x00)


def letter_pdf(letter: Letter) -> bytes:
    """The letter as a PDF, its pages numbered."""
    pdfmetrics.registerFont(UnicodeCIDFont(FONT))
    body = ParagraphStyle("body", fontName=FONT, fontSize=14, leading=26, firstLineIndent=28, wordWrap="CJK")
    plain = ParagraphStyle("plain", parent=body, firstLineIndent=0)
    head = ParagraphStyle("head", parent=plain, fontSize=24, leading=36, alignment=TA_CENTER, textColor="#c00000")
    centre = ParagraphStyle("centre", parent=plain, alignment=TA_CENTER)
    subject = ParagraphStyle("subject", parent=centre, fontSize=19, leading=32)
    right = ParagraphStyle("right", parent=plain, alignment=TA_RIGHT)
    story = [
        Paragraph(escape(letter.office), head),
        Paragraph(escape(letter.number), centre),
        HRFlowable(width="100%", color="#c00000", thickness=1.5, spaceBefore=6, spaceAfter=18),
        Paragraph(escape(letter.subject), subject),
        Spacer(1, 12),
        Paragraph(escape(f"{letter.addressee}："), plain),
        *(Paragraph(escape(text), body) for text in (letter.opening, *letter.problems, letter.demand, letter.closing)),
        Spacer(1, 24),
        *(Paragraph(escape(text), right) for text in (letter.office, chinese_day(letter.issued_on))),
    ]
    out = io.BytesIO()
    margins = {"leftMargin": 2.7 * cm, "rightMargin": 2.7 * cm, "topMargin": 3 * cm, "bottomMargin": 2.5 * cm}
    paper = SimpleDocTemplate(out, pagesize=A4, title=letter.subject, author=letter.office, **margins)
    paper.build(story, onFirstPage=_numbered, onLaterPages=_numbered)
    return out.getvalue()


def _numbered(canvas: object, paper: object) -> None:
    canvas.setFont(FONT, 10)  # type: ignore[attr-defined]
    canvas.drawCentredString(A4[0] / 2, 1.5 * cm, f"— {paper.page} —")  # type: ignore[attr-defined]
