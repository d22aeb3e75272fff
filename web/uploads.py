"""Files that people hand in: checked by their first bytes, kept sealed under a random name in the data directory, known by their SHA-256."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from flask import Response, current_app, request, send_file
from werkzeug.datastructures import FileStorage

from web.auditing import note_now
from workflow.access import sealed_files
from workflow.errors import BadInput, NotFound

LARGEST = 10 * 1024 * 1024
MOST = 5
KINDS: dict[str, tuple[bytes, ...]] = {  # ending → how such a file begins
    ".pdf": (b"%PDF-",),
    ".jpg": (b"\xff\xd8\xff",),
    ".jpeg": (b"\xff\xd8\xff",),
    ".png": (b"\x89PNG\r\n\x1a\n",),
    ".docx": (b"PK\x03\x04",),
    ".ofd": (b"PK\x03\x04",),
    ".doc": (b"\xd0\xcf\x11\xe0",),
}


def kept_uploads(field: str) -> list[dict[str, Any]]:
    """The files of a form field, kept; [] where none was chosen. Raises BadInput with the file's name and what is wrong."""
    chosen = [upload for upload in request.files.getlist(field) if upload.filename]
    if len(chosen) > MOST:
        raise BadInput(f"一次最多上传 {MOST} 个文件")
    read = [(upload, _checked(upload)) for upload in chosen]
    return [_keep(upload, content) for upload, content in read]


def _checked(upload: FileStorage) -> bytes:
    name = upload.filename or ""
    ending = name[name.rfind(".") :].lower()
    content = upload.stream.read(LARGEST + 1)
    if ending not in KINDS:
        raise BadInput(f"文件“{name[:60]}”的类型不受支持，请上传 PDF、OFD、图片或 Word 文件")
    if len(content) > LARGEST:
        raise BadInput(f"文件“{name[:60]}”超过 10 MB")
    if not content.startswith(KINDS[ending]):
        raise BadInput(f"文件“{name[:60]}”的内容与类型不符，可能已损坏")
    return content


def _keep(upload: FileStorage, content: bytes) -> dict[str, Any]:
    folder = current_app.extensions["sandeng"].folder("uploads", "evidence")
    kept, sha256, size = sealed_files.keep(folder, [content])
    return {"name": (upload.filename or "")[-100:], "file": kept, "sha256": sha256, "bytes": size}


def sent_upload(kept: dict[str, Any]) -> Response:
    """A kept file as a download under its own name; never shown inside the page. Raises NotFound where it is gone."""
    path = current_app.extensions["sandeng"].folder("uploads", "evidence") / Path(kept["file"]).name
    if not path.is_file():
        raise NotFound("文件已不在")
    note_now("evidence.fetch", kind="evidence", key=kept["file"], summary={"sha256": kept.get("sha256")})
    content = io.BytesIO(b"".join(sealed_files.pieces(path)))
    return send_file(content, as_attachment=True, download_name=kept["name"], mimetype="application/octet-stream")
