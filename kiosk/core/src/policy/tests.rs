//! All packs of the reference, what an author is told, and properties that hold for every pack and date.

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::benefit::{Entitlement, Stage, Success};
use crate::moment::Doubt;

const PACKS: [&str; 9] = [
    include_str!("../../../policy/cn.gd.province.resident_pension.toml"),
    include_str!("../../../policy/cn.he.tangshan.enterprise_pension.toml"),
    include_str!("../../../policy/cn.he.tangshan.resident_pension.toml"),
    include_str!("../../../policy/cn.he.tangshan.unemployment.toml"),
    include_str!("../../../policy/cn.nm.region.enterprise_pension.toml"),
    include_str!("../../../policy/cn.sn.province.institution_pension.toml"),
    include_str!("../../../policy/cn.sn.xian.enterprise_pension.toml"),
    include_str!("../../../policy/cn.sx.jinzhong.enterprise_pension.toml"),
    include_str!("../../../policy/cn.sx.province.enterprise_pension.toml"),
];

/// The packs of the reference, read once.
pub(crate) fn all() -> &'static PackSet {
    static SET: std::sync::OnceLock<PackSet> = std::sync::OnceLock::new();
    SET.get_or_init(read_all)
}

fn read_all() -> PackSet {
    let told = |faults: Vec<PackFault>| faults.iter().map(|f| format!("{f}\n")).collect::<String>();
    PackSet::from_packs(PACKS.map(|text| Pack::parse(text).unwrap_or_else(|faults| panic!("{}", told(faults)))))
}

#[test]
fn all_nine_packs_load_and_their_examples_hold() {
    check_list(&expect![[r#"
        cn.gd.province.resident_pension v1 440000 resident_pension | 每个自然年度认证一次 | 4 examples
        cn.he.tangshan.enterprise_pension v2 130200 enterprise_pension | 每年4月1日至5月31日认证一次 | 10 examples
        cn.he.tangshan.resident_pension v2 130200 resident_pension | 每年4月1日至5月31日、11月1日至12月31日各认证一次 | 6 examples
        cn.he.tangshan.unemployment v2 130200 unemployment | 每月1日至20日认证一次 | 8 examples
        cn.nm.region.enterprise_pension v3 150000 enterprise_pension | 每年10月31日前认证一次 | 11 examples
        cn.sn.province.institution_pension v2 610000 institution_pension | 每个自然年度认证一次 | 8 examples
        cn.sn.xian.enterprise_pension v2 610100 enterprise_pension | 每个自然年度认证一次 | 4 examples
        cn.sx.jinzhong.enterprise_pension v1 140700 enterprise_pension | 认证一次，有效期12个月 | 4 examples
        cn.sx.province.enterprise_pension v2 140000 enterprise_pension | 认证一次，有效期12个月 | 16 examples
    "#]]);
}

fn check_list(expect: &Expect) {
    let lines = list(all()).into_iter().map(|p| {
        format!("{} v{} {} {} | {} | {} examples\n", p.pack, p.version, p.region_code, p.benefit, p.schedule, p.n_examples)
    });
    expect.assert_eq(&lines.collect::<String>());
}

proptest! {
    #[test]
    fn a_success_settles_the_period_in_every_pack(born in day(), on in day(), last in any_last(), doubt in doubt()) {
        for pack in all().iter() {
            let before = entitlement(last);
            for rule in &pack.assess(&before, born, on, Doubt::None).methods {
                let after = entitlement(Some(Success { on, method: rule.method }));
                let found = pack.assess(&after, born, on, doubt);
                prop_assert!(matches!(found.state, DueState::Done(_)), "{}: {}", pack.id, found.why);
                prop_assert!(found.due.is_some_and(|due| due >= on), "{}: {}", pack.id, found.why);
                let promised = pack.next_due_after(&before, born, on, rule.method);
                prop_assert!(promised.is_some_and(|due| due >= on));
            }
        }
    }

    #[test]
    fn with_time_nobody_gets_less_urgent(born in day(), last in day(), today in day(), later in 0..1500) {
        for pack in all().iter() {
            let someone = entitlement(Some(Success { on: last, method: Method::Phone }));
            let now = pack.assess(&someone, born, today, Doubt::None);
            let then = pack.assess(&someone, born, today.saturating_add(jiff::Span::new().days(later)), Doubt::None);
            prop_assert!(then.state.urgency() <= now.state.urgency(), "{}: {} then {}", pack.id, now.why, then.why);
            prop_assert!(now.due >= Some(last), "{}: due before the last success", pack.id);
        }
    }

    #[test]
    fn doubt_about_the_date_never_refuses(born in day(), today in any_day(), last in any_last(), since in proptest::option::of(any_day())) {
        for pack in all().iter() {
            let someone = Entitlement { retired_on: since, ..entitlement(last) };
            let found = pack.assess(&someone, born, today, Doubt::Doubtful);
            prop_assert!(found.may_certify, "{}: {}", pack.id, found.why);
            prop_assert!(found.why.ends_with('。') && !found.why.contains("；；"));
        }
    }
}

fn day() -> impl Strategy<Value = Date> {
    (1990i16..2080, 1i8..=12, 1i8..=31).prop_map(|(y, m, d)| {
        let first = Date::constant(y, m, 1);
        first.last_of_month().min(first.saturating_add(jiff::Span::new().days(d - 1)))
    })
}

fn any_day() -> impl Strategy<Value = Date> {
    prop_oneof![9 => day(), 1 => (-9000i16..9000).prop_map(|y| Date::constant(y, 2, 28))]
}

fn any_last() -> impl Strategy<Value = Option<Success>> {
    proptest::option::of(day().prop_map(|on| Success { on, method: Method::Window }))
}

fn doubt() -> impl Strategy<Value = Doubt> {
    prop_oneof![Just(Doubt::None), Just(Doubt::Doubtful), Just(Doubt::Unknown)]
}

fn entitlement(last: Option<Success>) -> Entitlement {
    Entitlement { last, stage: Stage::InPayment, ..Entitlement::default() }
}
