//! A page of help: paragraphs, terms with their meaning, and examples, laid out in the width of the terminal. It must not
//! know what it is about.

use std::fmt::Write;

use anstyle::Style;
use textwrap::{Options, WordSeparator, WordSplitter};

const BOLD: Style = Style::new().bold();
/// Longer terms have a line of their own.
const TERM: usize = 20;
/// The widest text that is read with ease.
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
    /// What things are called, and what they mean.
    Terms(Vec<(String, String)>),
    /// YAML, as it would be written.
    Example(&'static str),
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

    /// The page in lines of at most `width` characters, as far as its words allow, with escapes for bold ones.
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
                Block::Example(yaml) => {
                    for line in yaml.lines() {
                        let _ = writeln!(text, "{}", format!("    {line}").trim_end());
                    }
                }
            }
        }
        text
    }
}

/// `  term  meaning`, or the meaning under a long term.
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

/// Lines that are broken between words alone: names and addresses stay whole.
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
            Block::Heading(_) | Block::Text(_) | Block::Terms(_) => None,
        };
        self.blocks.iter().filter_map(yaml).collect()
    }
}
