//! The values that thresholds compare with, and how numbers are written in them. It must not know what is measured.

use std::time::Duration;

/// What is compared with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    /// A count, bytes, or rows per second.
    Number(f64),
    /// A duration.
    Duration(Duration),
    /// Bytes per second.
    BytesPerSecond(f64),
    /// As many as there are databases.
    All,
}

/// A plain decimal number: no sign, exponent, infinity or `NaN`.
pub(super) fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    text.parse().ok().filter(|_| plain)
}

/// Bytes per second, such as `10KiB/s`.
pub(super) fn size_per_second(text: &str) -> Option<f64> {
    size(text.strip_suffix("/s")?.trim_end())
}

/// Bytes, such as `10KiB`.
pub(super) fn size(size: &str) -> Option<f64> {
    let digits = size.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(size.len());
    let (amount, unit) = size.split_at(digits);
    let factor = match unit.trim() {
        "B" => 1.0,
        "kB" | "KB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "KiB" => 1024.0,
        "MiB" => 1024.0 * 1024.0,
        "GiB" => 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    Some(number(amount)? * factor)
}
