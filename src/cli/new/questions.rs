//! The questions of `stress new`, on a terminal: each shows its default, which Enter takes. A secret is read unseen,
//! and nothing of it is kept but the name of the database that it is for.

use std::process::exit;

use dialoguer::theme::{ColorfulTheme, SimpleTheme, Theme};
use dialoguer::{Confirm, Input, Password, Select};

use super::super::problem::Problem;
use super::answers::{ADDRESS, Answers, Cloud, Preset, Scale};
use super::table::Table;
use crate::figure;
use crate::plan::{ALLOWED_DATABASES, covers};
use crate::target;

type Asked<T> = dialoguer::Result<T>;

/// The database that is proposed where none is named.
const DATABASE: &str = "test_stress_sync";

/// A person who answers.
pub(super) struct Questions {
    theme: Box<dyn Theme>,
}

impl Questions {
    /// Ctrl-C ends the process from now on, with the terminal as it was.
    pub(super) fn new(color: bool) -> Result<Self, ctrlc::Error> {
        // A secret is read without an echo.
        #[cfg(unix)]
        let before = rustix::termios::tcgetattr(std::io::stdin()).ok();
        ctrlc::set_handler(move || {
            #[cfg(unix)]
            if let Some(before) = &before {
                let _ = rustix::termios::tcsetattr(std::io::stdin(), rustix::termios::OptionalActions::Now, before);
            }
            let terminal = console::Term::stderr();
            let _ = terminal.show_cursor().and_then(|()| terminal.write_line(""));
            exit(130)
        })?;
        Ok(Self { theme: if color { Box::new(ColorfulTheme::default()) } else { Box::new(SimpleTheme) } })
    }

    /// A name for the scenario.
    pub(super) fn name(&self, fits: impl Fn(&str) -> Result<(), Problem>) -> Asked<String> {
        let input = Input::with_theme(&*self.theme).with_prompt("Name of the scenario").default("mine".to_owned());
        input.validate_with(|name: &String| fits(name)).interact_text()
    }

    /// Whether something is to be done that cannot be undone.
    pub(super) fn confirm(&self, question: &str) -> Asked<bool> {
        self.yes(question, false)
    }

    /// Everything else. `check` says what is wrong with a scenario of such answers.
    pub(super) fn answers(&self, name: String, check: impl Fn(&Answers) -> Result<(), Problem>) -> Asked<Answers> {
        let targets = ["embedded: a hub on this machine, nothing to install", "cloudsync: an SQLiteCloud project"];
        let cloud = if self.choice("Sync with", &targets)? == 0 { None } else { Some(self.cloud()?) };
        let scale = self.scale()?;
        let rls = self.yes("Row-level security (a user per one or two databases)", false)?;
        let mut answers = Answers { name, cloud, scale, rls, table: Table::default() };
        let tables = [answers.table.shown(), "another table".to_owned()];
        if self.choice("Table", &tables)? == 1 {
            let answers_with = |table| Answers { table, ..answers.clone() };
            let good = |sql: &String| {
                let table = Table::of(sql)?;
                check(&answers_with(table))
            };
            let input = Input::<String>::with_theme(&*self.theme).with_prompt("The table's SQL, CREATE TABLE …");
            let sql = input.validate_with(good).interact_text()?;
            answers.table = Table::of(&sql).unwrap_or_default();
        }
        Ok(answers)
    }

    fn cloud(&self) -> Asked<Cloud> {
        let address = Input::with_theme(&*self.theme).with_prompt("CloudSync server").default(ADDRESS.to_owned());
        let is_address = |address: &String| {
            let is_one = ["https://", "http://"].iter().any(|scheme| address.starts_with(scheme));
            if is_one { Ok(()) } else { Err("write `https://` and a host") }
        };
        let address = address.validate_with(is_address).interact_text()?;
        let prompt = "Connection string (neither shown nor saved; press Enter to set it later)";
        let secret = Password::with_theme(&*self.theme).with_prompt(prompt).allow_empty_password(true);
        let understood = |text: &String| match text.as_str() {
            "" => Ok(()),
            text => target::named_database(text).map(drop).map_err(Problem::from),
        };
        let secret = secret.validate_with(understood).interact()?;
        let named = target::named_database(&secret).ok().flatten();
        let (database, allowed) = self.database(named.as_deref(), !secret.is_empty())?;
        let managed =
            self.yes("Use a key of the CloudSync management API (otherwise you enable sync in the dashboard)", true)?;
        Ok(Cloud { address, database, allowed, managed })
    }

    /// The database to be written into the scenario, and the one that may be changed although it is no test's.
    fn database(&self, named: Option<&str>, given: bool) -> Asked<(Option<String>, Option<String>)> {
        let mut name = named.map(str::to_owned);
        loop {
            let database = match name.take() {
                Some(name) => name,
                // What the variable will hold is not known yet, and the run looks at it.
                None if !given => return Ok((None, None)),
                None => {
                    let input = Input::with_theme(&*self.theme).with_prompt("Database").default(DATABASE.to_owned());
                    input.interact_text()?
                }
            };
            let written = (Some(&*database) != named).then(|| database.clone());
            if covers(ALLOWED_DATABASES, &database) {
                return Ok((written, None));
            }
            let question =
                format!("{database} does not match {ALLOWED_DATABASES}: may runs drop and recreate its tables");
            if self.confirm(&question)? {
                return Ok((written, Some(database)));
            }
        }
    }

    fn scale(&self) -> Asked<Scale> {
        let presets = [Preset::Small, Preset::Medium, Preset::Large];
        let named = presets.map(|preset| {
            let Scale { databases, iterations, rows, time_limit: _ } = preset.scale();
            format!("{preset:?}: {} rows, {iterations} iterations, {databases} databases", figure::thousands(rows))
                .to_lowercase()
        });
        let chosen = self.choice("Scale", &[&named[..], &["custom".to_owned()]].concat())?;
        let Some(preset) = presets.get(chosen) else {
            let small = Preset::Small.scale();
            return Ok(Scale {
                rows: self.number("Rows per phase", small.rows)?,
                iterations: self.number("Iterations", small.iterations)?,
                databases: self.number("Databases at once", small.databases)?,
                ..small
            });
        };
        Ok(preset.scale())
    }

    fn choice(&self, prompt: &str, items: &[impl std::fmt::Display]) -> Asked<usize> {
        Select::with_theme(&*self.theme).with_prompt(prompt).items(items).default(0).interact()
    }

    fn yes(&self, prompt: &str, default: bool) -> Asked<bool> {
        Confirm::with_theme(&*self.theme).with_prompt(prompt).default(default).interact()
    }

    fn number(&self, prompt: &str, default: u64) -> Asked<u64> {
        let input = Input::with_theme(&*self.theme).with_prompt(prompt).default(default);
        let least = |number: &u64| if *number == 0 { Err("must be at least 1") } else { Ok(()) };
        input.validate_with(least).interact_text()
    }
}
