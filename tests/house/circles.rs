//! No file takes anything from a file that takes something from it, also not around several corners.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::imports::{Graph, Modules};
use crate::source::{File, files};

/// The files that can be come to from one.
fn reachable<'a>(graph: &'a Graph, from: &'a str) -> BTreeSet<&'a str> {
    let (mut found, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(file) = open.pop() {
        let next = graph.get(file).into_iter().flat_map(|uses| uses.keys());
        open.extend(next.map(String::as_str).filter(|file| found.insert(*file)));
    }
    found
}

/// The sets of files of which each comes to each.
fn circles<'a>(graph: &'a Graph) -> BTreeSet<Vec<&'a str>> {
    let reached: BTreeMap<&str, BTreeSet<&str>> =
        graph.keys().map(|file| (file.as_str(), reachable(graph, file))).collect();
    let circle = |(file, others): (&&str, &BTreeSet<&'a str>)| -> Vec<&'a str> {
        others.iter().copied().filter(|other| reached[other].contains(file)).collect()
    };
    reached.iter().map(circle).filter(|circle| !circle.is_empty()).collect()
}

/// A circle with what its files take from each other.
fn told(graph: &Graph, circle: &[&str]) -> String {
    let mut text = format!("a circle of {} files:\n", circle.len());
    for file in circle {
        for (other, paths) in graph[*file].iter().filter(|(other, _)| circle.contains(&other.as_str())) {
            let some: Vec<&str> = paths.iter().take(4).map(String::as_str).collect();
            let more = if paths.len() > some.len() { ", …" } else { "" };
            let _ = writeln!(text, "  {file} → {other} ({}{more})", some.join(", "));
        }
    }
    text
}

/// Told, the circles of some files.
fn found(files: &[(&str, &str)]) -> Vec<String> {
    let files: Vec<File> = files.iter().map(|(path, text)| File::new(path, text)).collect();
    let graph = Modules::read(&files).graph();
    circles(&graph).iter().map(|circle| told(&graph, circle)).collect()
}

#[test]
fn no_file_takes_anything_from_one_that_takes_something_from_it() {
    let graph = Modules::read(&files()).graph();
    let circles: Vec<String> = circles(&graph).iter().map(|circle| told(&graph, circle)).collect();
    assert!(circles.is_empty(), "{}", circles.join("\n"));
}

#[test]
fn a_circle_is_seen_however_it_is_written() {
    const LIB: (&str, &str) = ("lib.rs", "pub mod a;\npub mod b;\npub mod c;");
    let two = |first, second| found(&[LIB, ("a.rs", first), ("b.rs", second)]);
    let circle = |first: &str, second: &str| {
        vec![format!("a circle of 2 files:\n  a.rs → b.rs ({first})\n  b.rs → a.rs ({second})\n")]
    };
    assert_eq!(two("use crate::b::B; struct A;", "use super::a::A; struct B;"), circle("crate::b::B", "super::a::A"));
    assert_eq!(two("use crate::b; fn f() { b::g() }", "fn g() { crate::a::f() }"), circle("b::g", "crate::a::f"));
    assert_eq!(
        two("use crate::{b::{self, B as Bee}}; type A = Bee;", "#[serde(with = \"crate::a::A\")] struct B;"),
        circle("crate::b::B", "crate::a::A")
    );

    // A parent whose own item its child takes.
    let room = |parent, child| found(&[("lib.rs", "mod a;"), ("a/mod.rs", parent), ("a/child.rs", child)]);
    let told = ["a circle of 2 files:\n  a/child.rs → a/mod.rs (super::A)\n  a/mod.rs → a/child.rs (child::B)\n"];
    assert_eq!(room("mod child; use child::B; struct A(B);", "use super::A; struct B;"), told);
    assert_eq!(room("mod child; pub use child::B; struct A(B);", "use super::A; struct B;"), told);

    // Around a corner, and by what a parent hands on.
    let corner = found(&[
        ("lib.rs", "mod a;"),
        ("a/mod.rs", "mod one; mod two; pub(crate) use one::One; pub use two::Two;"),
        ("a/one.rs", "use super::Two; struct One;"),
        ("a/two.rs", "mod three; struct Two(three::Three);"),
        ("a/two/three.rs", "struct Three(super::super::One);"),
    ]);
    assert_eq!(
        corner,
        ["a circle of 3 files:\n  a/one.rs → a/two.rs (super::Two)\n  a/two.rs → a/two/three.rs (three::Three)\n  \
          a/two/three.rs → a/one.rs (super::super::One)\n"]
    );
}

#[test]
fn what_is_no_circle_is_taken_for_none() {
    let room = |parent, child| found(&[("lib.rs", "mod a;"), ("a/mod.rs", parent), ("a/child.rs", child)]);
    let none = [""; 0];
    // A child that is only named, or whose item is only handed on.
    assert_eq!(room("mod child; struct A;", "use super::A; struct B;"), none);
    assert_eq!(room("mod child; pub use child::B; struct A;", "use super::A; struct B;"), none);
    // What tests, comments and texts say, and names that others have too.
    assert_eq!(
        room("mod child; struct A; #[cfg(test)] mod tests { use super::child::B; }", "use super::A; struct B;"),
        none
    );
    assert_eq!(room("mod child; struct A; // child::B\n/* child::B */", "use super::A; struct B;"), none);
    assert_eq!(room("mod child; struct A; const T: &str = r#\"\" child::B\"#;", "use super::A; struct B;"), none);
    assert_eq!(room("mod child; struct A; fn f() { other::child::B }", "use super::A; struct B;"), none);
    // Down through the rooms.
    assert_eq!(room("mod child; use child::B; struct A(B);", "use std::fmt; struct B(fmt::A);"), none);
}

#[test]
#[should_panic(expected = "a.rs: `crate::b::B` leads nowhere")]
fn a_path_that_cannot_be_followed_is_told_and_not_passed_over() {
    found(&[("lib.rs", "mod a; mod b;"), ("a.rs", "use crate::b::B;"), ("b.rs", "")]);
}
