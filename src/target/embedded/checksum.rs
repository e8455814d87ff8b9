//! The checksum over a body that goes with every message: what was changed on the way is a failure of the network, and
//! is never taken for data.

/// The header that holds it.
pub(crate) const HEADER: &str = "stress-checksum";
/// The status by which a hub refuses a request whose checksum differs.
pub(crate) const DAMAGED: u16 = 422;

/// The checksum of a body, as it is written.
pub(crate) fn checksum(body: &[u8]) -> String {
    format!("{:016x}", xxhash_rust::xxh3::xxh3_64(body))
}
