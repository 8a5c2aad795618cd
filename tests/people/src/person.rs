//! A simulated person: what is on their card, and which story their visit tells.

mod names;
mod places;

use crate::{
    benefit::{self, Benefit},
    number,
    portrait::{Portrait, Pose},
    random::Random,
};
use image::RgbImage;
use std::sync::Arc;

/// Year, month, day.
pub type Date = (i16, u8, u8);

/// As GB/T 2261.1 has it on the card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Sex {
    /// Code 1.
    Male,
    /// Code 2.
    Female,
}

/// What happens when this person comes to the counter; it follows from the index alone (`index % 8`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Story {
    /// A proof of life is due; no finger is enrolled, so it begins with (re-)enrolment. Indices 0 and 4.
    Due,
    /// A proof of life is due and a finger is enrolled: see [`Person::enrolled_finger`]. Indices 1 and 5.
    DueWithFinger,
    /// Somebody else stands before the camera: [`Person::visitor`] is another person. Index 2.
    FaceSwapped,
    /// The last proof still holds. Indices 3 and 7.
    NothingDue,
    /// The payment was suspended because proofs were missed. Index 6.
    Suspended,
}

/// A person who does not exist. `Debug` prints no personal data, as everywhere in this house.
#[derive(Clone, PartialEq, Eq)]
pub struct Person {
    /// The seed of the roster.
    pub seed: u64,
    /// The position in the roster.
    pub index: u32,
    /// As printed on the card; may hold `·`, extension A and characters outside the basic plane.
    pub name: String,
    /// As on the card, and in the parity of the number.
    pub sex: Sex,
    /// Day of birth.
    pub birth: Date,
    /// The citizen number, 18 characters with a right check character.
    pub number: String,
    /// Two digits of GB/T 3304.
    pub ethnic_code: &'static str,
    /// Registered residence, at most 35 characters.
    pub address: String,
    /// The police authority that issued the card, at most 15 characters.
    pub issuer: String,
    /// First day of validity.
    pub valid_from: Date,
    /// Last day of validity; `None` is 长期, without end.
    pub valid_to: Option<Date>,
    /// Township or subdistrict.
    pub district: String,
    /// Village or community.
    pub village: String,
}

impl Person {
    /// The person at `index` of the roster `seed`.
    pub fn generate(seed: u64, index: u32) -> Self {
        let mut random = Random::of(&[seed, u64::from(index), PERSON]);
        let sex = sex_of(seed, index);
        let birth = birth(&mut random, index);
        let place = places::choose(&mut random);
        let (name, ethnic_code) = names::choose(&mut random, sex, index);
        let number = number::compose(place.area_code, birth, random.below(499) as u32, sex);
        let (valid_from, valid_to) = validity(&mut random, birth);
        let house = random.within(1, 240);
        Self {
            seed,
            index,
            name,
            sex,
            birth,
            number,
            ethnic_code,
            address: format!(
                "{}{}{}{}{house}号",
                place.province, place.county, place.town, place.village
            ),
            issuer: format!("{}公安局", place.county),
            valid_from,
            valid_to,
            district: place.town.to_owned(),
            village: place.village.to_owned(),
        }
    }

    /// What the visit of this person is about.
    pub fn story(&self) -> Story {
        match self.index % 8 {
            0 | 4 => Story::Due,
            1 | 5 => Story::DueWithFinger,
            2 => Story::FaceSwapped,
            6 => Story::Suspended,
            _ => Story::NothingDue,
        }
    }

    /// The person who stands before the camera with this card: themselves, except in [`Story::FaceSwapped`].
    pub fn visitor(&self) -> Self {
        match self.story() {
            Story::FaceSwapped => self.neighbour_of_same_sex(),
            _ => self.clone(),
        }
    }

    /// Somebody of the next pair, which holds one man and one woman.
    fn neighbour_of_same_sex(&self) -> Self {
        let next_pair = self.index / 2 * 2 + 2;
        let first = Self::generate(self.seed, next_pair);
        if first.sex == self.sex { first } else { Self::generate(self.seed, next_pair + 1) }
    }

    /// The finger that the roster holds a template of, as ISO/IEC 19794-2 numbers it: 2 is the right index finger.
    pub fn enrolled_finger(&self) -> Option<u8> {
        (self.story() == Story::DueWithFinger).then_some(2)
    }

    /// What the person is paid, and how the last proofs went.
    pub fn benefits(&self) -> Vec<Benefit> {
        benefit::of(self)
    }

    /// The face and shoulders of this person, ready to be drawn in any pose; kept for the next call.
    pub fn face(&self) -> Arc<Portrait> {
        Portrait::of(self)
    }

    /// The formal portrait, 480 x 600 pixels.
    pub fn portrait(&self) -> RgbImage {
        self.face().picture()
    }

    /// A camera frame, 640 x 480 pixels, of this person (not of the [`Person::visitor`]).
    pub fn frame(&self, pose: &Pose, noise_seed: u64) -> RgbImage {
        self.face().frame(pose, noise_seed)
    }

    /// The portrait as it lies on the simulated card: see [`crate::photo`].
    pub fn card_photo_block(&self) -> [u8; 1024] {
        self.face().card_photo_block()
    }

