//! Everything about sealing and sending, with a centre in memory that also lies, forgets and loses.

#[path = "all/centre.rs"]
mod centre;
#[path = "all/hostile.rs"]
mod hostile;
#[path = "all/https.rs"]
mod https;
#[path = "all/sealing.rs"]
mod sealing;
#[path = "all/storm.rs"]
mod storm;
#[path = "all/terminal.rs"]
mod terminal;
#[path = "all/update.rs"]
mod update;
#[path = "all/vectors.rs"]
mod vectors;
