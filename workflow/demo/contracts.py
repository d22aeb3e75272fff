"""Contract staff within the unit's control figures: contracts that run on, nobody past the age, no sensitive work."""

from __future__ import annotations

from datetime import date, timedelta

from workflow.demo.bundle import MARK, Bundle, Record
from workflow.demo.names import person_name
from workflow.demo.numbers import IdNumbers, between, credit_code, years

JOBS = {
    "行政辅助": ("窗口服务", "档案整理", "文件收发", "数据录入"),
    "技术辅助": ("设备维护", "网络维护"),
    "执法辅助": ("巡查辅助", "社区巡逻", "交通疏导"),
    "司法辅助": ("庭审记录", "案卷整理"),
    "教育": ("代课教学", "幼儿保育"),
    "卫生": ("护理", "导医", "检验辅助"),
    "后勤服务": ("驾驶", "保安", "保洁", "食堂服务"),
    "其他": ("综合服务",),
}
SCHOOLING = (("大学本科毕业", 0.35), ("大学专科毕业", 0.45), ("普通高中毕业", 0.2))
AGENCY = "宁波示例人力资源服务有限公司（演示）"
LISTED = ("警务辅助", "聘用制书记员", "司法雇员")


class ContractStaff:
    """Makes contract staff: takes ID numbers and codes from the city's counters."""

    def __init__(self, ids: IdNumbers) -> None:
        self.ids = ids
        self.count = 0

    def of(self, bundle: Bundle, living: int) -> list[Record]:
        """As many as the kind's shares give for that many people in post; one in twenty has left."""
        records = []
        for category, mode, share in bundle.planned.kind.contracts:
            records += [self._one(bundle, category, mode) for _ in range(int(living * share + bundle.rng.random()))]
        return records

    def _one(self, bundle: Bundle, category: str, mode: str) -> Record:
        rng, on = bundle.rng, bundle.on
        woman = rng.random() < 0.5
        birth = on - timedelta(days=int(rng.uniform(22, 46) * 365.25))
        first = between(rng, max(years(birth, 19), years(on, -14)), on - timedelta(days=40))
        self.count += 1
        record: Record = {
            "contract_code": f"C{self.count:08d}",
            "unit": bundle.planned.code,
            "inner_org": f"{bundle.planned.code}-{1 + rng.randrange(len(bundle.sets['inner_org']) - 1):02d}",
            "name": person_name(rng, woman),
            "sex": "女" if woman else "男",
            "ethnic": "汉族",
            "id_no": self.ids.take(birth, woman),
            "birth_date": birth,
            "edu": rng.choices([s[0] for s in SCHOOLING], [s[1] for s in SCHOOLING])[0],
            "phone": f"0574-0{rng.randrange(10**7):07d}",
            "category": category,
            "job": rng.choice(JOBS[category]),
            "hire_mode": mode,
            "is_listed": mode in LISTED,
            "pay_source": "派遣单位" if mode == "劳务派遣" else "财政全额",
            "status": "在岗",
            "first_contract_date": first,
            "contract_no": f"HT{bundle.planned.code}{self.count % 100000:05d}",
            "remark": MARK,
        }
        if mode == "劳务派遣":
            record |= {"dispatch_company": AGENCY, "dispatch_uscc": credit_code("91", "330200", 99999)}
        record |= _term(first, mode, on)
        if rng.random() < 0.05 and first < on - timedelta(days=100):
            day = between(rng, first + timedelta(days=30), on - timedelta(days=30))
            record |= {"status": "离职", "leave_date": day, "leave_reason": "辞职"}
        return record


def _term(first: date, mode: str, on: date) -> Record:
    """Three-year contracts one after the other; open-ended once ten years are near."""
    if mode == "劳动合同" and first < years(on, -9):
        return {"open_ended": True, "contract_from": years(first, 9)}
    start = first
    while years(start, 3) <= on + timedelta(days=60):
        start = years(start, 3)
    start = min(start, on)
    return {"open_ended": False, "contract_from": start, "contract_to": years(start, 3) - timedelta(days=1)}
