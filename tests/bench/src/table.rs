//! Rows as they are printed and as `summary.json` holds them.

use std::fmt::Write;

use serde::Serialize;

use crate::clock::Timed;

/// All rows, in the order they are measured.
#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
}

/// One measurement.
#[derive(Serialize)]
struct Row {
    name: String,
    ours: f64,
    reference: Option<f64>,
    reference_name: Option<String>,
    /// Ours over the reference; below 1 ours takes less.
    ratio: Option<f64>,
    unit: &'static str,
    n: usize,
}

/// What a time is held against.
pub(crate) enum Against {
    /// There is no natural reference.
    Nothing,
    /// Milliseconds of something else, with its name.
    Millis(f64, String),
}

impl Table {
    /// A duration.
    pub(crate) fn time(&mut self, name: &str, ours: Timed, against: Against) {
        let (reference, reference_name) = match against {
            Against::Nothing => (None, None),
            Against::Millis(millis, name) => (Some(millis), Some(name)),
        };
        self.rows.push(Row {
            name: name.into(),
            ours: ours.median_ms,
            reference,
            reference_name,
            ratio: reference.map(|reference| ours.median_ms / reference),
            unit: "ms",
            n: ours.n,
        });
    }

    /// A number that is no duration and has no reference.
    pub(crate) fn number(&mut self, name: &str, ours: f64, unit: &'static str, n: usize) {
        let name = name.into();
        let row = Row { name, ours, reference: None, reference_name: None, ratio: None, unit, n };
        self.rows.push(row);
    }

    /// A duration made of rows that are here already, each taken so many times.
    pub(crate) fn sum<'a>(
        &mut self,
        name: &str,
        parts: impl Iterator<Item = &'a (&'a str, u32)>,
        against: Against,
    ) {
        let mut whole = Timed { median_ms: 0.0, n: usize::MAX };
        for (part, times) in parts {
            let row = self.rows.iter().find(|row| row.name == *part);
            let row = row.expect("a sum comes after its parts");
            whole.median_ms += row.ours * f64::from(*times);
            whole.n = whole.n.min(row.n);
        }
        self.time(name, whole, against);
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let mut text = format!(
            "{:28} {:>12} {:>12} {:>7} {:5} {:>5}  {}\n",
            "name", "ours", "reference", "ratio", "unit", "n", "reference is"
        );
        for row in &self.rows {
            let number = |value: Option<f64>| value.map_or_else(|| "-".into(), short);
            let ratio = row.ratio.map_or_else(|| "-".into(), |ratio| format!("{ratio:.2}"));
            let reference_name = row.reference_name.as_deref().unwrap_or("-");
            writeln!(
                text,
                "{:28} {:>12} {:>12} {ratio:>7} {:5} {:>5}  {reference_name}",
                row.name,
                short(row.ours),
                number(row.reference),
                row.unit,
                row.n
            )
            .expect("a String takes every write");
        }
        text
    }

    /// For programs.
    pub(crate) fn json(&self) -> String {
        let rows = serde_json::json!({ "rows": self.rows });
        serde_json::to_string_pretty(&rows).expect("numbers and words are JSON")
    }
}

/// Three or more figures that mean something.
fn short(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.5}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_counts_each_part_as_often_as_it_is_done_and_keeps_the_smallest_n() {
        let mut table = Table::default();
        table.time("a", Timed::of(vec![1.0, 3.0, 2.0]), Against::Nothing);
        table.time("b", Timed::of(vec![10.0]), Against::Millis(5.0, "slow".into()));
        table.sum("c", [("a", 5), ("b", 1)].iter(), Against::Millis(10.0, "fast".into()));
        let rows: serde_json::Value = serde_json::from_str(&table.json()).unwrap();
        let c = &rows["rows"][2];
        assert_eq!((&c["ours"], &c["ratio"], &c["n"]), (&20.0.into(), &2.0.into(), &1.into()));
        assert!(rows["rows"][0]["ratio"].is_null());
        assert_eq!(rows["rows"][1]["ratio"], 2.0);
    }
}
