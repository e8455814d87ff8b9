//! Which proxy a request takes: none to this machine, else the one that the environment names for its host. The only
//! place that reads these variables. Their user and password are secrets.

use ureq::http::Uri;
use ureq::{Proxy, ProxyProtocol};

use crate::failure::Secret;
use crate::sandbox;

/// Where proxies are named, by the scheme of the address; the first that is set counts.
const HTTPS: &[&str] = &["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
const HTTP: &[&str] = &["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
/// Where hosts are named that are reached without.
const NONE: &[&str] = &["NO_PROXY", "no_proxy"];

/// The proxy for requests to this address, or what is wrong with the variable that names it.
pub(crate) fn proxy(address: &str) -> Result<Option<Proxy>, String> {
    chosen(address, |name| std::env::var(name).ok())
}

/// The users and passwords of all proxies.
pub(super) fn secrets() -> Vec<Secret> {
    let values = HTTPS.iter().chain(HTTP).filter_map(|name| std::env::var(name).ok());
    values.flat_map(|value| userinfo(&value)).map(Secret::from).collect()
}

/// A proxy in words, without its user and password.
pub(super) fn words(proxy: &Proxy) -> String {
    let scheme = if proxy.protocol() == ProxyProtocol::Https { "https" } else { "http" };
    format!("{scheme}://{}:{}", proxy.host(), proxy.port())
}

fn chosen(address: &str, variable: impl Fn(&str) -> Option<String>) -> Result<Option<Proxy>, String> {
    let address = if address.contains("://") { address.to_owned() } else { format!("http://{address}") };
    // What is no address is told by the request itself.
    let Ok(uri) = address.parse::<Uri>() else { return Ok(None) };
    let Some(host) = uri.host().filter(|host| !is_here(host)) else { return Ok(None) };
    let first = |names: &[&'static str]| {
        names.iter().find_map(|&name| Some((name, variable(name).filter(|value| !value.is_empty())?)))
    };
    let Some((name, value)) = first(if uri.scheme_str() == Some("https") { HTTPS } else { HTTP }) else {
        return Ok(None);
    };
    let excepted = first(NONE).map_or_else(String::new, |(_, list)| list);
    if excepted.split(',').any(|entry| covers(entry.trim(), host)) {
        return Ok(None);
    }
    match Proxy::new(&value) {
        Ok(proxy) if matches!(proxy.protocol(), ProxyProtocol::Http | ProxyProtocol::Https) => Ok(Some(proxy)),
        Ok(_) => Err(format!("the proxy of {name} is a SOCKS proxy, which `stress` cannot use: name an HTTP proxy")),
        Err(_) => Err(format!("{name} is no address of a proxy: write it as `http://host:port`")),
    }
}

/// Whether a host is this machine.
fn is_here(host: &str) -> bool {
    let host = host.trim_end_matches('.');
    sandbox::is_local(host) || host.to_ascii_lowercase().ends_with(".localhost")
}

/// Whether an entry of `NO_PROXY` covers a host: the host itself, its domain, or `*`.
fn covers(entry: &str, host: &str) -> bool {
    let (entry, host) = (entry.to_ascii_lowercase(), host.to_ascii_lowercase());
    let domain = entry.trim_start_matches("*.").trim_start_matches('.');
    entry == "*" || !domain.is_empty() && (host == domain || host.ends_with(&format!(".{domain}")))
}

/// The user and the password of a proxy, as written.
fn userinfo(value: &str) -> Vec<String> {
    let rest = value.split_once("://").map_or(value, |(_, rest)| rest);
    let Some((userinfo, _)) = rest.rsplit_once('@') else { return Vec::new() };
    let parts =
        userinfo.split_once(':').map_or_else(|| vec![userinfo], |(user, password)| vec![userinfo, user, password]);
    let decoded = |part: &&str| percent_encoding::percent_decode_str(part).decode_utf8().ok().map(String::from);
    let decoded: Vec<String> = parts.iter().filter_map(decoded).collect();
    parts.into_iter().map(str::to_owned).chain(decoded).filter(|part| !part.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(address: &str, variables: &[(&str, &str)]) -> Result<Option<String>, String> {
        let value =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        chosen(address, value).map(|proxy| proxy.as_ref().map(words))
    }

    #[test]
    fn no_variable_brings_a_proxy_before_this_machine() {
        for name in HTTPS.iter().chain(HTTP) {
            for address in [
                "http://127.0.0.1:7800",
                "127.0.0.1:7800",
                "http://localhost:1",
                "https://127.9.9.9",
                "http://[::1]:9",
                "http://[::ffff:127.0.0.1]:9",
                "http://LOCALHOST",
                "http://0.0.0.0:7800",
                "http://hub.localhost",
            ] {
                assert_eq!(shown(address, &[(name, "http://127.0.0.1:9")]), Ok(None), "{name} {address}");
            }
        }
    }

    #[test]
    fn other_hosts_take_the_proxy_of_their_scheme_unless_excepted() {
        let both = [("HTTPS_PROXY", "http://user:pass@one:1"), ("http_proxy", "two:2"), ("NO_PROXY", ".in.house, x.y")];
        let found = |address| shown(address, &both).expect("both are good");
        assert_eq!(found("https://a.sqlite.cloud").as_deref(), Some("http://one:1"));
        assert_eq!(found("http://a.sqlite.cloud").as_deref(), Some("http://two:2"));
        for address in ["https://in.house", "https://a.in.house", "https://x.y:8860"] {
            assert_eq!(found(address), None, "{address}");
        }
        assert_eq!(shown("https://h", &[("all_proxy", "http://p:3"), ("no_proxy", "*")]), Ok(None));
        assert_eq!(shown("https://h", &[("all_proxy", "http://p:3")]), Ok(Some("http://p:3".to_owned())));
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_named_by_its_variable_and_never_shown() {
        for value in ["socks5://me:hush@p:1", "http://me:hush@", "ftp://me:hush@p"] {
            let problem = shown("https://h", &[("ALL_PROXY", value)]).expect_err(value);
            assert!(problem.contains("ALL_PROXY") && !problem.contains("hush"), "{problem}");
        }
        assert_eq!(userinfo("http://me:h%75sh@p:1"), ["me:h%75sh", "me", "h%75sh", "me:hush", "me", "hush"]);
        assert!(userinfo("http://p:1").is_empty());
    }
}
