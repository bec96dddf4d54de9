//! The DNS server of a zone, over UDP and TCP, and the one function through which every packet goes.
//!
//! The loops are ours and not `hickory_server::Server`'s, which takes any number of TCP connections and has no entry for a packet.

use std::io;
use std::net::{SocketAddr, TcpListener as StdTcpListener, UdpSocket as StdUdpSocket};
use std::time::Duration;

use futures_util::StreamExt;
use hickory_server::net::runtime::iocompat::AsyncIoTokioAsStd;
use hickory_server::net::tcp::TcpStream as DnsStream;
use hickory_server::net::{DnsStreamHandle, NetError};
use hickory_server::proto::op::{Edns, Header, Message, MessageType, Metadata, OpCode, ResponseCode, SerialMessage};
use hickory_server::proto::rr::rdata::{CNAME, SOA};
use hickory_server::proto::rr::{DNSClass, Name, RData, Record, RecordType};
use hickory_server::proto::serialize::binary::{BinDecodable, BinDecoder, BinEncodable, BinEncoder};
use hickory_server::server::TimeoutStream;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;

use crate::strategy::{Answer, TTL};
use crate::zone::{Reply, Transport, Zone};

/// Bytes of a datagram for askers without EDNS (RFC 1035 section 4.2.1).
const PLAIN_BYTES: u16 = 512;
/// Bytes of a datagram at most: this one is never fragmented (DNS flag day 2020).
const DATAGRAM_BYTES: u16 = 1232;
/// Questions are shorter. What of a datagram is beyond is cut off, and then it is malformed.
const QUESTION_BYTES: usize = 4096;
/// TCP connections at once. Others wait to be accepted.
const CONNECTIONS: usize = 64;
/// How long a TCP connection may take to its next question, or to take an answer.
const IDLE: Duration = Duration::from_secs(10);
/// Before a socket that failed is tried again.
const PAUSE: Duration = Duration::from_millis(10);

/// A server that answers for a zone until it is dropped.
#[derive(Debug)]
pub struct DnsServer {
    address: SocketAddr,
    tasks: JoinSet<()>,
}

impl DnsServer {
    /// Answers at `address`, over UDP and TCP. With port 0, at one port that is free for both.
    ///
    /// # Errors
    ///
    /// If the address cannot be bound.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn bind(zone: Zone, address: SocketAddr) -> io::Result<Self> {
        let (udp, tcp) = sockets(address)?;
        udp.set_nonblocking(true)?;
        tcp.set_nonblocking(true)?;
        let (udp, tcp) = (UdpSocket::from_std(udp)?, TcpListener::from_std(tcp)?);
        let address = udp.local_addr()?;
        let mut tasks = JoinSet::new();
        tasks.spawn(serve_udp(zone.clone(), udp));
        tasks.spawn(serve_tcp(zone, tcp));
        Ok(Self { address, tasks })
    }

    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Ends every connection and frees the address before it returns.
    pub async fn shutdown(mut self) {
        self.tasks.shutdown().await;
    }
}

/// The answer to one message. `None`: it is no question, and an answer would be a nuisance to someone.
///
/// The answer over UDP is at most as long as the asker said, and never longer than 1,232 bytes.
#[must_use]
pub fn respond(zone: &Zone, packet: &[u8], transport: Transport) -> Option<Vec<u8>> {
    let header = Header::read(&mut BinDecoder::new(packet)).ok()?;
    // Two servers that answer answers do not stop.
    if header.message_type == MessageType::Response {
        return None;
    }
    let mut response = bare(&header.metadata);
    let limit = match read(packet, &header) {
        Ok(question) => {
            let limit = limit(&question, transport);
            answer(zone, question, transport, &mut response);
            limit
        }
        Err(code) => {
            response.metadata.response_code = code;
            PLAIN_BYTES
        }
    };
    encode(&response, limit).or_else(|| {
        let mut failure = bare(&header.metadata);
        failure.metadata.response_code = ResponseCode::ServFail;
        encode(&failure, PLAIN_BYTES)
    })
}

/// An answer without a question: what can be said to whatever came.
fn bare(asked: &Metadata) -> Message {
    let mut response = Message::response(asked.id, asked.op_code);
    response.metadata = Metadata::response_from_request(asked);
    // There is nobody to refer to. Without the flag, some stub resolvers take an empty answer for a lame server's.
    response.metadata.recursion_available = true;
    response
}

fn read(packet: &[u8], header: &Header) -> Result<Message, ResponseCode> {
    if header.op_code != OpCode::Query {
        return Err(ResponseCode::NotImp);
    }
    // RFC 9619: a query has one question.
    if header.counts.queries != 1 {
        return Err(ResponseCode::FormErr);
    }
    Message::from_vec(packet).map_err(|_| ResponseCode::FormErr)
}

fn limit(question: &Message, transport: Transport) -> u16 {
    match transport {
        Transport::Udp => question.max_payload().min(DATAGRAM_BYTES),
        Transport::Tcp => u16::MAX,
    }
}

