//! Only on a desk: a simulated camera and the demonstration. The image build leaves this out.

pub mod camera;
pub mod demo;
