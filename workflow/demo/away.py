"""A few people are away: lent, posted, on leave or studying, each within the time that the rules allow."""

from __future__ import annotations

from datetime import timedelta

from workflow.demo.bundle import Bundle, Record

AWAY_SHARE = 0.025
# Status, days since at most, days to come, reason, women only.
STATUSES = (
    ("借出", 300, 200, "抽调参加专项工作", False),
    ("挂职", 400, 250, "选派挂职锻炼", False),
    ("援派", 400, 500, "对口支援", False),
    ("驻村", 300, 300, "驻村工作", False),
    ("脱产学习", 150, 150, "在职攻读学位", False),
    ("长期病休", 90, 60, "因病治疗", False),
    ("产假", 60, 98, "产假", True),
)


def send_some_away(bundle: Bundle) -> None:
    """Change the on-post status of some who lead nothing."""
    leading = {p["person"] for p in bundle.sets["position"]}
    for person in bundle.living():
        if bundle.rng.random() < AWAY_SHARE and person["person_code"] not in leading and not person.get("probation"):
            _send(bundle, person)


def _send(bundle: Bundle, person: Record) -> None:
    rng, on = bundle.rng, bundle.on
    status, back, ahead, reason, women = rng.choice(STATUSES)
    if women and person["sex"] == "男":
        return
    since = max(on - timedelta(days=rng.randrange(back // 3, back)), person["entry_date"])
    person |= {
        "onpost_status": status,
        "onpost_from": since,
        "onpost_to": on + timedelta(days=rng.randrange(ahead // 2, ahead) + 30),
    }
    person |= {"onpost_reason": reason, "onpost_doc_no": f"{reason}审批表（演示）"}
    if status == "借出":
        person |= {
            "secondment_unit": "示例专班",
            "secondment_from": since,
            "secondment_to": person["onpost_to"],
            "secondment_doc": person["onpost_doc_no"],
        }
