//! The headers of a profile, as a request has them.

use crate::request::Request;
use crate::signature::HeaderNames;

/// The headers of a profile, as far as they were sent. Check `request` saw to it that none occurs twice.
#[derive(Clone, Copy, Default)]
pub(super) struct Sent<'a> {
    pub(super) signature: Option<&'a [u8]>,
    pub(super) timestamp: Option<&'a [u8]>,
    pub(super) third: Option<&'a [u8]>,
    pub(super) key_id: Option<&'a [u8]>,
}

impl<'a> Sent<'a> {
    pub(super) fn of(request: &Request<'a>, names: &HeaderNames) -> Self {
        let mut sent = Self::default();
        for header in request.headers.iter() {
            let is = |name: &str| header.name.eq_ignore_ascii_case(name.as_bytes());
            if is(&names.signature) {
                sent.signature = Some(header.value);
            } else if is(&names.timestamp) {
                sent.timestamp = Some(header.value);
            } else if is(&names.third) {
                sent.third = Some(header.value);
            } else if names.key_id.as_deref().is_some_and(is) {
                sent.key_id = Some(header.value);
            }
        }
        sent
    }
}
