//! Cards are drawn, photographed and read again: what a counter sees, without anybody's card.

mod card;

#[path = "../shared/loaded.rs"]
mod loaded;

use card::Shot;
use image::{RgbImage, imageops};
use loaded::loaded;
use models::{
    Manifest,
    document::{
        CardCoaching, CardDoubt, CardQuality, CardText, DocumentEngine, Sex, ValidTo, look,
    },
    evaluate::wilson,
    manifest::default_dir,
};
use people::Person;

fn people(n: usize) -> Vec<Person> {
    // Characters that no OCR of this size knows are for the chip; see the model card.
    let is_common = |person: &Person| {
        person.name.chars().all(|c| ('\u{4e00}'..'\u{9fa6}').contains(&c) || c == '·')
    };
    (0..).map(|index| Person::generate(7, index)).filter(is_common).take(n).collect()
}

fn engine() -> Option<DocumentEngine> {
    loaded(DocumentEngine::load(&default_dir(), &Manifest::built_in().unwrap()))
}

/// Shots as a counter gives them: near and far, turned, tilted, dimmer, a little out of focus.
fn shots(n: u32) -> impl Iterator<Item = Shot> {
    (0..n).map(|i| {
        let part = |k: u32| ((i * 37 + k * 53) % 17) as f32 / 16.0;
        Shot {
            size: 520.0 + 340.0 * part(1),
            turned: -18.0 + 36.0 * part(2),
            tilt: -0.16 + 0.32 * part(3),
            blur: 0.5 + 0.5 * part(4),
            light: 0.65 + 0.37 * part(5),
            lamp: 0.0,
            seed: 11 + i,
        }
    })
}

#[test]
fn the_corners_are_found_however_the_card_is_held() {
    let Some(font) = card::font() else { return };
    let person = &people(1)[0];
    let cards = [card::front(&font, person), card::back(&font, person)];
    let (mut n, mut missed) = (0, Vec::new());
    for (i, shot) in shots(24).enumerate() {
        let frame = shot.take(&cards[i % 2]);
        let found = look(&frame).corners;
        let off = found.map_or(f32::INFINITY, |found| {
            let pairs = found.iter().zip(shot.corners());
            pairs.map(|(a, b)| (a.0 - b.0).hypot(a.1 - b.1)).fold(0.0, f32::max)
        });
        n += 1;
        if off > 6.0 {
            missed.push((i, off));
        }
    }
    assert!(missed.len() * 12 <= n, "{} of {n} missed: {missed:?}", missed.len());
}

#[test]
fn each_fault_of_the_picture_is_told() {
    let Some(font) = card::font() else { return };
    let card = card::front(&font, &people(1)[0]);
    let told = |shot: Shot| look(&shot.take(&card)).coaching;
    assert_eq!(told(Shot::default()), None);
    assert_eq!(told(Shot { size: 330.0, ..Shot::default() }), Some(CardCoaching::ComeCloser));
    assert_eq!(told(Shot { blur: 2.6, ..Shot::default() }), Some(CardCoaching::HoldStill));
    assert_eq!(told(Shot { light: 0.25, ..Shot::default() }), Some(CardCoaching::TooDark));
    assert_eq!(told(Shot { lamp: 70.0, ..Shot::default() }), Some(CardCoaching::Glare));
    assert_eq!(told(Shot { tilt: 0.3, ..Shot::default() }), Some(CardCoaching::HoldLevel));
}

#[test]
fn a_photocopy_is_no_card() {
    let Some(font) = card::font() else { return };
    for card in [card::front(&font, &people(1)[0]), card::back(&font, &people(1)[0])] {
        let copy = imageops::colorops::grayscale(&card);
        let copy = RgbImage::from_fn(856, 540, |x, y| image::Rgb([copy.get_pixel(x, y).0[0]; 3]));
        let of_copy = look(&Shot::default().take(&copy));
        assert_eq!(of_copy.coaching, Some(CardCoaching::ShowOriginal), "{:?}", of_copy.quality);
    }
}

#[test]
fn without_a_card_one_is_asked_for() {
    assert_eq!(look(&RgbImage::new(640, 480)).coaching, Some(CardCoaching::ShowCard));
    assert_eq!(look(&RgbImage::new(1, 1)).coaching, Some(CardCoaching::ShowCard));
    let n_taken_for_cards = (0..10)
        .filter(|index| {
            let face = Person::generate(3, *index).frame(&people::Pose::default(), 1);
            look(&face).corners.is_some()
        })
        .count();
    assert_eq!(n_taken_for_cards, 0, "of 10 faces before a wall");
}

