"""The bundle as a ZIP: document, sheet to read, attachments, and a manifest of SHA-256 digests that `sha256sum -c` reads too."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import orjson

from workflow.errors import BadInput, SandengError
from workflow.evidence.findings import DIFFERENT, SAME, Rejudged, Row, told
from workflow.evidence.rejudging import rejudged

DOCUMENT, SHEET, MANIFEST = "evidence.json", "evidence.html", "manifest.sha256"
LARGEST_DOCUMENT = 64 * 1024 * 1024
LARGEST_FILE = 64 * 1024 * 1024
Pieces = Callable[[], Iterable[bytes]]


def packed(file: IO[bytes], document: Mapping[str, Any], sheet: str, files: Mapping[str, Pieces]) -> str:
    """Writes the bundle; returns the SHA-256 of its manifest, by which the audit chain knows it.

    `files`: path of an attachment → its content in pieces; the document says of each attachment whether it is there.
    """
    contents: dict[str, Pieces] = {
        DOCUMENT: lambda: [orjson.dumps(document, option=orjson.OPT_INDENT_2)],
        SHEET: lambda: [sheet.encode()],
    }
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as bundle:
        lines = [f"{_written(bundle, path, pieces())}  {path}\n" for path, pieces in {**contents, **files}.items()]
        manifest = "".join(lines).encode()
        bundle.writestr(MANIFEST, manifest)
    return hashlib.sha256(manifest).hexdigest()


def sound(attachment: Mapping[str, Any], pieces: Pieces) -> bool:
    """Whether a kept file is still what was registered when it was handed in."""
    digest = hashlib.sha256()
    try:
        for piece in pieces():
            digest.update(piece)
    except SandengError:  # gone, or damaged on disk: the bundle says so and is made all the same
        return False
    return digest.hexdigest() == attachment["sha256"]


def _written(bundle: zipfile.ZipFile, path: str, pieces: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    with bundle.open(path, "w") as target:
        for piece in pieces:
            digest.update(piece)
            target.write(piece)
    return digest.hexdigest()


def verified(path: Path) -> tuple[Rejudged, dict[str, Any]]:
    """The bundle checked and judged again, and what it is: its case, when it was made, the digest of its manifest. Raises BadInput.

    1. Each file against the manifest, and no file beside it. 2. Attachments against the document. 3. Versions, steps, verdicts,
    timers once more (`rejudging`). 4. The result as it was told at export against the one of now.
    """
    try:
        with zipfile.ZipFile(path) as bundle:
            return _verified(bundle)
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError) as fault:
        raise BadInput(f"不是可读的证据包：{fault}") from None


def _verified(bundle: zipfile.ZipFile) -> tuple[Rejudged, dict[str, Any]]:
    names = [info.filename for info in bundle.infolist()]
    if DOCUMENT not in names or MANIFEST not in names:
        raise BadInput(f"不是证据包：缺少 {DOCUMENT} 或 {MANIFEST}")
    manifest = _read(bundle, MANIFEST)
    digests = {name: _digest(bundle, name) for name in names if name != MANIFEST}
    rows = [*_files(manifest, names, digests)]
    try:
        document = orjson.loads(_read(bundle, DOCUMENT))
    except orjson.JSONDecodeError:
        return Rejudged([*rows, Row("files", DOCUMENT, DIFFERENT, "不是可读的 JSON")]), _about({}, manifest)
    if not isinstance(document, dict):
        return Rejudged([*rows, Row("files", DOCUMENT, DIFFERENT, "不是证据文件")]), _about({}, manifest)
    again = rejudged(document)
    return Rejudged([*rows, *_attached(document, digests), *again.rows, _then(document, again)]), _about(
        document, manifest
    )


def _read(bundle: zipfile.ZipFile, name: str) -> bytes:
    with bundle.open(name) as file:
        content = file.read(LARGEST_DOCUMENT + 1)
    if len(content) > LARGEST_DOCUMENT:
        raise BadInput(f"{name} 过大")
    return content


def _digest(bundle: zipfile.ZipFile, name: str) -> str:
    digest, size = hashlib.sha256(), 0
    try:
        with bundle.open(name) as file:
            while piece := file.read(1024 * 1024):
                size += len(piece)
                if size > LARGEST_FILE:
                    raise BadInput(f"{name} 过大")
                digest.update(piece)
    except zipfile.BadZipFile:  # its own check sum does not fit: changed without care
        return "已损坏"
    return digest.hexdigest()


def _files(manifest: bytes, names: list[str], digests: Mapping[str, str]) -> Iterator[Row]:
    lines = [line.partition("  ") for line in manifest.decode(errors="replace").splitlines()]
    listed = {name: digest for digest, _, name in lines if name}
    for name, digest in listed.items():
        there = digests.get(name)
        faults = [] if there == digest else ["文件缺失"] if there is None else [f"摘要为 {there}，清单为 {digest}"]
        yield told("files", name, faults, f"SHA-256 {digest[:16]}")
    for name in dict.fromkeys(names):
        if name != MANIFEST and name not in listed:
            yield Row("files", name, DIFFERENT, "不在清单中")
        if names.count(name) > 1:
            yield Row("files", name, DIFFERENT, "同名文件出现多次")
    for name in {DOCUMENT, SHEET} - listed.keys():
        if name not in names:
            yield Row("files", name, DIFFERENT, "清单中没有该文件")


def _attached(document: Mapping[str, Any], digests: Mapping[str, str]) -> Iterator[Row]:
    for one in document.get("attachments", []):
        there = digests.get(one["path"])
        if one["included"]:
            faults = [] if there == one["sha256"] else [f"应为 {one['sha256']}，现为 {there or '缺失'}"]
            yield told("files", one["name"], faults, "与办理时登记的摘要一致")


def _then(document: Mapping[str, Any], again: Rejudged) -> Row:
    kept = document.get("rejudged", {})
    same = kept.get("rows") == [row.as_json() for row in again.rows]
    return Row("case", "导出时的重判结果", SAME if same else DIFFERENT, "与现在一致" if same else "与现在不同")


def _about(document: Mapping[str, Any], manifest: bytes) -> dict[str, Any]:
    case, made = document.get("case") or {}, document.get("made") or {}
    told_of = {
        "case": case.get("id"),
        "process": case.get("process"),
        "title": case.get("title"),
        "made_at": made.get("at"),
        "made_by": made.get("by"),
    }
    return {**told_of, "manifest_sha256": hashlib.sha256(manifest).hexdigest()}
