//! Decodes one card photo with the agency's own library, in a process that has nothing to
//! lose: 1024 bytes on standard input, a BMP of 102 x 126 on standard output. The kiosk
//! starts it; its exit code names what went wrong.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use drivers::photo_loader::{Abi, Layout, Library, Order, serve};

/// Decodes one card photo with a vendor's library.
#[derive(Parser)]
struct Arguments {
    /// The vendor's library.
    library: PathBuf,
    /// How the library is called.
    #[arg(long, value_enum)]
    abi: Way,
    /// `unpack`: the vendor's constant, 708 or 752.
    #[arg(long, default_value_t = 708)]
    mode: i32,
    /// `unpack`: order of the colours in a pixel.
    #[arg(long, value_enum, default_value = "bgr")]
    order: Colors,
    /// `unpack`: the lowest row comes first.
    #[arg(long)]
    bottom_first: bool,
    /// `unpack`: all bytes come from the last to the first.
    #[arg(long)]
    reversed: bool,
    /// `file`: 1 for a serial reader, 2 for USB.
    #[arg(long, default_value_t = 2)]
    interface: i32,
    /// `file`: a folder in memory that only this user can read.
    #[arg(long, default_value = "/run/kiosk/photo")]
    scratch: PathBuf,
    /// `file`: what the library reads besides, such as its licence file; may repeat.
    #[arg(long)]
    reads: Vec<PathBuf>,
    /// Longest time for one photo, in milliseconds; the kiosk waits for two seconds.
    #[arg(long, default_value_t = 1600)]
    limit_ms: u64,
    /// Only load the library.
    #[arg(long)]
    probe: bool,
    /// Used by the program itself.
    #[arg(long, hide = true)]
    inside: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Way {
    /// `int unpack(char *block, char *pixels, int mode)`
    Unpack,
    /// `int wlt2bmpBuffer(block, bmp, size)`
    Buffer,
    /// `int GetBmp(const char *path, int interface)`
    File,
}

#[derive(Clone, Copy, ValueEnum)]
enum Colors {
    Rgb,
    Bgr,
}

fn main() {
    let arguments = Arguments::parse();
    let order = match arguments.order {
        Colors::Rgb => Order::Rgb,
        Colors::Bgr => Order::Bgr,
    };
    let (bottom_first, reversed) = (arguments.bottom_first, arguments.reversed);
    let abi = match arguments.abi {
        Way::Unpack => {
            let layout = Layout { order, bottom_first, reversed };
            Abi::Unpack { mode: arguments.mode, layout }
        }
        Way::Buffer => Abi::Buffer,
        Way::File => Abi::File {
            interface: arguments.interface,
            scratch: arguments.scratch,
            reads: arguments.reads,
        },
    };
    let limit = Duration::from_millis(arguments.limit_ms);
    let library = Library { path: arguments.library, abi, limit };
    serve(&library, std::io::stdin(), arguments.inside, arguments.probe)
}
