//! Questions as a resolver asks them, and answers in words.

use std::time::Duration;

use hickory_server::proto::op::{Message, Query, ResponseCode};
use hickory_server::proto::rr::{Name, RData, RecordType};
use hostbound_lab::strategy::Roles;

pub const APEX: &str = "rebind.example";
pub const PATIENCE: Duration = Duration::from_secs(10);

pub fn roles(target: &str) -> Roles {
    Roles {
        attacker: [203, 0, 113, 10].into(),
        attacker_ipv6: "2001:db8::10".parse().unwrap(),
        target: target.parse().unwrap(),
        seed: 7,
    }
}

/// With recursion desired.
pub fn question(name: &str, kind: RecordType) -> Message {
    let mut message = Message::query();
    message.metadata.recursion_desired = true;
    let mut name = Name::from_ascii(name).unwrap();
    name.set_fqdn(true);
    message.add_query(Query::query(name, kind));
    message
}

/// As `alias address address`, or the code of what is no answer.
pub fn shown(response: &Message) -> String {
    if response.metadata.response_code != ResponseCode::NoError {
        return format!("{:?}", response.metadata.response_code);
    }
    let words = response.answers.iter().map(|record| match &record.data {
        RData::A(address) => address.to_string(),
        RData::AAAA(address) => address.to_string(),
        RData::CNAME(alias) => alias.to_string(),
        other => panic!("{other}"),
    });
    words.collect::<Vec<_>>().join(" ")
}