#[test]
fn both_sides_are_read_as_they_were_printed() {
    let (Some(font), Some(engine)) = (card::font(), engine()) else { return };
    for (person, shot) in people(3).iter().zip(shots(3)) {
        let front = engine.read(&shot.take(&card::front(&font, person))).unwrap().unwrap();
        let CardText::Front(text) = &front.text else { panic!("the back of {}", person.index) };
        assert_eq!(text.number, person.number);
        assert_eq!(text.name, person.name);
        assert_eq!(text.address, person.address);
        assert_eq!(text.sex == Some(Sex::Male), person.sex == people::Sex::Male);
        assert_eq!(text.birth, Some(date(person.birth)));
        assert_eq!(text.ethnicity, card::ethnicity(person));
        assert_eq!(text.doubts(), []);
        assert!(front.portrait.is_some());
        let back = engine.read(&shot.take(&card::back(&font, person))).unwrap().unwrap();
        let CardText::Back(text) = &back.text else { panic!("the front of {}", person.index) };
        assert_eq!(text.issuer, person.issuer);
        assert_eq!(text.valid_from, Some(date(person.valid_from)));
        let to = person.valid_to.map_or(ValidTo::Open, |day| ValidTo::Day(date(day)));
        assert_eq!(text.valid_to, Some(to));
        assert!(back.portrait.is_none());
    }
}

