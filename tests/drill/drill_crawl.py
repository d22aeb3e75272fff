"""A canary crawl: each role reads every page, file, answer and error that it can reach or guess, and no other unit's words stand in any of it."""

from __future__ import annotations

import io
import re
import zipfile
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from flask.testing import FlaskClient
from pypdf import PdfReader
from sqlalchemy import Engine

from tests.drill.drill_scopes import Asking, Trial, codes_that_begin_alike_are_below, relations
from tests.drill.registry import Measured, drill
from tests.drill.routes import rows
from tests.drill.town import PLACES, REACH, VISITORS, Town, Visitor, found_town, name_of, words
from workflow.registry.dictionary import dictionary

LINK = re.compile(r'(?:href|hx-get|src|action)="(/[^"#]*)')
ALIKE = 3  # addresses followed of one page with the same names in the query
AT_MOST = 300  # addresses followed by one visitor, besides those that are guessed
QUERIES = ("unit={code}", "unit={code}&state=all&view=all", "text={key}&district={district}", "q={key}&under={code}")
BEYOND = ("上级", "同级", "编码相似", "外县", "划出")  # to which lists are narrowed
NARROWED = ("/roster", "/tickets", "/tickets.csv", "/tasks", "/filings", "/units", "/units/tree", "/red", "/quality", "/monthly",
            "/search", "/records/options/person", "/negative", "/matters/approval", "/api/v1/tickets", "/api/v1/inbox",
            "/api/v1/person", "/roster/find", "/monthly/export", "/suspensions", "/records/person/new", "/filings/new")  # fmt: skip


@dataclass
class Found:
    """What one crawl met."""

    pages: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    leaks: list[str] = field(default_factory=list)


def foreign(visitor: Visitor, town: Town) -> dict[str, str]:
    """Mark → whose it is: what may stand nowhere in what this visitor reads.

    Words and records of a unit out of reach. The names of units too, but for those above one's own, those that one's own was moved
    from, and for who guards the platform and knows accounts by their unit; at the door stands the list of the demonstration's
    accounts, which names units and which production does not have. ID numbers in full for nobody.
    """
    reach = REACH[visitor.scope]
    moved_from = {PLACES[relation].was_under for relation in reach}
    named = {*reach, *(relation for relation, place in PLACES.items() if place.code in moved_from)}
    named |= {"上级"} if visitor.scope == "本单位" else set()
    marks = {words(relation): relation for relation in PLACES if relation not in reach}
    if visitor.scope not in ("平台", "无"):
        marks |= {name_of(relation): relation for relation in PLACES if relation not in named}
    return marks | dict.fromkeys(town.numbers.values(), "身份证号")


def readable_text(content: bytes, kind: str) -> str:
    """Everything that a person could read out of an answer: packed files unpacked, a PDF's letters."""
    if kind.startswith("application/pdf"):
        return "".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages)
    if zipfile.is_zipfile(io.BytesIO(content)):
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            return "\n".join(
                [*packed.namelist(), *(readable_text(packed.read(name), "") for name in packed.namelist())]
            )
    text = unescape(content.decode("utf-8", "replace"))
    return text + text.encode().decode("unicode_escape", "replace") if "\\u" in text else text


