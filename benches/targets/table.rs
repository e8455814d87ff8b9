//! What is told: one row for each figure, and what became of its target.

use std::fmt::Write;

use comfy_table::{ContentArrangement, Table, presets};

/// One figure beside its target.
pub(crate) struct Row {
    /// `P1` to `P11`.
    pub(crate) id: &'static str,
    pub(crate) what: String,
    pub(crate) figure: String,
    /// The ratio, and to what.
    pub(crate) ratio: String,
    pub(crate) target: &'static str,
    pub(crate) state: State,
}

impl Row {
    /// For what could not be measured.
    pub(crate) fn without(id: &'static str, state: State) -> Self {
        Self { id, what: String::new(), figure: "–".to_owned(), ratio: String::new(), target: "", state }
    }
}

/// What became of a target.
#[derive(Clone)]
pub(crate) enum State {
    Met,
    NotMet,
    /// The figure has no target of its own, or cannot be held against it, for this reason.
    NotJudged(&'static str),
    /// Something that the measurement needs is not there.
    NotMeasured(String),
    /// A run did not do what it should have.
    Broken(String),
}

impl State {
    pub(crate) const fn of(met: bool) -> Self {
        if met { Self::Met } else { Self::NotMet }
    }

    fn text(&self) -> String {
        match self {
            Self::Met => "met".to_owned(),
            Self::NotMet => "NOT MET".to_owned(),
            Self::NotJudged(why) => (*why).to_owned(),
            Self::NotMeasured(why) => format!("not measured: {why}"),
            Self::Broken(_) => "BROKEN".to_owned(),
        }
    }
}

/// The table in lines of at most `width` characters, and below it what broke.
pub(crate) fn table(rows: &[Row], width: u16) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_BORDERS_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(width)
        .set_header(["", "what", "figure", "ratio", "target", ""]);
    for row in rows {
        table.add_row([row.id, &row.what, &row.figure, &row.ratio, row.target, &row.state.text()]);
    }
    let mut text = format!("{table}\n");
    for row in rows {
        if let State::Broken(message) = &row.state {
            let _ = writeln!(text, "\n{} {}: {message}", row.id, row.what);
        }
    }
    text
}
