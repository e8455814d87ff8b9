//! The SQL of a drawn scenario: tables, values, keys and conditions. Every value of a row follows from its number.

use super::made::{
    Column, Extra, Fill, Hostility, Key, Made, PER_DATABASE, Policy, Style, Table, Values, WITNESS, Which,
};
use crate::sql::quote;

/// The table of members, where teams decide who may do what.
pub(super) const MEMBERS: &str = "CREATE TABLE members (id TEXT PRIMARY KEY, member_id TEXT, member_of INTEGER)";
/// The table that triggers write.
pub(super) const LOG: &str = "CREATE TABLE log (id TEXT PRIMARY KEY, n INTEGER)";

impl Values {
    /// The values as SQL literals, of which a row has one by its number; none for plain ones.
    fn literals(self) -> &'static [&'static str] {
        match self {
            Self::Plain | Self::Bound => &[],
            Self::Integers => &[
                "0",
                "1",
                "-1",
                "9223372036854775807",
                "-9223372036854775807 - 1",
                "2147483648",
                "9007199254740993",
                "NULL",
            ],
            Self::Reals => &[
                "0.1",
                "1e308",
                "5e-324",
                "-1.5",
                "3.0",
                "9e999",
                "-9e999",
                "1e15",
                "123456789012345680.0",
                "0.0",
                "NULL",
            ],
            Self::NegativeZero => &["-0.0", "0.0", "1.0"],
            Self::Texts => &[
                "''",
                "'it''s'",
                "'\"quoted\"'",
                "'a' || char(10) || 'b' || char(13)",
                "'é 漢字 🎉'",
                "'e' || char(769)",
                "' spaces '",
                "'NULL'",
                "'1'",
                "'1.0'",
                "'0x10'",
                "'1e3'",
                "char(9)",
                "'a:b, c; -- d'",
                "NULL",
            ],
            Self::NulText => &["'a' || char(0) || 'b'", "char(0)", "'plain'", "'a'"],
            Self::NotUtf8 => &["CAST(x'ff00fe' AS TEXT)", "CAST(x'c328' AS TEXT)", "CAST(x'ed' AS TEXT)", "'plain'"],
            Self::Blobs => &["x''", "x'00'", "x'00ff27'", "zeroblob(300)", "x'6162'", "NULL"],
            Self::Large => &["zeroblob(70000)", "hex(zeroblob(40000))", "'short'"],
            Self::Mixed => &["NULL", "0", "'0'", "0.0", "x'30'", "''", "x''", "9e999", "'a'", "-1", "1", "1.5", "'1'"],
        }
    }

    /// The value of the row with this number, as SQL.
    fn of(self, number: &str) -> String {
        let literals = self.literals();
        let Some((last, others)) = literals.split_last() else { return format!("'text ' || ({number})") };
        let cases: Vec<String> =
            others.iter().enumerate().map(|(i, literal)| format!("WHEN {i} THEN {literal}")).collect();
        format!("CASE ({number}) % {} {} ELSE {last} END", literals.len(), cases.join(" "))
    }

    /// The type that a STRICT table needs for these values.
    fn strict_type(self) -> &'static str {
        match self {
            Self::Integers => "INTEGER",
            Self::Reals | Self::NegativeZero => "REAL",
            Self::Plain | Self::Texts | Self::NulText | Self::NotUtf8 => "TEXT",
            Self::Blobs => "BLOB",
            Self::Mixed | Self::Large | Self::Bound => "ANY",
        }
    }

    fn default(self) -> &'static str {
        match self {
            Self::Integers => "0",
            Self::Reals | Self::NegativeZero => "0.5",
            Self::Plain | Self::Texts | Self::NulText | Self::NotUtf8 | Self::Mixed | Self::Large | Self::Bound => "''",
            Self::Blobs => "x''",
        }
    }
}

