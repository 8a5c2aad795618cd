//! Visits told in Chinese, for a clerk of an agency to read: `tests/flows/NAME.flow`, a step a line, and under it
//! what has to come of it. `tests/flows/README.md` says which words there are.
//! `UPDATE_EXPECT=1` writes what came under each step; read the diff.

#[path = "flows/facts.rs"]
mod facts;
#[path = "flows/script.rs"]
mod script;
#[path = "flows/stage.rs"]
mod stage;
#[path = "flows/words.rs"]
mod words;

use std::collections::BTreeSet;
use std::path::PathBuf;

use kiosk_tests::root;

use facts::Fact;
use script::Line;
use stage::Stage;

/// A test for each file, so that each has its own line of result and a rule can name it.
macro_rules! stories {
    ($(fn $name:ident();)+) => {
        $(#[test]
        fn $name() {
            tell(stringify!($name));
        })+

        const STORIES: &[&str] = &[$(stringify!($name)),+];
    };
}

stories! {
    fn a_phone_number_is_asked_for();
    fn again_on_the_same_day();
    fn answer_of_a_review_is_late();
    fn appeal_approved_is_a_certification();
    fn appeal_by_two_people();
    fn appeal_filed_here_is_known_the_next_day();
    fn appeal_protects_until_it_is_answered();
    fn away_from_home_on_paper();
    fn below_the_age();
    fn camera_is_dead();
    fn cannot_act_a_second_person_confirms();
    fn cannot_be_reached();
    fn card_cannot_be_verified();
    fn card_with_warnings();
    fn card_without_photo();
    fn centre_returns_a_record();
    fn clock_behind_is_corrected_by_the_centre_s_time();
    fn clock_behind_the_last_success();
    fn clock_in_doubt_refuses_nobody();
    fn corrected_the_same_day();
    fn deadline_first_minute_after();
    fn deadline_last_minute();
    fn declines_the_face();
    fn disk_full_then_sealed();
    fn drawn_twice();
    fn face_cannot_be_taken_then_finger();
    fn face_certifies();
    fn finger_counts_when_the_centre_has_it();
    fn handed_over_to_a_colleague();
    fn help_is_in_the_terminal();
    fn home_visit_confirmed_by_two();
    fn home_visit_in_vain();
    fn home_visit_performed();
    fn home_visit_requested();
    fn home_visits_worked_from_the_list();
    fn hong_kong_macau_taiwan_by_finger_vein_elsewhere();
    fn hong_kong_macau_taiwan_where_the_notice_is_silent();
    fn hong_kong_macau_taiwan_with_a_mainland_card();
    fn in_hospital();
    fn late_answer_of_the_try_before();
    fn leap_day_of_a_rolling_year();
    fn name_differs();
    fn natural_year_turns();
    fn new_retiree_before_approval();
    fn no_policy_for_this_benefit();
    fn not_the_card_s_holder();
    fn not_yet_open();
    fn nothing_due_after_this_year_s_phone_check();
    fn on_the_list_of_another_site();
    fn one_action_in_ten_seconds();
    fn paper_has_run_out();
    fn power_cut_before_saving();
    fn power_cut_in_the_middle();
    fn proxy_of_a_child();
    fn re_enrolment_builds_a_reference_and_certifies();
    fn re_enrolment_of_a_changed_face();
    fn re_enrolment_of_a_finger();
    fn re_enrolment_on_site_with_the_originals();
    fn re_enrolment_without_the_back_of_the_card();
    fn refused();
    fn reported_dead();
    fn residents_twice_a_year();
    fn several_benefits_at_once();
    fn shake_the_head_or_open_the_mouth();
    fn sit_down_in_the_light();
    fn special_certification_requested();
    fn statement_from_overseas();
    fn stopped_payment_under_review();
    fn survivor_like_a_retiree();
    fn survivor_who_was_not_added_yet();
    fn suspected_fake_stops_the_session();
    fn suspended_and_paid_again();
    fn the_phone_s_message_done_already();
    fn the_phone_s_message_name_differs();
    fn the_phone_s_message_not_of_age();
    fn three_failed_pictures_are_reviewed();
    fn three_tries_then_other_ways();
    fn undone_before_sealing();
    fn unemployed_on_the_twenty_first();
    fn unemployed_until_the_twentieth();
    fn unit_clerk_appeals();
    fn unknown_person();
    fn voice_after_the_face_has_failed();
    fn window_of_an_enterprise_pension();
    fn work_injury_in_the_same_window();
    fn wrong_pin_locks_the_operator();
}

