//! Power and programs go at bad moments; what was done stays done, and nothing is done twice.

use kiosk_tests::demo::{Demo, assert_the_authority_has_four, has_file, summary_of_four};
use kiosk_tests::is_set_up;
use kiosk_tests::process::wait_until;

#[test]
fn an_authority_that_dies_in_a_visit_and_in_a_batch_gets_each_record_once() {
    if !is_set_up() {
        return;
    }
    let folder = tempfile::tempdir().expect("there is room");
    let demo = Demo { out: folder.path().join("out"), seed: 1, visits: 4, settings: None };
    let mut run = demo.start();
    for (visit, event) in [(1, "card-read"), (2, "record-sealed"), (3, "tapped Appeal")] {
        run.until(visit, event);
        let authority = run.child("authority");
        authority.kill();
        wait_until("the end of the authority", || !authority.runs());
    }
    run.end_well();
    assert_eq!(demo.summary(), summary_of_four(1));
    assert_the_authority_has_four(&demo);
}

#[test]
fn a_terminal_that_dies_in_a_sitting_in_a_batch_and_after_a_seal_takes_up_where_it_stopped() {
    if !is_set_up() {
        return;
    }
    let folder = tempfile::tempdir().expect("there is room");
    let demo = Demo { out: folder.path().join("out"), seed: 1, visits: 4, settings: None };

    let mut sitting = demo.start();
    sitting.until(1, "face-seen");
    sitting.kill();

    // The first visit has several pictures; when the first is at the authority, the others are on the way.
    let mut batch = demo.start();
    batch.until(1, "record-sealed");
    let pictures = demo.authority().join("pictures");
    wait_until("a picture at the authority", || has_file(&pictures));
    batch.kill();

    let mut sealed = demo.start();
    sealed.until(2, "record-sealed");
    sealed.kill();

    let mut appeal = demo.start();
    appeal.until(3, "tapped Reason");
    appeal.kill();

    let ended = demo.start().end_well();
    assert!(ended.said.contains("visit 2: already recorded"), "{}", ended.said);
    assert_eq!(demo.summary(), summary_of_four(1));
    assert_the_authority_has_four(&demo);
}
