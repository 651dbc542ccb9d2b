//! The library's words, put into those of docs/traces.md.
//!
//! - `MsgAppend` is AppendEntries, `MsgHeartbeat` is Heartbeat, `MsgSnapshot` is InstallSnapshot; hints of refusals, read
//!   contexts and priorities are left out.
//! - Messages that ask for votes, and those that refuse them, also tell a commit index and the term of its entry
//!   (`commit`, `commit_term`), and whoever gets them may advance its own by it.
//! - `MsgPropose`, a proposal that is passed on to the leader, carries no term. It is told with the sender's.

use raft::eraftpb::{Entry, Message, MessageType};
use raft::StateRole;
use serde_json::{json, Value};

/// An entry: its term, and what is in it.
#[derive(Clone, PartialEq)]
pub struct Told {
    term: u64,
    data: String,
}

/// Return an entry. One without data is what a leader begins its term with.
pub fn told(entry: &Entry) -> Told {
    let data = if entry.data.is_empty() { "no-op".into() } else { String::from_utf8_lossy(&entry.data).into_owned() };
    Told { term: entry.term, data }
}

fn entries(log: &[Told]) -> Value {
    log.iter().map(|entry| json!({"term": entry.term, "data": entry.data})).collect()
}

/// Return a log as bytes, for a snapshot.
pub fn bytes_of(log: &[Told]) -> Vec<u8> {
    entries(log).to_string().into_bytes()
}

/// Return a log from the bytes of a snapshot.
pub fn told_from_bytes(bytes: &[u8]) -> Vec<Told> {
    let value: Value = serde_json::from_slice(bytes).expect("a snapshot contains a log");
    let entries = value.as_array().expect("a log is a list").iter();
    let told = entries.map(|entry| Told {
        term: entry["term"].as_u64().expect("an entry has a term"),
        data: entry["data"].as_str().expect("an entry has data").to_string(),
    });
    told.collect()
}

/// Return how a log has changed; None if it has not.
pub fn change(before: &[Told], after: &[Told]) -> Option<Value> {
    let keep = before.iter().zip(after).take_while(|(old, new)| old == new).count();
    let is_same = keep == before.len() && keep == after.len();
    (!is_same).then(|| json!({"keep": keep, "entries": entries(&after[keep..])}))
}

pub fn role(role: StateRole) -> &'static str {
    match role {
        StateRole::Follower => "follower",
        StateRole::PreCandidate => "pre-candidate",
        StateRole::Candidate => "candidate",
        StateRole::Leader => "leader",
    }
}

/// Return a message as a trace has it; `from` is the sender, and `term` its.
///
/// A proposal that is passed on twice still names its first sender.
pub fn message(message: &Message, from: &str, term: u64, id: usize, names: &[String]) -> Value {
    let mut told = content(message);
    told["id"] = id.into();
    told["from"] = from.into();
    told["to"] = names[message.to as usize - 1].clone().into();
    told["term"] = if message.term == 0 { term } else { message.term }.into();
    if is_of_an_election(message) && message.commit > 0 {
        told["commit"] = message.commit.into();
        told["commit_term"] = message.commit_term.into();
    }
    told
}

fn content(message: &Message) -> Value {
    match message.get_msg_type() {
        MessageType::MsgRequestVote => vote_request("RequestVote", message),
        MessageType::MsgRequestPreVote => vote_request("PreVote", message),
        MessageType::MsgRequestVoteResponse => json!({"type": "RequestVoteResponse", "granted": !message.reject}),
        MessageType::MsgRequestPreVoteResponse => json!({"type": "PreVoteResponse", "granted": !message.reject}),
        MessageType::MsgAppend => json!({
            "type": "AppendEntries",
            "prev_index": message.index,
            "prev_term": message.log_term,
            "entries": entries(&message.entries.iter().map(told).collect::<Vec<_>>()),
            "commit": message.commit,
        }),
        MessageType::MsgAppendResponse if message.reject => json!({"type": "AppendEntriesResponse", "success": false}),
        MessageType::MsgAppendResponse => {
            json!({"type": "AppendEntriesResponse", "success": true, "index": message.index})
        }
        MessageType::MsgHeartbeat => json!({"type": "Heartbeat", "commit": message.commit}),
        MessageType::MsgHeartbeatResponse => json!({"type": "HeartbeatResponse"}),
        MessageType::MsgSnapshot => {
            let metadata = message.get_snapshot().get_metadata();
            json!({"type": "InstallSnapshot", "index": metadata.index, "index_term": metadata.term})
        }
        MessageType::MsgTimeoutNow => json!({"type": "TimeoutNow"}),
        other => json!({"type": "Other", "what": format!("{other:?}")}),
    }
}

/// Tell whether a message asks for a vote or answers that.
fn is_of_an_election(message: &Message) -> bool {
    matches!(
        message.get_msg_type(),
        MessageType::MsgRequestVote
            | MessageType::MsgRequestVoteResponse
            | MessageType::MsgRequestPreVote
            | MessageType::MsgRequestPreVoteResponse
    )
}

fn vote_request(kind: &str, message: &Message) -> Value {
    json!({"type": kind, "last_index": message.index, "last_term": message.log_term})
}
