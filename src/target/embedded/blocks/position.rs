//! Positions of blocks: texts in an order in which another one always fits between two. The scheme is David Greenspan's
//! ("Implementing Fractional Indexing"), as CloudSync uses it, so that the same edits on two devices take the same
//! positions here as there. No crate has it: those that exist choose other positions, and others for long lists.
//!
//! A position is a number. Its first letter says how many digits the whole part has (`a` one, `b` two, …; before zero, `Z`
//! one, `Y` two, …), and digits of a fraction may follow, of which the last is not 0.

use std::cmp::Ordering;

use super::super::wire::Malformed;

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const LAST: u8 = b'z';

/// A position. The order of the bytes is the order of the blocks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position(Vec<u8>);

impl Position {
    /// The position of the first block of a new text.
    pub(super) fn first() -> Self {
        Self(b"a0".to_vec())
    }

    /// A position between two, or before or after one: always the same.
    pub(crate) fn between(before: Option<&Self>, after: Option<&Self>) -> Self {
        match (before, after) {
            (None, None) => Self::first(),
            (None, Some(after)) => {
                let (whole, fraction) = after.parts();
                if !fraction.is_empty() && !is_lowest(whole) {
                    return Self(whole.to_vec());
                }
                match decrement(whole) {
                    Some(lower) if !is_lowest(&lower) => Self(lower),
                    // As low as whole numbers go.
                    Some(lower) => Self([lower, middle(b"", None)].concat()),
                    None => Self([whole, &middle(b"", Some(fraction))].concat()),
                }
            }
            (Some(before), None) => {
                let (whole, fraction) = before.parts();
                Self(increment(whole).unwrap_or_else(|| [whole, &middle(fraction, None)].concat()))
            }
            (Some(before), Some(after)) => {
                let ((whole, fraction), (other, end)) = (before.parts(), after.parts());
                if whole == other {
                    return Self([whole, &middle(fraction, Some(end))].concat());
                }
                match increment(whole) {
                    Some(next) if next < after.0 => Self(next),
                    Some(_) | None => Self([whole, &middle(fraction, None)].concat()),
                }
            }
        }
    }

    /// A position as it was written.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let whole = bytes.first().and_then(|&head| length(head)).ok_or(Malformed)?;
        let is_digit = |digit: &u8| digit.is_ascii_alphanumeric();
        let is_whole = bytes.len() >= whole && bytes[1..].iter().all(is_digit);
        let ends_well = bytes.len() == whole && !is_lowest(bytes) || bytes.len() > whole && bytes.last() != Some(&b'0');
        if is_whole && ends_well { Ok(Self(bytes.to_vec())) } else { Err(Malformed) }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The whole part and the digits of the fraction.
    fn parts(&self) -> (&[u8], &[u8]) {
        self.0.split_at(length(self.0[0]).unwrap_or(self.0.len()))
    }
}

/// How long a whole part is that starts with this letter.
fn length(head: u8) -> Option<usize> {
    match head {
        b'a'..=b'z' => Some(usize::from(head - b'a') + 2),
        b'A'..=b'Z' => Some(usize::from(b'Z' - head) + 2),
        _ => None,
    }
}

/// Whether a whole part is the lowest, which is no position alone: nothing fits before it.
fn is_lowest(whole: &[u8]) -> bool {
    whole.first() == Some(&b'A') && whole.len() == 27 && whole[1..].iter().all(|&digit| digit == b'0')
}

/// The next whole number; none after the last.
fn increment(whole: &[u8]) -> Option<Vec<u8>> {
    let mut next = whole.to_vec();
    for digit in next[1..].iter_mut().rev() {
        if *digit == LAST {
            *digit = b'0';
        } else {
            *digit = DIGITS[value(*digit) + 1];
            return Some(next);
        }
    }
    match next[0] {
        b'Z' => Some(b"a0".to_vec()),
        b'z' => None,
        head => {
            next[0] = head + 1;
            resize(&mut next, b'0');
            Some(next)
        }
    }
}

/// The whole number before; none before the lowest.
fn decrement(whole: &[u8]) -> Option<Vec<u8>> {
    let mut lower = whole.to_vec();
    for digit in lower[1..].iter_mut().rev() {
        if *digit == b'0' {
            *digit = LAST;
        } else {
            *digit = DIGITS[value(*digit) - 1];
            return Some(lower);
        }
    }
    match lower[0] {
        b'a' => Some(b"Zz".to_vec()),
        b'A' => None,
        head => {
            lower[0] = head - 1;
            resize(&mut lower, LAST);
            Some(lower)
        }
    }
}

/// Gives a whole part as many digits as its first letter says.
fn resize(whole: &mut Vec<u8>, digit: u8) {
    let length = length(whole[0]).unwrap_or(whole.len());
    whole.resize(length, digit);
}

