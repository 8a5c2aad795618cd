//! The store from outside: against plain maps, damaged, and stolen.

#[path = "all/damage.rs"]
mod damage;
#[path = "all/made.rs"]
mod made;
#[path = "all/model.rs"]
mod model;
#[path = "all/roster.rs"]
mod roster;
#[path = "all/rules.rs"]
mod rules;
