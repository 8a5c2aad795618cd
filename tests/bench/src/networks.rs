//! Each network by itself: ours through `models bench`, the reference through `reference.py`, one thread each, turn
//! by turn, on the same inputs.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::process::{Command, Stdio};

use models::Manifest;
use models::manifest::default_dir;
use serde_json::Value;

use crate::beside;
use crate::clock::Timed;
use crate::table::{Against, Table};

/// The medians of each round, in milliseconds.
#[derive(Default)]
pub(crate) struct Networks {
    ours: BTreeMap<String, Rounds>,
    by_rule: BTreeMap<String, Rounds>,
    on_person: BTreeMap<String, Rounds>,
    runtime: String,
    peak_memory_kb: f64,
    matches_per_second: Rounds,
}

#[derive(Default)]
struct Rounds {
    medians: Vec<f64>,
    n_runs: usize,
}

impl Networks {
    /// One round of ours.
    pub(crate) fn measure_ours(&mut self) -> Result<(), Box<dyn Error>> {
        let mut bench = Command::new(beside("models")?);
        bench.args(["bench", "--runs", RUNS, "--dir"]).arg(default_dir());
        let answer = json_of(&mut bench)?;
        for row in answer["rows"].as_array().ok_or("`models bench` gave no rows")? {
            let name = row["name"].as_str().ok_or("a row without a name")?;
            let rate = row["per_second"].as_f64();
            match rate {
                Some(rate) => self.matches_per_second.add(rate, row),
                None => self.ours.entry(name.into()).or_default().add(median(row)?, row),
            }
        }
        self.peak_memory_kb = answer["peak_memory_kb"].as_f64().unwrap_or(f64::NAN);
        Ok(())
    }

    /// One round of onnxruntime.
    pub(crate) fn measure_reference(
        &mut self,
        python: &Path,
        script: &Path,
        inputs: &Path,
    ) -> Result<(), Box<dyn Error>> {
        let mut reference = Command::new(python);
        reference.arg(script).arg(default_dir()).arg(inputs).arg(RUNS);
        let answer = json_of(&mut reference)?;
        self.runtime = answer["runtime"].as_str().unwrap_or("onnxruntime").to_owned();
        for row in answer["rows"].as_array().ok_or("the reference gave no rows")? {
            let name = row["name"].as_str().ok_or("a row without a name")?;
            let rounds = match row["input"].as_str() {
                Some("rule") => &mut self.by_rule,
                _ => &mut self.on_person,
            };
            rounds.entry(name.into()).or_default().add(median(row)?, row);
        }
        Ok(())
    }

    /// What onnxruntime needs for these networks on the simulated person, each so many times.
    pub(crate) fn sum(&self, parts: &[(&str, u32)]) -> Against {
        if parts.is_empty() {
            return Against::Nothing;
        }
        let one = |(name, times): &(&str, u32)| {
            self.on_person.get(*name).map(|rounds| rounds.timed().median_ms * f64::from(*times))
        };
        let names: Vec<_> = parts.iter().map(|(name, times)| format!("{times} {name}")).collect();
        match parts.iter().map(one).sum::<Option<f64>>() {
            Some(millis) => Against::Millis(
                millis,
                format!("{}: networks alone, {}", self.runtime, names.join(" + ")),
            ),
            None => Against::Nothing,
        }
    }

    /// A row for each network, the matcher and the memory.
    pub(crate) fn rows(&self, table: &mut Table, manifest: &Manifest) {
        for model in manifest.models() {
            let Some(ours) = self.ours.get(&model.id) else { continue };
            let against = self.by_rule.get(&model.id).map_or(Against::Nothing, |reference| {
                Against::Millis(reference.timed().median_ms, self.runtime.clone())
            });
            table.time(&model.id, ours.timed(), against);
        }
        let rate = self.matches_per_second.timed();
        table.number("finger-comparisons", rate.median_ms, "1/s", rate.n);
        table.number("models-peak-memory", self.peak_memory_kb / 1024.0, "MiB", 1);
    }
}

impl Rounds {
    fn add(&mut self, median: f64, row: &Value) {
        self.medians.push(median);
        self.n_runs += row["n"].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
    }

    /// The median of the rounds' medians, and the runs of all rounds.
    fn timed(&self) -> Timed {
        Timed { n: self.n_runs, ..Timed::of(self.medians.clone()) }
    }
}

fn median(row: &Value) -> Result<f64, Box<dyn Error>> {
    Ok(row["median"].as_f64().ok_or("a row without a median")?)
}

fn json_of(command: &mut Command) -> Result<Value, Box<dyn Error>> {
    let done = command.stderr(Stdio::inherit()).output()?;
    if !done.status.success() {
        return Err(format!("{}: {}", command.get_program().display(), done.status).into());
    }
    Ok(serde_json::from_slice(&done.stdout)?)
}

/// Runs of each network in each round.
const RUNS: &str = "40";
