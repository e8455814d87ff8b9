//! Diagnostics: the problems of a source become diagnostics, and these become text. Nothing here knows where problems come
//! from, and nothing here prints.

mod sarif;

pub use sarif::sarif;

use std::collections::HashSet;
use std::fmt::{self, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents, Severity, SourceCode,
    SourceSpan, SpanContents,
};
use serde_json::{Value, json};

use crate::scenario::Issue;
use crate::source::Source;

/// The maximum number of diagnostics to show; the rest are only counted.
const SHOWN: usize = 50;
/// The maximum number of characters of a message, and of its help.
const LONGEST: usize = 1_000;
/// Of a line longer than this many bytes, only a part is shown.
const LONG: usize = 2_000;

/// A problem, with its place in a text.
#[derive(Debug, Clone)]
pub struct Diagnostic {
    /// The name of the file, or something else that is wrong, such as `--profile`.
    pub subject: String,
    /// A stable code, such as `scenario::unknown_key`.
    pub code: &'static str,
    /// The problem, in words.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
    /// Whether this is only a warning.
    pub warning: bool,
    place: Option<Place>,
}

/// The place of a problem.
#[derive(Debug, Clone)]
struct Place {
    file: Arc<File>,
    span: Range<usize>,
    other: Option<(Range<usize>, &'static str)>,
}

/// A file's text, cut into lines once.
#[derive(Debug)]
struct File {
    name: String,
    text: String,
    lines: Vec<usize>,
}

/// A position in a text. Lines and characters count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The character in it.
    pub column: usize,
}

impl Diagnostic {
    /// The same with its words changed.
    pub(crate) fn mapped(&self, change: impl Fn(String) -> String) -> Self {
        Self { message: change(self.message.clone()), help: self.help.clone().map(&change), ..self.clone() }
    }

    /// A problem without a place in a text.
    pub fn free(subject: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        let message = shortened(&message.into());
        Self { subject: subject.into(), code, message, help: None, warning: false, place: None }
    }

    /// Adds what to write instead.
    #[must_use]
    pub fn help(mut self, help: Option<String>) -> Self {
        self.help = help.map(|help| shortened(&help));
        self
    }

    /// Sets whether the problem is only a warning.
    #[must_use]
    pub fn warning(mut self, warning: bool) -> Self {
        self.warning = warning;
        self
    }

    /// The start of the problem in its text.
    pub fn position(&self) -> Option<Position> {
        self.place.as_ref().map(|place| place.file.position(place.span.start))
    }

    /// The bytes of the problem in its text.
    pub fn span(&self) -> Option<Range<usize>> {
        self.place.as_ref().map(|place| place.span.clone())
    }

    /// One line, as compilers write it: `file:line:column: error[code]: message -> help`.
    pub fn line(&self) -> String {
        let place = self.position().map(|at| format!(":{}:{}", at.line, at.column)).unwrap_or_default();
        let severity = if self.warning { "warning" } else { "error" };
        let Self { subject, code, message, .. } = self;
        format!("{}{place}: {severity}[{code}]: {}{}", visible(subject), visible(message), self.arrow())
    }

    /// A workflow command of GitHub Actions, which annotates the line of a pull request.
    pub fn github(&self) -> String {
        let property = |text: &str| escape(text).replace(':', "%3A").replace(',', "%2C");
        let severity = if self.warning { "warning" } else { "error" };
        let place =
            self.position().map(|at| format!("file={},line={},col={},", property(&self.subject), at.line, at.column));
        let subject = if place.is_some() { String::new() } else { format!("{}: ", self.subject) };
        format!(
            "::{severity} {}title={}::{}",
            place.unwrap_or_default(),
            property(self.code),
            escape(&format!("{subject}{}{}", self.message, self.arrow()))
        )
    }

    /// The diagnostic as JSON.
    pub fn json(&self) -> Value {
        let at = self.position();
        json!({
            "file": self.subject,
            "line": at.map(|at| at.line),
            "column": at.map(|at| at.column),
            "bytes": self.span().map(|span| [span.start, span.end]),
            "severity": if self.warning { "warning" } else { "error" },
            "code": self.code,
            "message": self.message,
            "help": self.help,
        })
    }

    fn arrow(&self) -> String {
        self.help.as_ref().map(|help| format!(" -> {}", visible(help))).unwrap_or_default()
    }
}

