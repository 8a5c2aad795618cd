//! A `.flow` file as lines: a keyword and its words. What the words mean is not known here.

use std::fmt;

/// One line that says something.
#[derive(Clone, Debug)]
pub struct Line {
    /// As an editor counts.
    pub number: usize,
    /// The first word.
    pub keyword: String,
    /// The others.
    pub words: Vec<Word>,
}

/// A word of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// Stands alone.
    Plain(String),
    /// Stands between 「 and 」, and may hold blanks.
    Quoted(String),
}

impl Word {
    /// Without its quotation marks.
    pub fn text(&self) -> &str {
        match self {
            Self::Plain(text) | Self::Quoted(text) => text,
        }
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(text) => f.write_str(text),
            Self::Quoted(text) => write!(f, "「{text}」"),
        }
    }
}

/// The words of a line as they are written.
pub fn written(keyword: &str, words: &[Word]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!(" {word}")).collect();
    format!("{keyword}{}", words.concat())
}

/// Reads one line; nothing for an empty one or a comment.
pub fn line(number: usize, text: &str) -> Option<Line> {
    if text.trim_start().starts_with('#') {
        return None;
    }
    let mut words = words(text).into_iter();
    let keyword = words.next()?.text().to_owned();
    Some(Line { number, keyword, words: words.collect() })
}

fn words(text: &str) -> Vec<Word> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let word;
        (word, rest) = match rest.strip_prefix('「') {
            Some(quoted) => {
                let (inside, after) = quoted.split_once('」').unwrap_or((quoted, ""));
                (Word::Quoted(inside.to_owned()), after)
            }
            None => {
                let end = rest.find([' ', '「']).unwrap_or(rest.len());
                (Word::Plain(rest[..end].to_owned()), &rest[end..])
            }
        };
        found.push(word);
        rest = rest.trim_start();
    }
    found
}

#[test]
fn a_line_has_a_keyword_and_words() {
    let line = line(7, "看到 结果页 「认证成功」「回执号 41」").unwrap();
    assert_eq!((line.number, line.keyword.as_str()), (7, "看到"));
    assert_eq!(
        line.words,
        [
            Word::Plain("结果页".into()),
            Word::Quoted("认证成功".into()),
            Word::Quoted("回执号 41".into())
        ]
    );
    assert_eq!(written("看到", &line.words), "看到 结果页 「认证成功」 「回执号 41」");
    assert!(super::script::line(1, "  # a comment").is_none());
}
