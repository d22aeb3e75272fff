"""School and hospital figures that fit the staff: pupils by the ratio of the stage, beds by the band of the hospital."""

from __future__ import annotations

from datetime import date

from workflow.demo.bundle import MARK, Bundle, Record

STAGES = {
    "primary": ("小学", 19.0, 42, 1, 6, "students_primary"),
    "junior": ("初中", 13.5, 45, 7, 3, "students_junior"),
    "senior": ("高中", 12.5, 45, 10, 3, "students_senior"),
}


def semesters(on: date) -> list[tuple[int, str, date]]:
    """School year, semester and due day of the figures of the last two semesters that are due on that day."""
    points = []
    for year in (on.year - 1, on.year):
        points += [(year - 1, "第二学期", date(year, 3, 10)), (year, "第一学期", date(year, 9, 10))]
    return [p for p in points if p[2] <= on][-2:]


def school_rows(bundle: Bundle, staff: int) -> list[Record]:
    """Figures of the last two semesters; `staff` is everybody who works there, contract staff included."""
    stage, ratio, size, first_grade, grades, field = STAGES[bundle.planned.kind_name]
    pupils = max(20, round(staff * ratio))
    quota = quota_total(bundle)
    rows = []
    for year, semester, due in semesters(bundle.on):
        each = [pupils // grades + (1 if i < pupils % grades else 0) for i in range(grades)]
        row: Record = {
            "school_no": f"X{bundle.planned.code}-{year}-{1 if semester == '第一学期' else 2}",
            "unit": bundle.planned.code, "school_year": year, "semester": semester, "snapshot_date": due, "stage": stage,
            "location": "城区" if bundle.planned.city else "镇区",
            "class_count": max(1, round(pupils / size)), "students": pupils, field: pupils,
            "new_students": each[0], "graduates": each[-1],
            "staff_total": staff, "staff_teacher": round(staff * 0.9), "approved_quota": quota, "remark": MARK,
        }  # fmt: skip
        row |= {f"grade{first_grade + i}": n for i, n in enumerate(each)}
        rows.append(row)
    return rows


def quota_total(bundle: Bundle) -> int:
    """All quota of the unit by its ledger."""
    return sum(row.get("delta_plus", 0) - row.get("delta_minus", 0) for row in bundle.sets["ledger"])


def _beds(staff: int) -> int | None:
    """Beds for which the staff lies in the band (综合医院组织编制原则); between two bands there are none."""
    for per_bed, most_beds in ((1.35, 299), (1.4, 299), (1.4, 500), (1.45, 500), (1.65, 10**6), (1.6, 10**6)):
        beds = min(most_beds, round(staff / per_bed))
        low, high = (130, 140) if beds < 300 else (140, 150) if beds <= 500 else (160, 170)
        if low * beds <= staff * 100 <= high * beds:
            return beds
    return None


def hospital_row(bundle: Bundle, in_quota: int, filing: int, contract: int) -> Record:
    """Figures of the last full year."""
    staff, year = in_quota + filing + contract, bundle.on.year - 1
    fitting = _beds(staff) if bundle.planned.kind_name == "hospital" else None
    beds = fitting or max(5, staff // 2)
    kind = "综合医院" if fitting else "妇幼保健机构" if bundle.planned.kind_name == "hospital" else "基层医疗卫生机构"
    return {
        "hospital_no": f"Y{bundle.planned.code}-{year}", "unit": bundle.planned.code, "year": year, "snapshot_date": date(year, 12, 31),
        "hospital_level": ("三级甲等" if bundle.planned.city else "二级甲等") if fitting else "一级甲等",
        "hospital_type": kind,
        "bed_approved": beds, "bed_actual": beds, "outpatient_visits": staff * 900, "discharges": beds * 35,
        "staff_total": staff, "staff_in_quota": in_quota, "staff_filing": filing, "staff_ext": contract,
        "doctors": round(staff * 0.34), "nurses": round(staff * 0.42), "remark": MARK,
    }  # fmt: skip
