//! What goes with every message, so that what was changed or doubled on the way is a failure of the network, and is never
//! taken for data: the checksum over the body, and which request an answer belongs to.

/// The header that holds it.
pub(crate) const HEADER: &str = "stress-checksum";
/// The header by which a request is told apart from others on its connection. The answer repeats it.
pub(crate) const REQUEST: &str = "stress-request";
/// The status by which a hub refuses a request whose checksum differs.
pub(crate) const DAMAGED: u16 = 422;

/// The checksum of a body, as it is written.
pub(crate) fn checksum(body: &[u8]) -> String {
    format!("{:016x}", xxhash_rust::xxh3::xxh3_64(body))
}
