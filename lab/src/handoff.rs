//! Services outside of the lab's network namespace: the lab hands one end of a socket pair out, over the Unix socket that
//! it was started with, and whoever started it joins that end to a connection of its own. Nothing of it is a file.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use tokio::io::Interest;

/// Connections joined at a time.
const MAX_JOINED: usize = 256;
/// The address of a service: 4 or 6, sixteen bytes, and the port.
const ADDRESS_BYTES: usize = 19;

/// The inner side of the Unix socket.
#[derive(Clone, Debug)]
pub(crate) struct Handoff(Arc<tokio::net::UnixStream>);

impl Handoff {
    pub(crate) fn new(socket: Arc<tokio::net::UnixStream>) -> Self {
        Self(socket)
    }

    /// Hands an end of a socket pair out, to be joined to this service.
    pub(crate) async fn give(&self, service: SocketAddr, end: BorrowedFd<'_>) -> io::Result<()> {
        let send = || send(self.0.as_fd(), &encode(service), Some(end));
        self.0.async_io(Interest::WRITABLE, send).await
    }
}

/// The outer side: joins what is handed out to the services that may be reached, until the socket is closed.
pub(crate) fn join_all(socket: &UnixStream, may_reach: impl Fn(SocketAddr) -> bool) {
    let joined = Arc::new(());
    while let Ok(Some((service, end))) = receive::<ADDRESS_BYTES>(socket.as_fd()) {
        let (Some(address), Some(end)) = (decode(service), end) else {
            continue;
        };
        if !may_reach(address) || Arc::strong_count(&joined) > MAX_JOINED {
            continue;
        }
        let joined = Arc::clone(&joined);
        thread::spawn(move || {
            join(UnixStream::from(end), address);
            drop(joined);
        });
    }
}

/// Before all else a listener, or none, is handed in: one of the outer network, at which the lab takes connections all the same.
pub(crate) fn hand_in(socket: &UnixStream, listener: Option<&TcpListener>) -> io::Result<()> {
    send(socket.as_fd(), &[0], listener.map(AsFd::as_fd))
}

/// The inner side of [`hand_in`].
pub(crate) fn handed_in(socket: &UnixStream) -> io::Result<Option<TcpListener>> {
    let received = receive::<1>(socket.as_fd())?;
    Ok(received.and_then(|(_, listener)| listener).map(TcpListener::from))
}

fn send(socket: BorrowedFd<'_>, message: &[u8], end: Option<BorrowedFd<'_>>) -> io::Result<()> {
    let ends: Vec<BorrowedFd<'_>> = end.into_iter().collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !ends.is_empty() {
        ancillary.push(SendAncillaryMessage::ScmRights(&ends));
    }
    sendmsg(socket, &[IoSlice::new(message)], &mut ancillary, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// The next message; `None` when the other side is gone.
fn receive<const N: usize>(socket: BorrowedFd<'_>) -> io::Result<Option<([u8; N], Option<OwnedFd>)>> {
    let mut message = [0; N];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(
        socket,
        &mut [IoSliceMut::new(&mut message)],
        &mut ancillary,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    let end = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut ends) => ends.next(),
        _ => None,
    });
    Ok((received.bytes == N).then_some((message, end)))
}

fn encode(address: SocketAddr) -> [u8; ADDRESS_BYTES] {
    let (family, ip) = match address.ip() {
        IpAddr::V4(ip) => (4, ip.to_ipv6_mapped()),
        IpAddr::V6(ip) => (6, ip),
    };
    let mut bytes = [0; ADDRESS_BYTES];
    bytes[0] = family;
    bytes[1..17].copy_from_slice(&ip.octets());
    bytes[17..].copy_from_slice(&address.port().to_be_bytes());
    bytes
}

fn decode(bytes: [u8; ADDRESS_BYTES]) -> Option<SocketAddr> {
    let octets: [u8; 16] = bytes[1..17].try_into().ok()?;
    let ip = Ipv6Addr::from(octets);
    let ip = match bytes[0] {
        4 => IpAddr::V4(ip.to_ipv4_mapped()?),
        6 => IpAddr::V6(ip),
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_be_bytes([bytes[17], bytes[18]])))
}

fn join(inside: UnixStream, address: SocketAddr) {
    const PATIENCE: Duration = Duration::from_secs(5);
    let Ok(service) = TcpStream::connect_timeout(&address, PATIENCE) else {
        return;
    };
    // The lab's side of the pair is asynchronous.
    if inside.set_nonblocking(false).is_err() {
        return;
    }
    let (Ok(mut inside_reader), Ok(mut service_reader)) = (inside.try_clone(), service.try_clone()) else {
        return;
    };
    let (mut inside_writer, mut service_writer) = (inside, service);
    let back = thread::spawn(move || {
        // An error on one side ends the other: both are closed below.
        io::copy(&mut service_reader, &mut inside_writer).ok();
        inside_writer.shutdown(std::net::Shutdown::Both).ok();
    });
    io::copy(&mut inside_reader, &mut service_writer).ok();
    service_writer.shutdown(std::net::Shutdown::Both).ok();
    back.join().ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_stays_what_it_is() {
        for text in ["127.0.0.1:80", "[::1]:3000", "[::ffff:127.0.0.1]:65535"] {
            let address: SocketAddr = text.parse().unwrap();
            assert_eq!(decode(encode(address)), Some(address));
        }
        assert_eq!(decode([0; ADDRESS_BYTES]), None);
    }

    #[test]
    fn a_listener_is_handed_in_or_none() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        hand_in(&ours, Some(&listener)).unwrap();
        hand_in(&ours, None).unwrap();
        let found = handed_in(&theirs).unwrap().unwrap();
        assert_eq!(found.local_addr().unwrap(), listener.local_addr().unwrap());
        assert!(handed_in(&theirs).unwrap().is_none());
        drop(ours);
        assert!(handed_in(&theirs).unwrap().is_none());
    }
}