#[test]
fn every_file_is_told() {
    let listed: BTreeSet<String> = STORIES.iter().map(|name| (*name).to_owned()).collect();
    let files = std::fs::read_dir(folder()).expect("the stories are in the repository");
    let paths = files.map(|file| file.expect("a folder can be listed").path());
    let flows = paths.filter(|path| path.extension().is_some_and(|ext| ext == "flow"));
    let there: BTreeSet<String> = flows
        .map(|path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned())
        .collect();
    assert_eq!(listed, there);
}

/// A story that a rule names has to name the rule.
#[test]
fn rules_and_stories_name_each_other() {
    let table = root().join("tests/requirements.toml");
    let table = std::fs::read_to_string(table).expect("the table is in the repository");
    let table: toml::Table = table.parse().expect("the table is TOML");
    for story in STORIES {
        for rule in rules(story) {
            assert!(table.contains_key(&rule), "{story}.flow names {rule}, which is no rule");
        }
    }
    for (rule, row) in &table {
        let test = row.get("test").and_then(toml::Value::as_str).unwrap_or_default();
        if let Some(story) = test.strip_prefix("tests/flows.rs::") {
            assert!(rules(story).contains(rule), "{story}.flow does not name {rule}");
        }
    }
}

/// Steps and expectations that do not fit are told with their line.
#[test]
fn what_does_not_fit_is_told_with_its_line() {
    let story = "老人 张桂兰 11010519491231002X\n经办 李经办\n放证件\n  看到 结果页\n点 人脸认证\n";
    let told = Told::of(story);
    assert_eq!(told.wrong.len(), 2, "{:?}", told.wrong);
    assert!(told.wrong[0].starts_with("4: 应为 看到 结果页"), "{}", told.wrong[0]);
    assert!(told.wrong[0].contains("看到 人员页"), "{}", told.wrong[0]);
    assert!(told.wrong[1].starts_with("5: 点 人脸认证：这一页没有这个按钮"), "{}", told.wrong[1]);
}

/// Nothing that money or privacy hangs on happens unnoticed.
#[test]
fn a_record_that_a_story_does_not_tell_is_a_mistake() {
    let story = "老人 张桂兰 11010519491231002X\n经办 李经办\n放证件\n点 其他方式\n点 本人不在或不愿办理\n点 本人不愿意\n";
    let told = Told::of(story);
    assert_eq!(told.wrong.len(), 3, "{:?}", told.wrong);
    assert!(told.wrong[0].starts_with("6: 没有写到：封存 NOT_PRESENT"), "{}", told.wrong[0]);
}

#[track_caller]
fn tell(name: &str) {
    let path = folder().join(name).with_extension("flow");
    let text = std::fs::read_to_string(&path).expect("each story has its file");
    let mut told = Told::of(&text);
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, &told.as_it_came).expect("a story can be rewritten");
        told = Told::of(&told.as_it_came);
    }
    let at = format!("tests/flows/{name}.flow");
    let wrong: Vec<String> = told.wrong.iter().map(|wrong| format!("{at}:{wrong}")).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// A story held against the terminal.
struct Told {
    /// What does not fit, each with the number of its line.
    wrong: Vec<String>,
    /// The file with what came under each step.
    as_it_came: String,
}

/// The step before, and what came of it.
struct Step {
    line: Line,
    facts: Vec<(Fact, bool)>,
}

