//! Services outside of the lab's network namespace: the lab hands one end of a socket pair out, over the Unix socket that
//! it was started with, and whoever started it joins that end to a connection of its own. Nothing of it is a file.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpStream};
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

/// The inner side of the Unix socket.
#[derive(Clone, Debug)]
pub(crate) struct Handoff(Arc<tokio::net::UnixStream>);

impl Handoff {
    pub(crate) fn new(socket: Arc<tokio::net::UnixStream>) -> Self {
        Self(socket)
    }

    /// Hands an end of a socket pair out, to be joined to this service.
    pub(crate) async fn give(&self, service: u32, end: BorrowedFd<'_>) -> io::Result<()> {
        let send = || {
            let ends = [end];
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut ancillary = SendAncillaryBuffer::new(&mut space);
            ancillary.push(SendAncillaryMessage::ScmRights(&ends));
            let number = service.to_be_bytes();
            sendmsg(
                self.0.as_fd(),
                &[IoSlice::new(&number)],
                &mut ancillary,
                SendFlags::NOSIGNAL,
            )?;
            Ok(())
        };
        self.0.async_io(Interest::WRITABLE, send).await
    }
}

/// The outer side: joins what is handed out to the services, until the socket is closed.
pub(crate) fn join_all(socket: &UnixStream, services: &[SocketAddr]) {
    let joined = Arc::new(());
    while let Ok(Some((service, end))) = receive(socket) {
        let Some(address) = services.get(service as usize).copied() else {
            continue;
        };
        if Arc::strong_count(&joined) > MAX_JOINED {
            continue;
        }
        let joined = Arc::clone(&joined);
        thread::spawn(move || {
            join(UnixStream::from(end), address);
            drop(joined);
        });
    }
}

/// The next end; `None` when the other side is gone.
fn receive(socket: &UnixStream) -> io::Result<Option<(u32, OwnedFd)>> {
    let mut number = [0; 4];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(
        socket.as_fd(),
        &mut [IoSliceMut::new(&mut number)],
        &mut ancillary,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    let end = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut ends) => ends.next(),
        _ => None,
    });
    if received.bytes != number.len() {
        return Ok(None);
    }
    Ok(end.map(|end| (u32::from_be_bytes(number), end)))
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
