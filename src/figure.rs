//! Figures as people read them: counts with separated thousands, durations and sizes in sensible units. It must not
//! know what they are of.

use std::time::Duration;

/// `1,234,567`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut separated = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            separated.push(',');
        }
        separated.push(digit);
    }
    separated
}

/// `1 row`, `1,000 rows`; a noun in `-y` or `-sh` is not expected.
pub fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", thousands(number))
}

/// `850 µs`, `12.3 ms`, `4.56 s`, `2m 05s`, `1h 02m`.
pub fn duration(duration: Duration) -> String {
    let microseconds = duration.as_micros();
    let seconds = duration.as_secs();
    // The bounds lie where rounding would give the next unit: 999.96 ms is 1.00 s.
    if microseconds < 1000 {
        format!("{microseconds} µs")
    } else if microseconds < 999_950 {
        format!("{:.1} ms", duration.as_secs_f64() * 1e3)
    } else if microseconds < 59_995_000 {
        format!("{:.2} s", duration.as_secs_f64())
    } else if seconds < 3600 {
        format!("{}m {:02}s", seconds.max(60) / 60, if seconds < 60 { 0 } else { seconds % 60 })
    } else {
        format!("{}h {:02}m", thousands(seconds / 3600), seconds % 3600 / 60)
    }
}

/// `512 B`, `10.5 KiB`, `1.2 MiB`.
pub fn bytes(bytes: u64) -> String {
    let mut size = bytes as f64;
    let mut unit = "B";
    for next in ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"] {
        if size < 1023.95 {
            break;
        }
        size /= 1024.0;
        unit = next;
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{size:.1} {unit}") }
}

/// A rate: whole and with separated thousands from a hundred on, with a digit more below.
pub fn rate(rate: f64) -> String {
    if rate >= 100.0 { thousands(whole(rate)) } else { format!("{rate:.1}") }
}

/// A non-negative number, rounded.
pub fn whole(number: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast saturates, and NaN is 0")]
    let whole = number.round() as u64;
    whole
}

/// `1`, `1 and 2`, `1, 2 and 3`.
pub fn list<T: ToString>(items: &[T]) -> String {
    let items: Vec<String> = items.iter().map(T::to_string).collect();
    match items.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// Sorted numbers with runs of three and more folded: `1–5, 8, 9`.
pub fn runs(numbers: &[u64]) -> String {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some((_, end)) if number.checked_sub(1) == Some(*end) => *end = *number,
            _ => runs.push((*number, *number)),
        }
    }
    let texts: Vec<String> = runs
        .into_iter()
        .map(|(start, end)| match end - start {
            0 => start.to_string(),
            1 => format!("{start}, {end}"),
            _ => format!("{start}–{end}"),
        })
        .collect();
    texts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_as_people_read_them() {
        assert_eq!([0, 999, 1000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([1, 2, 0].map(|number| counted(number, "row")), ["1 row", "2 rows", "0 rows"]);
        for (microseconds, text) in [
            (0, "0 µs"),
            (850, "850 µs"),
            (12_340, "12.3 ms"),
            (999_960, "1.00 s"),
            (4_560_000, "4.56 s"),
            (59_999_999, "1m 00s"),
            (125_000_000, "2m 05s"),
            (3_720_000_000, "1h 02m"),
        ] {
            assert_eq!(duration(Duration::from_micros(microseconds)), text);
        }
        assert_eq!([512, 10_752, 1_048_575, 1_258_291].map(bytes), ["512 B", "10.5 KiB", "1.0 MiB", "1.2 MiB"]);
        assert_eq!([0.04, 99.9, 12_345.6].map(rate), ["0.0", "99.9", "12,346"]);
        assert_eq!(list(&[1, 2, 3]), "1, 2 and 3");
        assert_eq!(runs(&[1, 2, 3, 5, 9, 10]), "1–3, 5, 9, 10");
        assert_eq!(duration(Duration::MAX).split(' ').count(), 2);
    }
}
