//! The filter of a table: whether SQLite and CloudSync both take it. CloudSync does not read the expression as SQL: it
//! puts `NEW.` or `OLD.` before every word of its text that is a column, which it quotes, and uses the result in triggers.
//! What that breaks shows there only when rows are written, so it is looked for here.

use super::draft::Draft;
use super::tables::Tables;
use crate::scenario::Issue;
use crate::sql::quote;

/// Decides the filter of a table, given its name and columns.
pub(super) fn decide(
    draft: &mut Draft<'_>,
    tables: &Tables,
    pointer: &str,
    (table, columns): (&str, &[String]),
    source: &str,
) -> Option<String> {
    let filter = draft.rendered(pointer, source)?;
    let issue = |message: String| Issue::new(pointer, "sql::filter", message);
    if filter.trim().is_empty() {
        let message = format!("the filter of `{table}` is empty");
        draft.issues.push(issue(message).help("write an expression such as `kind = 'shared'`, or leave `filter` out"));
        return None;
    }
    if let Err(problem) = tables.prepare_policy(table, "select", &filter) {
        let message = format!("the filter of `{table}` does not prepare: {}", problem.message);
        let help = problem.help.unwrap_or_else(|| "write columns without a prefix: `kind = 'shared'`".to_owned());
        draft.issues.push(issue(message).help(help).range(problem.range));
        return None;
    }
    let reads = tables.reads(table, "select", &filter);
    // SQLite does not tell of all queries.
    if !reads.tables.is_empty() || parts(&filter).any(|part| part.eq_ignore_ascii_case("select")) {
        let message = format!("the filter of `{table}` contains a query, but it may only ask about the row itself");
        draft.issues.push(issue(message).help("compare columns of the row with values: `kind = 'shared'`"));
        return None;
    }
    let asks_for_user = |part: &str| ["auth_userid", "auth_json"].iter().any(|name| part.eq_ignore_ascii_case(name));
    if parts(&filter).any(asks_for_user) {
        let message = format!("the filter of `{table}` asks for the user, whom only the server knows");
        draft.issues.push(issue(message).help("rows that only some users may see are a matter of `rls`"));
        return None;
    }
    if reads.anything {
        let message = format!(
            "the filter of `{table}` depends on the time or on chance, so nobody could say later which rows took part"
        );
        draft.issues.push(issue(message).help("write the moment or the number into a column, and compare that"));
        return None;
    }
    if let Err(problem) = tables.prepare_filter(table, &filter, &in_trigger(&filter, columns)) {
        let message = format!(
            "CloudSync would not take the filter of `{table}`: it writes `NEW.` before every word that is a column, and then {problem}"
        );
        let help = format!(
            "write columns exactly as they are declared, without quotes or `{table}.`, and use no generated column and no comment"
        );
        draft.issues.push(issue(message).help(help));
        return None;
    }
    Some(filter)
}

/// What CloudSync makes of a filter in a trigger: every word outside of texts that is a column, letter by letter.
pub(super) fn in_trigger(filter: &str, columns: &[String]) -> String {
    let new = |part: &str| {
        if columns.iter().any(|column| column == part) { format!("NEW.{}", quote(part)) } else { part.to_owned() }
    };
    parts(filter).map(new).collect()
}

/// A filter in parts: texts in quotes, words, and single letters.
fn parts(filter: &str) -> impl Iterator<Item = &str> {
    let mut rest = filter;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let length = match first {
            '\'' => rest[1..].find('\'').map_or(rest.len(), |end| end + 2),
            _ if is_word(first) => rest.find(|letter| !is_word(letter)).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        let (part, after) = rest.split_at(length);
        rest = after;
        Some(part)
    })
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_that_is_a_column_is_one_of_the_new_row() {
        let columns = ["kind".to_owned(), "order".to_owned()];
        for (filter, made) in [
            ("kind = 'kind' AND kinds", "NEW.\"kind\" = 'kind' AND kinds"),
            ("kind = 'it''s kind'", "NEW.\"kind\" = 'it''s kind'"),
            ("\"order\" > 1", "\"NEW.\"order\"\" > 1"),
            ("t.kind='x", "t.NEW.\"kind\"='x"),
        ] {
            assert_eq!(in_trigger(filter, &columns), made);
        }
    }

    /// The pointer, message and help of the problem of a filter, if it has one.
    fn problem(filter: &str) -> Option<(String, String)> {
        let columns = "id TEXT PRIMARY KEY, kind TEXT, \"Order\" INTEGER, twice AS (\"Order\" * 2)";
        let table = serde_json::json!({ "name": "t", "sql": format!("CREATE TABLE t ({columns})"), "filter": filter });
        let scenario = serde_json::json!({
            "version": 1, "name": "filters", "schema": { "tables": [table] }, "phases": [{ "sync": ["send"] }],
        });
        let scenario = serde_json::from_value(scenario).expect("a scenario");
        let issues = crate::plan::Plan::new(&scenario, &crate::plan::Grant::default()).err()?;
        let [issue] = issues.as_slice() else { panic!("one problem of {filter}: {issues:?}") };
        assert_eq!((issue.pointer.as_str(), issue.code), ("/schema/tables/0/filter", "sql::filter"), "{filter}");
        Some((issue.message.clone(), issue.help.clone().unwrap_or_default()))
    }

    #[test]
    fn what_cloudsync_takes_is_taken() {
        for filter in [
            "kind = 'shared'",
            "kind IN ('a', 'it''s kind') AND id LIKE 'x%' OR kind IS NULL",
            "length(kind) > 1 AND (kind <> '-- kind' OR kind GLOB 'a*')",
            "1",
        ] {
            assert_eq!(problem(filter), None, "{filter}");
        }
    }

    #[test]
    fn what_cloudsync_would_not_take_is_refused_and_says_why() {
        for (filter, message, help) in [
            (" ", "the filter of `t` is empty", "leave `filter` out"),
            ("kin = 'a'", "does not prepare: no such column: kin", "did you mean `kind`"),
            ("kind = \"shared\"", "does not prepare: no such column", ""),
            ("kind = ", "does not prepare: ", ""),
            ("Order > 1", "does not prepare: ", ""),
            ("id IN (SELECT id FROM t)", "contains a query", "compare columns"),
            ("(select count(*) FROM t) > 1", "contains a query", "compare columns"),
            ("'a' IN sqlite_master", "does not prepare", ""),
            ("id = auth_userid()", "asks for the user", "a matter of `rls`"),
            ("random() > 0", "depends on the time or on chance", "into a column"),
            ("kind < datetime('now')", "depends on the time or on chance", "into a column"),
            (
                "KIND = 'a'",
                "before every word that is a column, and then ambiguous column name: KIND",
                "exactly as they are declared",
            ),
            ("\"Order\" > 1", "and then near", "without quotes"),
            ("[kind] = 'a'", "and then no such column", "without quotes"),
            ("t.kind = 'a'", "and then", "`t.`"),
            ("twice > 1", "and then ambiguous column name: twice", "no generated column"),
            ("rowid > 1", "and then", "no generated column"),
            ("kind = 'a' -- b", "does not prepare", ""),
            ("kind = 'a') OR (kind = 'b'", "and then", ""),
        ] {
            let (said, helped) = problem(filter).unwrap_or_else(|| panic!("{filter} is taken"));
            assert!(said.contains(message) && helped.contains(help), "{filter}: {said}; {helped}");
        }
    }
}
