//! Counters: one of what was allowed, and of each reason one for denials and one for reports. All are there from the start.

use hostbound::{Reason, Verdict};

use crate::host::{self, Counter, HostError};

/// The counters of a filter.
#[derive(Debug)]
pub(crate) struct Metrics {
    allowed: Counter,
    failed: Counter,
    /// By reason, in the order of [`Reason::ALL`].
    denied: Vec<(Reason, Counter)>,
    reported: Vec<(Reason, Counter)>,
}

impl Metrics {
    pub(crate) fn define() -> Result<Self, HostError> {
        let of_each = |kind: &str| -> Result<Vec<_>, HostError> {
            let reasons = Reason::ALL.into_iter();
            let counters = reasons.map(|reason| {
                let counter = host::counter(&format!("hostbound.{kind}.{}", reason.as_str()))?;
                Ok((reason, counter))
            });
            counters.collect()
        };
        Ok(Self {
            allowed: host::counter("hostbound.allowed")?,
            failed: host::counter("hostbound.failed")?,
            denied: of_each("denied")?,
            reported: of_each("reported")?,
        })
    }

    pub(crate) fn count(&self, verdict: &Verdict<'_>) {
        let of = |counters: &[(Reason, Counter)], reason| {
            let mut counters = counters.iter();
            if let Some((_, counter)) = counters.find(|(other, _)| *other == reason) {
                host::count(*counter);
            }
        };
        match (verdict.denied(), verdict.reported()) {
            (Some(failure), _) => of(&self.denied, failure.reason()),
            (None, reported) => {
                host::count(self.allowed);
                if let Some(failure) = reported {
                    of(&self.reported, failure.reason());
                }
            }
        }
    }

    /// A request that could not be judged.
    pub(crate) fn count_failed(&self) {
        host::count(self.failed);
    }
}
