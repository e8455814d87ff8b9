//! Texts that are merged block by block, as CloudSync merges them: each block of a text has a position and a version, and
//! of two states each position goes to the one that changed it more often, and in a tie to the larger block. So lines that
//! two databases added or changed at different places both stay. It must not know rows or messages.
//!
//! A block that is gone keeps its position and a version: an odd version is a block that is there, an even one a block that
//! was removed. The text itself holds the blocks that are there; here are only their places.

mod position;

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap, VecDeque};

use super::tie::order;
use super::wire::{Bytes, Cell, Malformed, OwnedCell};
pub(crate) use position::Position;
use position::{initial, zip};

/// The most blocks of a text. One that has more counts as one block: nobody merges a million lines, and nobody shall make
/// others count to more.
const MOST: usize = 1 << 20;

/// How one text came to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Blocks {
    /// What stands between two blocks. Never empty.
    delimiter: Vec<u8>,
    places: Places,
}

/// The positions of the blocks of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Places {
    /// So many blocks as they were first written: most texts are never edited.
    Initial(usize),
    /// Each with its version, in order.
    Listed(Vec<(Position, u64)>),
}

/// What comes of two states of a text.
#[derive(Debug, PartialEq)]
pub(crate) enum Joined {
    /// Both are the same.
    Same,
    /// What is held, to which the other adds nothing.
    Held,
    /// The other as it is.
    Other,
    /// Blocks of both.
    Both(OwnedCell, Blocks),
}

impl Blocks {
    /// A text that is written for the first time.
    pub(crate) fn new(delimiter: &[u8], value: Cell<'_>) -> Self {
        let delimiter = delimiter.to_owned();
        let count = split(value, &delimiter).len();
        Self { delimiter, places: Places::Initial(count) }
    }

    /// Whether the text is as it was first written.
    pub(crate) fn is_untouched(&self) -> bool {
        matches!(self.places, Places::Initial(_))
    }

    /// What stands between two blocks.
    pub(crate) fn delimiter(&self) -> &[u8] {
        &self.delimiter
    }

    /// The text is written anew, and is no edit of what was there: its blocks take the first positions.
    pub(crate) fn rewrite(&mut self, value: Cell<'_>) {
        let mut listed = self.map();
        for version in listed.values_mut().filter(|version| is_there(**version)) {
            *version = version.saturating_add(1);
        }
        for position in initial(split(value, &self.delimiter).len()) {
            let version = listed.entry(position).or_insert(0);
            *version = version.saturating_add(1);
        }
        self.places = Places::Listed(listed.into_iter().collect());
    }

