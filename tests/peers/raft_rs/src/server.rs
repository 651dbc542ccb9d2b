//! One server: the library's RawNode, its disk, and what was last told of it.

use raft::eraftpb::{Message, MessageType};
use raft::storage::MemStorage;
use raft::{Config, ProgressState, RawNode, SnapshotStatus, StateRole, Storage};
use serde_json::{json, Map, Value};
use slog::{o, Discard, Logger};

use crate::cluster::Options;
use crate::words::{self, Told};

/// Ticks. A leader sends heartbeats in each.
const HEARTBEAT_TICK: usize = 1;
const ELECTION_TICK: usize = 3;

/// Entries that are kept when a log is cut down.
const KEPT: u64 = 2;

const BYTES_OF_A_MESSAGE: u64 = 1 << 20;

pub struct Server {
    id: u64,
    options: Options,
    /// Shared with the node: what is in it is on disk, and stays there when the node is gone.
    disk: MemStorage,
    node: Option<RawNode<MemStorage>>,
    /// The whole log, from index 1, also where the library has cut it.
    log: Vec<Told>,
    /// Log and state as they were told last.
    told_log: Vec<Told>,
    told_state: Value,
}

impl Server {
    pub fn new(id: u64, voters: &[u64], options: Options) -> Self {
        let disk = MemStorage::new_with_conf_state((voters.to_vec(), Vec::new()));
        let (log, told_log) = (Vec::new(), Vec::new());
        Server { id, options, disk, node: None, log, told_log, told_state: Value::Null }
    }

    pub fn is_up(&self) -> bool {
        self.node.is_some()
    }

    /// Start with what is on the disk.
    pub fn start(&mut self) {
        let config = Config {
            id: self.id,
            applied: self.disk.first_index().expect("a disk in memory can be read") - 1,
            heartbeat_tick: HEARTBEAT_TICK,
            election_tick: ELECTION_TICK,
            max_size_per_msg: BYTES_OF_A_MESSAGE,
            pre_vote: self.options.pre_vote,
            check_quorum: self.options.check_quorum,
            ..Default::default()
        };
        let logger = Logger::root(Discard, o!());
        self.node = Some(RawNode::new(&config, self.disk.clone(), &logger).expect("the configuration is valid"));
    }

    pub fn crash(&mut self) {
        self.node = None;
    }

    /// Let one of the ticks pass of which an election timeout has ELECTION_TICK; tell whether it has run out with it.
    ///
    /// The library draws the length of the timeout; here it is always the shortest, so that runs can be repeated. A
    /// leader asks itself at its end whether it has heard from a quorum, and sends heartbeats meanwhile.
    pub fn tick_towards_election(&mut self) -> bool {
        let Some(node) = &mut self.node else { return true };
        if node.raft.state == StateRole::Leader && !self.options.check_quorum {
            return true;
        }
        node.raft.set_randomized_election_timeout(ELECTION_TICK);
        node.tick();
        node.raft.election_elapsed == 0
    }

    pub fn let_heartbeat_interval_pass(&mut self) {
        let Some(node) = &mut self.node else { return };
        if node.raft.state != StateRole::Leader {
            return;
        }
        let peers = node.raft.prs().iter();
        let awaiting = peers.filter(|(_, progress)| progress.state == ProgressState::Snapshot);
        for id in awaiting.map(|(&id, _)| id).collect::<Vec<_>>() {
            // A transport says whether a snapshot has arrived. Who hears nothing sends it again
            node.report_snapshot(id, SnapshotStatus::Failure);
        }
        node.tick();
    }

    /// Propose a value. That there is no leader is no failure: it is dropped.
    pub fn propose(&mut self, value: &str) {
        if let Some(node) = &mut self.node {
            let _ = node.propose(Vec::new(), value.as_bytes().to_vec());
        }
    }

    /// Hand over a message. An error says that the message was dropped, as one may be.
    pub fn receive(&mut self, message: Message) {
        if let Some(node) = &mut self.node {
            let _ = node.step(message);
        }
    }

    /// Do what the library's Ready asks for, in its order: first everything to disk, then the messages.
    pub fn finish(&mut self) -> Vec<Message> {
        let mut sent = Vec::new();
        let Some(node) = &mut self.node else { return sent };
        while node.has_ready() {
            let mut ready = node.ready();
            if !ready.snapshot().is_empty() {
                self.log = words::told_from_bytes(&ready.snapshot().data);
                self.disk.wl().apply_snapshot(ready.snapshot().clone()).expect("a snapshot is never older");
            }
            self.disk.wl().append(ready.entries()).expect("entries follow on the log");
            if let Some(hard_state) = ready.hs() {
                self.disk.wl().set_hardstate(hard_state.clone());
            }
            sent.extend(ready.take_messages());
            sent.extend(ready.take_persisted_messages());
            let mut light = node.advance(ready);
            if let Some(commit) = light.commit_index() {
                self.disk.wl().mut_hard_state().set_commit(commit);
            }
            sent.extend(light.take_messages());
            node.advance_apply();
        }
        let start = node.raft.raft_log.first_index() as usize - 1;
        self.log.truncate(start);
        self.log.extend(node.raft.raft_log.all_entries().iter().map(words::told));
        for message in &mut sent {
            if message.get_msg_type() == MessageType::MsgSnapshot {
                let snapshot = message.mut_snapshot();
                let index = snapshot.get_metadata().index as usize;
                snapshot.data = words::bytes_of(&self.log[..index]).into();
            }
        }
        self.compact();
        sent
    }

    /// What the server knows, as a trace has it.
    pub fn state(&self, names: &[String]) -> Value {
        let Some(node) = &self.node else { return Value::Null };
        let raft = &node.raft;
        let mut state = json!({
            "term": raft.term,
            "vote": if raft.vote == 0 { Value::Null } else { names[raft.vote as usize - 1].clone().into() },
            "role": words::role(raft.state),
            "commit": raft.raft_log.committed,
            "last": raft.raft_log.last_index(),
        });
        if raft.state == StateRole::Leader {
            let others = raft.prs().iter().filter(|(&id, _)| id != self.id);
            let known = others.map(|(&id, progress)| (names[id as usize - 1].clone(), progress.matched.into()));
            state["match"] = Value::from(known.collect::<Map<_, _>>());
        }
        state
    }

    /// Tell whether a state differs from the last one that was told, and take note of it.
    pub fn has_changed(&mut self, state: &Value) -> bool {
        let has_changed = self.told_state != *state;
        self.told_state = state.clone();
        has_changed
    }

    /// How the log differs from what was told last; None if it does not.
    pub fn log_change(&mut self) -> Option<Value> {
        let change = words::change(&self.told_log, &self.log);
        self.told_log = self.log.clone();
        change
    }

    pub fn term(&self) -> u64 {
        self.node.as_ref().map_or(0, |node| node.raft.term)
    }

    /// Cut the log down. What is in a snapshot is the log itself: the state machine remembers all that it has applied.
    fn compact(&mut self) {
        let Some(node) = &self.node else { return };
        let applied = node.raft.raft_log.applied;
        if self.options.compact && applied > KEPT {
            self.disk.wl().compact(applied - KEPT + 1).expect("the entries are there");
        }
    }
}
