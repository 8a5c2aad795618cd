//! Surnames that are read otherwise than the same characters elsewhere, and surnames of two characters.
//!
//! Readings as dictionaries give them for surnames (《现代汉语词典》, entries marked 姓); spelled after GB/T 28039-2011.

/// How a surname of one character is read, where that is not the character's usual reading. Two where both occur.
pub(super) fn single(surname: char) -> &'static [&'static str] {
    SINGLE
        .binary_search_by_key(&surname, |(character, _)| *character)
        .map_or(&[], |at| SINGLE[at].1)
}

/// How a surname of two characters is read.
pub(super) fn compound(name: &[char]) -> Option<&'static [&'static str; 2]> {
    let is_this = |surname: &str| surname.chars().eq(name.iter().copied());
    COMPOUND.iter().find(|(surname, _)| is_this(surname)).map(|(_, read)| read)
}

const SINGLE: &[(char, &[&str])] = &[
    ('么', &["yao"]),
    ('乐', &["yue", "le"]),
    ('乜', &["nie"]),
    ('仇', &["qiu"]),
    ('佴', &["nai"]),
    ('区', &["ou"]),
    ('单', &["shan"]),
    ('卜', &["bu"]),
    ('句', &["gou"]),
    ('召', &["shao"]),
    ('员', &["yun"]),
    ('宓', &["mi", "fu"]),
    ('折', &["she"]),
    ('曾', &["zeng"]),
    ('朴', &["piao"]),
    ('柏', &["bai", "bo"]),
    ('查', &["zha"]),
    ('洗', &["xian"]),
    ('牟', &["mu", "mou"]),
    ('盖', &["ge", "gai"]),
    ('祭', &["zhai"]),
    ('种', &["chong"]),
    ('秘', &["bi"]),
    ('粘', &["nian"]),
    ('繁', &["po"]),
    ('缪', &["miao"]),
    ('翟', &["zhai", "di"]),
    ('能', &["nai"]),
    ('莘', &["xin", "shen"]),
    ('蕃', &["bo"]),
    ('薄', &["bo"]),
    ('藏', &["zang"]),
    ('覃', &["qin", "tan"]),
    ('角', &["jue"]),
    ('解', &["xie"]),
    ('谌', &["chen", "shen"]),
    ('贠', &["yun"]),
    ('费', &["fei", "bi"]),
    ('适', &["kuo"]),
    ('郇', &["xun", "huan"]),
    ('郗', &["xi", "chi"]),
    ('都', &["du"]),
    ('重', &["chong"]),
    ('阚', &["kan"]),
    ('隗', &["wei", "kui"]),
    ('黑', &["he"]),
];

const COMPOUND: &[(&str, [&str; 2])] = &[
    ("万俟", ["mo", "qi"]),
    ("上官", ["shang", "guan"]),
    ("东方", ["dong", "fang"]),
    ("东郭", ["dong", "guo"]),
    ("东里", ["dong", "li"]),
    ("乐正", ["yue", "zheng"]),
    ("亓官", ["qi", "guan"]),
    ("令狐", ["ling", "hu"]),
    ("仲孙", ["zhong", "sun"]),
    ("公冶", ["gong", "ye"]),
    ("公孙", ["gong", "sun"]),
    ("公羊", ["gong", "yang"]),
    ("公良", ["gong", "liang"]),
    ("单于", ["chan", "yu"]),
    ("南宫", ["nan", "gong"]),
    ("南门", ["nan", "men"]),
    ("叶赫", ["ye", "he"]),
    ("司寇", ["si", "kou"]),
    ("司徒", ["si", "tu"]),
    ("司空", ["si", "kong"]),
    ("司马", ["si", "ma"]),
    ("呼延", ["hu", "yan"]),
    ("哥舒", ["ge", "shu"]),
    ("壤驷", ["rang", "si"]),
    ("夏侯", ["xia", "hou"]),
    ("太叔", ["tai", "shu"]),
    ("夹谷", ["jia", "gu"]),
    ("子车", ["zi", "ju"]),
    ("宇文", ["yu", "wen"]),
    ("完颜", ["wan", "yan"]),
    ("宗政", ["zong", "zheng"]),
    ("宰父", ["zai", "fu"]),
    ("尉迟", ["yu", "chi"]),
    ("左丘", ["zuo", "qiu"]),
    ("巫马", ["wu", "ma"]),
    ("微生", ["wei", "sheng"]),
    ("慕容", ["mu", "rong"]),
    ("拓跋", ["tuo", "ba"]),
    ("梁丘", ["liang", "qiu"]),
    ("欧阳", ["ou", "yang"]),
    ("段干", ["duan", "gan"]),
    ("淳于", ["chun", "yu"]),
    ("漆雕", ["qi", "diao"]),
    ("澹台", ["tan", "tai"]),
    ("濮阳", ["pu", "yang"]),
    ("独孤", ["du", "gu"]),
    ("申屠", ["shen", "tu"]),
    ("百里", ["bai", "li"]),
    ("皇甫", ["huang", "fu"]),
    ("相里", ["xiang", "li"]),
    ("端木", ["duan", "mu"]),
    ("第五", ["di", "wu"]),
    ("纳兰", ["na", "lan"]),
    ("羊舌", ["yang", "she"]),
    ("耶律", ["ye", "lv"]),
    ("西门", ["xi", "men"]),
    ("诸葛", ["zhu", "ge"]),
    ("谷梁", ["gu", "liang"]),
    ("赫舍", ["he", "she"]),
    ("赫连", ["he", "lian"]),
    ("轩辕", ["xuan", "yuan"]),
    ("钟离", ["zhong", "li"]),
    ("长孙", ["zhang", "sun"]),
    ("闻人", ["wen", "ren"]),
    ("颛孙", ["zhuan", "sun"]),
    ("鲜于", ["xian", "yu"]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folding::fold;

    #[test]
    fn the_tables_are_in_order_and_in_folded_characters() {
        assert!(SINGLE.is_sorted_by(|a, b| a.0 < b.0));
        assert!(COMPOUND.is_sorted_by(|a, b| a.0 < b.0));
        let singles = SINGLE.iter().map(|(surname, _)| surname.to_string());
        for surname in singles.chain(COMPOUND.iter().map(|(surname, _)| (*surname).to_owned())) {
            assert_eq!(fold(&surname), surname, "is never looked up");
        }
    }
}
