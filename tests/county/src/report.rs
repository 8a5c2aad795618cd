//! A report in lines, for somebody at a terminal window and for the log of a test.

use std::fmt;

use crate::county::Report;

impl Report {
    /// Visits for each second that was spent in visits.
    pub fn visits_a_second(&self) -> f64 {
        self.watch.n_visits as f64 / self.in_visits.as_secs_f64()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (plan, watch) = (&self.plan, &self.watch);
        let share = f64::from(self.n_at_counters) * 100.0 / f64::from(plan.n_people);
        writeln!(
            f,
            "seed {}: {} people, {} terminals, {} days",
            plan.seed, plan.n_people, plan.n_terminals, plan.n_days
        )?;
        writeln!(f, "at a counter: {} people ({share:.1} %)", self.n_at_counters)?;
        writeln!(f, "visits: {}, steps: {}", watch.n_visits, watch.n_steps)?;
        for (outcome, n) in &watch.outcomes {
            writeln!(f, "  {outcome:<26}{n:>9}")?;
        }
        for (what, n) in &watch.happened {
            writeln!(f, "{what}: {n}")?;
        }
        writeln!(
            f,
            "{:.0} visits a second of processor time ({:.1} s in visits, {:.1} s over all)",
            self.visits_a_second(),
            self.in_visits.as_secs_f64(),
            self.overall.as_secs_f64()
        )?;
        for (invariant, (n, case)) in &watch.broken {
            writeln!(f, "BROKEN {invariant:?} {n} times, first: {case}")?;
        }
        Ok(())
    }
}
