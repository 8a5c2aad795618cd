//! The made-up villages of a few real counties: an area code is checked by its province, a village is free invention.

use crate::random::Random;

/// Where a person is registered.
pub(super) struct Place {
    pub(super) area_code: &'static str,
    /// What the address begins with.
    pub(super) province: &'static str,
    /// The county or district, as its police authority is called.
    pub(super) county: &'static str,
    pub(super) town: &'static str,
    pub(super) village: &'static str,
}

/// Chooses a place; most people of one roster live in the same county.
pub(super) fn choose(random: &mut Random) -> Place {
    let (area_code, province, county) =
        if random.chance(70) { HOME } else { *random.pick(ELSEWHERE) };
    let town: &'static str = random.pick::<&str>(TOWNS);
    let village: &'static str = random.pick::<&str>(VILLAGES);
    Place { area_code, province, county, town, village }
}

const HOME: (&str, &str, &str) = ("430124", "湖南省", "宁乡县");
/// 321102, 510213 and 512322 are codes given up long ago: pensioners still carry them.
const ELSEWHERE: &[(&str, &str, &str)] = &[
    ("430104", "湖南省", "长沙市岳麓区"),
    ("110105", "", "北京市朝阳区"),
    ("321102", "江苏省", "镇江市京口区"),
    ("510213", "", "重庆市九龙坡区"),
    ("512322", "四川省", "垫江县"),
    ("370481", "山东省", "滕州市"),
    ("410184", "河南省", "新郑市"),
    ("230102", "黑龙江省", "哈尔滨市道里区"),
    ("440106", "广东省", "广州市天河区"),
    ("622921", "甘肃省", "临夏县"),
];
const TOWNS: &[&str] =
    &["青山桥镇", "白鹭镇", "流沙镇", "老粮仓镇", "沙田乡", "白马街道", "双凫镇", "龙田镇"];
const VILLAGES: &[&str] = &[
    "长青村",
    "石桥村",
    "柳林村",
    "新塘村",
    "樟树湾村",
    "金盆村",
    "高山村",
    "荷叶塘村",
    "桃花社区",
];
