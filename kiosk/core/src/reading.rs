//! What the camera read from an identity card, held against what its chip says. A reading is never as good as the chip:
//! it may show that another card was held up, and otherwise it is a fact for the record that a person can check.

use jiff::civil::Date;

use crate::event::Picture;
use crate::identity::{CardIdentity, IdNumber, PersonName, Sex, ValidTo};
use crate::message::Id;

/// What was read from a picture of a card.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The words of one side; nothing when no side could be made out.
    pub words: Option<Words>,
    /// What was read does not fit together in itself, or is not certain.
    pub is_doubtful: bool,
    /// How certain the least certain line is, 0 to 100.
    pub certainty: u8,
    /// The picture shows the raster of a screen: it may be a picture of a picture.
    pub shows_raster: bool,
    /// Name and hash of the network.
    pub model: String,
}

/// The words of one side of a card. What was not read is empty.
#[derive(Clone, Debug, PartialEq)]
pub enum Words {
    /// The side with the portrait.
    Front {
        /// The name.
        name: PersonName,
        /// The number, if its checksum holds.
        number: Option<IdNumber>,
        /// The birth date.
        birth: Option<Date>,
        /// The sex.
        sex: Option<Sex>,
    },
    /// The side with the emblem.
    Back {
        /// The end of validity.
        valid_to: Option<ValidTo>,
    },
}

/// What a reading means beside the chip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The other side was held up.
    OtherSide,
    /// A sound number was read, and it is not this person's.
    OtherCard,
    /// Everything that was read fits the chip.
    Fits,
    /// A person has to look, for these reasons.
    Unsure(Vec<Id>),
}

/// Holds a reading of the wanted side against the chip. Of the card in the hand nothing is read; its picture may only
/// be doubted.
pub fn check(reading: &Reading, wanted: Picture, card: &CardIdentity) -> Finding {
    let found = match wanted {
        Picture::IdInHand => Finding::Fits,
        _ => check_words(reading, wanted, card),
    };
    match (found, reading.shows_raster) {
        (Finding::Fits, true) => Finding::Unsure(vec![Id::WhyDocumentScreen]),
        (Finding::Unsure(mut why), true) => {
            why.insert(0, Id::WhyDocumentScreen);
            Finding::Unsure(why)
        }
        (found, _) => found,
    }
}

fn check_words(reading: &Reading, wanted: Picture, card: &CardIdentity) -> Finding {
    let fits = match (&reading.words, wanted) {
        (None, _) => return Finding::Unsure(vec![Id::WhyDocumentUnread]),
        (Some(Words::Front { .. }), Picture::IdBack)
        | (Some(Words::Back { .. }), Picture::IdFront) => {
            return Finding::OtherSide;
        }
        (Some(Words::Front { number: Some(number), .. }), _) if *number != card.number => {
            return Finding::OtherCard;
        }
        (Some(Words::Front { number: None, .. }), _) => {
            return Finding::Unsure(vec![Id::WhyDocumentUnread]);
        }
        (Some(Words::Front { name, birth, sex, .. }), _) => {
            bare(&name.0) == bare(&card.name.0)
                && birth.is_none_or(|birth| birth == card.birth)
                && sex.is_none_or(|sex| sex == card.sex)
        }
        (Some(Words::Back { valid_to }), _) => valid_to.is_none_or(|day| day == card.valid_to),
    };
    match (fits, reading.is_doubtful) {
        (false, _) => Finding::Unsure(vec![Id::WhyDocumentDiffers]),
        (true, true) => Finding::Unsure(vec![Id::WhyDocumentDoubtful]),
        (true, false) => Finding::Fits,
    }
}

/// A name without what cards and printers write differently: spaces, and the dot between parts of a name.
fn bare(name: &str) -> String {
    let is_letter = |c: &char| !c.is_whitespace() && !matches!(c, '·' | '•' | '・' | '．' | '.');
    name.chars().filter(is_letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card() -> CardIdentity {
        let name = PersonName("测试·人".into());
        CardIdentity { name, ..crate::visit::tests::card() }
    }

    fn number() -> IdNumber {
        IdNumber::parse("11010519491231002X").unwrap()
    }

    fn front(name: &str, number: Option<IdNumber>) -> Words {
        let (birth, sex) = (Some(Date::constant(1949, 12, 31)), Some(Sex::Female));
        Words::Front { name: PersonName(name.into()), number, birth, sex }
    }

    fn reading(words: Option<Words>, is_doubtful: bool) -> Reading {
        Reading { words, is_doubtful, certainty: 90, shows_raster: false, model: "m".into() }
    }

    #[track_caller]
    fn holds(words: Option<Words>, is_doubtful: bool, wanted: Picture, expected: Finding) {
        assert_eq!(check(&reading(words, is_doubtful), wanted, &card()), expected);
    }

    #[test]
    fn the_raster_of_a_screen_is_for_people_s_eyes_and_excuses_nobody() {
        let shown = |words: Option<Words>, wanted| {
            let reading = Reading { shows_raster: true, ..reading(words, false) };
            check(&reading, wanted, &card())
        };
        let own = || Some(front("测试人", Some(number())));
        let screen = Finding::Unsure(vec![Id::WhyDocumentScreen]);
        assert_eq!(shown(own(), Picture::IdFront), screen);
        assert_eq!(shown(None, Picture::IdInHand), screen);
        let unread = Finding::Unsure(vec![Id::WhyDocumentScreen, Id::WhyDocumentUnread]);
        assert_eq!(shown(None, Picture::IdFront), unread);
        let other = IdNumber::parse("440524188001010014").unwrap();
        let other = Some(front("测试人", Some(other)));
        assert_eq!(shown(other, Picture::IdFront), Finding::OtherCard);
        assert_eq!(check(&reading(None, true), Picture::IdInHand, &card()), Finding::Fits);
    }

    #[test]
    fn what_was_read_fits_differs_or_is_of_another_card() {
        let own = || Some(front("测试人", Some(number())));
        holds(own(), false, Picture::IdFront, Finding::Fits);
        holds(own(), true, Picture::IdFront, Finding::Unsure(vec![Id::WhyDocumentDoubtful]));
        holds(own(), false, Picture::IdBack, Finding::OtherSide);
        let renamed = Some(front("测式人", Some(number())));
        holds(renamed, false, Picture::IdFront, Finding::Unsure(vec![Id::WhyDocumentDiffers]));
        let other = IdNumber::parse("440524188001010014").unwrap();
        holds(Some(front("测试人", Some(other))), false, Picture::IdFront, Finding::OtherCard);
        let unread = Finding::Unsure(vec![Id::WhyDocumentUnread]);
        holds(Some(front("测试人", None)), false, Picture::IdFront, unread.clone());
        holds(None, true, Picture::IdFront, unread);
    }

    #[test]
    fn the_back_is_held_against_the_validity_of_the_chip() {
        let back = |valid_to| Some(Words::Back { valid_to });
        holds(back(Some(ValidTo::Open)), false, Picture::IdBack, Finding::Fits);
        holds(back(None), false, Picture::IdBack, Finding::Fits);
        holds(back(None), false, Picture::IdFront, Finding::OtherSide);
        let day = Some(ValidTo::Day(Date::constant(2030, 1, 1)));
        let differs = Finding::Unsure(vec![Id::WhyDocumentDiffers]);
        holds(back(day), false, Picture::IdBack, differs);
    }
}
