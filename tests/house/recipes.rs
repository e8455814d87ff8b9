//! The recipes of CONTRIBUTING.md: short, and in files that exist.

use std::collections::BTreeMap;
use std::path::Path;

/// Each recipe with the most files that it may take, those of its own left out.
const MOST: [(&str, usize); 7] = [
    ("A scenario", 3),
    ("A fault", 4),
    ("A report format", 3),
    ("A metric", 4),
    ("A sync call", 6),
    ("A driver of an engine", 4),
    ("A target", 8),
];

/// The files of each recipe.
fn recipes(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut recipes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut title = None;
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("### ") {
            title = Some(heading.to_owned());
        }
        let numbered = line.split_once(". ").filter(|(number, _)| number.parse::<u32>().is_ok());
        if let (Some(title), Some((_, step))) = (&title, numbered) {
            let file = step.split('`').nth(1).expect("a step names its file first");
            recipes.entry(title.clone()).or_default().push(file.to_owned());
        }
    }
    recipes
}

#[test]
fn every_recipe_is_short_and_names_files_that_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("CONTRIBUTING.md")).expect("it ships");
    let recipes = recipes(&text);
    assert_eq!(recipes.len(), MOST.len(), "{:?}", recipes.keys());
    for (title, most) in MOST {
        let files = &recipes[title];
        assert!(!files.is_empty() && files.len() <= most, "{title}: {files:?}");
        for file in files.iter().filter(|file| !file.contains('<')) {
            assert!(root.join(file).is_file(), "{title}: {file}");
        }
    }
}

#[test]
fn the_reader_of_recipes_reads_them() {
    let text = "## Recipes\n\n### A metric\n\n1. `a.rs`: this, in `b`.\n2. `c.rs` (or `d`): that\n   more.\n\n### A fault\n1. `e.rs`: x";
    let wanted = [("A fault", vec!["e.rs"]), ("A metric", vec!["a.rs", "c.rs"])];
    let wanted = wanted.map(|(title, files)| (title.to_owned(), files.into_iter().map(str::to_owned).collect()));
    assert_eq!(recipes(text), BTreeMap::from(wanted));
}
