//! Why a file may not grow: a full disk, or a limit of the system. SQLite does not tell one from the other.

/// What to do about a file that could not grow.
pub(crate) fn room() -> &'static str {
    if file_size_limit().is_some() {
        "the system limits the size of files: raise the limit with `ulimit -f unlimited`"
    } else {
        "free some disk space, or name another directory with `--out`"
    }
}

/// How large a file may become, in bytes, where the system limits that.
#[cfg(unix)]
pub(crate) fn file_size_limit() -> Option<u64> {
    rlimit::Resource::FSIZE.get_soft().ok().filter(|limit| *limit != rlimit::INFINITY)
}

/// How large a file may become, in bytes, where the system limits that.
#[cfg(not(unix))]
pub(crate) fn file_size_limit() -> Option<u64> {
    None
}
