//! The system's clock.

use std::time::{SystemTime, UNIX_EPOCH};

use hostbound::Timestamp;

use crate::exit::Failure;

/// Unix seconds.
pub(crate) fn now() -> Result<Timestamp, Failure> {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map(|since| Timestamp(since.as_secs()))
        .map_err(|_| Failure::Usage("the system's clock is before 1970; say the time with --now".into()))
}
