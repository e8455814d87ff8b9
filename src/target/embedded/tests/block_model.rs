//! Texts that are merged block by block, beside a reference model: a plain map of positions for each text, merged position by
//! position, with nothing sent, stored or compressed. Every database and the server must hold what the model says, after
//! every step. Of the code it uses only where a new position lies.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rusqlite::Connection;

use super::super::blocks::Position;
use super::interleaving::{Model, Rows, config, ops, play};

/// A text: of each position how often it changed, and the line that is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Text(BTreeMap<Position, (u64, Option<String>)>);

/// A row: how often it came and went, and its cells while it is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Row {
    life: u64,
    body: Text,
    /// How often the number was written, and the number.
    n: (u64, i64),
}

fn lines(text: Option<&str>) -> Vec<String> {
    text.map_or_else(Vec::new, |text| text.split('\n').map(ToOwned::to_owned).collect())
}

impl Text {
    fn read(&self) -> Option<String> {
        let there: Vec<&str> = self.0.values().filter_map(|(_, line)| line.as_deref()).collect();
        (!there.is_empty()).then(|| there.join("\n"))
    }

    fn put(&mut self, position: Position, line: String) {
        let entry = self.0.entry(position).or_default();
        *entry = (entry.0 + 1, Some(line));
    }

    fn remove(&mut self, position: &Position) {
        let entry = self.0.entry(position.clone()).or_default();
        *entry = (entry.0 + 1, None);
    }

    /// All lines are others, from the first position on.
    fn rewrite(&mut self, text: Option<&str>) {
        for (version, line) in self.0.values_mut().filter(|(_, line)| line.is_some()) {
            (*version, *line) = (*version + 1, None);
        }
        let mut last = None;
        for line in lines(text) {
            let position = Position::between(last.as_ref(), None);
            self.put(position.clone(), line);
            last = Some(position);
        }
    }

    fn edit(&mut self, text: Option<&str>) {
        let there = self.0.iter().filter_map(|(position, (_, line))| Some((position.clone(), line.clone()?)));
        let mut old: Vec<(Position, String)> = there.collect();
        let mut last: Option<Position> = None;
        for line in lines(text) {
            if let Some(found) = old.iter().position(|(_, known)| *known == line) {
                old.drain(..found).for_each(|(position, _)| self.remove(&position));
                last = Some(old.remove(0).0);
            } else {
                let position = Position::between(last.as_ref(), old.first().map(|(position, _)| position));
                self.put(position.clone(), line);
                last = Some(position);
            }
        }
        for (position, _) in &old {
            self.remove(position);
        }
    }

    fn merge(&mut self, other: &Self) {
        for (position, entry) in &other.0 {
            let own = self.0.entry(position.clone()).or_default();
            *own = own.clone().max(entry.clone());
        }
    }
}

impl Row {
    fn is_live(&self) -> bool {
        self.life % 2 == 1
    }

    fn put(&mut self, text: Option<&str>, n: i64) {
        if self.is_live() {
            self.body.rewrite(text);
            self.n = (self.n.0 + 1, n);
        } else {
            *self = Self { life: self.life + 1, body: Text::default(), n: (1, n) };
            self.body.rewrite(text);
        }
    }

    fn set(&mut self, text: Option<&str>) {
        if self.is_live() && self.body.read().as_deref() != text {
            self.body.edit(text);
        }
    }

    fn delete(&mut self) {
        if self.is_live() {
            *self = Self { life: self.life + 1, ..Self::default() };
        }
    }
}

/// What is done to rows, on a database or on the server.
#[derive(Debug, Clone)]
enum Edit {
    Replace { key: u8, text: Option<String>, n: i64 },
    Set { key: u8, text: Option<String> },
    Letter { key: u8, from: char, to: char },
    Append { key: u8, line: String },
    Prepend { key: u8, line: String },
    Add { key: u8 },
    Delete { key: u8 },
    Rename { from: u8, to: u8 },
}

impl Edit {
    /// Does it to the model.
    fn apply(&self, rows: &mut Rows<Row>) {
        let is_live = |rows: &Rows<Row>, key: u8| rows.get(&key).is_some_and(Row::is_live);
        let change = |rows: &mut Rows<Row>, key: u8, edit: &dyn Fn(&str) -> String| {
            if let Some(row) = rows.get_mut(&key)
                && let Some(text) = row.body.read()
            {
                row.set(Some(&edit(&text)));
            }
        };
        match self {
            Self::Replace { key, text, n } => rows.entry(*key).or_default().put(text.as_deref(), *n),
            Self::Set { key, text } => {
                rows.entry(*key).and_modify(|row| row.set(text.as_deref()));
            }
            Self::Letter { key, from, to } => change(rows, *key, &|text| text.replace(*from, &to.to_string())),
            Self::Append { key, line } => change(rows, *key, &|text| format!("{text}\n{line}")),
            Self::Prepend { key, line } => change(rows, *key, &|text| format!("{line}\n{text}")),
            Self::Add { key } => {
                rows.entry(*key).and_modify(|row| {
                    if row.is_live() {
                        row.n = (row.n.0 + 1, row.n.1 + 1);
                    }
                });
            }
            Self::Delete { key } => {
                rows.entry(*key).and_modify(Row::delete);
            }
            Self::Rename { from, to } => {
                if from != to && is_live(rows, *from) && !is_live(rows, *to) {
                    let (text, n) = (rows[from].body.read(), rows[from].n.1);
                    rows.entry(*from).and_modify(Row::delete);
                    rows.entry(*to).or_default().put(text.as_deref(), n);
                }
            }
        }
    }

