//! The text of an administrator's request: split into statements, and those that are commands of the gateway, not SQL,
//! understood. It must not know what they do.

/// A command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    CreateDatabase { name: String, if_not_exists: bool },
    RemoveDatabase { name: String, if_exists: bool },
    UseDatabase { name: String },
    UnuseDatabase,
    ListDatabases,
    ListTables,
    Sync { table: String, enable: bool },
    Rls { database: String, table: String, enable: bool },
    Policy { database: String, table: String, operation: Operation, expression: String },
}

/// What a policy is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Select,
    Insert,
    Update,
    Delete,
}

impl Operation {
    /// The column of `cloudsync_rls`.
    pub(super) fn column(self) -> &'static str {
        match self {
            Self::Select => "select",
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// Splits at semicolons outside quotes, comments and trigger bodies. Empty statements are left out.
pub(super) fn split(text: &str) -> Vec<&str> {
    let bytes = text.as_bytes();
    let (mut statements, mut start, mut at) = (Vec::new(), 0, 0);
    while at < bytes.len() {
        let skip = skip_quoted(bytes, at);
        if skip > at {
            at = skip;
            continue;
        }
        if bytes[at] == b';' && !is_open_trigger(&text[start..at]) {
            statements.push(text[start..at].trim());
            start = at + 1;
        }
        at += 1;
    }
    statements.push(text[start..].trim());
    statements.retain(|statement| !is_blank(statement));
    statements
}

/// Whether a statement has no word at all.
fn is_blank(statement: &str) -> bool {
    let bytes = statement.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let is_comment = bytes[at..].starts_with(b"--") || bytes[at..].starts_with(b"/*");
        if is_comment {
            at = skip_quoted(bytes, at);
        } else if bytes[at].is_ascii_whitespace() {
            at += 1;
        } else {
            return false;
        }
    }
    true
}

/// The end of a quoted text or comment that starts at `at`; `at` itself when none does.
fn skip_quoted(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    let until = |from: usize, end: &[u8]| {
        let found = rest[from..].windows(end.len()).position(|window| window == end);
        found.map_or(bytes.len(), |found| at + from + found + end.len())
    };
    match rest[0] {
        // A doubled quote ends one text and starts the next: the same in effect.
        quote @ (b'\'' | b'"' | b'`') => until(1, &[quote]),
        b'[' => until(1, b"]"),
        b'-' if rest.starts_with(b"--") => until(2, b"\n"),
        b'/' if rest.starts_with(b"/*") => until(2, b"*/"),
        _ => at,
    }
}

/// Whether the text is the beginning of a CREATE TRIGGER whose `; END` has not come yet, which is SQLite's own rule.
fn is_open_trigger(text: &str) -> bool {
    let mut words = text.split_whitespace().map(str::to_uppercase);
    let starts = words.next().as_deref() == Some("CREATE")
        && matches!(words.find(|word| !matches!(word.as_str(), "TEMP" | "TEMPORARY")).as_deref(), Some("TRIGGER"));
    let ends = || {
        let last = text.rsplit(';').next().unwrap_or(text);
        text.contains(';') && last.trim().eq_ignore_ascii_case("end")
    };
    starts && !ends()
}

/// A word of a command; quoted ones are never keywords.
#[derive(Debug, PartialEq, Eq)]
enum Word {
    Plain(String),
    Quoted(String),
}

impl Word {
    fn is(&self, keyword: &str) -> bool {
        matches!(self, Self::Plain(text) if text.eq_ignore_ascii_case(keyword))
    }