/// The diagnostics of a source: its YAML problems and the issues of its meaning, in the order of the text.
pub fn diagnose(source: &Source, issues: &[Issue]) -> Vec<Diagnostic> {
    let subject = shown_path(&source.path);
    let file = Arc::new(File::new(subject.clone(), &source.text));
    let of_problems = source.problems.iter().map(|problem| Diagnostic {
        subject: subject.clone(),
        code: problem.code,
        message: shortened(&problem.message),
        help: problem.help.as_deref().map(shortened),
        warning: false,
        place: Some(Place { file: Arc::clone(&file), span: problem.span.clone(), other: problem.other.clone() }),
    });
    let of_issues = issues.iter().map(|issue| {
        let place = source.place(&issue.pointer, issue.at_key, issue.range.clone());
        let other = place.alias.map(|alias| (alias, "used here"));
        Diagnostic {
            subject: subject.clone(),
            code: issue.code,
            message: shortened(&issue.message),
            help: issue.help.as_deref().map(shortened),
            warning: issue.warning,
            place: Some(Place { file: Arc::clone(&file), span: place.span, other }),
        }
    });
    let mut all: Vec<Diagnostic> = of_problems.chain(of_issues).collect();
    // A problem that aliases repeat is reported once, at the place where it is written.
    let aliased = |diagnostic: &Diagnostic| diagnostic.place.as_ref().is_some_and(|place| place.other.is_some());
    all.sort_by_key(|diagnostic| (diagnostic.span().map(|span| (span.start, span.end)), aliased(diagnostic)));
    let mut seen = HashSet::new();
    all.retain(|diagnostic| seen.insert((diagnostic.span(), diagnostic.code, diagnostic.message.clone())));
    all
}

/// Diagnostics for a terminal: the text with the problem underlined, and what to write instead.
pub fn render(diagnostics: &[Diagnostic], color: bool, width: usize) -> String {
    let theme = if color { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_width(width.max(40))
        .with_context_lines(1)
        .with_links(false)
        .tab_width(4);
    let mut text = String::new();
    for diagnostic in diagnostics.iter().take(SHOWN) {
        let mut one = String::new();
        if handler.render_report(&mut one, &Report::new(diagnostic)).is_ok() {
            text.push_str(one.trim_end());
            text.push_str("\n\n");
        } else {
            text.push_str(&diagnostic.line());
            text.push('\n');
        }
    }
    text.push_str(&more(diagnostics));
    text
}

/// Diagnostics, one per line.
pub fn render_lines(diagnostics: &[Diagnostic]) -> String {
    let mut text: String = diagnostics.iter().take(SHOWN).map(|diagnostic| diagnostic.line() + "\n").collect();
    text.push_str(&more(diagnostics));
    text
}

fn more(diagnostics: &[Diagnostic]) -> String {
    match diagnostics.len().saturating_sub(SHOWN) {
        0 => String::new(),
        1 => "… and 1 more problem\n".into(),
        more => format!("… and {more} more problems\n"),
    }
}

/// A message that quotes no more of a file than people read.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}…", &text[..at]),
    }
}

/// A path as it was given, with `/` as separator.
pub(crate) fn shown_path(path: &Path) -> String {
    path.display().to_string()
}

/// Text without control characters, which could change the terminal. Keeps the number of bytes.
fn visible(text: &str) -> String {
    let harmless = |character: char| !character.is_ascii_control() || matches!(character, '\n' | '\t' | '\r');
    text.chars().map(|character| if harmless(character) { character } else { '?' }).collect()
}

/// A value with the escapes that GitHub's commands require.
fn escape(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

impl File {
    fn new(name: String, text: &str) -> Self {
        let text = visible(text);
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { name, text, lines }
    }

    fn line_of(&self, offset: usize) -> usize {
        self.lines.partition_point(|start| *start <= offset).saturating_sub(1)
    }

    fn position(&self, offset: usize) -> Position {
        let line = self.line_of(offset);
        let before = self.text.get(self.lines[line]..offset).unwrap_or_default();
        Position { line: line + 1, column: before.chars().count() + 1 }
    }

    /// The last character boundary at or before `offset`.
    fn floor(&self, offset: usize) -> usize {
        (0..=offset.min(self.text.len())).rev().find(|at| self.text.is_char_boundary(*at)).unwrap_or(0)
    }
}

impl SourceCode for File {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let whole = self.text.read_span(span, before, after)?;
        let line = self.line_of(span.offset());
        if whole.data().len() <= LONG {
            let contents = MietteSpanContents::new_named(
                self.name.clone(),
                whole.data(),
                *whole.span(),
                whole.line(),
                whole.column(),
                whole.line_count(),
            );
            return Ok(Box::new(contents));
        }
        let line_end = self.lines.get(line + 1).map_or(self.text.len(), |next| next - 1);
        let start = self.floor(span.offset().saturating_sub(60).max(self.lines[line]));
        let wanted = span.offset() + span.len();
        let end = self.floor((wanted + 60).min(line_end.max(wanted)));
        let column = span.offset() - self.lines[line];
        let data = self.text.as_bytes().get(start..end).ok_or(MietteError::OutOfBounds)?;
        let window = SourceSpan::from((start, end - start));
        Ok(Box::new(MietteSpanContents::new_named(self.name.clone(), data, window, line, column, 1)))
    }
}

/// A diagnostic in the form that miette renders.
#[derive(Debug)]
struct Report<'d> {
    diagnostic: &'d Diagnostic,
    /// The message. It names the subject if there is no place that does.
    message: String,
    labels: Vec<LabeledSpan>,
}

