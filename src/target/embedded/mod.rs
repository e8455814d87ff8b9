//! stub until merge
use crate::scenario::*;
use std::path::PathBuf;
use std::time::Duration;
#[derive(Clone)]
pub struct HubOptions {
    pub api_key: String,
    pub management_key: String,
    pub busy_timeout: Duration,
    pub writers: u32,
    pub journal_mode: JournalMode,
    pub latency: Duration,
    pub faults: Vec<Fault>,
    pub seed: u64,
}
impl HubOptions {
    pub fn new(_d: PathBuf) -> Self {
        todo!()
    }
}
pub struct Hub;
impl Hub {
    pub fn start(_o: HubOptions) -> Result<Hub, std::io::Error> {
        todo!()
    }
    pub fn url(&self) -> &str {
        ""
    }
    pub fn name_site(&self, _s: &str, _d: u32) {}
}
pub fn register(_c: &rusqlite::Connection) -> rusqlite::Result<()> {
    Ok(())
}