/// Who writes a row, as far as its columns say so.
pub(super) struct Writer<'a> {
    /// The row's number.
    pub(super) number: &'a str,
    /// The number from which its unique value follows.
    pub(super) unique: &'a str,
    /// The user in whose name it is written, as SQL.
    pub(super) user: String,
    /// The team for which it is written, as SQL.
    pub(super) team: &'static str,
    /// The key of a row of the first table.
    pub(super) parent: &'static str,
}

impl Column {
    fn definition(&self, table: &Table, made: &Made) -> String {
        let name = quote(&self.name);
        let declared = match self.fill {
            Fill::Values(values) if table.strict => values.strict_type(),
            Fill::Default if table.strict => "ANY",
            _ => self.declared,
        };
        match self.fill {
            Fill::Values(values) if self.not_null => {
                format!("{name} {declared} NOT NULL DEFAULT {}", values.default())
            }
            Fill::Values(_) => format!("{name} {declared}"),
            Fill::Unique => format!("{name} TEXT UNIQUE"),
            Fill::User => format!("{name} TEXT NOT NULL DEFAULT ''"),
            Fill::Team => format!("{name} INTEGER NOT NULL DEFAULT -1"),
            Fill::Parent => match made.tables.first() {
                Some(parent) if has_parent(made, table) => {
                    format!("{name} TEXT REFERENCES {} ({})", quote(&parent.name), quote(&parent.key_names[0]))
                }
                Some(_) | None => format!("{name} TEXT"),
            },
            Fill::Default => format!("{name} {declared} DEFAULT 'it''s ''odd'''"),
            Fill::Generated(stored) => {
                let stored = if stored { "STORED" } else { "VIRTUAL" };
                format!("{name} INTEGER GENERATED ALWAYS AS ({} * 2) {stored}", quote(&table.number))
            }
            Fill::Derived => format!("{name} TEXT"),
        }
    }

    /// What the column of a new row gets; none where a statement must not name it.
    pub(super) fn value(&self, writer: &Writer<'_>) -> Option<String> {
        match self.fill {
            Fill::Values(values) if self.not_null => {
                Some(format!("coalesce({}, {})", values.of(writer.number), values.default()))
            }
            Fill::Values(Values::Bound) if writer.number == ":n" => Some(":bound".to_owned()),
            Fill::Values(values) => Some(values.of(writer.number)),
            Fill::Unique => Some(format!("'u' || ({})", writer.unique)),
            Fill::User => Some(writer.user.clone()),
            Fill::Team => Some(writer.team.to_owned()),
            Fill::Parent => Some(writer.parent.to_owned()),
            Fill::Default | Fill::Generated(_) | Fill::Derived => None,
        }
    }

    pub(super) fn is_valued(&self) -> bool {
        matches!(self.fill, Fill::Values(_))
    }
}

/// Whether rows of a table can refer to rows of the first.
pub(super) fn has_parent(made: &Made, table: &Table) -> bool {
    // A key that compares otherwise than its column is no parent to SQLite.
    let fits = |parent: &Table| parent.key == Key::Id && !parent.strict && !parent.clause.contains("COLLATE");
    made.tables.first().is_some_and(|parent| parent.name != table.name && fits(parent))
}

impl Table {
    /// The names of the key's columns, quoted.
    pub(super) fn keys(&self) -> Vec<String> {
        let count = match self.key {
            Key::IntegerText | Key::Integers | Key::Texts => 2,
            _ => 1,
        };
        self.key_names.iter().take(count).map(|name| quote(name)).collect()
    }