    /// The same as SQL.
    fn sql(&self) -> String {
        let literal = |text: &Option<String>| match text {
            Some(text) => format!("'{}'", text.replace('\n', "' || char(10) || '")),
            None => "NULL".to_owned(),
        };
        let set = |key: &u8, expression: &str| format!("UPDATE items SET body = {expression} WHERE id = 'k{key}'");
        match self {
            Self::Replace { key, text, n } => {
                format!("INSERT OR REPLACE INTO items VALUES ('k{key}', {}, {n})", literal(text))
            }
            Self::Set { key, text } => set(key, &literal(text)),
            Self::Letter { key, from, to } => set(key, &format!("replace(body, '{from}', '{to}')")),
            Self::Append { key, line } => set(key, &format!("body || char(10) || '{line}'")),
            Self::Prepend { key, line } => set(key, &format!("'{line}' || char(10) || body")),
            Self::Add { key } => format!("UPDATE items SET n = n + 1 WHERE id = 'k{key}'"),
            Self::Delete { key } => format!("DELETE FROM items WHERE id = 'k{key}'"),
            Self::Rename { from, to } => format!("UPDATE OR IGNORE items SET id = 'k{to}' WHERE id = 'k{from}'"),
        }
    }
}

fn edit() -> impl Strategy<Value = Edit> + Clone {
    let (key, n, line) = (0..3_u8, 0..4_i64, "[a-c]?");
    let letter = || proptest::char::range('a', 'c');
    let text = prop_oneof![
        8 => proptest::collection::vec(line, 1..5).prop_map(|lines| Some(lines.join("\n"))),
        1 => Just(None),
    ];
    prop_oneof![
        3 => (key.clone(), text.clone(), n).prop_map(|(key, text, n)| Edit::Replace { key, text, n }),
        4 => (key.clone(), text).prop_map(|(key, text)| Edit::Set { key, text }),
        2 => (key.clone(), letter(), letter()).prop_map(|(key, from, to)| Edit::Letter { key, from, to }),
        2 => (key.clone(), line).prop_map(|(key, line)| Edit::Append { key, line }),
        2 => (key.clone(), line).prop_map(|(key, line)| Edit::Prepend { key, line }),
        1 => key.clone().prop_map(|key| Edit::Add { key }),
        2 => key.clone().prop_map(|key| Edit::Delete { key }),
        1 => (key.clone(), key).prop_map(|(from, to)| Edit::Rename { from, to }),
    ]
}

impl Model for Row {
    type Edit = Edit;
    type Held = (String, Option<String>, i64);

    const TABLE: &'static str = "CREATE TABLE items(id TEXT PRIMARY KEY NOT NULL, body TEXT, n INTEGER)";
    const OPTIONS: &'static str = "cloudsync_set_column('items', 'body', 'algo', 'block'),";
    /// From its first row, the server learns which column has blocks.
    const FIRST: Option<&'static str> = Some("INSERT INTO items VALUES ('first', 'a', 0)");

    fn apply(edit: &Edit, rows: &mut Rows<Self>) {
        edit.apply(rows);
    }

    fn sql(edit: &Edit) -> String {
        edit.sql()
    }

    fn merge(&mut self, other: &Self) {
        if other.life > self.life {
            *self = other.clone();
        } else if other.life == self.life && self.is_live() {
            self.body.merge(&other.body);
            self.n = self.n.max(other.n);
        }
    }

    fn held(connection: &Connection) -> rusqlite::Result<Vec<Self::Held>> {
        let mut statement = connection.prepare("SELECT id, body, n FROM items WHERE id LIKE 'k%' ORDER BY id")?;
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect()
    }

    fn meant(rows: &Rows<Self>) -> Vec<Self::Held> {
        let live = rows.iter().filter(|(_, row)| row.is_live());
        live.map(|(key, row)| (format!("k{key}"), row.body.read(), row.n.1)).collect()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_interleaving_of_edits_holds_what_the_model_says(ops in ops(edit()), without_rowid in any::<bool>()) {
        play::<Row>(ops, without_rowid)?;
    }
}
