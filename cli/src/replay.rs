//! A replay store in Redis, for a run of the command.

use std::time::Duration;

use hostbound::{ClaimOutcome, NeedsNonce, Timestamp};
use hostbound_redis::RedisReplay;
use redis::{Client, Connection, RedisError, RedisResult};

use crate::exit::Failure;
use crate::output::say;

/// A server that has not answered by then counts as failed.
const TIMEOUT: Duration = Duration::from_secs(1);

/// The store, and the connection to its server, which is made anew when it is lost.
pub(crate) struct SharedReplay {
    client: Client,
    connection: Option<Connection>,
    store: RedisReplay,
}

impl SharedReplay {
    pub(crate) fn connect(url: &str) -> Result<Self, Failure> {
        let unusable = |error: RedisError| Failure::Usage(format!("the replay store cannot be used: {error}"));
        let client = Client::open(url).map_err(unusable)?;
        let connection = connection(&client).map_err(unusable)?;
        Ok(Self {
            client,
            connection: Some(connection),
            store: RedisReplay::new(),
        })
    }

    /// Makes a claim. A server that fails refuses it.
    pub(crate) fn claim(&mut self, needs: &NeedsNonce<'_>) -> (ClaimOutcome, Timestamp) {
        match self.ask(needs) {
            Ok(answer) => answer,
            Err(error) => {
                say(&format!("error: the replay store failed: {error}"));
                self.connection = None;
                (ClaimOutcome::Failed, Timestamp(0))
            }
        }
    }

    fn ask(&mut self, needs: &NeedsNonce<'_>) -> RedisResult<(ClaimOutcome, Timestamp)> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            lost => lost.insert(connection(&self.client)?),
        };
        self.store.claim(connection, needs.claim(), needs.now())
    }
}

fn connection(client: &Client) -> RedisResult<Connection> {
    let connection = client.get_connection_with_timeout(TIMEOUT)?;
    connection.set_read_timeout(Some(TIMEOUT))?;
    connection.set_write_timeout(Some(TIMEOUT))?;
    Ok(connection)
}
