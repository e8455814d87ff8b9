//! Turso's driver and server as options of the `driver` target: where `stress driver install turso` put them.

use super::error::TargetError;
use crate::scenario::{DriverOptions, TursoOptions};

pub(super) fn options(_options: &TursoOptions) -> Result<DriverOptions, TargetError> {
    Err(TargetError::new("Turso is not installed", "run `stress driver install turso`"))
}