class Crawler:
    """One visitor's way through the platform."""

    def __init__(self, town: Town, visitor: Visitor) -> None:
        self.town, self.visitor, self.found = town, visitor, Found()
        self.client: FlaskClient = town.enter(visitor)
        self.marks = foreign(visitor, town)
        self.seen: set[str] = set()
        self.shapes: Counter[tuple[str, ...]] = Counter()
        self.waiting: deque[str] = deque()

    def crawl(self) -> Found:
        """Every route on every thing, every list narrowed to every unit, every link from there."""
        for trial in self._trials():
            self._look(f"{trial.row.method} {trial.row.rule} {trial.row.concerns} {trial.relation}", self._asked(trial))
        for path in self._lists():
            self._get(path)
        for path, body in self._forms():
            self._look(f"POST {path}", self.client.post(path, data=body))
        followed = 0
        while self.waiting and followed < AT_MOST:
            followed += self._get(self.waiting.popleft())
        return self.found

    def _trials(self) -> Iterator[Trial]:
        for row in rows():
            if row.method != "GET" or row.rule.startswith(("/sign", "/static")):
                continue
            kinds = (
                [name for name in self.town.things if name.startswith("case.")]
                if row.concerns == "case.*"
                else [row.concerns]
            )
            for kind in kinds:
                one = row._replace(concerns=kind)
                for relation in relations(one, self.town):
                    yield Trial(one, self.visitor, relation, "")

    def _asked(self, trial: Trial) -> Any:
        return Asking(self.town).ask(self.client, trial)

    def _lists(self) -> Iterator[str]:
        for relation in BEYOND:
            place, key = PLACES[relation], self.town.things["person"][relation]
            for path in NARROWED:
                for query in QUERIES:
                    yield f"{path}?{query.format(code=place.code, key=key, district=place.district)}"
        for dataset in dictionary().datasets:
            yield f"/roster/{dataset}"
            yield f"/api/v1/{dataset}"

    def _forms(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """What answers a form with content: exports, the preview of one step on many cases, a record that names another unit's."""
        for dataset in dictionary().datasets:
            yield f"/roster/{dataset}/export", {}
        cases = [
            case for kind, those in self.town.things.items() if kind.startswith("case.") for case in those.values()
        ]
        for process in (
            "approval.submit",
            "filing.submit",
            "reminder.acknowledge",
            "suspension.uphold",
            "weekly_audit.pass",
        ):
            yield "/tasks/bulk", {"ids": cases, "step": process}
        for relation in PLACES:
            yield f"/records/person/{self.town.things['person'][relation]}/reveal", {"reason": ""}
            post = {
                "unit": PLACES["本单位"].code,
                "person": self.town.things["person"][relation],
                "name": "副科长",
                "is_leader": "否",
            }
            yield "/records/position/new", post

    def _get(self, path: str) -> bool:
        """Look at one address, once; whether it was new."""
        if path in self.seen:
            return False
        self.seen.add(path)
        answer = self.client.get(path)
        self._look(f"GET {path}", answer)
        return True

    def _look(self, where: str, answer: Any) -> None:
        self.found.pages += 1
        content, kind = answer.get_data(), str(answer.content_type or "")
        self.found.kinds[
            "错误页"
            if answer.status_code >= 400
            else "文件"
            if "attachment" in str(answer.headers.get("Content-Disposition"))
            else "页面"
        ] += 1
        text = (
            readable_text(content, kind)
            + str(answer.headers.get("Location", ""))
            + str(answer.headers.get("Content-Disposition", ""))
        )
        for mark, whose in self.marks.items():
            if mark in text:
                at = text.index(mark)
                shown = " ".join(text[max(0, at - 30) : at + 30].split())
                self.found.leaks.append(
                    f"{self.visitor.account or '未登录'} {where}（{answer.status_code}）：{whose} …{shown}…"
                )
        if kind.startswith("text/html") and answer.status_code < 400:
            self._note_links(text)
        if answer.status_code == 302:
            self._wait_for(str(answer.location))

    def _note_links(self, text: str) -> None:
        for path in LINK.findall(text):
            self._wait_for(unescape(path))

    def _wait_for(self, path: str) -> None:
        parts = urlsplit(path)
        if parts.path.startswith(("/static", "/sign-out")) or path in self.seen:
            return
        rule = re.sub(r"\d+|%[0-9A-F]{2}", "#", parts.path)
        shape = (rule, *sorted(name for name, _ in parse_qsl(parts.query)))
        self.shapes[shape] += 1
        if self.shapes[shape] <= ALIKE:
            self.waiting.append(f"{parts.path}?{parts.query}" if parts.query else parts.path)


@drill(
    "金丝雀遍历",
    "每个角色的每个页面、文件、接口和错误，0 处越权内容、0 个完整身份证号",
    codes_that_begin_alike_are_below,
)
def crawl(engine: Engine, folder: Path) -> Measured:
    """Everybody goes everywhere."""
    with found_town(engine, folder) as town:
        found = [Crawler(town, visitor).crawl() for visitor in VISITORS]
    leaks = [leak for one in found for leak in one.leaks]
    kinds = sum((one.kinds for one in found), Counter[str]())
    told = "、".join(f"{kind} {n:,}" for kind, n in sorted(kinds.items()))
    return Measured(f"{len(found)} 人，{told}，越权 {len(leaks)} {'；'.join(leaks[:2])}".strip(), not leaks)
