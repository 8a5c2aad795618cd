//! The drivers against the simulated counter: as a child process on ptys, and in process
//! on a clock that the test moves, with everything that can go wrong.

mod clients;
mod fault_table;
mod fingerprint;
mod id_card;
mod in_process;
mod printer;
mod process;
mod random_faults;
mod usb;