impl Told {
    fn of(text: &str) -> Self {
        let mut told = Self { wrong: Vec::new(), as_it_came: String::new() };
        let mut stage = Stage::new();
        let mut last: Option<Step> = None;
        for (index, raw) in text.lines().enumerate() {
            let Some(line) = script::line(index + 1, raw) else {
                told.write(raw);
                continue;
            };
            if EXPECTATIONS.contains(&line.keyword.as_str()) {
                told.expect(&line, raw, &stage, last.as_mut());
                continue;
            }
            told.write(raw);
            match stage.set(&line) {
                Ok(true) => continue,
                Ok(false) => {}
                Err(why) => told.misunderstood(&line, &why),
            }
            told.close(last.take());
            let page = stage.seen().first().map(Fact::written);
            match stage.step(&line) {
                Ok(Some(facts)) => {
                    told.came(&stage, page, &facts);
                    let facts = facts.into_iter().map(|fact| (fact, false)).collect();
                    last = Some(Step { line, facts });
                }
                Ok(None) => told.misunderstood(&line, "不明白这一行"),
                Err(why) => told.misunderstood(&line, &why),
            }
        }
        told.close(last);
        told
    }

    /// Whether what a line expects is there.
    fn expect(&mut self, line: &Line, raw: &str, stage: &Stage, last: Option<&mut Step>) {
        if line.keyword == "没有" {
            self.write(raw);
            let shown = line.words.iter().find(|word| stage.shows(word.text()));
            self.wrong.extend(shown.map(|word| format!("{}: 不应有 {word}", line.number)));
            return;
        }
        let seen = stage.seen();
        if WRITTEN_BY_HAND.contains(&line.keyword.as_str()) {
            self.write(raw);
        }
        if seen.iter().any(|fact| fact.is_said_by(line)) {
            return;
        }
        let mut came = last.map(|step| step.facts.iter_mut()).into_iter().flatten();
        if let Some((_, is_told)) = came.find(|(fact, told)| !told && fact.is_said_by(line)) {
            *is_told = true;
            return;
        }
        let alike = seen.iter().filter(|fact| fact.keyword == line.keyword).map(Fact::written);
        let alike: Vec<String> = alike.collect();
        let expected = script::written(&line.keyword, &line.words);
        self.wrong.push(format!("{}: 应为 {expected}\n    实为 {}", line.number, alike.concat()));
    }

    /// Before the next step: nothing important may have been left out.
    fn close(&mut self, step: Option<Step>) {
        let Some(step) = step else {
            return;
        };
        for (fact, is_told) in step.facts {
            if fact.must_be_told() && !is_told {
                let fact = fact.written();
                self.wrong.push(format!("{}: 没有写到：{}", step.line.number, fact.trim_start()));
            }
        }
    }

    fn came(&mut self, stage: &Stage, page_before: Option<String>, facts: &[Fact]) {
        for fact in facts {
            self.write(&fact.written());
        }
        let page = stage.seen().first().map(Fact::written);
        if page != page_before {
            self.write(&page.unwrap_or_default());
        }
    }

    fn misunderstood(&mut self, line: &Line, why: &str) {
        let said = script::written(&line.keyword, &line.words);
        self.wrong.push(format!("{}: {said}：{why}", line.number));
    }

    fn write(&mut self, line: &str) {
        self.as_it_came += line;
        self.as_it_came.push('\n');
    }
}

/// The rules that a story names.
fn rules(story: &str) -> BTreeSet<String> {
    let path = folder().join(story).with_extension("flow");
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines = text.lines().enumerate().filter_map(|(index, raw)| script::line(index + 1, raw));
    let named = lines.filter(|line| line.keyword == "规则").flat_map(|line| line.words);
    named.map(|word| word.text().to_owned()).collect()
}

fn folder() -> PathBuf {
    root().join("tests/flows")
}

/// Keywords of lines that expect something.
const EXPECTATIONS: [&str; 21] = [
    "看到",
    "含有",
    "可点",
    "灰色",
    "没有",
    "朗读",
    "启用",
    "打印",
    "封存",
    "计入",
    "不计",
    "证据",
    "经办人",
    "意愿",
    "图片",
    "新特征",
    "申诉原因",
    "采集于",
    "发送",
    "撤销",
    "清除",
];
/// Expectations that stay as they are when a story is rewritten.
const WRITTEN_BY_HAND: [&str; 3] = ["含有", "可点", "灰色"];