impl<'d> Report<'d> {
    fn new(diagnostic: &'d Diagnostic) -> Self {
        let message = match &diagnostic.place {
            Some(_) => visible(&diagnostic.message),
            None => format!("{}: {}", visible(&diagnostic.subject), visible(&diagnostic.message)),
        };
        let labels = diagnostic.place.as_ref().map(labels).unwrap_or_default();
        Self { diagnostic, message, labels }
    }
}

fn labels(place: &Place) -> Vec<LabeledSpan> {
    let cut = |span: &Range<usize>| {
        let end = if span.len() > LONG / 4 { place.file.floor(span.start + LONG / 4) } else { span.end };
        SourceSpan::from((span.start, end - span.start))
    };
    // Two places far apart on one line cannot be shown together.
    let other = place.other.as_ref().filter(|(other, _)| {
        let (from, to) = (other.start.min(place.span.start), other.end.max(place.span.end));
        to - from < LONG / 2 || place.file.line_of(other.start).abs_diff(place.file.line_of(place.span.start)) > 2
    });
    let mut labels = vec![LabeledSpan::new_primary_with_span(other.map(|_| "here".to_string()), cut(&place.span))];
    labels.extend(other.map(|(span, text)| LabeledSpan::new_with_span(Some((*text).to_string()), cut(span))));
    labels
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Report<'_> {}

impl miette::Diagnostic for Report<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.diagnostic.code))
    }

    fn severity(&self) -> Option<Severity> {
        Some(if self.diagnostic.warning { Severity::Warning } else { Severity::Error })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.diagnostic.help.as_ref().map(|help| Box::new(visible(help)) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.diagnostic.place.as_ref().map(|place| &*place.file as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        (!self.labels.is_empty())
            .then(|| Box::new(self.labels.iter().cloned()) as Box<dyn Iterator<Item = LabeledSpan>>)
    }
}

/// The number of errors and warnings: `2 errors, 1 warning`.
pub fn count(diagnostics: &[Diagnostic]) -> String {
    let warnings = diagnostics.iter().filter(|diagnostic| diagnostic.warning).count();
    let mut text = String::new();
    for (count, noun) in [(diagnostics.len() - warnings, "error"), (warnings, "warning")] {
        if count > 0 {
            let comma = if text.is_empty() { "" } else { ", " };
            let plural = if count == 1 { "" } else { "s" };
            // Writing to a String cannot fail.
            let _ = write!(text, "{comma}{count} {noun}{plural}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issues() -> (Source, Vec<Issue>) {
        let source = Source::parse("é.yaml", "name: é\nscale: {rows: 1, rows: 2}\nvars: {a: &a [x], b: *a}\n");
        let issues = vec![
            Issue::new("/vars/b/0", "scenario::type", "`x` is wrong").help("write `y`"),
            Issue::new("/name", "scenario::value", "é is no name").warning(),
        ];
        (source, issues)
    }

    #[test]
    fn diagnostics_come_in_the_order_of_the_text_with_their_labels() {
        let (source, issues) = issues();
        insta::assert_snapshot!(render(&diagnose(&source, &issues), false, 100));
    }

    #[test]
    fn one_line_forms_name_file_line_and_column_in_characters() {
        let (source, issues) = issues();
        let diagnostics = diagnose(&source, &issues);
        assert_eq!(diagnostics[0].line(), "é.yaml:1:7: warning[scenario::value]: é is no name");
        assert_eq!(
            diagnostics[1].line(),
            "é.yaml:2:18: error[yaml::duplicate_key]: key `rows` is given twice -> keep one of them"
        );
        assert_eq!(
            diagnostics[1].github(),
            "::error file=é.yaml,line=2,col=18,title=yaml%3A%3Aduplicate_key::key `rows` is given twice -> keep one of them"
        );
        assert_eq!(diagnostics[2].json()["bytes"], json!([49, 50]));
        assert_eq!(count(&diagnostics), "2 errors, 1 warning");
    }

    #[test]
    fn very_many_problems_are_counted_and_very_long_lines_cut() {
        let keys: Vec<String> = (0..5_000).map(|key| format!("k{key}: 1, k{key}: 2, ")).collect();
        let keys = keys.concat();
        let source = Source::parse("x.yaml", format!("vars: {{{keys}}}"));
        let diagnostics = diagnose(&source, &[Issue::new("/vars/k0", "c", "m"), Issue::new("", "c", "all")]);
        let text = render(&diagnostics, false, 100);
        assert!(text.ends_with("… and 4952 more problems\n"), "{text}");
        assert!(text.len() < 100_000, "{}", text.len());
        let far = Source::parse("x.yaml", format!("a: 1\nvars: {{{keys} a: [{}], a: 1}}", "é, ".repeat(5_000)));
        assert!(!render(&diagnose(&far, &[]), true, 80).is_empty());
    }

    #[test]
    fn control_characters_never_reach_the_terminal() {
        let source = Source::parse("x.yaml", "name: \"a\\eb\"\n");
        let issue = Issue::new("/name", "c", "found \u{1b}[31m");
        let text = render(&diagnose(&source, &[issue]), false, 80);
        assert!(!text.contains('\u{1b}'), "{text}");
    }
}
