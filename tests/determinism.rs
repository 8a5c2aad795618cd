//! The same seed tells the same story, times aside; another seed tells another.

use std::thread;

use kiosk_tests::demo::Demo;
use kiosk_tests::is_set_up;

#[test]
fn the_same_seed_gives_the_same_timeline_and_another_seed_another() {
    if !is_set_up() {
        return;
    }
    let folder = tempfile::tempdir().expect("there is room");
    let told = |name: &'static str, seed, visits| {
        let demo = Demo { out: folder.path().join(name), seed, visits, settings: None };
        move || {
            demo.run();
            demo.timeline()
        }
    };
    // Side by side, so that the two are never equally fast.
    let (once, again, other) = thread::scope(|scope| {
        let once = scope.spawn(told("once", 2, 4));
        let again = scope.spawn(told("again", 2, 4));
        let once = once.join().expect("the first run ends well");
        let other = scope.spawn(told("other", 3, 1));
        let again = again.join().expect("the second run ends well");
        (once, again, other.join().expect("the third run ends well"))
    });
    assert!(once.len() > 40, "four visits are more than {} lines", once.len());
    assert_eq!(once, again);
    let first_visit: Vec<_> = once.iter().filter(|line| line.starts_with("visit 1 ")).collect();
    assert_ne!(first_visit, other.iter().collect::<Vec<_>>());
}
