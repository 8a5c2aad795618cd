//! The store from outside: against plain maps, killed in the middle, damaged, and stolen.

#[path = "all/damage.rs"]
mod damage;
#[path = "all/kill.rs"]
mod kill;
#[path = "all/made.rs"]
mod made;
#[path = "all/model.rs"]
mod model;
#[path = "all/rules.rs"]
mod rules;