    /// The text becomes another one. A block that is found further on keeps its position, blocks before it that are not
    /// found are gone, and others are new: so CloudSync compares two texts.
    pub(crate) fn edit(&mut self, old: Cell<'_>, new: Cell<'_>) {
        let positions = self.there();
        let Some(old) = blocks_at(old, &self.delimiter, positions.len()) else {
            // Written while nobody looked.
            return self.rewrite(new);
        };
        let mut found: HashMap<&[u8], VecDeque<usize>> = HashMap::new();
        for (place, block) in old.iter().enumerate() {
            found.entry(block).or_default().push_back(place);
        }
        let (mut listed, mut next, mut last) = (self.map(), 0, None::<Cow<'_, Position>>);
        let remove = |listed: &mut BTreeMap<Position, u64>, places: std::ops::Range<usize>| {
            for position in &positions[places] {
                listed.entry(position.clone()).and_modify(|version| *version = version.saturating_add(1));
            }
        };
        for block in split(new, &self.delimiter) {
            let places = found.get_mut(block);
            let place = places.and_then(|places| {
                while places.front().is_some_and(|place| *place < next) {
                    places.pop_front();
                }
                places.pop_front()
            });
            if let Some(place) = place {
                remove(&mut listed, next..place);
                (next, last) = (place + 1, Some(Cow::Borrowed(&positions[place])));
            } else {
                let position = Position::between(last.as_deref(), positions.get(next));
                let version = listed.entry(position.clone()).or_insert(0);
                *version = version.saturating_add(1);
                last = Some(Cow::Owned(position));
            }
        }
        remove(&mut listed, next..positions.len());
        self.places = Places::Listed(listed.into_iter().collect());
    }

    /// Whether this state may hold a block in a version that `other` has not seen.
    pub(crate) fn is_ahead_of(&self, other: &Self) -> bool {
        zip(self.list(), other.list()).any(|(_, own, other)| own.unwrap_or(0) > other.unwrap_or(0))
    }

    /// The positions with their versions.
    fn list(&self) -> Vec<(Position, u64)> {
        match &self.places {
            Places::Initial(count) => initial(*count).map(|position| (position, 1)).collect(),
            Places::Listed(listed) => listed.clone(),
        }
    }

    fn map(&self) -> BTreeMap<Position, u64> {
        self.list().into_iter().collect()
    }

    /// The positions of the blocks that are there.
    fn there(&self) -> Vec<Position> {
        self.list().into_iter().filter(|(_, version)| is_there(*version)).map(|(position, _)| position).collect()
    }

    /// Every position with its version and, where a block is there, the block.
    fn state<'t>(&self, text: Cell<'t>) -> Vec<(Position, Held<'t>)> {
        let list = self.list();
        let count = list.iter().filter(|(_, version)| is_there(*version)).count();
        let Some(blocks) = blocks_at(text, &self.delimiter, count) else {
            // Written while nobody looked: as if for the first time.
            let blocks = split(text, &self.delimiter);
            let held = |block| Held { version: 1, block: Some(block) };
            return initial(blocks.len()).zip(blocks.into_iter().map(held)).collect();
        };
        let mut blocks = blocks.into_iter();
        let mut held = |version| Held { version, block: if is_there(version) { blocks.next() } else { None } };
        list.into_iter().map(|(position, version)| (position, held(version))).collect()
    }

    /// Appends it as bytes.
    pub(crate) fn write(&self, bytes: &mut Vec<u8>, put: fn(&mut Vec<u8>, u64)) {
        let put_bytes = |bytes: &mut Vec<u8>, own: &[u8]| {
            put(bytes, number(own.len()));
            bytes.extend_from_slice(own);
        };
        put_bytes(bytes, &self.delimiter);
        match &self.places {
            Places::Initial(count) => {
                put(bytes, 0);
                put(bytes, number(*count));
            }
            Places::Listed(listed) => {
                put(bytes, number(listed.len()).saturating_add(1));
                for (position, version) in listed {
                    put_bytes(bytes, position.bytes());
                    put(bytes, *version);
                }
            }
        }
    }

    /// Reads what [`Self::write`] wrote.
    pub(crate) fn read(bytes: &mut &[u8], take: Take) -> Result<Self, Malformed> {
        let delimiter = take_bytes(bytes, take)?.to_owned();
        if delimiter.is_empty() {
            return Err(Malformed);
        }
        let places = match take(bytes)?.checked_sub(1) {
            None => {
                let count = usize::try_from(take(bytes)?).map_err(|_| Malformed)?;
                Places::Initial(Some(count).filter(|count| *count <= MOST).ok_or(Malformed)?)
            }
            Some(count) => {
                let mut listed: Vec<(Position, u64)> = Vec::new();
                for _ in 0..count {
                    let position = Position::read(take_bytes(bytes, take)?)?;
                    if listed.last().is_some_and(|(last, _)| *last >= position) {
                        return Err(Malformed);
                    }
                    listed.push((position, take(bytes)?));
                }
                Places::Listed(listed)
            }
        };
        Ok(Self { delimiter, places })
    }
}

/// Takes the next number from bytes.
type Take = fn(&mut &[u8]) -> Result<u64, Malformed>;

fn take_bytes<'b>(bytes: &mut &'b [u8], take: Take) -> Result<&'b [u8], Malformed> {
    let length = usize::try_from(take(bytes)?).map_err(|_| Malformed)?;
    let (own, rest) = bytes.split_at_checked(length).ok_or(Malformed)?;
    *bytes = rest;
    Ok(own)
}

/// A block in one state of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Held<'t> {
    version: u64,
    block: Option<&'t [u8]>,
}

