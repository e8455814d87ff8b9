use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

fn text(text: &str) -> Cell<'_> {
    Cell::Text(Bytes(text.as_bytes()))
}

/// A text that was written and then edited.
fn edited(texts: &[&str]) -> Blocks {
    let mut blocks = Blocks::new(b"\n", text(texts[0]));
    texts.windows(2).for_each(|pair| blocks.edit(text(pair[0]), text(pair[1])));
    blocks
}

/// The blocks that are there with their positions, and behind `-` the positions of those that are gone.
fn shown(blocks: &Blocks, value: &str) -> String {
    let show = |(position, held): (Position, Held<'_>)| match held.block {
        Some(block) => format!("{position}={}", String::from_utf8_lossy(block)),
        None => format!("-{position}"),
    };
    blocks.state(text(value)).into_iter().map(show).collect::<Vec<_>>().join(" ")
}

#[test]
fn an_edit_keeps_and_gives_the_positions_that_cloudsync_does() {
    // All of them were seen in version 1.1.4.
    for (texts, left) in [
        (&["x\ny"][..], "a0=x a1=y"),
        (&[""], "a0="),
        (&["1\r\n2\r\n"], "a0=1\r a1=2\r a2="),
        (&["x\ny", "x\nz"], "a0=x a0V=z -a1"),
        (&["1\n2\n3\n4", "4\n1\n2\n3"], "-a0 -a1 -a2 a3=4 a4=1 a5=2 a6=3"),
        (&["1\n2\n3\n4", "4\n1\n2\n3", "4\n1\n5\n2\n2\n3\n"], "-a0 -a1 -a2 a3=4 a4=1 a4V=5 a5=2 a5V=2 a6=3 a7="),
        (&["", "q\nr"], "Zz=q ZzV=r -a0"),
    ] {
        assert_eq!(shown(&edited(texts), texts[texts.len() - 1]), left, "{texts:?}");
    }
}

#[test]
fn a_text_that_is_written_anew_is_no_edit_and_null_has_no_blocks() {
    let mut blocks = edited(&["x\ny\nz"]);
    blocks.rewrite(text("q\ny"));
    assert_eq!(shown(&blocks, "q\ny"), "a0=q a1=y -a2");
    assert_eq!(blocks.list().iter().map(|(_, version)| *version).collect::<Vec<_>>(), [3, 3, 2]);
    blocks.edit(text("q\ny"), Cell::Null);
    assert_eq!(blocks.there(), []);
    blocks.edit(Cell::Null, text("n"));
    assert_eq!(shown(&blocks, "n"), "a0=n -a1 -a2", "the first position again");
    // Whatever was written while nobody looked counts as written once.
    assert_eq!(shown(&edited(&["a\nb", "a\nc"]), "a\nb\nc"), "a0=a a1=b a2=c");
    let mut blocks = edited(&["a\nb", "a\nc"]);
    blocks.edit(text("x"), text("y"));
    assert_eq!(shown(&blocks, "y"), "a0=y -a0V -a1");
}

/// What comes of two states with their texts.
fn joined(held: (&Blocks, &str), other: (&Blocks, &str)) -> Joined {
    join((Some(held.0), text(held.1)), (Some(other.0), text(other.1)))
}

#[test]
fn different_lines_of_two_writers_both_stay_and_one_line_of_both_is_that_of_one() {
    for (start, one, other, both) in [
        ("a\nb\nc", "A\nb\nc", "a\nb\nC", "A\nb\nC"),
        ("a\nb\nc", "a\nnew\nb\nc", "a\nb\nc\nlast", "a\nnew\nb\nc\nlast"),
        ("a\nb\nc", "b\nc", "a\nb", "b"),
        ("a\nb\nc", "a\nx\nc", "a\ny\nc", "a\ny\nc"),
        // Two lines at one place take one position, there as here.
        ("a\nb", "a\nx\nb", "a\ny\nb", "a\ny\nb"),
        ("a\nb", "a\nx\nz\nb", "a\ny\nb", "a\ny\nz\nb"),
        ("a\nb", "a", "a\nB", "a\nB"),
        ("a", "a\n", "b\na", "b\na\n"),
    ] {
        let (blocks, others) = (edited(&[start, one]), edited(&[start, other]));
        let text = match joined((&blocks, one), (&others, other)) {
            Joined::Both(OwnedCell::Text(text), blocks) => {
                let text = String::from_utf8(text).expect("UTF-8");
                assert_eq!(joined((&blocks, &text), (&others, other)), Joined::Held, "nothing is missing");
                text
            }
            Joined::Held => one.to_owned(),
            Joined::Other => other.to_owned(),
            joined => panic!("{joined:?}"),
        };
        assert_eq!(text, both, "{start:?}");
    }
    let gone = joined((&edited(&["a\nb", "b"]), "b"), (&edited(&["a\nb", "a"]), "a"));
    assert!(matches!(gone, Joined::Both(OwnedCell::Null, _)), "no block is left: {gone:?}");
}

#[test]
fn what_is_no_text_is_merged_as_a_whole() {
    let blocks = edited(&["a"]);
    let join = |one, other| super::join((Some(&blocks), one), (Some(&blocks), other));
    assert_eq!(join(Cell::Integer(1), Cell::Integer(2)), Joined::Other);
    assert_eq!(join(Cell::Integer(9), text("a")), Joined::Other);
    assert_eq!(join(text("a"), Cell::Blob(Bytes(b"z"))), Joined::Held);
    let others = Blocks::new(b"||", text("a"));
    assert_eq!(joined((&blocks, "z"), (&others, "a")), Joined::Other, "the larger delimiter");
    assert_eq!(super::join((None, text("a\nb")), (Some(&edited(&["a\nb", "a\nc"])), text("a\nc"))), Joined::Other);
    assert_eq!(super::join((None, text("b")), (None, text("a"))), Joined::Held);
}