#[test]
fn a_card_on_its_head_is_turned_and_its_portrait_cut_out() {
    let (Some(font), Some(engine)) = (card::font(), engine()) else { return };
    let person = &people(1)[0];
    let frame = imageops::rotate180(&Shot::default().take(&card::front(&font, person)));
    let read = engine.read(&frame).unwrap().unwrap();
    let CardText::Front(text) = &read.text else { panic!("the back") };
    assert_eq!(text.number, person.number);
    let cut = read.portrait.as_ref().unwrap();
    let drawn = imageops::crop_imm(&card::front(&font, person), 510, 50, 320, 380).to_image();
    let off: u64 = cut.iter().zip(drawn.iter()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    assert!(off / cut.as_raw().len() as u64 <= 12, "mean difference {off}");
    assert_eq!(format!("{read:?}"), "CardReading(CardText::Front(…))", "it does not print");
}

#[test]
fn a_forged_digit_is_a_doubt_and_a_blank_card_is_no_reading() {
    let (Some(font), Some(engine)) = (card::font(), engine()) else { return };
    let mut person = people(1).remove(0);
    let last = if person.number.ends_with('1') { '2' } else { '1' };
    person.number.pop();
    person.number.push(last);
    let read = engine.read(&Shot::default().take(&card::front(&font, &person))).unwrap().unwrap();
    assert!(read.text.doubts().contains(&CardDoubt::NumberWrong));
    let blank = RgbImage::from_pixel(856, 540, image::Rgb([220, 230, 235]));
    assert_eq!(engine.read(&Shot::default().take(&blank)).unwrap(), None);
}

fn date((year, month, day): people::Date) -> models::document::Date {
    (year as u16, month, day)
}

/// For `models evaluate ocr`: `CARDS_OUT=folder cargo test -p models --test document -- --ignored`.
#[test]
#[ignore = "writes a folder of cards to evaluate"]
fn cards_to_evaluate() {
    let font = card::font().unwrap();
    let dir = std::path::PathBuf::from(std::env::var_os("CARDS_OUT").unwrap());
    let mut fronts = String::from("path,name,sex,ethnicity,birth,address,number\n");
    let mut backs = String::from("path,issuer,valid_from,valid_to\n");
    for (i, (person, shot)) in people(60).iter().zip(shots(60)).enumerate() {
        let sex = if person.sex == people::Sex::Male { "男" } else { "女" };
        let (year, month, day) = person.birth;
        fronts.push_str(&format!(
            "front-{i:02}.png,{},{sex},{},{year}-{month}-{day},{},{}\n",
            person.name,
            card::ethnicity(person),
            person.address,
            person.number
        ));
        let validity = card::validity(person);
        let (from, to) = validity.split_once('-').unwrap();
        backs.push_str(&format!("back-{i:02}.png,{},{from},{to}\n", person.issuer));
        shot.take(&card::front(&font, person)).save(dir.join(format!("front-{i:02}.png"))).unwrap();
        shot.take(&card::back(&font, person)).save(dir.join(format!("back-{i:02}.png"))).unwrap();
    }
    std::fs::write(dir.join("fronts.csv"), fronts).unwrap();
    std::fs::write(dir.join("backs.csv"), backs).unwrap();
}

/// How blurred a card may be: prints sharpness beside the fields that were read.
#[test]
#[ignore = "prints what is measured"]
fn legibility() {
    let (Some(font), Some(engine)) = (card::font(), engine()) else { return };
    for size in [400.0, 560.0, 760.0] {
        for blur in [0.5, 1.0, 1.5, 2.0, 2.5, 3.0] {
            let (mut n_right, mut n, mut sharpness) = (0, 0, 0.0);
            for person in people(3) {
                let frame =
                    Shot { size, blur, ..Shot::default() }.take(&card::front(&font, &person));
                sharpness = look(&frame).quality.map_or(f32::NAN, |quality| quality.sharpness);
                n += 3;
                if let Some(CardText::Front(text)) = engine.read(&frame).unwrap().map(|r| r.text) {
                    n_right += usize::from(text.number == person.number)
                        + usize::from(text.name == person.name)
                        + usize::from(text.address == person.address);
                }
            }
            println!("size {size} blur {blur}: sharpness {sharpness:.3}, {n_right} of {n} right");
        }
    }
}

/// A photocopy is refused, so it has to be told from cards in any light; a screen is only
/// noted. `-- --nocapture` prints the table of MODEL_CARDS.md.
#[test]
fn copies_are_told_from_cards_and_screens_often() {
    let Some(font) = card::font() else { return };
    let n_people = if std::env::var_os("CARDS_MANY").is_some() { 10 } else { 1 };
    let (mut cards, mut copies, mut screens) = (Vec::new(), Vec::new(), Vec::new());
    for (i, person) in people(n_people).iter().enumerate() {
        let sides = [card::front(&font, person), card::back(&font, person)];
        for (k, shot) in shots(4 * n_people as u32).skip(4 * i).take(4).enumerate() {
            let side = &sides[k % 2];
            let pitch = 0.7 + 0.4 * k as f32 + 0.05 * (i % 8) as f32;
            cards.extend(look(&shot.take(side)).quality);
            copies.extend(look(&shot.take(&Shot::copied(side, shot.seed))).quality);
            screens.push((pitch, look(&shot.take_on_screen(side, pitch)).quality));
        }
    }
    let share = |what: &str, k: usize, n: usize| {
        let [low, high] = wilson(k, n).unwrap_or([0.0, 1.0]);
        println!("{what}: {k} of {n} ({:.0} to {:.0} %)", 100.0 * low, 100.0 * high);
        k as f64 / n as f64
    };
    let range = |values: Vec<f32>| {
        values.iter().fold((f32::MAX, f32::MIN), |(a, b), v| (a.min(*v), b.max(*v)))
    };
    println!("colour of cards {:?}", range(cards.iter().map(|q| q.colour).collect()));
    println!("colour of copies {:?}", range(copies.iter().map(|q| q.colour).collect()));
    println!("raster of cards {:?}", range(cards.iter().map(|q| q.raster).collect()));
    for (pitch, quality) in &screens {
        println!("raster of a screen at {pitch:.2}: {:?}", quality.map(|q| q.raster));
    }
    let screens: Vec<_> = screens.into_iter().filter_map(|(_, quality)| quality).collect();
    let count = |of: &[CardQuality], holds: fn(&CardQuality) -> bool| {
        of.iter().filter(|quality| holds(quality)).count()
    };
    let refused = count(&copies, CardQuality::is_copy);
    assert_eq!(share("copies refused", refused, copies.len()), 1.0);
    let wrong = count(&cards, CardQuality::is_copy);
    assert_eq!(share("cards taken for copies", wrong, cards.len()), 0.0);
    let noted = count(&screens, CardQuality::shows_raster);
    assert!(share("screens noted", noted, screens.len()) >= 0.5);
    let wrong = count(&cards, CardQuality::shows_raster);
    assert_eq!(share("cards taken for screens", wrong, cards.len()), 0.0);
}
