//! `county`: lives through a county, prints what came of it, and fails when something did not hold.

use std::process::ExitCode;

use clap::Parser;
use county::population::PEOPLE_MAX;
use county::{Plan, run};

/// A simulated county on the real core.
#[derive(Parser)]
struct Arguments {
    /// Everything follows from it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// 200 terminals, 18 months, 250,000 people.
    #[arg(long)]
    full: bool,
    /// People who are paid.
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..=i64::from(PEOPLE_MAX)))]
    people: u32,
    /// Terminals.
    #[arg(long, default_value_t = 20)]
    terminals: u16,
    /// Days.
    #[arg(long, default_value_t = 546)]
    days: i32,
}

fn main() -> ExitCode {
    let asked = Arguments::parse();
    let (n_people, n_terminals, n_days) =
        if asked.full { (250_000, 200, 546) } else { (asked.people, asked.terminals, asked.days) };
    let report = run(Plan { seed: asked.seed, n_people, n_terminals, n_days, sabotage: None });
    print!("{report}");
    if report.watch.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
