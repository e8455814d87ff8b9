//! What SQL may not do in a sandbox, while tables are declared, and on the hub: leave its own database; and which addresses
//! are those of this machine. Says so of one wish at a time; it must not know who asks, or how SQLite is told.

use core::net::IpAddr;

/// What to do about a refusal.
pub(crate) const HELP: &str = "run it without `--sandbox` if you trust the scenario";

/// Functions that read or write files, load code, or choose another server.
const FUNCTIONS: [&str; 11] = [
    "cloudsync_network_init",
    "cloudsync_network_init_custom",
    "cloudsync_network_set_apikey",
    "cloudsync_network_set_token",
    "cloudsync_payload_load",
    "cloudsync_payload_save",
    "edit",
    "fts3_tokenizer",
    "load_extension",
    "readfile",
    "writefile",
];
/// Pragmas that reach beyond their database: files, or settings of the whole process.
const PRAGMAS: [&str; 6] = [
    "data_store_directory",
    "hard_heap_limit",
    "lock_proxy_file",
    "soft_heap_limit",
    "temp_store_directory",
    "writable_schema",
];

/// Something that a statement wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish<'a> {
    /// To open another file, also by `VACUUM INTO`; its name where it is a literal.
    Attach(Option<&'a str>),
    /// To call a function.
    Function(&'a str),
    /// To read or set a pragma.
    Pragma(&'a str),
}

impl Wish<'_> {
    /// Whether it reaches beyond the statement's own database.
    pub(crate) fn is_refused(self) -> bool {
        let among = |names: &[&str], wanted: &str| names.iter().any(|name| name.eq_ignore_ascii_case(wanted));
        match self {
            // SQLite itself attaches a file without a name to vacuum.
            Self::Attach(file) => !file.is_some_and(|file| file.is_empty() || file == ":memory:"),
            Self::Function(name) => among(&FUNCTIONS, name),
            Self::Pragma(name) => among(&PRAGMAS, name),
        }
    }
}

/// Whether an address, such as `http://127.0.0.1:7800`, is one of this machine.
pub(crate) fn is_local(address: &str) -> bool {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let host_and_port = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = match host_and_port.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host_and_port.split(':').next().unwrap_or_default(),
    };
    // `0.0.0.0` is where a hub on all interfaces says it listens.
    let is_here = |ip: IpAddr| ip.to_canonical().is_loopback() || ip.is_unspecified();
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(is_here)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leaves_the_run_s_directory_is_refused_and_nothing_else() {
        for refused in [
            Wish::Attach(Some("/tmp/x")),
            Wish::Attach(Some("file:x?mode=memory")),
            Wish::Attach(None),
            Wish::Function("Load_Extension"),
            Wish::Function("writefile"),
            Wish::Function("cloudsync_network_init_custom"),
            Wish::Pragma("TEMP_STORE_DIRECTORY"),
        ] {
            assert!(refused.is_refused(), "{refused:?}");
        }
        for allowed in [
            Wish::Attach(Some("")),
            Wish::Attach(Some(":memory:")),
            Wish::Function("upper"),
            Wish::Function("cloudsync_network_send_changes"),
            Wish::Pragma("journal_mode"),
        ] {
            assert!(!allowed.is_refused(), "{allowed:?}");
        }
    }

    #[test]
    fn an_address_of_this_machine_is_told_from_those_that_only_look_like_one() {
        for local in
            ["http://127.0.0.1:9", "https://LOCALHOST/x", "http://a:b@[::1]:80/", "sqlitecloud://127.0.0.1:8860/d?x=1"]
        {
            assert!(is_local(local), "{local}");
        }
        for other in [
            "https://cloudsync.sqlite.ai",
            "http://127.0.0.1@example.com/",
            "http://localhost.example.com",
            "http://example.com/127.0.0.1",
            "http://example.com\\@127.0.0.1/",
            "http://10.0.0.1",
            "",
        ] {
            assert!(!is_local(other), "{other}");
        }
    }
}
