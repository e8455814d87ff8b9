//! Numbers that a record leaves out, because they say nothing.

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
pub(super) fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
pub(super) fn is_one(number: &u32) -> bool {
    *number == 1
}

pub(super) const fn one() -> u32 {
    1
}
