"""Invented names, places and subjects. Lists only; no entry is a real person's data."""

from __future__ import annotations

from random import Random

SURNAMES = "王李张陈刘杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许邓冯韩曹曾彭萧蔡潘田董袁于余叶蒋杜苏魏程吕丁沈任姚卢傅钟姜崔谭廖范汪陆金石戴贾韦夏邱方侯邹熊孟秦白江阎薛尹段雷黎史龙陶贺顾毛郝龚邵万钱严覃武戎乐裘励应竺柴虞"
GIVEN_MEN = "伟强磊军洋勇杰涛明超刚平辉鹏华飞鑫波斌宇浩凯健俊帆帅旭宁龙林欢翔阳建峰亮栋国庆海江源晨志远文博诚毅恒泽楠川"
GIVEN_WOMEN = "芳娜敏静丽艳娟霞秀玲桂英萍红梅琴洁莉婷雪慧莹倩璐琳晶欣雯颖佳怡悦宁蕾薇茜岚瑶思妍语彤冰月云洋兰凤丹"
PLACES = (
    "浙江宁波",
    "浙江余姚",
    "浙江慈溪",
    "浙江奉化",
    "浙江象山",
    "浙江宁海",
    "浙江绍兴",
    "浙江台州",
    "浙江杭州",
    "江苏苏州",
    "安徽黄山",
    "江西上饶",
    "山东青岛",
    "河南郑州",
    "湖北武汉",
    "四川成都",
)
ETHNIC = ("回族", "满族", "苗族", "畲族", "土家族", "壮族", "蒙古族", "朝鲜族")
SCHOOLS = (
    "示例大学",
    "东海示例大学",
    "江南示例学院",
    "四明示例学院",
    "甬江示例职业学院",
    "示例师范大学",
    "示例医科大学",
    "示例理工大学",
)
MAJORS = {
    "civil": ("行政管理", "法学", "汉语言文学", "公共管理", "经济学", "会计学", "计算机科学与技术", "社会学"),
    "teacher": ("数学与应用数学", "汉语言文学", "英语", "物理学", "化学", "学前教育", "小学教育", "体育教育", "音乐学"),
    "doctor": ("临床医学", "护理学", "药学", "医学检验技术", "医学影像学", "中医学", "预防医学"),
    "engineer": ("土木工程", "环境工程", "水利水电工程", "计算机科学与技术", "农学", "测绘工程", "图书馆学"),
    "police": ("侦查学", "治安学", "法学", "公安管理学", "网络安全与执法"),
}
DEGREES = {
    "civil": ("管理学", "法学", "经济学", "文学"),
    "teacher": ("教育学", "文学", "理学"),
    "doctor": ("医学",),
    "engineer": ("工学", "农学", "理学"),
    "police": ("法学", "管理学"),
}
OTHER_PARTIES = (
    "中国民主同盟盟员",
    "中国民主建国会会员",
    "中国民主促进会会员",
    "中国农工民主党党员",
    "中国致公党党员",
    "九三学社社员",
)


def person_name(rng: Random, woman: bool) -> str:
    """Surname and one or two given characters."""
    given = GIVEN_WOMEN if woman else GIVEN_MEN
    first = given[int(rng.random() * len(given))]
    if rng.random() < 0.2:
        return SURNAMES[int(rng.random() * len(SURNAMES))] + first
    return SURNAMES[int(rng.random() * len(SURNAMES))] + first + given[int(rng.random() * len(given))]
