//! Did you mean: the nearest of the names there are, for every message about a name there is not.

/// `did you mean …`, or all that is known.
pub(crate) fn suggest<'n>(wrong: &str, known: impl IntoIterator<Item = &'n str>, what: &str) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    if let Some(best) = nearest(wrong, &known) {
        return format!("did you mean `{best}`?");
    }
    if known.is_empty() { format!("there are no {what} here") } else { format!("{what}: {}", list(&known)) }
}

/// The known name that `wrong` is most probably a slip for.
pub(crate) fn nearest<'n>(wrong: &str, known: &[&'n str]) -> Option<&'n str> {
    // Distances are quadratic in the length, and nobody mistypes a page.
    if wrong.chars().count() > 64 {
        return None;
    }
    let lower = wrong.to_lowercase();
    let score = |name: &str| strsim::damerau_levenshtein(&lower, &name.to_lowercase());
    let best = known.iter().copied().min_by_key(|name| score(name))?;
    let allowed = match wrong.chars().count() {
        0..=2 => 1,
        3..=7 => 2,
        _ => 3,
    };
    let near = score(best) <= allowed && score(best) < best.chars().count();
    let begins =
        |name: &str| name.len() > 2 && lower.len() > 2 && (lower.starts_with(name) || name.starts_with(&lower));
    if near { Some(best) } else { known.iter().copied().find(|name| begins(name)) }
}

/// Names in backticks: `a`, `b`.
pub(crate) fn list<S: AsRef<str>>(names: &[S]) -> String {
    names.iter().map(|name| format!("`{}`", name.as_ref())).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_suggested_and_a_far_one_is_not() {
        assert_eq!(suggest("seeed", ["seed", "schema"], "keys"), "did you mean `seed`?");
        assert_eq!(suggest("snd", ["send", "receive"], "calls"), "did you mean `send`?");
        assert_eq!(suggest("zebra", ["send", "receive"], "calls"), "calls: `send`, `receive`");
        assert_eq!(suggest("zebra", [], "calls"), "there are no calls here");
    }
}
