//! Numbers that buttons carry on the glass, and the taps they stand for in the view that is shown.
//!
//! A number is only ever looked up in the present view: a touch that arrives after its page went finds nothing.

use kiosk_core::view::{Button, Page, SignIn, Tap, View};

/// Takes back a digit.
pub(crate) const ERASE: i32 = 10;
/// The PIN is complete.
pub(crate) const ENTER: i32 = 11;
/// First of the page's buttons.
pub(crate) const BUTTONS: i32 = 100;
/// First of what can be chosen: operators, or the lines of a list.
pub(crate) const CHOICES: i32 = 1000;
/// The next screenful of choices; stays within the screen.
pub(crate) const MORE: i32 = 50;

/// What the button with this number means now; `None` when there is no such button or it is off.
pub(crate) fn tap_of(view: &View, id: i32) -> Option<Tap> {
    if id >= CHOICES {
        return chosen(view, usize::try_from(id - CHOICES).ok()?);
    }
    if id >= BUTTONS {
        return pressed(buttons(view), usize::try_from(id - BUTTONS).ok()?);
    }
    pad(view)?;
    match id {
        ERASE => Some(Tap::EraseDigit),
        ENTER => Some(Tap::EnterPin),
        digit => u8::try_from(digit).ok().filter(|d| *d <= 9).map(Tap::Digit),
    }
}

/// The number of the button that carries this tap now.
pub(crate) fn id_of(view: &View, tap: &Tap) -> Option<i32> {
    let found = |ids: std::ops::Range<i32>| {
        ids.into_iter().find(|id| tap_of(view, *id).as_ref() == Some(tap))
    };
    let count = |n: usize| i32::try_from(n).unwrap_or(i32::MAX - CHOICES);
    found(0..ENTER + 1)
        .or_else(|| found(BUTTONS..BUTTONS + count(buttons(view).len())))
        .or_else(|| found(CHOICES..CHOICES + count(n_choices(view))))
}

/// The row of buttons at the foot of the page.
pub(crate) fn buttons(view: &View) -> &[Button] {
    match &view.page {
        Page::SignIn(page) | Page::Witness(page) => &page.buttons,
        Page::Waiting(page) => &page.buttons,
        Page::Person(page) => &page.buttons,
        Page::Consent(page) => &page.buttons,
        Page::Face(page) => &page.buttons,
        Page::Finger(page) => &page.buttons,
        Page::Document(page) => &page.buttons,
        Page::Judge(page) => &page.buttons,
        Page::Choice(page) => &page.buttons,
        Page::Result(page) => &page.buttons,
        Page::Outbox(page) => &page.buttons,
        Page::People(page) => &page.buttons,
        Page::Devices(page) => &page.buttons,
        Page::Saving => &[],
    }
}

/// The sign-in form, if this page has one.
pub(crate) fn sign_in(view: &View) -> Option<&SignIn> {
    match &view.page {
        Page::SignIn(page) | Page::Witness(page) => Some(page),
        _ => None,
    }
}

/// The pad takes digits only for somebody.
fn pad(view: &View) -> Option<&SignIn> {
    sign_in(view).filter(|page| page.picked.is_some())
}

fn pressed(buttons: &[Button], index: usize) -> Option<Tap> {
    buttons.get(index).filter(|button| button.enabled).map(|button| button.tap.clone())
}

fn chosen(view: &View, index: usize) -> Option<Tap> {
    match &view.page {
        Page::SignIn(page) | Page::Witness(page) => {
            page.operators.get(index).map(|(id, _)| Tap::PickOperator(id.clone()))
        }
        Page::Choice(page) => page.options.get(index).map(|pick| pick.tap.clone()),
        Page::People(page) => {
            let letter = page.typed.as_ref().and_then(|_| ('a'..='z').nth(index));
            letter.map(Tap::Letter)
        }
        Page::Outbox(page) => page.lines.get(index).map(|line| Tap::PrintSlip(line.seq)),
        _ => None,
    }
}

fn n_choices(view: &View) -> usize {
    match &view.page {
        Page::SignIn(page) | Page::Witness(page) => page.operators.len(),
        Page::Choice(page) => page.options.len(),
        Page::Outbox(page) => page.lines.len(),
        Page::People(page) if page.typed.is_some() => ('a'..='z').count(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use kiosk_core::message::Id;
    use kiosk_core::view::{Header, Waiting};

    use super::*;

    fn waiting(enabled: bool) -> View {
        let button = Button { label: Id::TapOutbox, tap: Tap::ShowOutbox, enabled, primary: false };
        let page =
            Page::Waiting(Waiting { prompt: Id::LayCard, trouble: None, buttons: vec![button] });
        View { header: Header::default(), page }
    }

    fn sign_in(picked: Option<&str>) -> View {
        let page = SignIn {
            operators: vec![("01".into(), "王小明".into()), ("02".into(), "李静".into())],
            picked: picked.map(Into::into),
            ..SignIn::default()
        };
        View { header: Header::default(), page: Page::SignIn(page) }
    }

    #[test]
    fn a_button_means_what_the_present_view_says() {
        assert_eq!(tap_of(&waiting(true), BUTTONS), Some(Tap::ShowOutbox));
        assert_eq!(tap_of(&sign_in(None), BUTTONS), None);
        assert_eq!(id_of(&waiting(true), &Tap::ShowOutbox), Some(BUTTONS));
    }

    #[test]
    fn a_button_that_is_off_means_nothing() {
        assert_eq!(tap_of(&waiting(false), BUTTONS), None);
        assert_eq!(id_of(&waiting(false), &Tap::ShowOutbox), None);
    }

    #[test]
    fn digits_need_somebody_whose_pin_it_is() {
        assert_eq!(tap_of(&sign_in(None), 3), None);
        assert_eq!(tap_of(&sign_in(Some("02")), 3), Some(Tap::Digit(3)));
        assert_eq!(tap_of(&sign_in(Some("02")), ENTER), Some(Tap::EnterPin));
        assert_eq!(tap_of(&sign_in(Some("02")), -1), None);
        assert_eq!(id_of(&sign_in(None), &Tap::PickOperator("02".into())), Some(CHOICES + 1));
    }
}
