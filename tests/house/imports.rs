//! Which file takes what from which other. Reads the paths in every file and follows each to the file that defines its
//! item, also through `pub use`. A method that is called without naming its type's file cannot be seen.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::File;
use crate::tokens::{is_word, tokens};

/// Words behind which an item gets its name.
const DEFINE: &[&str] = &["fn", "struct", "enum", "union", "trait", "type", "const", "static", "macro_rules"];

/// From a file to those that it takes something from, with the paths by which it does.
pub(crate) type Graph = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// A name that `use` brings.
struct Import {
    name: String,
    path: Vec<String>,
    /// Whether the file itself uses it. One that it only hands on is a door, and no import.
    used: bool,
}

/// A file as far as imports go.
#[derive(Default)]
pub(crate) struct Names {
    file: String,
    imports: Vec<Import>,
    defined: BTreeSet<String>,
    /// The paths outside `use`.
    paths: BTreeSet<Vec<String>>,
}

/// All modules, by the names that lead to them.
pub(crate) struct Modules(BTreeMap<Vec<String>, Names>);

/// Where a path leads.
#[derive(Debug, PartialEq)]
enum Found<'a> {
    Module,
    /// The file that defines the item.
    Item(&'a str),
    /// Another crate, or what a function defines for itself.
    Foreign,
    /// Nothing that the sources tell.
    Nowhere,
}

impl Names {
    pub(crate) fn read(file: &File) -> Self {
        let text = file.lines.join("\n");
        let tokens = tokens(&text);
        let mut names = Self { file: file.path.clone(), ..Self::default() };
        let (mut at, mut rest) = (0, vec![]);
        while at < tokens.len() {
            // The other `use` says what a returned `impl` captures.
            if tokens[at] == "use" && tokens.get(at + 1) != Some(&"<") {
                let handed_on = ["pub", ")"].contains(&at.checked_sub(1).map_or("", |before| tokens[before]));
                let first = names.imports.len();
                at = names.tree(&tokens, at + 1, &[]);
                names.imports[first..].iter_mut().for_each(|import| import.used = !handed_on);
            } else {
                rest.push(tokens[at]);
                at += 1;
            }
        }
        names.items(&rest);
        names.paths(&rest);
        for import in &mut names.imports {
            import.used |=
                rest.windows(2).any(|pair| pair[1] == import.name && ![".", "::", "fn", "mod"].contains(&pair[0]));
        }
        names
    }

    /// Reads a tree of `use`, gives where it ends.
    fn tree(&mut self, tokens: &[&str], mut at: usize, prefix: &[String]) -> usize {
        let mut path = prefix.to_vec();
        loop {
            match tokens[at] {
                "{" => {
                    at += 1;
                    while tokens[at] != "}" {
                        at = self.tree(tokens, at, &path);
                        at += usize::from(tokens[at] == ",");
                    }
                    return at + 1;
                }
                "::" => at += 1,
                "self" if !path.is_empty() => at += 1,
                "as" => {
                    self.imports.push(Import { name: tokens[at + 1].to_owned(), path, used: true });
                    return at + 2;
                }
                // Of a crate's prelude; in a module of this house the star leads nowhere.
                name if name == "*" || name.starts_with(is_word) => {
                    path.push(name.to_owned());
                    at += 1;
                }
                _ => {
                    let name = path.last().cloned().unwrap_or_default();
                    self.imports.push(Import { name, path, used: true });
                    return at;
                }
            }
        }
    }

    fn items(&mut self, tokens: &[&str]) {
        let mut depth = 0_usize;
        for pair in tokens.windows(2) {
            match pair[0] {
                "{" => depth += 1,
                "}" => depth -= 1,
                word if depth == 0 && DEFINE.contains(&word) => {
                    self.defined.insert(pair[1].to_owned());
                }
                _ => {}
            }
        }
    }

    fn paths(&mut self, tokens: &[&str]) {
        for (at, token) in tokens.iter().enumerate() {
            let starts = token.starts_with(is_word) && tokens.get(at + 1) == Some(&"::");
            if starts && at.checked_sub(1).is_none_or(|before| tokens[before] != "::") {
                let steps = tokens[at..].chunks(2).take_while(|step| step[0].starts_with(is_word));
                let length = 1 + steps.clone().take_while(|step| step.get(1) == Some(&"::")).count();
                self.paths.insert(steps.take(length).map(|step| step[0].to_owned()).collect());
            }
        }
    }

    /// The first names of the paths that lead out of the crate's root.
    pub(crate) fn rooms(&self, module: &[&str]) -> BTreeSet<String> {
        let imports = self.imports.iter().map(|import| &import.path);
        let absolute = imports.chain(&self.paths).filter_map(|path| {
            let up = path.iter().take_while(|name| *name == "super").count();
            match path.first()?.as_str() {
                "crate" => path.get(1),
                "super" if up == module.len() => path.get(up),
                _ => None,
            }
        });
        absolute.cloned().collect()
    }
}

impl Modules {
    pub(crate) fn read(files: &[File]) -> Self {
        let files = files.iter().filter(|file| file.path != "main.rs");
        let module = |file: &File| file.module().into_iter().map(str::to_owned).collect();
        Self(files.map(|file| (module(file), Names::read(file))).collect())
    }

    /// Follows a path that stands in a module.
    fn follow<'a>(&'a self, module: &[String], path: &[String]) -> Found<'a> {
        let mut at = module.to_vec();
        for (step, name) in path.iter().enumerate() {
            let rest = &path[step + 1..];
            let Some(names) = self.0.get(&at) else { return Found::Nowhere };
            let child = [at.as_slice(), std::slice::from_ref(name)].concat();
            let is_child = self.0.contains_key(&child);
            let import = names.imports.iter().find(|import| import.name == *name);
            match name.as_str() {
                "crate" => at.clear(),
                "self" => {}
                "super" => _ = at.pop(),
                // A function may be called like the module in which it is.
                _ if is_child && (!rest.is_empty() || import.is_none()) => at = child,
                _ if names.defined.contains(name) => return Found::Item(&names.file),
                _ => {
                    return match import {
                        // What is called like its crate.
                        Some(import) if import.path[0] == *name && !is_child => Found::Foreign,
                        Some(import) => self.follow(&at, &[&import.path, rest].concat()),
                        None if step == 0 => Found::Foreign,
                        None => Found::Nowhere,
                    };
                }
            }
        }
        Found::Module
    }

    /// Who takes what from whom.
    pub(crate) fn graph(&self) -> Graph {
        let mut graph = Graph::new();
        for (module, names) in &self.0 {
            let imports = names.imports.iter().filter(|import| import.used).map(|import| &import.path);
            let uses = graph.entry(names.file.clone()).or_default();
            for path in imports.chain(&names.paths) {
                match self.follow(module, path) {
                    Found::Item(file) if file != names.file => {
                        uses.entry(file.to_owned()).or_default().insert(path.join("::"));
                    }
                    Found::Nowhere => panic!("{}: `{}` leads nowhere", names.file, path.join("::")),
                    Found::Item(_) | Found::Module | Found::Foreign => {}
                }
            }
        }
        graph
    }
}
