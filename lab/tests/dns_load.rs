//! Many sessions and many questions, and the memory they take: of a process in which no other tests run, and one test at a time.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the message")]

#[path = "dns/questions.rs"]
mod questions;

use std::sync::{Mutex, PoisonError};

use hickory_server::proto::op::Message;
use hickory_server::proto::rr::RecordType;
use hostbound_lab::dns::{DnsServer, respond};
use hostbound_lab::strategy::Strategy;
use hostbound_lab::zone::{Transport, Zone, ZoneError};
use questions::{APEX, PATIENCE, question, roles, shown};
use tokio::net::UdpSocket;
use tokio::time::timeout;

/// Held while memory is measured.
static MEASURED: Mutex<()> = Mutex::new(());

/// The sessions' questions come mixed, over eight sockets at once.
#[test]
fn a_thousand_sessions_at_once() {
    let _alone = MEASURED.lock().unwrap_or_else(PoisonError::into_inner);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(ask_a_thousand_sessions());
}

async fn ask_a_thousand_sessions() {
    const SESSIONS: usize = 1000;
    let zone = Zone::new(APEX).unwrap();
    let server = DnsServer::bind(zone.clone(), "127.0.0.1:0".parse().unwrap()).unwrap();
    let address = server.local_addr();
    let open = |strategy, target: &str| zone.open(strategy, roles(target)).unwrap();
    let before = resident_bytes();
    let sessions: Vec<_> = (0..SESSIONS)
        .map(|nth| {
            let strategy = Strategy::ALL[nth % Strategy::ALL.len()];
            (strategy, open(strategy, &format!("127.0.{}.{}", nth / 256, nth % 256)))
        })
        .collect();
    for (_, session) in sessions.iter().step_by(2) {
        assert!(zone.flip(&session.label).is_some());
    }
    let mut askers = tokio::task::JoinSet::new();
    for asker in 0..8 {
        let mine: Vec<_> = sessions
            .iter()
            .cloned()
            .enumerate()
            .filter(|(nth, _)| nth % 8 == asker)
            .collect();
        askers.spawn(async move {
            let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            socket.connect(address).await.unwrap();
            let mut buffer = [0; 2048];
            for round in 0..4 {
                for (nth, (strategy, session)) in &mine {
                    for kind in [RecordType::AAAA, RecordType::A] {
                        let asked = question(&session.name, kind);
                        socket.send(&asked.to_vec().unwrap()).await.unwrap();
                        let length = timeout(PATIENCE, socket.recv(&mut buffer)).await.unwrap().unwrap();
                        let response = Message::from_vec(&buffer[..length]).unwrap();
                        assert_eq!(response.metadata.id, asked.metadata.id);
                        assert_eq!(response.queries, asked.queries);
                        let found = shown(&response);
                        let target = format!("127.0.{}.{}", nth / 256, nth % 256);
                        let expected = expected_of(*strategy, nth % 2 == 0, kind == RecordType::A, round, &target);
                        assert!(
                            expected.contains(&found),
                            "{} {kind}: {found}, not {expected:?}",
                            strategy.name()
                        );
                    }
                }
            }
        });
    }
    while let Some(asker) = askers.join_next().await {
        asker.unwrap();
    }
    let grown = resident_bytes().saturating_sub(before);
    println!("{SESSIONS} sessions with 8 questions each: {} KiB", grown / 1024);
    assert!(grown < 64 << 20, "{grown} bytes more");
    for (strategy, session) in &sessions {
        let log = zone.take_log(&session.label).unwrap();
        assert_eq!(log.questions.len(), 8, "{}", strategy.name());
    }
    // As many more as may be, and none beyond.
    for _ in SESSIONS..4096 {
        open(Strategy::Random, "127.0.0.1");
    }
    let beyond = || zone.open(Strategy::Random, roles("127.0.0.1"));
    assert_eq!(beyond().err(), Some(ZoneError::Full));
    assert!(zone.close(&sessions[0].1.label).is_some());
    assert!(beyond().is_ok());
    assert_eq!(beyond().err(), Some(ZoneError::Full));
}

/// What a session may be answered: written out once more, apart from the server's code.
fn expected_of(strategy: Strategy, is_flipped: bool, is_a: bool, round: usize, target: &str) -> Vec<String> {
    let attacker = "203.0.113.10";
    let pair = |target: &str| {
        if is_flipped {
            target.to_owned()
        } else {
            format!("{attacker} {target}")
        }
    };
    let one = |is_target: bool| if is_target { target } else { attacker }.to_owned();
    let expected = match (strategy, is_a) {
        (Strategy::MultipleAnswers, true) => pair(target),
        (Strategy::Unspecified, true) => pair("0.0.0.0"),
        (Strategy::Ipv6Loopback, false) if is_flipped => "::1".to_owned(),
        (Strategy::Ipv6Loopback, false) => "2001:db8::10".to_owned(),
        (Strategy::MixedFamilies, true) => target.to_owned(),
        (Strategy::MixedFamilies, false) if !is_flipped => "2001:db8::10".to_owned(),
        (Strategy::FirstThenSecond | Strategy::FirstThenSecondFlush, true) => one(is_flipped),
        (Strategy::RoundRobin, true) => one(round % 2 == 1),
        (Strategy::Random, true) => return vec![one(false), one(true)],
        (Strategy::Cname, true) if is_flipped => format!("localhost. {target}"),
        (Strategy::Cname, true) => one(false),
        (Strategy::Cname, false) if is_flipped => "localhost.".to_owned(),
        _ => String::new(),
    };
    vec![expected]
}

fn resident_bytes() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// A zone whose logs are all full: the most that questions can make it hold.
#[test]
fn full_logs_are_bounded() {
    let _alone = MEASURED.lock().unwrap_or_else(PoisonError::into_inner);
    let zone = Zone::new(APEX).unwrap();
    let sessions: Vec<_> = (0..64)
        .map(|_| zone.open(Strategy::MultipleAnswers, roles("127.0.0.1")).unwrap())
        .collect();
    let packets = sessions
        .iter()
        .map(|session| question(&session.name, RecordType::A).to_vec().unwrap());
    let packets: Vec<_> = packets.collect();
    let before = resident_bytes();
    for packet in &packets {
        for _ in 0..4096 {
            assert!(respond(&zone, packet, Transport::Udp).is_some());
        }
    }
    let grown = resident_bytes().saturating_sub(before);
    println!("full logs: {} KiB", grown / 1024);
    assert!(grown < 64 << 20, "{grown} bytes more");
    let logs: Vec<_> = sessions
        .iter()
        .map(|session| zone.close(&session.label).unwrap())
        .collect();
    assert_eq!(logs.iter().map(|log| log.questions.len()).sum::<usize>(), 131_072);
    assert_eq!(logs.iter().map(|log| log.not_kept).sum::<u64>(), 64 * 4096 - 131_072);
}