fn answer(zone: &Zone, question: Message, transport: Transport, response: &mut Message) {
    if let Some(edns) = &question.edns {
        let mut ours = Edns::new();
        ours.set_max_payload(DATAGRAM_BYTES);
        response.set_edns(ours);
        if edns.version() > 0 {
            response.metadata.response_code = ResponseCode::BADVERS;
        }
    }
    let Some(query) = question.queries.into_iter().next() else {
        return;
    };
    let (name, kind) = (query.name().clone(), query.query_type());
    let class = query.query_class();
    response.add_query(query);
    if response.metadata.response_code != ResponseCode::NoError {
        return;
    }
    // RFC 8482 section 4: nobody must answer ANY in full.
    let is_meta = matches!(
        kind,
        RecordType::ANY | RecordType::AXFR | RecordType::IXFR | RecordType::OPT | RecordType::ZERO
    );
    let reply = match class {
        DNSClass::IN if !is_meta => zone.ask(&name, kind, transport),
        _ => Reply::Refused,
    };
    response.metadata.authoritative = reply != Reply::Refused;
    match reply {
        Reply::Refused => response.metadata.response_code = ResponseCode::Refused,
        Reply::NoSuchName => {
            response.metadata.response_code = ResponseCode::NXDomain;
            response.add_authority(authority(zone, &name));
        }
        Reply::Answer(_) if kind == RecordType::SOA && name == *zone.apex() => {
            response.add_answer(authority(zone, &name));
        }
        Reply::Answer(answer) if answer.is_empty() => {
            response.add_authority(authority(zone, &name));
        }
        Reply::Answer(answer) => {
            response.add_answers(records(name, &answer));
        }
    }
}

fn records(name: Name, answer: &Answer) -> Vec<Record> {
    let mut records = Vec::new();
    let mut owner = name;
    if let Some(alias) = answer.alias
        && let Ok(alias) = Name::from_ascii(alias)
    {
        records.push(Record::from_rdata(owner, TTL, RData::CNAME(CNAME(alias.clone()))));
        owner = alias;
    }
    records.extend(
        answer
            .addresses
            .iter()
            .map(|address| Record::from_rdata(owner.clone(), TTL, RData::from(*address))),
    );
    records
}

/// The record that says for how long there is nothing: for no time (RFC 2308 section 5).
fn authority(zone: &Zone, name: &Name) -> Record {
    let apex = zone.apex();
    // Resolvers drop a record that does not stand above the question.
    let owner = if apex.zone_of(name) { apex } else { name };
    let data = SOA::new(apex.clone(), apex.clone(), 1, 60, 60, 60, 0);
    Record::from_rdata(owner.clone(), 0, RData::SOA(data))
}

/// What does not fit is left out, and the answer says so.
fn encode(message: &Message, limit: u16) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(usize::from(PLAIN_BYTES));
    let mut encoder = BinEncoder::new(&mut bytes);
    encoder.set_max_size(limit);
    message.emit(&mut encoder).ok()?;
    Some(bytes)
}

fn sockets(address: SocketAddr) -> io::Result<(StdUdpSocket, StdTcpListener)> {
    // A port that is free for UDP may be taken for TCP: then another is tried.
    let mut tries = if address.port() == 0 { 16 } else { 1 };
    loop {
        let udp = StdUdpSocket::bind(address)?;
        match StdTcpListener::bind(udp.local_addr()?) {
            Ok(tcp) => return Ok((udp, tcp)),
            Err(error) if tries == 1 => return Err(error),
            Err(_) => tries -= 1,
        }
    }
}

async fn serve_udp(zone: Zone, socket: UdpSocket) {
    let mut buffer = [0; QUESTION_BYTES];
    loop {
        let Ok((length, asker)) = socket.recv_from(&mut buffer).await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let packet = buffer.get(..length).unwrap_or_default();
        if let Some(response) = respond(&zone, packet, Transport::Udp) {
            // Who is not there any more asks again.
            let _ = socket.send_to(&response, asker).await;
        }
    }
}

async fn serve_tcp(zone: Zone, listener: TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        if connections.len() >= CONNECTIONS {
            connections.join_next().await;
        }
        match listener.accept().await {
            Ok((stream, peer)) => {
                connections.spawn(converse(zone.clone(), stream, peer));
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// Answers one connection's questions in their order, until it ends, idles or sends what is none.
async fn converse(zone: Zone, stream: TcpStream, peer: SocketAddr) -> Result<(), NetError> {
    let (stream, mut answers) = DnsStream::from_stream_with_buffer_size(AsyncIoTokioAsStd(stream), peer, 1);
    let mut questions = TimeoutStream::new(stream, IDLE);
    while let Some(question) = questions.next().await {
        let (packet, _) = question?.into_parts();
        let Some(response) = respond(&zone, &packet, Transport::Tcp) else {
            break;
        };
        answers.send(SerialMessage::new(response, peer))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No answer of a zone is this long; the server must not depend on that.
    #[test]
    fn what_does_not_fit_is_left_out() {
        let name = Name::from_ascii("a.rebind.example.").unwrap();
        let many = Answer::from_iter((0..40).map(|host| [203, 0, 113, host].into()));
        let mut response = Message::response(7, OpCode::Query);
        response.add_answers(records(name, &many));
        for (limit, is_whole) in [(u16::MAX, true), (DATAGRAM_BYTES, true), (PLAIN_BYTES, false)] {
            let bytes = encode(&response, limit).unwrap();
            assert!(bytes.len() <= usize::from(limit));
            let read = Message::from_vec(&bytes).unwrap();
            assert_eq!(read.metadata.truncation, !is_whole, "{limit}");
            assert_eq!(read.answers.len() == 40, is_whole, "{limit}");
        }
    }

    /// An OPT that announces less than RFC 6891 section 6.2.3 allows counts as the least.
    #[test]
    fn a_datagram_is_as_long_as_the_asker_takes() {
        let mut question = Message::query();
        assert_eq!(limit(&question, Transport::Udp), 512);
        for (announced, expected) in [(0, 512), (512, 512), (1000, 1000), (1232, 1232), (u16::MAX, 1232)] {
            let mut edns = Edns::new();
            edns.set_max_payload(announced);
            question.set_edns(edns);
            assert_eq!(limit(&question, Transport::Udp), expected);
            assert_eq!(limit(&question, Transport::Tcp), u16::MAX);
        }
    }
}