    fn key_types(&self) -> Vec<&'static str> {
        let untyped = if self.strict { " ANY" } else { "" };
        match self.key {
            Key::Id => vec![" TEXT"],
            Key::Blob => vec![" BLOB"],
            Key::Untyped | Key::UntypedNumber | Key::UntypedTwins => vec![untyped],
            Key::Real => vec![" REAL"],
            Key::Numeric => vec![if self.strict { " ANY" } else { " NUMERIC" }],
            Key::Nocase => vec![" TEXT COLLATE NOCASE"],
            Key::Rtrim => vec![" TEXT COLLATE RTRIM"],
            Key::IntegerText => vec![" INTEGER", " TEXT"],
            Key::Integers => vec![" INTEGER", " INTEGER"],
            Key::Texts => vec![" TEXT", " TEXT"],
        }
    }

    /// The key of the row with this number, one SQL expression for each column. `id` is the default id, where there is one.
    pub(super) fn key_values(&self, number: &str, id: Option<&str>) -> Vec<String> {
        let text = format!("'k' || ({number})");
        match self.key {
            Key::Id => vec![id.map_or(text, str::to_owned)],
            Key::Blob => vec![format!("CAST({text} AS BLOB)")],
            Key::Untyped => vec![text],
            Key::UntypedNumber | Key::Numeric => vec![format!("({number})")],
            Key::UntypedTwins => vec![format!("({number}) {{{{ '+ 0.0' if db % 2 == 1 else '' }}}}")],
            Key::Real => vec![format!("({number}) + 0.25")],
            Key::Nocase => vec![format!("'{{{{ 'KEY' if db % 2 == 1 else 'key' }}}}' || ({number})")],
            Key::Rtrim => vec![format!("{text} || '{{{{ '  ' if db % 2 == 1 else '' }}}}'")],
            Key::IntegerText => vec![format!("({number}) % 7"), text],
            Key::Integers => vec![format!("({number}) / 1000"), format!("({number}) % 1000")],
            Key::Texts => vec![format!("CAST(({number}) % 3 AS TEXT)"), text],
        }
    }

    /// `SET` of another key for a row.
    pub(super) fn other_key(&self) -> String {
        let keys = self.keys();
        let (first, last) = (&keys[0], &keys[keys.len() - 1]);
        match self.key {
            Key::Id | Key::Untyped | Key::Nocase | Key::Rtrim | Key::IntegerText | Key::Texts => {
                format!("{last} = {last} || '+'")
            }
            Key::Blob => format!("{first} = CAST({first} || x'2b' AS BLOB)"),
            Key::UntypedNumber | Key::UntypedTwins | Key::Real | Key::Numeric => format!("{first} = {first} + 0.125"),
            Key::Integers => format!("{last} = {last} + 1000000"),
        }
    }

    /// `CREATE TABLE`.
    pub(super) fn create(&self, made: &Made) -> String {
        let keys = self.keys();
        let mut parts: Vec<String> =
            keys.iter().zip(self.key_types()).map(|(name, declared)| format!("{name}{declared}")).collect();
        parts.push(format!("{} INTEGER", quote(&self.number)));
        parts.extend(self.columns.iter().map(|column| column.definition(self, made)));
        if self.check {
            parts.push(format!("CHECK ({} >= 0)", quote(&self.number)));
        }
        let clause = self.clause;
        parts.push(format!("PRIMARY KEY ({}{clause}", keys.join(", ")));
        let options: Vec<&str> = [(self.strict, "STRICT"), (self.without_rowid, "WITHOUT ROWID")]
            .into_iter()
            .filter_map(|(on, option)| on.then_some(option))
            .collect();
        let options = if options.is_empty() { String::new() } else { format!(" {}", options.join(", ")) };
        format!("CREATE TABLE {} ({}){options}", quote(&self.name), parts.join(", "))
    }

    /// The statements that go with the table.
    pub(super) fn also(&self) -> Vec<String> {
        self.extras.iter().flat_map(|extra| self.extra(*extra)).collect()
    }

    fn extra(&self, extra: Extra) -> Vec<String> {
        let (table, number) = (quote(&self.name), quote(&self.number));
        let named = |word: &str| quote(&format!("{word} {}", self.name));
        match extra {
            Extra::Index => vec![format!("CREATE INDEX {} ON {table} ({number})", named("index"))],
            Extra::OddIndex(kind) => {
                let name = named("odd");
                vec![match kind % 4 {
                    0 => format!("CREATE UNIQUE INDEX {name} ON {table} ({number})"),
                    1 => format!("CREATE INDEX {name} ON {table} ({number}) WHERE {number} % 2 = 0"),
                    2 => format!("CREATE INDEX {name} ON {table} ({number} * 2)"),
                    _ => format!("CREATE UNIQUE INDEX {name} ON {table} ({number} * 2) WHERE {number} % 2 = 0"),
                }]
            }
            Extra::View => vec![format!("CREATE VIEW {} AS SELECT * FROM {table}", named("view"))],
            Extra::TriggerSameRow => self.trigger_same_row(),
            Extra::TriggerOtherTable => vec![format!(
                "CREATE TRIGGER {} AFTER INSERT ON {table} BEGIN \
                 INSERT OR IGNORE INTO log (id, n) VALUES ('log ' || NEW.{number}, NEW.{number}); END",
                named("log")
            )],
        }
    }

    /// The derived column follows from another one, whatever writes that.
    fn trigger_same_row(&self) -> Vec<String> {
        let (table, number) = (quote(&self.name), quote(&self.number));
        let Some(derived) = self.columns.iter().find(|column| column.fill == Fill::Derived) else { return Vec::new() };
        let source = self.columns.iter().find(|column| column.is_valued());
        let source = source.map_or_else(|| number.clone(), |column| quote(&column.name));
        // By the key: two rows have the same number where one database changes the key of a row and another its values.
        let same: Vec<String> = self.keys().iter().map(|key| format!("{key} = NEW.{key}")).collect();
        let body = format!(
            "UPDATE {table} SET {} = typeof(NEW.{source}) || ' ' || quote(NEW.{source}) WHERE {}",
            quote(&derived.name),
            same.join(" AND ")
        );
        let trigger = |event: &str, word: &str| {
            format!(
                "CREATE TRIGGER {} AFTER {event} ON {table} BEGIN {body}; END",
                quote(&format!("{word} {}", self.name))
            )
        };
        vec![trigger("INSERT", "added"), trigger(&format!("UPDATE OF {source}"), "changed")]
    }

    fn column(&self, fill: Fill) -> Option<String> {
        self.columns.iter().find(|column| column.fill == fill).map(|column| quote(&column.name))
    }

    /// The condition for the rows that an honest phase concerns.
    pub(super) fn condition(&self, made: &Made, which: Which, style: Style, rows: u64) -> String {
        let number = quote(&self.number);
        let own = format!("{number} / {PER_DATABASE} = {{{{ db }}}}");
        let mut parts = match which {
            Which::All => vec![],
            Which::Own => vec![own],
            Which::Third => vec![own, format!("{number} % 3 = {{{{ iteration % 3 }}}}")],
            Which::Hot => vec![format!("{number} < {PER_DATABASE}")],
        };
        if style == Style::Rows {
            parts.push(format!("{number} % {} = :row - 1", rows.max(1)));
        }
        if made.planted.is_some() {
            parts.push(format!("{number} < {WITNESS}"));
        }
        parts.extend(self.permission(made.policy));
        if parts.is_empty() { String::new() } else { format!(" WHERE {}", parts.join(" AND ")) }
    }

    /// The template of the values that are bound, where a column has some.
    pub(super) fn bound(&self) -> Option<&'static str> {
        let has_bound = self.columns.iter().any(|column| column.fill == Fill::Values(Values::Bound));
        has_bound.then_some(
            "{{ pick([none, uuid(), uuid7(), bytes(9), int(-9, 9), text(300), name(), 0.1, 1e300, '', true]) }}",
        )
    }

    /// Half of the rows of a database go to the other team.
    pub(super) fn change_team(&self) -> String {
        let (table, number) = (quote(&self.name), quote(&self.number));
        let team = self.column(Fill::Team).unwrap_or_else(|| number.clone());
        format!(
            "UPDATE {table} SET {team} = 1 - {team} WHERE {number} / {PER_DATABASE} = {{{{ db }}}} AND {number} % 2 = 0"
        )
    }

    /// The condition for the rows that a user may write.
    fn permission(&self, policy: Option<Policy>) -> Option<String> {
        match policy? {
            Policy::Own | Policy::SharedRead | Policy::WriteOnly => {
                self.column(Fill::User).map(|user| format!("{user} = :user_id"))
            }
            Policy::Team => self.column(Fill::Team).map(|team| format!("{team} = {{{{ user % 2 }}}}")),
            Policy::Public => None,
        }
    }

    /// The policies: one expression for each of select, insert, update and delete.
    pub(super) fn policies(&self, policy: Policy) -> [Option<String>; 4] {
        // Not `true`, which a column may be called.
        let all = Some("1".to_owned());
        let owner = |column: &str| {
            let allowed = |prefix: &str| format!("auth_userid() = {prefix}{column}");
            let change = format!("{} AND {}", allowed("NEW."), allowed("OLD."));
            [Some(allowed("")), Some(allowed("NEW.")), Some(change), Some(allowed("OLD."))]
        };
        let user = self.column(Fill::User);
        match (policy, user, self.column(Fill::Team)) {
            (Policy::Own, Some(user), _) => owner(&user),
            (Policy::SharedRead, Some(user), _) => {
                let [_, insert, update, delete] = owner(&user);
                [all, insert, update, delete]
            }
            (Policy::WriteOnly, Some(user), _) => {
                let [_, insert, update, delete] = owner(&user);
                [None, insert, update, delete]
            }
            (Policy::Team, _, Some(team)) => {
                let member = |prefix: &str| {
                    format!("{prefix}{team} IN (SELECT member_of FROM members WHERE member_id = auth_userid())")
                };
                let change = format!("{} AND {}", member("NEW."), member("OLD."));
                [Some(member("")), Some(member("NEW.")), Some(change), Some(member("OLD."))]
            }
            _ => [all.clone(), all.clone(), all.clone(), all],
        }
    }

    /// `SET` of a hostile takeover, or the whole statement of another hostile change.
    pub(super) fn hostile(&self, made: &Made, hostility: Hostility) -> String {
        let (table, number) = (quote(&self.name), quote(&self.number));
        let (owner, other) = match (self.column(Fill::Team), self.column(Fill::User)) {
            (Some(team), _) if made.policy == Some(Policy::Team) => (team, OTHER_TEAM.to_owned()),
            (_, Some(user)) => (user, victim()),
            _ => (number.clone(), number.clone()),
        };
        let kept = if made.planted.is_some() { format!(" AND {number} < {WITNESS}") } else { String::new() };
        match hostility {
            Hostility::Delete => format!("DELETE FROM {table} WHERE {owner} = {other}{kept}"),
            Hostility::Takeover | Hostility::Insert => format!(
                "UPDATE {table} SET {owner} = {other} WHERE {number} / {PER_DATABASE} = {{{{ db }}}} AND {number} % 5 = 0{kept}"
            ),
        }
    }
}