#[test]
fn ten_thousand_lines_are_edited_and_merged_in_time() {
    let lines = |changed: usize| -> String {
        (0..10_000)
            .map(|line| if line % 100 == changed { format!("changed {line}\n") } else { format!("{line}\n") })
            .collect()
    };
    let (start, one, other) = (lines(100), lines(1), lines(2));
    let begun = Instant::now();
    let (blocks, others) = (edited(&[&start, &one]), edited(&[&start, &other]));
    let Joined::Both(OwnedCell::Text(both), _) = joined((&blocks, &one), (&others, &other)) else {
        panic!("both changed something");
    };
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(both.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"changed")).count(), 200);
    // None of the lines stays.
    let rewritten = lines(100).replace('\n', "!\n");
    edited(&[&start, &rewritten, &start]);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[test]
fn a_text_of_too_many_blocks_is_one_and_bytes_that_speak_of_more_are_refused() {
    let many = "\n".repeat(MOST);
    assert_eq!(Blocks::new(b"\n", text(&many)).there().len(), 1);
    assert_eq!(Blocks::new(b"\n", text(&many[1..])).there().len(), MOST);
    // Numbers of one byte each, or of the four that follow a 255.
    let take: Take = |bytes| {
        let (&first, rest) = bytes.split_first().ok_or(Malformed)?;
        *bytes = rest;
        if first < 255 {
            return Ok(u64::from(first));
        }
        let (number, rest) = bytes.split_first_chunk::<4>().ok_or(Malformed)?;
        *bytes = rest;
        Ok(u64::from(u32::from_be_bytes(*number)))
    };
    let read = |bytes: &[u8]| Blocks::read(&mut &*bytes, take);
    let most = Blocks { delimiter: b"|".to_vec(), places: Places::Initial(MOST) };
    assert_eq!(read(&[1, b'|', 0, 255, 0, 16, 0, 0]), Ok(most));
    assert_eq!(read(&[1, b'|', 0, 255, 0, 16, 0, 1]), Err(Malformed));
    let listed = Blocks { delimiter: b"|".to_vec(), places: Places::Listed(vec![(Position::first(), 3)]) };
    assert_eq!(read(&[1, b'|', 2, 2, b'a', b'0', 3]), Ok(listed));
    for bytes in [
        &[0, 0, 1][..],
        &[1, b'|'],
        &[1, b'|', 2, 2, b'a', b'0'],
        &[1, b'|', 2, 9, b'a', b'0', 3],
        &[1, b'|', 2, 2, b'a', b'.', 3],
        &[1, b'|', 3, 2, b'a', b'1', 1, 2, b'a', b'0', 1],
    ] {
        assert_eq!(read(bytes), Err(Malformed), "{bytes:?}");
    }
}

/// A state with its text: what some edits made of one text.
fn state() -> impl Strategy<Value = (Blocks, OwnedCell)> {
    let line = prop_oneof!["[a-c]", Just(String::new())];
    let text = prop_oneof![
        8 => proptest::collection::vec(line, 1..5).prop_map(|lines| OwnedCell::Text(lines.join("\n").into_bytes())),
        1 => Just(OwnedCell::Null),
    ];
    proptest::collection::vec((text, any::<bool>()), 0..4).prop_map(|texts| {
        let mut value = OwnedCell::Text(b"a\nb\nc".to_vec());
        let mut blocks = Blocks::new(b"\n", value.cell());
        for (text, anew) in texts {
            if anew {
                blocks.rewrite(text.cell());
            } else {
                blocks.edit(value.cell(), text.cell());
            }
            value = text;
        }
        (blocks, value)
    })
}

fn joined_states(held: &(Blocks, OwnedCell), other: &(Blocks, OwnedCell)) -> (Blocks, OwnedCell) {
    match join((Some(&held.0), held.1.cell()), (Some(&other.0), other.1.cell())) {
        Joined::Same | Joined::Held => held.clone(),
        Joined::Other => other.clone(),
        Joined::Both(text, blocks) => (blocks, text),
    }
}

/// A state without regard to how it is kept.
fn meant((blocks, value): &(Blocks, OwnedCell)) -> (Vec<(Position, Held<'_>)>, OwnedCell) {
    (blocks.state(value.cell()), value.clone())
}

proptest! {
    #[test]
    fn states_of_texts_form_a_semilattice(a in state(), b in state(), c in state()) {
        let join = joined_states;
        prop_assert_eq!(join(&a, &a), a.clone());
        let (ab, ba) = (join(&a, &b), join(&b, &a));
        prop_assert_eq!(meant(&ab), meant(&ba));
        let (left, right) = (join(&ab, &c), join(&a, &join(&b, &c)));
        prop_assert_eq!(meant(&left), meant(&right));
        let (blocks, value) = &left;
        prop_assert!(blocks_at(value.cell(), b"\n", blocks.there().len()).is_some(), "{:?} {:?}", blocks, value);
    }

    #[test]
    fn an_edit_says_the_text_that_it_was_given((blocks, value) in state(), new in "[a-c\n]{0,9}") {
        let mut after = blocks.clone();
        after.edit(value.cell(), text(&new));
        prop_assert_eq!(after.there().len(), split(text(&new), b"\n").len());
        let join = join((Some(&blocks), value.cell()), (Some(&after), text(&new)));
        prop_assert!(matches!(join, Joined::Other | Joined::Same), "an edit wins over what it edited: {:?}", join);
    }
}
