//! The filter of a table: whether SQLite and CloudSync both take it. CloudSync does not read the expression as SQL: it
//! puts `NEW.` or `OLD.` and quotes at every word of its text that is a column, and uses the result in triggers. What that breaks
//! shows there only when rows are written, so it is looked for here.

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
    if reads.queries {
        let message = format!("the filter of `{table}` contains a query, but it may only ask about the row itself");
        draft.issues.push(issue(message).help("compare columns of the row with values: `kind = 'shared'`"));
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
fn in_trigger(filter: &str, columns: &[String]) -> String {
    let mut made = String::new();
    let mut rest = filter;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '\'' => rest[1..].find('\'').map_or(rest.len(), |end| end + 2),
            _ if is_word(first) => rest.find(|letter| !is_word(letter)).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        let (part, after) = rest.split_at(length);
        match columns.iter().find(|column| *column == part) {
            Some(column) => {
                made.push_str("NEW.");
                made.push_str(&quote(column));
            }
            None => made.push_str(part),
        }
        rest = after;
    }
    made
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
}
