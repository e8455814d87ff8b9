//! The JSON schema of a scenario, generated from its types, and checking a value against it.