/// The team of the user who runs a phase, and the other one.
pub(super) const OWN_TEAM: &str = "{{ user % 2 }}";
pub(super) const OTHER_TEAM: &str = "{{ (user + 1) % 2 }}";

/// The user in whose name hostile phases of user 1 write, as SQL.
pub(super) fn victim() -> String {
    format!("'{VICTIM}'")
}

/// The id of user 2.
const VICTIM: &str = "018ecfc2-b2b1-7cc3-a9f0-000000000002";

/// `INSERT` of a row; `id` is its default id, where the key is one.
pub(super) fn insert(table: &Table, number: &str, id: Option<&str>, writer: &Writer<'_>, conflict: &str) -> String {
    let (names, values) = row(table, number, id, writer);
    format!("INSERT {conflict}INTO {} ({}) VALUES ({})", quote(&table.name), names.join(", "), values.join(", "))
}

/// The names and values of a new row.
pub(super) fn row(table: &Table, number: &str, id: Option<&str>, writer: &Writer<'_>) -> (Vec<String>, Vec<String>) {
    let (mut names, mut values) = (table.keys(), table.key_values(number, id));
    names.push(quote(&table.number));
    values.push(number.to_owned());
    for column in &table.columns {
        if let Some(value) = column.value(writer) {
            names.push(quote(&column.name));
            values.push(value);
        }
    }
    (names, values)
}
