//! Only on a desk: a simulated camera and the demonstration. The image build leaves this out.

/// The image build refuses a program that contains this.
#[used]
static MARKER: [u8; 20] = *b"changqing-desk-build";

pub mod camera;
pub mod demo;
