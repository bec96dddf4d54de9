//! A replay store in Redis, shared by all processes of a service, for [`hostbound`].
//!
//! One server, not a cluster, and none that may evict keys: with a `maxmemory`, its `maxmemory-policy` is `noeviction`, or each claim is an error. Its own
//! clock says when entries end; one that was ahead and is set right refuses claims until it has caught up, or until `hostbound:1:claims` is deleted. A server
//! that starts anew, or loses its keys, has a new epoch: signatures from before it are refused. What a failover to an asynchronous replica can lose is not
//! noticed: a replica that has the scripts and not the last claims would let those be made once more.
//!
//! To raise `max_age` or `clock_tolerance`, stop all processes, delete `hostbound:1:claims`, and start them: entries end by the policy that made them.

#![deny(missing_docs, unreachable_pub)]

use hostbound::{Claim, ClaimOutcome, REDIS_CLAIM, REDIS_EPOCH, Timestamp};
use redis::{ConnectionLike, ErrorKind, RedisError, RedisResult, Script, ServerErrorKind, cmd, pipe};

const CLAIMS: &str = "hostbound:1:claims";

/// The scripts of the store. Cheap to use, and to be made once.
#[derive(Debug)]
pub struct RedisReplay {
    claim: Script,
}

impl Default for RedisReplay {
    fn default() -> Self {
        Self::new()
    }
}

impl RedisReplay {
    /// A store; the server is the caller's, with each claim.
    #[must_use]
    pub fn new() -> Self {
        Self {
            claim: Script::new(REDIS_CLAIM),
        }
    }

    /// Makes a claim, if nobody has: what became of it, and since when the server has kept every claim. One round trip.
    ///
    /// # Errors
    /// The server cannot be asked: the request is to be refused ([`ClaimOutcome::Failed`]).
    pub fn claim(
        &self,
        server: &mut impl ConnectionLike,
        claim: &Claim,
        now: Timestamp,
    ) -> RedisResult<(ClaimOutcome, Timestamp)> {
        let (code, epoch) = match self.ask(server, claim, now) {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                self.begin(server, now)?;
                self.ask(server, claim, now)?
            }
            answer => answer?,
        };
        let outcome = match code {
            1 => ClaimOutcome::Made,
            0 => ClaimOutcome::Present,
            -1 => ClaimOutcome::Full,
            _ => {
                return Err(RedisError::from((
                    ErrorKind::UnexpectedReturnType,
                    "no outcome of a claim",
                )));
            }
        };
        Ok((outcome, Timestamp(epoch)))
    }

    fn ask(&self, server: &mut impl ConnectionLike, claim: &Claim, now: Timestamp) -> RedisResult<(i64, u64)> {
        cmd("EVALSHA")
            .arg(self.claim.get_hash())
            .arg(3)
            .arg(claim.key())
            .arg(claim.share_key())
            .arg(CLAIMS)
            .arg(claim.expires().0)
            .arg(claim.share_limit())
            .arg(now.0)
            .query(server)
    }

    /// A server that does not know the script has started anew, and may have lost claims. That is written down before it learns the script, in one step
    /// with it: no claim can come between.
    fn begin(&self, server: &mut impl ConnectionLike, now: Timestamp) -> RedisResult<()> {
        refuse_eviction(&cmd("INFO").arg("memory").query::<String>(server)?)?;
        pipe()
            .atomic()
            .cmd("EVAL")
            .arg(REDIS_EPOCH)
            .arg(1)
            .arg(CLAIMS)
            .arg(now.0)
            .ignore()
            .cmd("SCRIPT")
            .arg("LOAD")
            .arg(REDIS_CLAIM)
            .ignore()
            .query(server)
    }
}

/// A server that evicts forgets what was used.
fn refuse_eviction(memory: &str) -> RedisResult<()> {
    let setting = |name: &str| {
        let mut settings = memory.lines().filter_map(|line| line.split_once(':'));
        settings.find(|(other, _)| *other == name).map(|(_, value)| value)
    };
    let policy = setting("maxmemory_policy");
    if setting("maxmemory") == Some("0") || policy == Some("noeviction") {
        return Ok(());
    }
    Err(RedisError::from((
        ErrorKind::InvalidClientConfig,
        "the server may evict what was used: set its `maxmemory-policy` to `noeviction`",
        format!("it is `{}`", policy.unwrap_or("unknown")),
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_may_evict_is_refused() {
        let rows = [
            ("maxmemory:0\r\nmaxmemory_policy:noeviction\r\n", true),
            ("maxmemory:0\r\nmaxmemory_policy:allkeys-lru\r\n", true),
            ("maxmemory:1048576\r\nmaxmemory_policy:noeviction\r\n", true),
            ("maxmemory:1048576\r\nmaxmemory_policy:volatile-lru\r\n", false),
            ("maxmemory:1048576\r\nmaxmemory_policy:allkeys-lru\r\n", false),
            ("maxmemory_human:0\r\nmaxmemory_policy:volatile-ttl\r\n", false),
            ("maxmemory:1048576\r\n", false),
            ("", false),
        ];
        for (memory, is_taken) in rows {
            let memory = format!("# Memory\r\nused_memory:1000\r\n{memory}");
            assert_eq!(refuse_eviction(&memory).is_ok(), is_taken, "{memory}");
        }
    }
}
