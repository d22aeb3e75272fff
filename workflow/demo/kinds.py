"""The kinds of units of the invented city, as a table: what they are, what they run on, who works there."""

from __future__ import annotations

from dataclasses import dataclass, field

CITY = "330200"
REGIONS = {
    "330200": "宁波市", "330203": "海曙区", "330205": "江北区", "330206": "北仑区", "330211": "镇海区", "330212": "鄞州区",
    "330213": "奉化区", "330225": "象山县", "330226": "宁海县", "330281": "余姚市", "330282": "慈溪市",
}  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """One kind of unit; `quotas` is quota type → share, `posts` post category → share among those that are no leaders."""

    nature: str
    category: str
    system: str
    weight: float = 1.0
    fund: str = "行政经费"
    quotas: dict[str, float] = field(default_factory=lambda: {"行政编制": 0.95, "机关工勤编制": 0.05})
    posts: dict[str, float] = field(default_factory=lambda: {"公务员": 1.0})
    ranks: str = "综合管理类"
    subject: str = "civil"
    inner: tuple[str, ...] = (
        "办公室",
        "综合科",
        "组织人事科",
        "政策法规科",
        "业务一科",
        "业务二科",
        "监督科",
        "财务科",
        "规划科",
        "信息科",
        "服务科",
        "督查科",
    )
    heads: tuple[str, str] = ("局长", "副局长")
    industry: str | None = None
    town: bool = False
    levels: tuple[str, str] = ("正局级", "正处级")
    contracts: tuple[tuple[str, str, float], ...] = (("行政辅助", "劳务派遣", 0.08), ("后勤服务", "劳务派遣", 0.05))

    @property
    def organ(self) -> bool:
        """Whether its people are civil servants."""
        return self.nature != "事业单位"


INSTITUTION = ("正处级", "正科级")
WHOLE = {"全额事业编制": 1.0}
MIXED = {"管理": 0.3, "专技": 0.62, "工勤": 0.08}
CENTRE_INNER = ("办公室", "综合部", "业务一部", "业务二部", "技术部", "服务部", "信息部", "财务部")
SCHOOL_INNER = ("校务办公室", "教务处", "总务处", "学生处", "语文组", "数学组", "英语组", "科学组", "艺体组", "信息组")
HOSPITAL_INNER = (
    "院办公室",
    "医务科",
    "护理部",
    "内科",
    "外科",
    "儿科",
    "妇产科",
    "急诊科",
    "药剂科",
    "检验科",
    "放射科",
    "门诊部",
)
SCHOOL_POSTS = {"专技": 0.94, "管理": 0.04, "工勤": 0.02}
HOSPITAL_POSTS = {"专技": 0.9, "管理": 0.07, "工勤": 0.03}

KINDS: dict[str, Kind] = {
    "party": Kind("政党机关", "党委工作机关", "党委", 0.8, heads=("部长", "副部长")),
    "government": Kind("国家机关", "政府工作部门", "政府", 1.0),
    "congress": Kind("国家机关", "人大机关", "人大", 0.7, heads=("主任", "副主任")),
    "consultative": Kind("政党机关", "政协机关", "政协", 0.6, heads=("主席", "副主席")),
    "supervision": Kind("国家机关", "监委机关", "监委", 0.9, heads=("主任", "副主任")),
    "police": Kind("政法机关", "政府工作部门", "政府", 6.0, quotas={"公安专项编制": 1.0}, ranks="执法勤务警员", subject="police", contracts=(("执法辅助", "警务辅助", 0.25), ("后勤服务", "劳务派遣", 0.03))),
    "court": Kind("政法机关", "法院", "法院", 1.8, quotas={"法院专项编制": 1.0}, heads=("院长", "副院长"), contracts=(("司法辅助", "聘用制书记员", 0.2),)),
    "procuratorate": Kind("政法机关", "检察院", "检察院", 1.3, quotas={"检察专项编制": 1.0}, heads=("检察长", "副检察长"), contracts=(("司法辅助", "司法雇员", 0.12),)),
    "mass": Kind("社会团体", "群团机关", "群团", 0.4, quotas={"行政编制": 1.0}, heads=("书记", "副书记")),
    "street": Kind("国家机关", "街道机关", "政府", 1.3, heads=("主任", "副主任"), town=True, contracts=(("行政辅助", "劳务派遣", 0.2), ("执法辅助", "劳务派遣", 0.08))),
    "town": Kind("国家机关", "乡镇机关", "政府", 1.4, heads=("镇长", "副镇长"), town=True, contracts=(("行政辅助", "劳务派遣", 0.2), ("后勤服务", "劳动合同", 0.06))),
    "civil_institution": Kind("事业单位", "参公事业单位", "事业", 0.6, "财政全额补助", {"参公事业编制": 1.0}, {"参公": 1.0}, inner=CENTRE_INNER, heads=("主任", "副主任"), industry="经济监督", levels=INSTITUTION),
    "centre": Kind("事业单位", "公益一类", "事业", 0.6, "财政全额补助", WHOLE, MIXED, "", "engineer", CENTRE_INNER, ("主任", "副主任"), "信息咨询", levels=INSTITUTION),
    "museum": Kind("事业单位", "公益一类", "事业", 0.5, "财政全额补助", WHOLE, MIXED, "", "engineer", CENTRE_INNER, ("馆长", "副馆长"), "文化", levels=INSTITUTION),
    "institute": Kind("事业单位", "公益二类", "事业", 0.6, "财政适当补助", {"差额事业编制": 1.0}, MIXED, "", "engineer", CENTRE_INNER, ("院长", "副院长"), "科技", levels=INSTITUTION),
    "self_funded": Kind("事业单位", "公益二类", "事业", 0.4, "经费自理", {"自收自支事业编制": 1.0}, MIXED, "", "engineer", CENTRE_INNER, ("主任", "副主任"), "勘察设计", levels=INSTITUTION),
    "primary": Kind("事业单位", "公益一类", "事业", 1.1, "财政全额补助", WHOLE, SCHOOL_POSTS, "", "teacher", SCHOOL_INNER, ("校长", "副校长"), "教育", levels=INSTITUTION, contracts=(("教育", "劳动合同", 0.05), ("后勤服务", "劳务派遣", 0.06))),
    "junior": Kind("事业单位", "公益一类", "事业", 1.4, "财政全额补助", WHOLE, SCHOOL_POSTS, "", "teacher", SCHOOL_INNER, ("校长", "副校长"), "教育", levels=INSTITUTION, contracts=(("教育", "劳动合同", 0.04), ("后勤服务", "劳务派遣", 0.06))),
    "senior": Kind("事业单位", "公益一类", "事业", 2.0, "财政全额补助", WHOLE, SCHOOL_POSTS, "", "teacher", SCHOOL_INNER, ("校长", "副校长"), "教育", levels=INSTITUTION, contracts=(("后勤服务", "劳务派遣", 0.06),)),
    "hospital": Kind("事业单位", "公益二类", "事业", 7.0, "财政适当补助", {"差额事业编制": 0.8, "报备员额": 0.2}, HOSPITAL_POSTS, "", "doctor", HOSPITAL_INNER, ("院长", "副院长"), "卫生", levels=INSTITUTION, contracts=(("卫生", "劳动合同", 0.15), ("后勤服务", "劳务派遣", 0.08))),
    "clinic": Kind("事业单位", "公益一类", "事业", 1.5, "财政全额补助", WHOLE, HOSPITAL_POSTS, "", "doctor", HOSPITAL_INNER[:8], ("院长", "副院长"), "卫生", levels=INSTITUTION, contracts=(("卫生", "劳动合同", 0.1),)),
}  # fmt: skip

