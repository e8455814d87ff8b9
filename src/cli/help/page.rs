//! A page of help: paragraphs, terms with their meanings, and examples, laid out for the width of the terminal. Nothing
//! here knows what the page is about.

use std::fmt::Write;

use anstyle::Style;
use textwrap::{Options, WordSeparator, WordSplitter};

const BOLD: Style = Style::new().bold();
/// The width of the column of terms, in characters. A longer term gets its own line.
const TERM: usize = 20;
/// The maximum width of text, in characters. Longer lines are hard to read.
const WIDEST: usize = 110;

/// A page.
#[derive(Debug, Default)]
pub(super) struct Page {
    blocks: Vec<Block>,
}

#[derive(Debug)]
enum Block {
    Heading(String),
    Text(String),
    /// Terms and their meanings.
    Terms(Vec<(String, String)>),
    /// YAML.
    Example(&'static str),
    /// Command lines.
    Commands(&'static str),
}

impl Page {
    pub(super) fn heading(mut self, text: &str) -> Self {
        self.blocks.push(Block::Heading(text.to_owned()));
        self
    }

    pub(super) fn text(mut self, text: &str) -> Self {
        self.blocks.push(Block::Text(text.to_owned()));
        self
    }

    pub(super) fn terms<T: Into<String>, M: Into<String>>(mut self, terms: impl IntoIterator<Item = (T, M)>) -> Self {
        let terms = terms.into_iter().map(|(term, meaning)| (term.into(), meaning.into()));
        self.blocks.push(Block::Terms(terms.collect()));
        self
    }

    pub(super) fn example(mut self, yaml: &'static str) -> Self {
        self.blocks.push(Block::Example(yaml));
        self
    }

    pub(super) fn commands(mut self, lines: &'static str) -> Self {
        self.blocks.push(Block::Commands(lines));
        self
    }

    /// The page in lines of at most `width` characters, with escape sequences for bold text. A longer word is not split.
    pub(super) fn laid_out(&self, width: usize) -> String {
        let width = width.min(WIDEST);
        let mut text = String::new();
        for block in &self.blocks {
            if !text.is_empty() {
                text.push('\n');
            }
            match block {
                Block::Heading(heading) => {
                    let _ = writeln!(text, "{BOLD}{heading}{BOLD:#}");
                }
                Block::Text(paragraph) => {
                    let _ = writeln!(text, "{}", filled(paragraph, width, ""));
                }
                Block::Terms(terms) => {
                    for (term, meaning) in terms {
                        lay_out(&mut text, term, meaning, width);
                    }
                }
                Block::Example(lines) | Block::Commands(lines) => {
                    for line in lines.lines() {
                        let _ = writeln!(text, "{}", format!("    {line}").trim_end());
                    }
                }
            }
        }
        text
    }
}

/// `  term  meaning`, or the meaning below a long term.
fn lay_out(text: &mut String, term: &str, meaning: &str, width: usize) {
    let meaning = meaning.split_whitespace().collect::<Vec<_>>().join(" ");
    let indent = " ".repeat(TERM + 4);
    let filled = filled(&meaning, width, &indent);
    let length = term.chars().count();
    if length <= TERM {
        let gap = " ".repeat(TERM - length);
        let _ = writeln!(text, "  {BOLD}{term}{BOLD:#}{gap}  {}", filled.trim_start());
    } else {
        let _ = writeln!(text, "  {BOLD}{term}{BOLD:#}\n{filled}");
    }
}

/// Text broken into lines at spaces only, so that names and addresses stay whole.
fn filled(text: &str, width: usize, indent: &str) -> String {
    let options = Options::new(width).initial_indent(indent).subsequent_indent(indent);
    let options = options.word_separator(WordSeparator::AsciiSpace).word_splitter(WordSplitter::NoHyphenation);
    textwrap::fill(text, options)
}

#[cfg(test)]
impl Page {
    /// Its examples.
    pub(super) fn examples(&self) -> Vec<&'static str> {
        let yaml = |block: &Block| match block {
            Block::Example(yaml) => Some(*yaml),
            Block::Heading(_) | Block::Text(_) | Block::Terms(_) | Block::Commands(_) => None,
        };
        self.blocks.iter().filter_map(yaml).collect()
    }
}
