//! Generated values. Each depends only on the seed and the place (database, iteration, row, and the name of the value),
//! so the same file and seed give the same data on every machine, in whatever order the threads run.

use minijinja::{Environment, Error, ErrorKind, State, value::Value};
use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;

use super::draws::Key;
use super::scope::{SELF, Scope};

/// The functions whose value differs from row to row.
pub(crate) const GENERATORS: [&str; 7] = ["uuid", "uuid7", "int", "text", "bytes", "pick", "name"];

/// Each function with its arguments, and its result.
pub(crate) const GENERATED: [(&str, &str); 7] = [
    ("uuid()", "A random UUID (version 4)."),
    ("uuid7()", "A UUID that increases with the iteration and the row (version 7)."),
    ("int(lo, hi)", "A whole number from `lo` to `hi`, both included."),
    ("text(length)", "A text of `length` lower-case letters and digits."),
    ("bytes(length)", "A blob of `length` bytes."),
    ("pick([a, b, …])", "One value of the list."),
    ("name()", "A first name and a last name, such as `Ada Hopper`."),
];

const FIRST_NAMES: [&str; 24] = [
    "Ada",
    "Alan",
    "Barbara",
    "Dennis",
    "Donald",
    "Edsger",
    "Frances",
    "Grace",
    "Hedy",
    "Jean",
    "John",
    "Katherine",
    "Ken",
    "Leslie",
    "Linus",
    "Margaret",
    "Niklaus",
    "Radia",
    "Richard",
    "Robin",
    "Sophie",
    "Tim",
    "Tony",
    "Zoë",
];
const LAST_NAMES: [&str; 24] = [
    "Allen", "Backus", "Bartik", "Codd", "Dijkstra", "Gray", "Hamilton", "Hoare", "Hopper", "Johnson", "Kay", "Knuth",
    "Lamport", "Liskov", "Lovelace", "McCarthy", "Milner", "O'Neill", "Perlman", "Ritchie", "Thompson", "Turing",
    "Wilson", "Wirth",
];
/// 2026-01-01T00:00:00Z in milliseconds: the start of time for `uuid7()`. The real clock would not be reproducible.
const EPOCH: u64 = 1_767_225_600_000;
const LONGEST: u64 = 64 * 1024 * 1024;

pub(super) fn register(environment: &mut Environment<'static>) {
    environment.add_function("uuid", |state: &State<'_, '_>| {
        draw(state, |rng, _| Ok(uuid::Builder::from_random_bytes(random_bytes(rng)).into_uuid().to_string()))
    });
    environment.add_function("uuid7", |state: &State<'_, '_>| {
        draw(state, |rng, key| {
            let [_, _, _, iteration, _, row] = *key;
            let milliseconds = EPOCH + iteration.wrapping_mul(1_000_000).wrapping_add(row) % (1 << 40);
            let random: [u8; 16] = random_bytes(rng);
            let mut ten = [0_u8; 10];
            ten.copy_from_slice(&random[..10]);
            Ok(uuid::Builder::from_unix_timestamp_millis(milliseconds, &ten).into_uuid().to_string())
        })
    });
    environment.add_function("int", |state: &State<'_, '_>, low: i64, high: i64| {
        if low > high {
            return Err(wrong(format!("int({low}, {high}): the first number must not be greater than the second")));
        }
        draw(state, |rng, _| Ok(rng.random_range(low..=high)))
    });
    environment.add_function("text", |state: &State<'_, '_>, length: u64| {
        let length = checked_length("text", length)?;
        draw(state, |rng, _| {
            const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
            Ok((0..length).map(|_| char::from(LETTERS[rng.random_range(0..LETTERS.len())])).collect::<String>())
        })
    });
    environment.add_function("bytes", |state: &State<'_, '_>, length: u64| {
        let length = checked_length("bytes", length)?;
        draw(state, |rng, _| {
            let mut bytes = vec![0_u8; length];
            rng.fill_bytes(&mut bytes);
            Ok(Value::from_bytes(bytes))
        })
    });
    environment.add_function("pick", |state: &State<'_, '_>, choices: Vec<Value>| {
        if choices.is_empty() {
            return Err(wrong("pick([]): the list is empty".to_owned()));
        }
        draw(state, |rng, _| Ok(choices[rng.random_range(0..choices.len())].clone()))
    });
    environment.add_function("name", |state: &State<'_, '_>| {
        draw(state, |rng, _| {
            let first = FIRST_NAMES[rng.random_range(0..FIRST_NAMES.len())];
            let last = LAST_NAMES[rng.random_range(0..LAST_NAMES.len())];
            Ok(format!("{first} {last}"))
        })
    });
}

