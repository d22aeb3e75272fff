"""What may stand in a policy file: the kinds of entries, their names, and which way a county may be stricter (办法23). Shapes only."""

from __future__ import annotations

import string
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

READINGS = ("month", "round", "daily")  # from lax to strict


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Entry(_Part):
    basis: list[str] = Field(min_length=1)
    says: str = Field(min_length=1)


class WorkingDays(_Entry):
    """A term in working days; 0 means at once."""

    unit: Literal["working_days"]
    value: int = Field(ge=0, le=250)


class Months(_Entry):
    """A term in calendar months."""

    unit: Literal["months"]
    value: int = Field(ge=1, le=120)


class Count(_Entry):
    """A number of records."""

    unit: Literal["count"]
    value: int = Field(ge=0, le=1_000_000)


class TimeOfDay(_Entry):
    """A time in Asia/Shanghai, "HH:MM"."""

    unit: Literal["time"]
    value: str = Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")


class DayOfMonth(_Entry):
    """A day of each month; beyond the month's end its last day, so that 31 means the last day."""

    unit: Literal["day"]
    value: int = Field(ge=1, le=31)


class Percent(_Entry):
    """A share in per cent."""

    unit: Literal["percent"]
    value: int = Field(ge=1, le=100)


class Retention(_Entry):
    """How long audit entries are kept, in days; at least 184 (网络安全法第二十三条: six months)."""

    unit: Literal["retention_days"]
    value: int = Field(ge=184, le=36500)


class Reading(_Entry):
    """How red lights in a row are counted (办法21): per round, per month, or per daily check."""

    unit: Literal["reading"]
    value: Literal["month", "round", "daily"]


class Template(_Entry):
    """A letter number with the places {year} and {n}."""

    unit: Literal["template"]
    value: str

    @model_validator(mode="after")
    def _has_both_places(self) -> Template:
        if _places(self.value) != {"year", "n"}:
            raise PydanticCustomError("template", "文号格式须含且只含 year、n 两处花括号")
        return self


class LadderStep(_Part):
    """What follows from that many red rounds in a row; months is the length of the proposed suspension."""

    red_rounds: int = Field(ge=1)
    do: Literal["remind", "propose_suspension"]
    months: int | None = Field(default=None, ge=1, le=12)

    @model_validator(mode="after")
    def _months_belong_to_a_suspension(self) -> LadderStep:
        if (self.months is None) == (self.do == "propose_suspension"):
            raise PydanticCustomError("ladder", "propose_suspension 须写 months，remind 不写")
        return self


class Ladder(_Entry):
    """The steps of 办法21, by rising number of red rounds; the last one also holds for more."""

    unit: Literal["steps"]
    value: list[LadderStep] = Field(min_length=1)

    @model_validator(mode="after")
    def _rises(self) -> Ladder:
        counts = [step.red_rounds for step in self.value]
        if counts != sorted(set(counts)):
            raise PydanticCustomError("ladder", "red_rounds 应逐级增加")
        return self


Entry = WorkingDays | Months | Count | TimeOfDay | DayOfMonth | Percent | Retention | Reading | Template | Ladder


class PolicyFile(_Part):
    """One file of definitions/policies: a district, its name, its entries."""

    district: str = Field(pattern=r"^[0-9]{6}$")
    name: str
    entries: dict[str, Annotated[Entry, Field(discriminator="unit")]]


class Known(NamedTuple):
    """What an entry must be: its unit, and which way is stricter (None: a county is free; city: only the city sets it)."""

    unit: str
    stricter: Literal["lower", "higher", "city"] | None = None


ENTRIES: dict[str, Known] = {
    "light.yellow": Known("working_days", "lower"),
    "light.red": Known("working_days", "lower"),
    "light.relapse": Known("working_days", "higher"),
    "round.length": Known("working_days", "lower"),
    "streak.reading": Known("reading", "higher"),
    "ladder": Known("steps", "higher"),
    "negative_list.observation": Known("months", "higher"),
    "filing.ledger": Known("working_days", "lower"),
    "filing.person": Known("working_days", "lower"),
    "explanation.validity": Known("months", "lower"),
    "report.validity": Known("working_days", "lower"),
    "report.batch_rows": Known("count", "lower"),
    "report.export_people": Known("count", "lower"),
    "approval.receive": Known("working_days", "lower"),
    "approval.decide": Known("working_days", "lower"),
    "approval.validity": Known("months"),
    "approval.number": Known("template"),
    "letter.number": Known("template"),
    "letter.reply": Known("working_days", "lower"),
    "monthly.opens_on": Known("day", "lower"),
    "monthly.remind": Known("working_days"),
    "monthly.confirm": Known("day", "lower"),
    "monthly.compare": Known("working_days", "lower"),
    "monthly.correction": Known("working_days", "lower"),
    "monthly.consistency": Known("working_days", "lower"),
    "check.term": Known("working_days", "lower"),
    "check.sample": Known("percent", "higher"),
    "duty.monthly": Known("working_days", "city"),
    "duty.quarterly": Known("working_days", "city"),
    "incident.contain": Known("working_days", "city"),
    "incident.eradicate": Known("working_days", "city"),
    "incident.recover": Known("working_days", "city"),
    "incident.review": Known("working_days", "city"),
    "grant.approval": Known("working_days", "city"),
    "alarm.readings": Known("count", "city"),
    "alarm.exports": Known("count", "city"),
    "alarm.export_rows": Known("count", "city"),
    "alarm.export_times": Known("count", "city"),
    "alarm.export_parts": Known("count", "city"),
    "alarm.export_night": Known("count", "city"),
    "alarm.lockouts": Known("count", "city"),
    "alarm.reds": Known("count", "city"),
    "alarm.red_times": Known("count", "city"),
    "digest.at": Known("time"),
    "quiet.from": Known("time"),
    "quiet.until": Known("time"),
    "job.full_check": Known("time", "city"),
    "job.check": Known("time", "city"),
    "job.weekly_audit": Known("time", "city"),
    "job.monthly": Known("time", "city"),
    "job.backup": Known("time", "city"),
    "job.backup_verify": Known("time", "city"),
    "job.audit_chain": Known("time", "city"),
    "job.accounts": Known("time", "city"),
    "job.duty": Known("time", "city"),
    "audit.retention": Known("retention_days", "city"),
}


def _places(template: str) -> set[str | None]:
    try:
        return {place for _, place, _, _ in string.Formatter().parse(template) if place is not None}
    except ValueError:  # unmatched brace
        return set()
