//! The checks `token` and `claims`: what a route asks of a bearer token.

use std::sync::Arc;

use super::{Guard, Pass, Trial};
use crate::policy::Policy;
use crate::route::Route;
use crate::token::{self, KeySet, KeySource, TokenContext};
use crate::verdict::{Check, Detail, Failure, Mode, Reason};

/// What check `claims` finds: nothing wrong, or the failure.
pub(super) type Claims<'a> = Result<(), Failure<'a>>;

/// The key sets that stand in the policy itself.
pub(super) fn inline_keys(policy: &Policy) -> Vec<Option<Arc<KeySet>>> {
    let of_section = |section: &token::TokenSection| match &section.keys {
        KeySource::Inline(keys) => Some(Arc::clone(keys)),
        KeySource::File(_) => None,
    };
    policy.tokens.iter().map(of_section).collect()
}

impl<'a> Trial<'a> {
    pub(super) fn token(&mut self) -> Result<Pass, Failure<'a>> {
        let asked = self
            .route
            .filter(|route| !route.tokens.is_empty() && !self.identity.preflight);
        asked.map_or(Ok(Pass::Skipped("no token is asked for")), |route| {
            self.token_for(route)
        })
    }

    // Not inlined: requests that need no token would pay for it.
    #[inline(never)]
    fn token_for(&mut self, route: &'a Route) -> Result<Pass, Failure<'a>> {
        let guard: &'a Guard = self.guard;
        let Some(now) = self.now else {
            let detail = Detail::text("a token is to be judged, and no time was given");
            return Err(Failure::new(Reason::RequestMalformed, detail));
        };
        let section = |index: &usize| {
            let keys = guard.token_keys.get(*index).and_then(Option::as_deref);
            Some((guard.policy.tokens.get(*index)?, keys))
        };
        let sections: Vec<_> = route.tokens.iter().filter_map(section).collect();
        let judged = token::judge(&TokenContext {
            sections: &sections,
            request: self.request,
            now,
            scopes: &route.scopes,
            scope_text: &route.scope_text,
        });
        match judged {
            Ok(identity) => {
                // In report mode nothing is proved.
                if self.mode() == Mode::Enforce {
                    self.identity.token = Some(identity);
                }
                self.claims = Some(Ok(()));
                Ok(Pass::Token)
            }
            Err(failure) if failure.reason().check() == Check::Claims => {
                self.claims = Some(Err(failure));
                Ok(Pass::Token)
            }
            Err(failure) => Err(failure),
        }
    }

    pub(super) fn claims(&mut self) -> Result<Pass, Failure<'a>> {
        match self.claims.take() {
            None => Ok(Pass::Skipped("no token is asked for")),
            Some(found) => found.map(|()| Pass::Claims),
        }
    }
}