fn draw<T>(state: &State<'_, '_>, value: impl FnOnce(&mut ChaCha8Rng, &Key) -> Result<T, Error>) -> Result<T, Error> {
    let scope = state.lookup(SELF);
    let scope = scope.as_ref().and_then(|scope| scope.downcast_object_ref::<Scope>());
    let draws = scope.and_then(Scope::draws).ok_or_else(|| wrong("values cannot be generated here".to_owned()))?;
    let mut draws = draws.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let key = draws.key();
    value(draws.rng(), &key)
}

fn random_bytes<const N: usize>(rng: &mut ChaCha8Rng) -> [u8; N] {
    let mut bytes = [0; N];
    rng.fill_bytes(&mut bytes);
    bytes
}

fn checked_length(function: &str, length: u64) -> Result<usize, Error> {
    if length > LONGEST {
        return Err(wrong(format!("{function}({length}): the maximum length is {LONGEST}")));
    }
    usize::try_from(length).map_err(|_| wrong(format!("{function}({length}): too long")))
}

fn wrong(message: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

#[cfg(test)]
mod tests {
    use crate::template::{Salt, Scope, Text, Variables};

    fn render(source: &str, scope: &Scope) -> String {
        Text::compile(source).expect(source).render(scope).expect(source)
    }

    fn scope(seed: u64) -> Scope {
        let none = serde_json::Map::new();
        Scope::new(Variables { vars: none.clone(), scale: none, seed }).database(1, 1, "u").iteration(1)
    }

    #[test]
    fn every_function_is_told() {
        let told = super::GENERATED.map(|(call, _)| call.split('(').next().unwrap_or_default());
        assert_eq!(told, super::GENERATORS);
    }

    #[test]
    fn the_same_place_gives_the_same_value_and_another_place_another() {
        for source in ["{{ uuid() }}", "{{ uuid7() }}", "{{ int(1, 1000000000) }}", "{{ text(20) }}"] {
            let value = |seed, row, salt: &str| render(source, &scope(seed).salted(Salt::of(salt)).row(row));
            assert_eq!(value(1, 1, "a"), value(1, 1, "a"), "{source}");
            assert_ne!(value(1, 1, "a"), value(1, 2, "a"), "{source}");
            assert_ne!(value(1, 1, "a"), value(2, 1, "a"), "{source}");
            assert_ne!(value(1, 1, "a"), value(1, 1, "b"), "{source}");
        }
    }

    #[test]
    fn two_draws_of_one_value_differ() {
        let both = render("{{ text(20) }} {{ text(20) }}", &scope(1).row(1));
        let (first, second) = both.split_once(' ').expect("two values");
        assert_ne!(first, second);
    }

    #[test]
    fn bounds_are_kept_and_wrong_ones_named() {
        for row in 0..100 {
            let number: i64 = render("{{ int(-2, 2) }}", &scope(3).row(row)).parse().expect("a number");
            assert!((-2..=2).contains(&number));
        }
        let problem = Text::compile("{{ int(2, 1) }}").expect("it compiles").render(&scope(1)).expect_err("2 > 1");
        assert!(problem.message.contains("int(2, 1)"), "{problem:?}");
    }
}
