//! Names as a county office meets them: common surnames, given names of the 1930s to 1960s, a few of other peoples.

use super::Sex;
use crate::random::Random;

/// A full name and the code of the ethnic group (GB/T 3304) it fits.
pub(super) fn choose(random: &mut Random, sex: Sex, index: u32) -> (String, &'static str) {
    // Rare characters are what breaks fonts and decoders, so every run of sixteen people has some.
    match index % 16 {
        6 => return (foreign_sounding(random, sex), "05"),
        11 => return (rare(random, index), "01"),
        _ => {}
    }
    let surnames = if random.chance(4) { COMPOUND } else { SURNAMES };
    let surname = random.pick(surnames);
    let given_names = if random.chance(22) { SINGLE } else { given_names(sex) };
    let given = random.pick(given_names);
    let ethnic_code =
        if random.chance(90) { "01" } else { *random.pick(&["03", "08", "11", "15", "07", "06"]) };
    (format!("{surname}{given}"), ethnic_code)
}

fn given_names(sex: Sex) -> &'static [&'static str] {
    match sex {
        Sex::Male => MEN,
        Sex::Female => WOMEN,
    }
}

fn foreign_sounding(random: &mut Random, sex: Sex) -> String {
    let own = random.pick(match sex {
        Sex::Male => &["买买提", "阿不都热合曼", "吐尔逊", "艾尔肯"],
        Sex::Female => &["阿依古丽", "热依汗", "帕提古丽", "吐尼莎"],
    });
    let father = random.pick(&["库尔班", "卡德尔", "依明", "司马义", "艾合买提江"]);
    format!("{own}·{father}")
}

fn rare(random: &mut Random, index: u32) -> String {
    let surname = random.pick(SURNAMES);
    // 䶮 is in the basic plane (extension A); 𬎆 and 𠅤 need a surrogate pair in UTF-16.
    let rare = ["䶮", "𬎆", "喆", "𠅤", "堃"][(index / 16) as usize % 5];
    format!("{surname}{rare}")
}

const SURNAMES: &[&str] = &[
    "王", "李", "张", "刘", "陈", "杨", "黄", "赵", "吴", "周", "徐", "孙", "马", "朱", "胡", "郭",
    "何", "高", "林", "罗", "郑", "梁", "谢", "宋", "唐", "许", "韩", "冯", "邓", "曹", "彭", "曾",
    "萧", "田", "董", "袁", "潘", "蒋", "蔡", "余", "杜", "叶", "程", "苏", "魏", "吕", "丁", "任",
    "沈", "姚", "卢", "姜", "崔", "钟", "谭", "陆", "汪", "范", "石", "廖", "贾", "夏", "韦", "付",
    "方", "白", "邹", "孟", "熊", "秦", "邱", "江", "尹", "薛", "闫", "段",
];
const COMPOUND: &[&str] = &["欧阳", "上官", "司马", "诸葛", "皇甫"];
const SINGLE: &[&str] =
    &["英", "兰", "平", "明", "华", "芳", "林", "荣", "珍", "强", "云", "芬", "伟", "敏", "祥"];
const MEN: &[&str] = &[
    "建国", "国强", "志明", "德福", "文华", "金山", "广才", "永贵", "树林", "长庚", "福生", "有才",
    "世昌", "宝林", "卫东", "学文", "玉堂", "连生", "万春", "庆余", "守信", "根生", "炳坤", "云龙",
    "新民", "大海", "来福", "仁义", "振华", "清泉", "石头", "解放", "援朝", "光荣", "家驹", "成功",
];
const WOMEN: &[&str] = &[
    "桂英", "秀兰", "玉珍", "淑芬", "桂兰", "秀英", "凤英", "玉兰", "春梅", "金花", "翠花", "素珍",
    "月娥", "腊梅", "彩霞", "爱莲", "惠芳", "美玉", "银凤", "香莲", "巧云", "兰芝", "菊香", "水仙",
    "润香", "冬梅", "梅芳", "瑞芝", "招娣", "婉如", "玉梅", "秋菊", "巧珍", "四妹", "淑贞", "雪梅",
];