# (kind, name) in the order in which a region gets them; a region of few units has the first few. 「演示」 marks every name.
CITY_ORGANS = (
    ("government", "教育局"), ("senior", "第一高级中学"), ("government", "卫生健康委员会"), ("hospital", "第一医院"), ("police", "公安局"),
    ("government", "人力资源和社会保障局"), ("civil_institution", "社会保险管理中心"), ("party", "委员会组织部"), ("government", "财政局"),
    ("centre", "大数据发展中心"), ("court", "中级人民法院"), ("institute", "规划设计研究院"), ("supervision", "监察委员会"), ("museum", "博物馆"),
    ("procuratorate", "人民检察院"), ("mass", "青年联合会"), ("congress", "人大常委会办公室"), ("consultative", "政协办公室"),
    ("government", "民政局"), ("government", "交通运输局"), ("government", "水利局"), ("government", "农业农村局"), ("government", "文化广电旅游局"),
    ("government", "生态环境局"), ("government", "市场监督管理局"), ("government", "应急管理局"), ("government", "统计局"), ("government", "司法局"),
    ("party", "委员会宣传部"), ("party", "委员会统战部"), ("party", "委员会政法委员会"), ("government", "商务局"), ("government", "审计局"),
    ("government", "综合行政执法局"), ("mass", "妇女联合会"), ("mass", "科学技术协会"),
)  # fmt: skip
COUNTY_ORGANS = (
    ("government", "教育局"), ("primary", "第一小学"), ("government", "卫生健康局"), ("clinic", "第一社区卫生服务中心"), ("street", "第一街道办事处"),
    ("police", "公安局"), ("hospital", "人民医院"), ("junior", "第一初级中学"), ("town", "第一镇人民政府"), ("government", "财政局"),
    ("government", "人力资源和社会保障局"), ("centre", "农业技术推广中心"), ("court", "人民法院"), ("procuratorate", "人民检察院"),
    ("supervision", "监察委员会"), ("party", "委员会组织部"), ("senior", "高级中学"), ("government", "综合行政执法局"), ("mass", "青年联合会"),
    ("congress", "人大常委会办公室"), ("consultative", "政协办公室"), ("civil_institution", "社会保险管理服务中心"), ("government", "民政局"),
    ("government", "交通运输局"), ("government", "水利局"), ("government", "农业农村局"), ("museum", "图书馆"), ("self_funded", "测绘设计所"),
    ("party", "委员会宣传部"), ("government", "市场监督管理局"), ("government", "应急管理局"), ("government", "统计局"), ("government", "司法局"),
)  # fmt: skip
# What further units a region gets when the list above is used up: kind, name with its number, share.
FURTHER = (
    ("primary", "第{n}小学", 0.34), ("junior", "第{n}初级中学", 0.14), ("senior", "第{n}高级中学", 0.04), ("clinic", "第{n}社区卫生服务中心", 0.1),
    ("hospital", "第{n}人民医院", 0.02), ("centre", "第{n}公共事务服务中心", 0.22), ("institute", "第{n}科学研究所", 0.05),
    ("street", "第{n}街道办事处", 0.05), ("town", "第{n}镇人民政府", 0.04),
)  # fmt: skip
PARENTS = {"primary": "教育局", "junior": "教育局", "senior": "教育局", "hospital": "卫生健康", "clinic": "卫生健康"}