/// The digits of a fraction between two; none as the end stands for 1.
fn middle(before: &[u8], after: Option<&[u8]>) -> Vec<u8> {
    let digit_before = |place: usize| before.get(place).copied().unwrap_or(b'0');
    let (mut made, mut place, mut after) = (Vec::new(), 0, after);
    loop {
        let low = value(digit_before(place));
        let high = after.and_then(|after| after.get(place)).map_or(DIGITS.len(), |&digit| value(digit));
        match high.saturating_sub(low) {
            0 => made.push(DIGITS[low]),
            1 => {
                if let Some(after) = after
                    && after.len() > place + 1
                {
                    made.push(after[place]);
                    return made;
                }
                made.push(DIGITS[low]);
                after = None;
            }
            _ => {
                made.push(DIGITS[(low + high).div_ceil(2)]);
                return made;
            }
        }
        place += 1;
    }
}

fn value(digit: u8) -> usize {
    match digit {
        b'0'..=b'9' => usize::from(digit - b'0'),
        b'A'..=b'Z' => usize::from(digit - b'A') + 10,
        _ => usize::from(digit.saturating_sub(b'a')) + 36,
    }
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

/// The positions of the blocks of a new text, in order.
pub(super) fn initial(count: usize) -> impl Iterator<Item = Position> {
    std::iter::successors(Some(Position::first()), |last| Some(Position::between(Some(last), None))).take(count)
}

/// Both lists of two, in order: what stands at each position in the one, the other, or both.
pub(super) fn zip<A, B>(
    one: Vec<(Position, A)>,
    other: Vec<(Position, B)>,
) -> impl Iterator<Item = (Position, Option<A>, Option<B>)> {
    let (mut one, mut other) = (one.into_iter().peekable(), other.into_iter().peekable());
    std::iter::from_fn(move || {
        let order = match (one.peek(), other.peek()) {
            (Some((a, _)), Some((b, _))) => a.cmp(b),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return None,
        };
        Some(match order {
            Ordering::Less => one.next().map(|(position, a)| (position, Some(a), None))?,
            Ordering::Greater => other.next().map(|(position, b)| (position, None, Some(b)))?,
            Ordering::Equal => {
                let (position, a) = one.next()?;
                (position, Some(a), other.next().map(|(_, b)| b))
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Position {
        Position::read(text.as_bytes()).expect("a position")
    }

    #[test]
    fn positions_are_those_that_cloudsync_gives() {
        // Those up to `a5V` were seen in version 1.1.4.
        for (before, after, made) in [
            (None, None, "a0"),
            (Some("a0"), None, "a1"),
            (None, Some("a0"), "Zz"),
            (Some("Zz"), Some("a0"), "ZzV"),
            (Some("a0"), Some("a1"), "a0V"),
            (Some("a5"), Some("a6"), "a5V"),
            (Some("a0"), Some("a2"), "a1"),
            (Some("a0"), Some("a0V"), "a0G"),
            (Some("a0V"), Some("a1"), "a0l"),
            (None, Some("a0V"), "a0"),
            (None, Some("Z0"), "Yzz"),
            (Some("az"), None, "b00"),
            (Some("Zz"), None, "a0"),
            (Some("Yzz"), None, "Z0"),
            (Some("a01"), Some("a02"), "a01V"),
            (Some("a0zz"), Some("a1"), "a0zzV"),
        ] {
            let (before, after) = (before.map(at), after.map(at));
            assert_eq!(Position::between(before.as_ref(), after.as_ref()).to_string(), made);
        }
        let long: Vec<String> = initial(10_000).map(|position| position.to_string()).collect();
        assert_eq!((long[61].as_str(), long[62].as_str(), long[9_999].as_str()), ("az", "b00", "c1aH"));
    }

    #[test]
    fn what_is_no_position_is_refused() {
        for text in ["", "a", "a00", "a0.", "b0", "0", "-", &format!("A{}", "0".repeat(26))] {
            assert_eq!(Position::read(text.as_bytes()), Err(Malformed), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_position_always_fits_between_two(places in proptest::collection::vec(any::<prop::sample::Index>(), 0..300)) {
            let mut positions: Vec<Position> = Vec::new();
            for place in places {
                let place = place.index(positions.len() + 1);
                let before = place.checked_sub(1).map(|place| positions[place].clone());
                let made = Position::between(before.as_ref(), positions.get(place));
                prop_assert_eq!(Position::read(made.bytes()), Ok(made.clone()));
                positions.insert(place, made);
            }
            prop_assert!(positions.windows(2).all(|pair| pair[0] < pair[1]));
        }

        #[test]
        fn a_position_fits_between_any_two_that_can_be_read(
            texts in proptest::collection::vec("[A-Za-z][0-9A-Za-z]{0,4}|A0{26}[0z]{0,2}|z{27}[0z]{0,2}", 2),
        ) {
            let read: Vec<Position> = texts.iter().filter_map(|text| Position::read(text.as_bytes()).ok()).collect();
            for one in &read {
                prop_assert!(Position::between(None, Some(one)) < *one);
                prop_assert!(*one < Position::between(Some(one), None));
                for other in read.iter().filter(|other| one < *other) {
                    let between = Position::between(Some(one), Some(other));
                    prop_assert!(*one < between && between < *other, "{} {} {}", one, between, other);
                    prop_assert_eq!(Position::read(between.bytes()), Ok(between.clone()));
                }
            }
        }
    }
}