    fn text(&self) -> String {
        match self {
            Self::Plain(text) | Self::Quoted(text) => text.clone(),
        }
    }
}

fn words(statement: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut characters = statement.chars().peekable();
    while let Some(&first) = characters.peek() {
        if first.is_whitespace() {
            characters.next();
        } else if matches!(first, '"' | '\'' | '`') {
            characters.next();
            let mut text = String::new();
            while let Some(character) = characters.next() {
                if character == first && characters.next_if_eq(&first).is_none() {
                    break;
                }
                text.push(character);
            }
            words.push(Word::Quoted(text));
        } else {
            let mut text = String::new();
            while let Some(character) = characters.next_if(|c| !c.is_whitespace() && *c != '"') {
                text.push(character);
            }
            words.push(Word::Plain(text));
        }
    }
    words
}

/// The command that a statement is; `None` when it is SQL, an error when it starts like a command and is none.
pub(super) fn parse(statement: &str) -> Result<Option<Command>, String> {
    let words = words(statement);
    let at = |index: usize, keyword: &str| words.get(index).is_some_and(|word: &Word| word.is(keyword));
    let starts = |keywords: &[&str]| keywords.iter().enumerate().all(|(i, keyword)| at(i, keyword));
    let text = |index: usize| words.get(index).map(Word::text);
    let ends = |count: usize| words.len() == count;
    let command = if starts(&["create", "database"]) {
        let if_not_exists = at(3, "if") && at(4, "not") && at(5, "exists") && ends(6);
        text(2).filter(|_| ends(3) || if_not_exists).map(|name| Command::CreateDatabase { name, if_not_exists })
    } else if starts(&["remove", "database"]) || starts(&["drop", "database"]) {
        let if_exists = at(3, "if") && at(4, "exists") && ends(5);
        text(2).filter(|_| ends(3) || if_exists).map(|name| Command::RemoveDatabase { name, if_exists })
    } else if starts(&["use", "database"]) {
        text(2).filter(|_| ends(3)).map(|name| Command::UseDatabase { name })
    } else if starts(&["unuse", "database"]) {
        Some(Command::UnuseDatabase)
    } else if starts(&["list", "databases"]) {
        Some(Command::ListDatabases)
    } else if starts(&["list", "tables"]) {
        Some(Command::ListTables)
    } else if starts(&["cloudsync"]) {
        let enable = at(1, "enable");
        text(2).filter(|_| ends(3) && (enable || at(1, "disable"))).map(|table| Command::Sync { table, enable })
    } else if (starts(&["enable", "rls"]) || starts(&["disable", "rls"])) && at(2, "database") && at(4, "table") {
        let enable = at(0, "enable");
        text(3).zip(text(5)).filter(|_| ends(6)).map(|(database, table)| Command::Rls { database, table, enable })
    } else if starts(&["set", "rls", "database"]) && at(4, "table") {
        let operation = [Operation::Select, Operation::Insert, Operation::Update, Operation::Delete];
        let operation = operation.into_iter().find(|operation| at(6, operation.column()));
        let names = text(3).zip(text(5)).filter(|_| ends(8));
        names.zip(operation).zip(text(7)).map(|(((database, table), operation), expression)| Command::Policy {
            database,
            table,
            operation,
            expression,
        })
    } else if ["use", "unuse", "list", "remove", "enable", "disable", "set"].iter().any(|first| at(0, first)) {
        None
    } else {
        return Ok(None);
    };
    command.map(Some).ok_or_else(|| format!("Unable to find command {statement}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn semicolons_in_texts_comments_and_triggers_split_nothing() {
        let text = "SELECT ';', \"a;b\", [c;d] -- ;\n; /* ; */ ; CREATE TEMP TRIGGER t AFTER INSERT ON a BEGIN SELECT CASE WHEN 1 THEN 2 END; SELECT 2; END; SELECT 3;;";
        let statements = split(text);
        assert_eq!(statements.len(), 3, "{statements:?}");
        assert!(statements[1].ends_with("SELECT 2; END"));
        assert_eq!(statements[2], "SELECT 3");
    }

    #[test]
    fn open_quotes_and_comments_end_with_the_text() {
        let cases: [(&str, &[&str]); 8] = [
            ("SELECT 1; SELECT 'a; b", &["SELECT 1", "SELECT 'a; b"]),
            ("SELECT 1; SELECT \"a; b", &["SELECT 1", "SELECT \"a; b"]),
            ("SELECT 1; SELECT `a; b", &["SELECT 1", "SELECT `a; b"]),
            ("SELECT 1; SELECT [a; b", &["SELECT 1", "SELECT [a; b"]),
            ("SELECT 1; SELECT 2 /* a; b", &["SELECT 1", "SELECT 2 /* a; b"]),
            ("SELECT 1; -- a; b", &["SELECT 1"]),
            ("é;'é;", &["é", "'é;"]),
            ("SELECT 1; CREATE TRIGGER x BEGIN ; ", &["SELECT 1", "CREATE TRIGGER x BEGIN ;"]),
        ];
        for (text, statements) in cases {
            assert_eq!(split(text), statements, "{text}");
        }
    }

    #[test]
    fn a_policy_keeps_the_quotes_of_its_expression() {
        let command = parse("SET RLS DATABASE d.sqlite TABLE notes SELECT \"user_id = 'a' OR x = 'it''s'\"");
        let expected = Command::Policy {
            database: "d.sqlite".into(),
            table: "notes".into(),
            operation: Operation::Select,
            expression: "user_id = 'a' OR x = 'it''s'".into(),
        };
        assert_eq!(command, Ok(Some(expected)));
    }

    #[test]
    fn what_starts_like_a_command_and_is_none_is_refused_by_name() {
        assert_eq!(parse("LIST FROGS"), Err("Unable to find command LIST FROGS".to_owned()));
        assert_eq!(parse("CREATE DATABASE"), Err("Unable to find command CREATE DATABASE".to_owned()));
        assert_eq!(parse("CREATE TABLE t(a)"), Ok(None));
        let created = Command::CreateDatabase { name: "x".into(), if_not_exists: true };
        assert_eq!(parse("create database x if not exists"), Ok(Some(created)));
    }
}
