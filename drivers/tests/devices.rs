//! Devices that come with somebody else's library or service, from outside: what each may
//! do wrong is tried, and a table says what was told and that the next attempt works.

#[path = "devices/common.rs"]
mod common;
#[path = "devices/livescan.rs"]
mod livescan;
#[path = "devices/pcsc_service.rs"]
mod pcsc_service;
#[path = "devices/photo_decoder.rs"]
mod photo_decoder;
#[path = "devices/social_card.rs"]
mod social_card;
#[path = "devices/virtual_card.rs"]
mod virtual_card;