    /// One impression of a finger (1 right thumb … 10 left little finger), row by row, 8-bit grey at 500 dpi,
    /// dark ridges on light. Another `impression` is the same finger laid down anew.
    pub fn finger_image(&self, finger: u8, impression: u32, width: u32, height: u32) -> Vec<u8> {
        crate::finger::image(&[self.seed, u64::from(self.index)], finger, impression, width, height)
    }

    /// Age in full years on a day.
    pub fn age_on(&self, day: Date) -> i16 {
        let (year, month, date) = self.birth;
        day.0 - year - i16::from((day.1, day.2) < (month, date))
    }

    /// Where this person stands among those of their sex; neighbours in a roster get different portraits by it.
    pub(crate) fn rank(&self) -> u32 {
        self.index / 2
    }
}

impl std::fmt::Debug for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Person(#{} of {}, …)", self.index, self.seed)
    }
}

/// Of each pair of neighbours one is a man and one a woman, in an order that the seed decides.
fn sex_of(seed: u64, index: u32) -> Sex {
    let flipped = Random::of(&[seed, u64::from(index / 2), SEX]).chance(50);
    if index.is_multiple_of(2) ^ flipped { Sex::Male } else { Sex::Female }
}

/// Mostly 60 to 95 years old in 2026; now and then somebody younger (survivors, disability) or beyond a hundred.
fn birth(random: &mut Random, index: u32) -> Date {
    let year = match index % 32 {
        13 => random.within(1970, 1985),
        29 => random.within(1920, 1925),
        _ => random.within(1931, 1965),
    };
    (year as i16, random.within(1, 12) as u8, random.within(1, 28) as u8)
}

/// Cards issued from the age of 46 on have no end; others hold for twenty years.
fn validity(random: &mut Random, birth: Date) -> (Date, Option<Date>) {
    let year = random.within(2007, 2025) as i16;
    let from = (year, random.within(1, 12) as u8, random.within(1, 28) as u8);
    let age = year - birth.0 - i16::from((from.1, from.2) < (birth.1, birth.2));
    (from, (age < 46).then_some((year + 20, from.1, from.2)))
}

const PERSON: u64 = 1;
const SEX: u64 = 2;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_same_seed_gives_the_same_people_on_every_machine() {
        let list: String = (0..500)
            .map(|index| Person::generate(2026, index))
            .map(|p| p.number + &p.name)
            .collect();
        // FNV-1a over the whole list.
        let hash = list.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
            (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3)
        });
        assert_eq!(format!("{hash:016x}"), "c54156fd358b524e");
    }

    #[test]
    fn neighbours_have_their_own_numbers() {
        let numbers: BTreeSet<String> =
            (0..500).map(|index| Person::generate(2026, index).number).collect();
        assert_eq!(numbers.len(), 500);
    }

    #[test]
    fn a_roster_has_names_that_break_careless_programs() {
        let names: Vec<String> = (0..64).map(|index| Person::generate(2026, index).name).collect();
        assert!(names.iter().any(|name| name.contains('·')));
        assert!(names.iter().any(|name| name.contains('䶮')));
        assert!(names.iter().any(|name| name.encode_utf16().count() > name.chars().count()));
    }

    #[test]
    fn each_eight_people_tell_all_stories() {
        let people: Vec<Person> = (0..8).map(|index| Person::generate(1, index)).collect();
        let stories: BTreeSet<String> =
            people.iter().map(|person| format!("{:?}", person.story())).collect();
        assert_eq!(
            stories.into_iter().collect::<Vec<_>>(),
            ["Due", "DueWithFinger", "FaceSwapped", "NothingDue", "Suspended"]
        );
        assert!(people.iter().all(|person| !person.benefits().is_empty()));
        let swapped = &people[2];
        assert_ne!(swapped.visitor(), *swapped);
        assert_eq!(swapped.visitor().sex, swapped.sex);
    }

    #[test]
    fn no_personal_data_is_printed_for_debugging() {
        assert_eq!(format!("{:?}", Person::generate(2026, 3)), "Person(#3 of 2026, …)");
    }

    proptest! {
        #[test]
        fn a_number_agrees_with_its_check_birth_and_sex(seed: u64, index in 0u32..100_000) {
            let person = Person::generate(seed, index);
            let number = person.number.as_str();
            prop_assert_eq!(number.len(), 18);
            prop_assert_eq!(number.chars().last(), Some(number::check_character(&number[..17])));
            let (year, month, day) = person.birth;
            prop_assert_eq!(&number[6..14], format!("{year:04}{month:02}{day:02}"));
            let odd = number.as_bytes()[16] % 2 == 1;
            prop_assert_eq!(odd, person.sex == Sex::Male);
        }

        #[test]
        fn a_card_has_room_for_what_is_on_it(seed: u64, index in 0u32..100_000) {
            let person = Person::generate(seed, index);
            prop_assert!(person.name.encode_utf16().count() <= 15, "name");
            prop_assert!(person.address.encode_utf16().count() <= 35, "address");
            prop_assert!(person.issuer.encode_utf16().count() <= 15, "issuer");
            prop_assert!((35..=110).contains(&person.age_on((2026, 11, 16))));
            prop_assert!(person.valid_to.is_none_or(|end| end > person.valid_from));
        }
    }
}