/// Merges another state of a value into the one that is held. Without blocks, the larger value wins. Where one of two has
/// blocks, the other was written once. Of values that are neither texts nor NULL, the larger wins, and texts over them.
pub(crate) fn join(held: (Option<&Blocks>, Cell<'_>), other: (Option<&Blocks>, Cell<'_>)) -> Joined {
    let ((held, held_value), (other, other_value)) = (held, other);
    let whole = |held_beside_other: Ordering| match held_beside_other {
        Ordering::Less => Joined::Other,
        Ordering::Equal => Joined::Same,
        Ordering::Greater => Joined::Held,
    };
    if held.is_none() && other.is_none() {
        return whole(order(held_value, other_value));
    }
    match (is_text(held_value), is_text(other_value)) {
        (true, true) => {}
        (false, false) => return whole(order(held_value, other_value)),
        (held_is, other_is) => return whole(held_is.cmp(&other_is)),
    }
    let delimiter = match (held, other) {
        (Some(held), Some(other)) if held.delimiter != other.delimiter => {
            return whole(held.delimiter.cmp(&other.delimiter));
        }
        (Some(blocks), _) | (None, Some(blocks)) => blocks.delimiter.as_slice(),
        (None, None) => return whole(order(held_value, other_value)),
    };
    let state = |blocks: Option<&Blocks>, value| match blocks {
        Some(blocks) => blocks.state(value),
        None => Blocks::new(delimiter, value).state(value),
    };
    join_states(delimiter, state(held, held_value), state(other, other_value))
}

fn join_states(delimiter: &[u8], held: Vec<(Position, Held<'_>)>, other: Vec<(Position, Held<'_>)>) -> Joined {
    let (mut kept, mut taken) = (false, false);
    let (mut listed, mut blocks) = (Vec::new(), Vec::new());
    for (position, held, other) in zip(held, other) {
        let order = held.cmp(&other);
        kept |= order == Ordering::Greater;
        taken |= order == Ordering::Less;
        let Some(block) = held.max(other) else { continue };
        blocks.extend(block.block);
        listed.push((position, block.version));
    }
    match (kept, taken) {
        (false, false) => Joined::Same,
        (true, false) => Joined::Held,
        (false, true) => Joined::Other,
        (true, true) => {
            let text = if blocks.is_empty() { OwnedCell::Null } else { OwnedCell::Text(blocks.join(delimiter)) };
            Joined::Both(text, Blocks { delimiter: delimiter.to_owned(), places: Places::Listed(listed) })
        }
    }
}

/// Whether a value is a text or the absence of one.
pub(crate) fn is_text(value: Cell<'_>) -> bool {
    matches!(value, Cell::Text(_) | Cell::Null)
}

/// The blocks of a value: NULL has none, and an empty text has one, which is empty.
fn split<'t>(value: Cell<'t>, delimiter: &[u8]) -> Vec<&'t [u8]> {
    let Cell::Text(Bytes(text)) = value else { return Vec::new() };
    let (mut blocks, mut rest) = (Vec::new(), text);
    while let Some(at) = find(rest, delimiter) {
        blocks.push(&rest[..at]);
        rest = &rest[at + delimiter.len()..];
    }
    blocks.push(rest);
    if blocks.len() > MOST { vec![text] } else { blocks }
}

/// The blocks of a value, if they are so many. A column that cannot be NULL holds an empty text where no block is left.
fn blocks_at<'t>(value: Cell<'t>, delimiter: &[u8], count: usize) -> Option<Vec<&'t [u8]>> {
    if count == 0 && matches!(value, Cell::Text(Bytes(b""))) {
        return Some(Vec::new());
    }
    Some(split(value, delimiter)).filter(|blocks| blocks.len() == count)
}

fn find(text: &[u8], delimiter: &[u8]) -> Option<usize> {
    match delimiter {
        [] => None,
        [one] => text.iter().position(|byte| byte == one),
        _ => text.windows(delimiter.len()).position(|window| window == delimiter),
    }
}

fn is_there(version: u64) -> bool {
    version % 2 == 1
}

fn number(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
