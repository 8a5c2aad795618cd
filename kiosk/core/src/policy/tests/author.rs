//! What the author of a pack is told: one cause once, nothing silently, and nothing that steers the screen.

use expect_test::{Expect, expect};

use super::*;

/// What is said of the pack of Inner Mongolia with these changes, a fault a line: code and English words.
fn check_told(changes: &[(&str, &str)], expect: &Expect) {
    let text = changed(changes);
    let report = check(&text);
    assert!(!report.ok);
    let lines = report.faults.iter().map(|f| format!("{} {}: {}\n", f.line, f.code, f.en));
    expect.assert_eq(&lines.collect::<String>());
}

fn changed(changes: &[(&str, &str)]) -> String {
    changes.iter().fold(NEI_MENGGU.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    })
}

#[test]
fn a_window_that_ends_before_it_begins_is_told_unless_it_is_meant() {
    let reversed = ("start = \"01-01\"", "start = \"11-15\"");
    check_told(
        &[reversed],
        &expect![[r#"
        24 window-reversed: it ends before it begins; if it runs into the next year, write into_next_year = true
    "#]],
    );
    check_told(
        &[("start = \"08-01\"", "start = \"12-01\"")],
        &expect![[r#"
            33 window-reversed: it ends before it begins; if it runs into the next year, write into_next_year = true
        "#]],
    );
    let windows = |more: &str| {
        let schedule = format!("kind = \"windows\"\nwindows = [[\"11-01\", \"02-28\"]]{more}");
        with_schedule(&schedule, "today = \"2020-01-15\"\nexpect = \"due\"\ndue = \"2020-02-28\"")
    };
    assert_eq!(windows("").unwrap_err()[0].code, "window-reversed");
    let pack = windows("\ninto_next_year = true").unwrap();
    assert_eq!(pack.calendar_words.zh, "每年11月1日至次年2月28日认证一次");
    for schedule in [
        "kind = \"rolling\"\nmonths = 3\nopen_days_before = 90",
        "kind = \"birth_month\"\nhalf_yearly = true\nmonths_before = 3\nmonths_after = 3",
    ] {
        let faults = with_schedule(schedule, "today = \"2020-01-15\"\nexpect = \"due\"");
        assert_eq!(faults.unwrap_err().len(), 1, "{schedule}");
    }
}

#[test]
fn what_is_empty_or_stands_twice_is_told() {
    check_told(
        &[
            ("title = \"内蒙古自治区本级企业职工养老保险\"", "title = \"\""),
            ("source = \"内蒙古自治区本级2019年认证通知（S4）\"", "source = \"  \""),
            ("groups = [\"retiree\"]", "groups = [\"retiree\", \"retiree\"]"),
            ("rules = [\"R1\", \"C25\"]", ""),
            ("rules = [\"R72\", \"R75\", \"R76\", \"R78\"]", "rules = []"),
            (
                "[[messages]]",
                "[[ages]]\ngroup = \"retiree\"\nfrom = 50\nrules = [\"R8\"]\n[[messages]]",
            ),
            ("app_text = \"您的语音建模审核未通过\"", "app_text = \"人脸建模审核未通过\""),
        ],
        &expect![[r#"
            6 empty: title must not be empty
            9 empty: source must not be empty
            12 missing-key: [scope] lacks rules; name the rules, or in ours the keys that the notice is silent about
            17 twice: retiree stands twice
            121 empty: rules must not be empty
            160 twice: retiree stands twice
            168 twice: 人脸建模审核未通过 stands twice
        "#]],
    );
    let order = NEI_MENGGU.lines().find(|line| line.starts_with("order = ")).unwrap();
    check_told(
        &[(order, ""), ("group = \"retiree\"", "group = \"resident\"")],
        &expect![[r#"
        39 wrong-value: this group is not among the groups of [scope]
        112 missing-key: [escalation] lacks order
    "#]],
    );
}

#[test]
fn one_wrong_letter_is_one_fault() {
    for (from, to) in [
        ("[schedule]", "[shcedule]"),
        ("[escalation]", "[escalaton]"),
        ("[liveness]", "[livness]"),
        ("agency = ", "agnecy = "),
        ("valid_from = ", "vaild_from = "),
        ("deadline = ", "deadlin = "),
    ] {
        let report = check(&changed(&[(from, to)]));
        assert_eq!(report.faults.len(), 1, "{to}: {}", report.text);
        assert_eq!(report.faults[0].code, "unknown-key");
    }
    for (from, to) in [("[[examples]]", "[[exmaples]]"), ("[[methods]]", "[[metods]]")] {
        let report = check(&NEI_MENGGU.replace(from, to));
        assert_eq!(report.faults.len(), 1, "{to}: {}", report.text);
    }
    let told = |text: &str| {
        let report = check(text);
        report.faults.iter().map(|f| format!("{} {}\n", f.line, f.zh)).collect::<String>()
    };
    assert_eq!(told(""), "1 文件是空的\n");
    assert_eq!(told("# only a remark\n"), "1 文件是空的\n");
    assert_eq!(told("[device]\nport = 1\n"), "1 这不是策略包\n");
    assert!(check(&"a=1\n".repeat(60_000)).faults.len() <= 10);
    assert!(check(&format!("pack = 1\n{}", "[[sites]]\n".repeat(9_000))).faults.len() <= 100);
}

#[test]
fn a_table_rests_on_rules_or_says_of_each_key_that_it_is_ours() {
    let (before, after) = NEI_MENGGU.split_once("[schedule]").unwrap();
    let without = after.replacen("rules = [\"R24\"]", "", 1);
    let report = check(&format!("{before}[schedule]{without}"));
    let told: Vec<&str> = report.faults.iter().map(|fault| fault.code).collect();
    assert_eq!(told, ["missing-key"], "{}", report.text);
}

#[test]
fn nothing_in_a_file_steers_the_screen() {
    let escape = "title = \"\\u001b[2J\\u202e\"";
    let told = check(&changed(&[("title = \"内蒙古自治区本级企业职工养老保险\"", escape)]));
    assert_eq!(told.faults[0].code, "control-character");
    for text in [
        "pack = \"\u{1b}[2J\"\n".to_owned(),
        "\u{1b}[31m\u{202e} = 1\npack = 1\n".to_owned(),
        changed(&[("repeat = \"allow_no_effect\"", "repeat = \"\\u001b[2J\"")]),
        changed(&[("[late]", "[late]\n\"\\u001b[2J\" = 1")]),
    ] {
        let report = check(&text);
        let fields: String =
            report.faults.iter().map(|f| [&*f.zh, &f.en, &f.source].concat()).collect();
        let raw = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
        assert!(!report.ok && !report.text.contains(raw) && !fields.contains(raw), "{fields:?}");
    }
    let long = check_bytes("# 长\n".repeat(60_000).as_bytes());
    assert_eq!((long.faults.len(), long.faults[0].code), (1, "too-long"));
    let broken = check("\u{1b}[31mx\n");
    assert_eq!((broken.faults.len(), broken.faults[0].code), (1, "toml-syntax"));
    let report = check_bytes(b"pack = \"\xff\x1b[2J\"\n");
    assert!(!report.text.contains('\u{1b}'), "{:?}", report.text);
}

#[test]
fn each_line_that_is_ours_is_marked_as_such_for_the_reader() {
    for text in PACKS {
        let pack = Pack::parse(text).unwrap();
        let told = check(text).text;
        for table in text.split("\n[").skip(1).filter(|table| !table.starts_with("[examples]]")) {
            let is_ours =
                |why: &str| why.split(|c: char| !c.is_alphabetic()).any(|word| word == "ours");
            let written = table.lines().filter_map(|line| line.split_once(" # "));
            let mut keys: Vec<&str> = written
                .filter(|(_, why)| is_ours(why))
                .filter_map(|(line, _)| Some(line.split_once(" = ")?.0))
                .collect();
            let listed =
                table.lines().find_map(|line| line.strip_prefix("ours = [")).unwrap_or("]");
            let mut marked: Vec<&str> = listed
                .trim_end_matches(']')
                .split(", ")
                .map(|key| key.trim_matches('"'))
                .filter(|key| !key.is_empty())
                .collect();
            keys.sort_unstable();
            marked.sort_unstable();
            assert_eq!(keys, marked, "{}: [{table}", pack.id);
        }
        assert!(pack.unconfirmed.iter().all(|path| told.contains(path.as_str())), "{told}");
    }
    let guangdong = Pack::parse(PACKS[0]).unwrap();
    assert!(list(all())[0].schedule.ends_with("（暂定，待经办机构确认）"));
    let found = explain(&guangdong, &Question::default(), Date::constant(2020, 2, 1));
    assert!(found.reason.starts_with("每个自然年度认证一次（暂定，待经办机构确认）（C1）"));
    assert!(found.reason_en.contains("(ours, to be confirmed by the agency)"));
}

#[test]
fn the_reader_of_a_pack_sees_all_of_it() {
    let shanxi = check(PACKS[8]).text;
    let tangshan = check(PACKS[1]).text;
    let shaanxi = check(PACKS[5]).text;
    for (text, heads) in [
        (&shanxi, &["核定前", "年龄", "材料", "手机提示", "活体", "港澳台", "境外", "缘由"][..]),
        (&tangshan, &["办理点", "电话", "异地", "港澳台", "上门", "更正信息"]),
        (&shaanxi, &["境外", "手机软件", "材料"]),
    ] {
        for head in heads {
            assert!(text.contains(&format!("  {head}：")), "{head}: {text}");
        }
    }
    assert!(tangshan.contains("友谊街道办事处，地址未知，电话未知"));
}

#[test]
fn a_folder_shows_the_good_packs_and_names_the_bad_ones() {
    let broken = NEI_MENGGU.replacen("[scope]", "[scope", 1);
    let newer = NEI_MENGGU.replacen("version = 3", "version = 4", 1);
    let files = [
        ("a.toml", NEI_MENGGU),
        ("b.toml", NEI_MENGGU),
        ("c.toml", &broken),
        ("d.toml", &newer),
        ("e.toml", PACKS[0]),
    ];
    let folder = list_files(files.map(|(name, text)| (name.to_owned(), check(text))));
    let packs = folder
        .packs
        .iter()
        .map(|p| format!("{} v{} {}\n", p.pack, p.version, p.file.as_deref().unwrap_or_default()));
    let problems = folder.problems.iter().map(|words| format!("{}\n", words.zh));
    expect![[r#"
        cn.gd.province.resident_pension v1 e.toml
        cn.nm.region.enterprise_pension v3 a.toml
        cn.nm.region.enterprise_pension v3 b.toml
        cn.nm.region.enterprise_pension v4 d.toml
        c.toml 不能载入，1 处有误，第一处：TOML 写法有误：unclosed table, expected `]`
        a.toml 和 b.toml 都是 cn.nm.region.enterprise_pension 第3版，终端只认先读到的一个
    "#]]
    .assert_eq(&packs.chain(problems).collect::<String>());
}
