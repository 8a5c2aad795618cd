//! What the Slint compiler makes of `app.slint`.
#![expect(unreachable_pub, clippy::todo, reason = "generated code")]

slint::include_modules!();
