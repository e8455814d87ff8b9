//! The merge beside a reference model: a plain map of cells, merged cell by cell as CloudSync documents, with nothing sent,
//! stored or compressed. Every database and the server must hold what the model says, after every step.

use proptest::prelude::*;
use rusqlite::Connection;
use tempfile::TempDir;

use super::interleaving::{Model, Rows, config, open, open_world, ops, play};

/// A cell: how often it was written since its row came, and its value.
type Cell = (u64, i64);

/// A row: how often it came and went, and its cells while it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    life: u64,
    cells: [Cell; 2],
}

impl Row {
    fn is_live(&self) -> bool {
        self.life % 2 == 1
    }

    fn put(&mut self, values: [i64; 2]) {
        if self.is_live() {
            self.cells = [0, 1].map(|i| (self.cells[i].0 + 1, values[i]));
        } else {
            *self = Self { life: self.life + 1, cells: values.map(|value| (1, value)) };
        }
    }

    fn change(&mut self, column: usize, value: i64) {
        if self.is_live() && self.cells[column].1 != value {
            self.cells[column] = (self.cells[column].0 + 1, value);
        }
    }

    fn delete(&mut self) {
        if self.is_live() {
            *self = Self { life: self.life + 1, cells: [(0, 0); 2] };
        }
    }
}

/// What is done to rows, on a database or on the server.
#[derive(Debug, Clone, Copy)]
enum Edit {
    Replace { key: u8, values: [i64; 2] },
    Upsert { key: u8, values: [i64; 2] },
    Set { key: u8, column: usize, value: i64 },
    Add { key: u8, column: usize },
    Delete { key: u8 },
    DeleteAll,
    Rename { from: u8, to: u8 },
}

impl Edit {
    /// Does it to the model.
    fn apply(self, rows: &mut Rows<Row>) {
        let absent = || Row { life: 0, cells: [(0, 0); 2] };
        let is_live = |rows: &Rows<Row>, key: u8| rows.get(&key).is_some_and(Row::is_live);
        match self {
            Self::Upsert { key, values } if is_live(rows, key) => {
                (0..2).for_each(|column| rows.entry(key).or_insert_with(absent).change(column, values[column]));
            }
            Self::Replace { key, values } | Self::Upsert { key, values } => {
                rows.entry(key).or_insert_with(absent).put(values);
            }
            Self::Set { key, column, value } => {
                rows.entry(key).and_modify(|row| row.change(column, value));
            }
            Self::Add { key, column } => {
                rows.entry(key).and_modify(|row| row.change(column, row.cells[column].1 + 1));
            }
            Self::Delete { key } => {
                rows.entry(key).and_modify(Row::delete);
            }
            Self::DeleteAll => rows.values_mut().for_each(Row::delete),
            Self::Rename { from, to } => {
                if from != to && is_live(rows, from) && !is_live(rows, to) {
                    let values = rows[&from].cells.map(|(_, value)| value);
                    rows.entry(from).and_modify(Row::delete);
                    rows.entry(to).or_insert_with(absent).put(values);
                }
            }
        }
    }

    /// The same as SQL.
    fn sql(self) -> String {
        let name = |column: usize| ["a", "b"][column];
        match self {
            Self::Replace { key, values: [a, b] } => {
                format!("INSERT OR REPLACE INTO items VALUES ('k{key}', {a}, {b})")
            }
            Self::Upsert { key, values: [a, b] } => format!(
                "INSERT INTO items VALUES ('k{key}', {a}, {b}) ON CONFLICT(id) DO UPDATE SET a = excluded.a, b = excluded.b"
            ),
            Self::Set { key, column, value } => {
                format!("UPDATE items SET {} = {value} WHERE id = 'k{key}'", name(column))
            }
            Self::Add { key, column } => format!("UPDATE items SET {0} = {0} + 1 WHERE id = 'k{key}'", name(column)),
            Self::Delete { key } => format!("DELETE FROM items WHERE id = 'k{key}'"),
            Self::DeleteAll => "DELETE FROM items".to_owned(),
            Self::Rename { from, to } => format!("UPDATE OR IGNORE items SET id = 'k{to}' WHERE id = 'k{from}'"),
        }
    }
}

fn edit() -> impl Strategy<Value = Edit> + Clone {
    let (key, column, value) = (0..4_u8, 0..2_usize, 0..4_i64);
    let values = [value.clone(), value.clone()];
    prop_oneof![
        2 => (key.clone(), values.clone()).prop_map(|(key, values)| Edit::Replace { key, values }),
        2 => (key.clone(), values).prop_map(|(key, values)| Edit::Upsert { key, values }),
        4 => (key.clone(), column.clone(), value).prop_map(|(key, column, value)| Edit::Set { key, column, value }),
        4 => (key.clone(), column).prop_map(|(key, column)| Edit::Add { key, column }),
        3 => key.clone().prop_map(|key| Edit::Delete { key }),
        1 => Just(Edit::DeleteAll),
        1 => (key.clone(), key).prop_map(|(from, to)| Edit::Rename { from, to }),
    ]
}

impl Model for Row {
    type Edit = Edit;
    type Held = (String, i64, i64);

    const TABLE: &'static str = "CREATE TABLE items(id TEXT PRIMARY KEY NOT NULL, a INTEGER, b INTEGER)";

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
            self.cells = [0, 1].map(|i| self.cells[i].max(other.cells[i]));
        }
    }

    fn held(connection: &Connection) -> rusqlite::Result<Vec<Self::Held>> {
        let mut statement = connection.prepare("SELECT id, a, b FROM items ORDER BY id")?;
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect()
    }

    fn meant(rows: &Rows<Self>) -> Vec<Self::Held> {
        let live = rows.iter().filter(|(_, row)| row.is_live());
        live.map(|(key, row)| (format!("k{key}"), row.cells[0].1, row.cells[1].1)).collect()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_interleaving_holds_what_the_model_says(ops in ops(edit()), without_rowid in any::<bool>()) {
        play::<Row>(ops, without_rowid)?;
    }
}

#[test]
fn three_increments_beat_two_and_other_columns_survive() {
    let directory = TempDir::new().expect("directory");
    let world = open_world::<Row>(&directory, "");
    let [one, two] = ["1.db", "2.db"].map(|name| open::<Row>(&directory.path().join(name), &world, ""));
    let sync = |connection: &Connection| super::ask(connection, "SELECT cloudsync_network_sync()").expect("sync");
    one.execute_batch("INSERT INTO items VALUES ('k', 0, 0)").expect("insert");
    sync(&one);
    sync(&two);
    let add = |connection: &Connection, column: &str| {
        connection.execute_batch(&format!("UPDATE items SET {column} = {column} + 1")).expect("update");
    };
    (0..3).for_each(|_| add(&one, "a"));
    (0..2).for_each(|_| add(&two, "a"));
    add(&two, "b");
    for connection in [&one, &two, &one] {
        drop(sync(connection));
    }
    for connection in [&one, &two] {
        assert_eq!(Row::held(connection).expect("rows"), [("k".to_owned(), 3, 1)]);
    }
}
