//! From a name to its addresses, and from these to a connection.

use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};

use super::FetchError;

/// Gives all addresses of a host name. It may block, and is called once for each request, never for IP literals.
pub(super) type LookUp = Arc<dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync>;

/// The system's look-up, in the order of its answer.
pub(super) fn system_look_up(host: &str) -> io::Result<Vec<IpAddr>> {
    let found = (host, 0).to_socket_addrs()?;
    Ok(found.map(|address| address.ip()).collect())
}

/// The addresses of a host. A literal is its own address.
pub(super) async fn look_up(look_up: &LookUp, host: &str) -> Result<Vec<IpAddr>, FetchError> {
    if let Ok(address) = host.parse() {
        return Ok(vec![address]);
    }
    let look_up = Arc::clone(look_up);
    let host = host.to_owned();
    let found = spawn_blocking(move || look_up(&host)).await;
    let found = found.unwrap_or_else(|error| Err(io::Error::other(error)));
    found.map_err(FetchError::Resolve)
}

/// Connects to the first address that answers. Each gets an equal share of what time is left.
pub(super) async fn to_one(addresses: &[IpAddr], port: u16, deadline: Instant) -> Result<TcpStream, FetchError> {
    let mut failure = io::ErrorKind::AddrNotAvailable;
    for (address, left) in addresses.iter().zip((1..=addresses.len()).rev()) {
        let now = Instant::now();
        let share = deadline.saturating_duration_since(now) / u32::try_from(left).unwrap_or(u32::MAX);
        let connecting = TcpStream::connect((*address, port));
        failure = match timeout_at(now + share, connecting).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => error.kind(),
            Err(_) => io::ErrorKind::TimedOut,
        };
    }
    Err(FetchError::Connect(failure))
}
