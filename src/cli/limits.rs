//! The limits that the system sets to a process, held against what a run needs before anything starts.

use super::problem::Problem;
use crate::execute::{STACK, threads_suffice};
use crate::figure::bytes;
use crate::target::file_size_limit;

/// Descriptors of a database at work: the file, its log and shared memory, its log file, and both ends of a socket.
const DESCRIPTORS_PER_DATABASE: u64 = 7;
/// Descriptors of everything else.
const DESCRIPTORS_BESIDE: u64 = 128;
/// Threads of everything else: the hub's, those that look at the data, and those that watch.
const THREADS_BESIDE: usize = 24;
/// Addresses that the allocator reserves for a thread, where it does not share them: glibc, up to eight per processor.
const ARENA: u64 = 64 << 20;
const ARENAS_PER_PROCESSOR: usize = 8;
/// Addresses of a database at work, beside its thread's stack.
const ADDRESSES_PER_DATABASE: u64 = 1 << 20;
/// Addresses of everything else.
const ADDRESSES_BESIDE: u64 = 256 << 20;

/// Sees that the system lets a run of this many databases have what it needs.
pub(super) fn suffice(databases: usize) -> Result<(), Problem> {
    addresses_suffice(databases)?;
    threads_suffice(databases + THREADS_BESIDE)?;
    descriptors_suffice(databases).map_err(|limit| {
        let needed = descriptors(databases);
        let most = limit.saturating_sub(DESCRIPTORS_BESIDE) / DESCRIPTORS_PER_DATABASE;
        let message = format!("{databases} databases need {needed} open files, and the system allows {limit}");
        let fewer = if most == 0 { String::new() } else { format!(", or run with `--databases {most}`") };
        Problem::could_not_run(message).help(format!("raise the limit with `ulimit -n {needed}`{fewer}"))
    })
}

/// The open files of a run with this many databases.
pub(super) fn descriptors(databases: usize) -> u64 {
    databases as u64 * DESCRIPTORS_PER_DATABASE + DESCRIPTORS_BESIDE
}

/// Raises the limit of open files to what this many databases need, or gives what it can be raised to.
pub(super) fn descriptors_suffice(databases: usize) -> Result<(), u64> {
    let needed = descriptors(databases);
    let limit = rlimit::increase_nofile_limit(needed).unwrap_or(u64::MAX);
    if limit < needed { Err(limit) } else { Ok(()) }
}

/// A process without addresses is ended by its allocator, in the middle of whatever it does.
fn addresses_suffice(databases: usize) -> Result<(), Problem> {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let arenas = (databases + THREADS_BESIDE).min(ARENAS_PER_PROCESSOR * processors) as u64 * ARENA;
    let each = databases as u64 * (ADDRESSES_PER_DATABASE + STACK as u64);
    let needed = ADDRESSES_BESIDE + arenas + each;
    let Some(limit) = addresses().filter(|limit| *limit < needed) else { return Ok(()) };
    let (needed, limit) = (bytes(needed), bytes(limit));
    let message = format!("{databases} databases need {needed} of address space, and the system allows {limit}");
    Err(Problem::could_not_run(message).help("raise the limit with `ulimit -v unlimited`"))
}

/// What a person should know of the limit of file sizes: what reaches it cannot be foreseen.
pub(super) fn of_file_sizes() -> Option<String> {
    let limit = file_size_limit()?;
    Some(format!("the system limits files to {} (`ulimit -f`): a larger file fails as on a full disk", bytes(limit)))
}

/// The addresses that the system allows, where it limits them.
#[cfg(unix)]
fn addresses() -> Option<u64> {
    rlimit::Resource::AS.get_soft().ok().filter(|limit| *limit != rlimit::INFINITY)
}

/// The addresses that the system allows, where it limits them.
#[cfg(not(unix))]
fn addresses() -> Option<u64> {
    None
}
