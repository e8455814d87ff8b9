//! Columns whose texts are merged block by block: whether there are such columns, and whether they hold texts. CloudSync
//! takes any column but those of the key, and makes texts of what is written there: others then hold another value than the
//! writer, so only columns of texts are taken here.

use std::collections::BTreeMap;

use super::draft::Draft;
use super::table::BlockPlan;
use super::tables::{MergedKind, Tables};
use crate::scenario::{ColumnMerge, Issue, join};
use crate::suggest::suggest;

const CODE: &str = "sql::column";

/// Decides the columns of a table that are merged block by block.
pub(super) fn decide(
    draft: &mut Draft<'_>,
    tables: &Tables,
    pointer: &str,
    table: &str,
    written: &BTreeMap<String, ColumnMerge>,
) -> Vec<BlockPlan> {
    let pointer = format!("{pointer}/columns");
    let known = if written.is_empty() { Vec::new() } else { tables.merged(table) };
    let mut blocks: Vec<BlockPlan> = Vec::new();
    for (source, merge) in written {
        let pointer = join(&pointer, source);
        let Some(name) = draft.rendered(&pointer, source) else { continue };
        let Some(column) = known.iter().find(|column| column.name.eq_ignore_ascii_case(&name)) else {
            let names =
                known.iter().filter(|column| column.kind == MergedKind::Text).map(|column| column.name.as_str());
            refuse(
                draft,
                &pointer,
                format!("the table `{table}` has no column `{name}`"),
                suggest(&name, names, "columns of texts"),
            );
            continue;
        };
        let leave = "leave it out of `columns`".to_owned();
        match column.kind {
            MergedKind::Key => {
                refuse(
                    draft,
                    &pointer,
                    format!("`{name}` is in the primary key of `{table}`, which is never merged"),
                    leave,
                );
                continue;
            }
            MergedKind::Generated => {
                refuse(
                    draft,
                    &pointer,
                    format!("the column `{name}` of `{table}` is generated, and not synced"),
                    leave,
                );
                continue;
            }
            MergedKind::Other => {
                let declared = if column.declared.is_empty() { "without a type" } else { column.declared.as_str() };
                let message =
                    format!("the column `{name}` of `{table}` is declared {declared}, but only texts have blocks");
                refuse(draft, &pointer, message, format!("declare it TEXT, or {leave}"));
                continue;
            }
            MergedKind::Text => {}
        }
        let delimiter = merge.delimiter().map(ToOwned::to_owned);
        if delimiter.as_deref() == Some("") {
            let message = format!("the delimiter of `{name}` is empty, so the whole text would be one block");
            let help =
                "write what stands between two blocks: `\"\\n\\n\"` for paragraphs; or leave `delimiter` out for lines";
            draft.issues.push(Issue::new(format!("{pointer}/block/delimiter"), CODE, message).help(help));
            continue;
        }
        let held = known.iter().filter(|column| column.kind != MergedKind::Generated);
        let place = held.take_while(|other| other.name != column.name).count();
        if blocks.iter().any(|other| other.place == place) {
            refuse(
                draft,
                &pointer,
                format!("the column `{name}` of `{table}` is named twice"),
                "keep one of them".to_owned(),
            );
            continue;
        }
        blocks.push(BlockPlan { place, delimiter });
    }
    blocks
}

fn refuse(draft: &mut Draft<'_>, pointer: &str, message: String, help: String) {
    draft.issues.push(Issue::new(pointer, CODE, message).help(help).at_key());
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::plan::{Grant, Plan};

    /// A problem's pointer, message and help.
    type Problem = (String, String, String);

    fn planned(columns: &serde_json::Value) -> Result<Vec<(usize, String)>, Vec<Problem>> {
        let sql = "CREATE TABLE t (id TEXT PRIMARY KEY, twice AS (id || id), body VARCHAR(9), n INTEGER, any)";
        let scenario = json!({
            "version": 1, "name": "blocks", "vars": { "body": "body" },
            "schema": { "tables": [{ "name": "t", "sql": sql, "columns": columns }] },
            "phases": [{ "sync": ["send"] }],
        });
        let scenario = serde_json::from_value(scenario).expect("a scenario");
        match Plan::new(&scenario, &Grant::default()) {
            Ok((plan, _)) => {
                let blocks = plan.tables[0].blocks.iter();
                Ok(blocks.map(|block| (block.place, block.separator().to_owned())).collect())
            }
            Err(issues) => Err(issues
                .into_iter()
                .map(|issue| (issue.pointer, issue.message, issue.help.unwrap_or_default()))
                .collect()),
        }
    }

    #[test]
    fn a_column_of_texts_is_taken_with_its_delimiter() {
        assert_eq!(planned(&json!({ "body": "block" })), Ok(vec![(1, "\n".to_owned())]));
        assert_eq!(planned(&json!({ "BODY": { "block": {} } })), Ok(vec![(1, "\n".to_owned())]));
        let paragraphs = json!({ "{{ body }}": { "block": { "delimiter": "\n\n" } } });
        assert_eq!(planned(&paragraphs), Ok(vec![(1, "\n\n".to_owned())]));
    }

    #[test]
    fn what_has_no_blocks_is_refused_at_its_place_and_says_what_to_do() {
        for (columns, place, message, help) in [
            (json!({ "bodi": "block" }), "bodi", "the table `t` has no column `bodi`", "did you mean `body`?"),
            (json!({ "id": "block" }), "id", "`id` is in the primary key of `t`", "leave it out of `columns`"),
            (json!({ "twice": "block" }), "twice", "`twice` of `t` is generated", "leave it out"),
            (json!({ "n": "block" }), "n", "`n` of `t` is declared INTEGER", "declare it TEXT"),
            (json!({ "any": "block" }), "any", "`any` of `t` is declared without a type", "declare it TEXT"),
            (
                json!({ "body": { "block": { "delimiter": "" } } }),
                "body/block/delimiter",
                "the delimiter of `body` is empty",
                "for paragraphs",
            ),
            (json!({ "body": "block", "Body": "block" }), "body", "`body` of `t` is named twice", "keep one"),
        ] {
            let problems = planned(&columns).expect_err("a problem");
            let [(pointer, said, helped)] = problems.as_slice() else { panic!("one problem: {problems:?}") };
            assert_eq!(*pointer, format!("/schema/tables/0/columns/{place}"));
            assert!(said.contains(message) && helped.contains(help), "{said}; {helped}");
        }
    }
}
