//! Drives one fingerprint scanner with its maker's LIVESCAN library, in a confined process
//! of its own. The kiosk starts it and talks with it over standard input and output.

use std::path::PathBuf;

use clap::Parser;
use drivers::livescan::library::serve;

/// Drives a fingerprint scanner with its maker's LIVESCAN library.
#[derive(Parser)]
struct Arguments {
    /// The maker's library.
    library: PathBuf,
    /// What the library reads besides its own folder; may repeat.
    #[arg(long)]
    reads: Vec<PathBuf>,
    /// Where the library writes besides device files; may repeat.
    #[arg(long)]
    writes: Vec<PathBuf>,
}

fn main() {
    let arguments = Arguments::parse();
    serve(&arguments.library, &arguments.reads, &arguments.writes)
}
