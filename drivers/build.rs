//! Draws the characters of the customer display from a real font, at a few sizes, and
//! collects the texts that it can show. Only characters of those texts are drawn, so that
//! nothing else, such as a person's name, can ever be shown there.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use swash::FontRef;
use swash::scale::{Render, ScaleContext, Source};

fn main() {
    println!("cargo:rerun-if-changed={TEXTS}");
    println!("cargo:rerun-if-env-changed={FONT_VARIABLE}");
    let texts = read_texts();
    let font_file = env::var_os(FONT_VARIABLE).map_or_else(|| PathBuf::from(FONT), PathBuf::from);
    println!("cargo:rerun-if-changed={}", font_file.display());
    let font_bytes = fs::read(&font_file).unwrap_or_else(|error| {
        stop(&format!(
            "the customer display's font {} cannot be read ({error}).\n\
             Install the Debian package fonts-noto-cjk, or name a font file that has \
             simplified Chinese in {FONT_VARIABLE}.",
            font_file.display()
        ))
    });
    let font = choose_face(&font_bytes);

    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo names a folder for output"));
    let mut code = String::new();
    for size in SIZES {
        draw(&font, size, &characters(&texts), &out, &mut code);
    }
    writeln!(code, "static TEXTS: &[(&str, &str)] = &{texts:?};").expect(STRING);
    fs::write(out.join("display_texts.rs"), code).expect("cargo's folder for output is writable");
}

/// Message ids and their words, in order of the ids.
fn read_texts() -> Vec<(String, String)> {
    let text = fs::read_to_string(TEXTS)
        .unwrap_or_else(|error| stop(&format!("{TEXTS} cannot be read: {error}")));
    let table: toml::Table =
        text.parse().unwrap_or_else(|error| stop(&format!("{TEXTS} is not right: {error}")));
    let words = |value: toml::Value| value.as_str().map(str::to_owned);
    let mut texts: Vec<_> =
        table.into_iter().filter_map(|(id, value)| Some((id, words(value)?))).collect();
    texts.sort();
    texts
}

/// What has to be drawn: the characters of the texts, and digits to fill in.
fn characters(texts: &[(String, String)]) -> BTreeSet<char> {
    let all = texts.iter().flat_map(|(_, text)| text.chars()).chain(EXTRA.chars());
    all.filter(|c| !c.is_control() && !c.is_whitespace()).collect()
}

/// The face with the forms of the mainland, where the file is a collection.
fn choose_face(bytes: &[u8]) -> FontRef<'_> {
    let faces = (0..FACES_MAX).map_while(|index| FontRef::from_index(bytes, index));
    let faces: Vec<FontRef<'_>> = faces.collect();
    let has_name = |face: &&FontRef<'_>| {
        let mut names = face.localized_strings();
        names.any(|name| name.chars().collect::<String>() == FACE)
    };
    let named = faces.iter().find(has_name).or_else(|| faces.first());
    *named.unwrap_or_else(|| stop("the customer display's font is no font"))
}

/// Writes the grey levels of all characters at one size, two to a byte, and where each is.
fn draw(font: &FontRef<'_>, size: u32, characters: &BTreeSet<char>, out: &Path, code: &mut String) {
    let mut context = ScaleContext::new();
    let mut scaler = context.builder(*font).size(size as f32).hint(true).build();
    let metrics = font.glyph_metrics(&[]).scale(size as f32);
    let render = Render::new(&[Source::Outline]);
    let mut levels: Vec<u8> = Vec::new();
    let mut rows = String::new();
    for character in characters {
        let glyph = font.charmap().map(*character);
        if glyph == 0 {
            stop(&format!("the customer display's font has no {character:?}"));
        }
        let image = render.render(&mut scaler, glyph);
        let image = image.unwrap_or_else(|| stop(&format!("{character:?} cannot be drawn")));
        let place = image.placement;
        let at = levels.len();
        levels.extend(image.data.iter().map(|grey| grey >> 4));
        let advance = metrics.advance_width(glyph).round() as u32;
        writeln!(
            rows,
            "    Glyph {{ character: {character:?}, advance: {advance}, left: {}, top: {}, \
             width: {}, height: {}, at: {at} }},",
            place.left, place.top, place.width, place.height
        )
        .expect(STRING);
    }
    let packed: Vec<u8> =
        levels.chunks(2).map(|pair| pair[0] << 4 | pair.get(1).copied().unwrap_or(0)).collect();
    let file = format!("glyphs_{size}.bin");
    fs::write(out.join(&file), packed).expect("cargo's folder for output is writable");
    writeln!(code, "static GLYPHS_{size}: &[Glyph] = &[\n{rows}];").expect(STRING);
    let include = format!("include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{file}\"))");
    writeln!(code, "static LEVELS_{size}: &[u8] = {include};").expect(STRING);
}

/// Ends the build with a word to whoever builds.
fn stop(why: &str) -> ! {
    eprintln!("\n{why}\n");
    std::process::exit(1);
}

/// The words of the whole terminal; the display shows them by their ids.
const TEXTS: &str = "../ui/locales/zh-CN.toml";
/// Names another font file.
const FONT_VARIABLE: &str = "CHANGQING_DISPLAY_FONT";
/// As the Debian package fonts-noto-cjk has it; bold reads better at arm's length.
const FONT: &str = "/usr/share/fonts/opentype/noto/NotoSansCJK-Bold.ttc";
const FACE: &str = "Noto Sans CJK SC";
const FACES_MAX: usize = 32;
/// In pixels: for a small OLED, for long and for short texts.
const SIZES: [u32; 3] = [16, 24, 36];
const EXTRA: &str = "0123456789%…";
const STRING: &str = "a string takes all that is written";
