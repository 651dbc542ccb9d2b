//! A cluster that does what it is told.

use raft::eraftpb::Message;
use serde_json::{json, Value};

use crate::server::Server;
use crate::words;

const VERSION: &str = "raft-rs 0.7.0";

#[derive(Clone, Copy, Default)]
pub struct Options {
    pub pre_vote: bool,
    pub check_quorum: bool,
    /// Cut logs down to a snapshot, so that servers that are far behind get one.
    pub compact: bool,
}

impl Options {
    fn name(self) -> String {
        let chosen =
            [(self.pre_vote, ", pre-vote"), (self.check_quorum, ", check-quorum"), (self.compact, ", compacting")];
        let chosen = chosen.iter().filter(|(is_on, _)| *is_on);
        chosen.fold(VERSION.to_string(), |name, (_, option)| name + option)
    }
}

pub struct Cluster {
    options: Options,
    names: Vec<String>,
    servers: Vec<Server>,
    /// Every message that was sent, and how it was told; its place is its id.
    messages: Vec<(Message, Value)>,
}

impl Cluster {
    pub fn new(options: Options) -> Self {
        Cluster { options, names: Vec::new(), servers: Vec::new(), messages: Vec::new() }
    }

    pub fn ask(&mut self, request: &Value) -> Value {
        let event = request["do"].as_str().unwrap_or_default();
        if event == "begin" {
            return self.begin(request);
        }
        if event == "deliver" {
            return self.deliver(request);
        }
        let Some(number) = self.number_of(request) else {
            return json!({"unsupported": format!("{request} names no server")});
        };
        let server = &mut self.servers[number];
        match event {
            "timeout" => return json!({"steps": self.timeout(number)}),
            "heartbeat" => server.let_heartbeat_interval_pass(),
            "propose" => server.propose(request["value"].as_str().unwrap_or_default()),
            "crash" => server.crash(),
            "restart" => server.start(),
            _ => return json!({"unsupported": format!("{event} is not known")}),
        }
        let event = if event == "restart" { "start" } else { event };
        json!({"steps": self.step(number, event, None)})
    }

    fn begin(&mut self, request: &Value) -> Value {
        let names = request["servers"].as_array().into_iter().flatten();
        self.names = names.filter_map(|name| name.as_str().map(String::from)).collect();
        self.messages.clear();
        let voters: Vec<u64> = (1..=self.names.len() as u64).collect();
        self.servers = voters.iter().map(|&id| Server::new(id, &voters, self.options)).collect();
        let mut steps = Vec::new();
        for number in 0..self.servers.len() {
            self.servers[number].start();
            steps.extend(self.step(number, "start", None));
        }
        let header = json!({"format": "raftproof/trace/1", "servers": self.names, "network": "any",
            "source": self.options.name()});
        json!({"peer": self.options.name(), "header": header, "steps": steps})
    }

    fn deliver(&mut self, request: &Value) -> Value {
        let id = request["message"].as_u64().unwrap_or(u64::MAX) as usize;
        let Some((message, told)) = self.messages.get(id).cloned() else {
            return json!({"unsupported": format!("there is no message {id}")});
        };
        let number = message.to as usize - 1;
        if !self.servers[number].is_up() {
            return json!({"steps": []});
        }
        self.servers[number].receive(message);
        json!({"steps": self.step(number, "receive", Some(told))})
    }

    /// Let a server's election timeout run out. What it does in each tick is a step.
    fn timeout(&mut self, number: usize) -> Vec<Value> {
        let mut steps = Vec::new();
        loop {
            let is_over = self.servers[number].tick_towards_election();
            steps.extend(self.step(number, "timeout", None));
            if is_over {
                return steps;
            }
        }
    }

    /// Let a server finish what it was given; return that as a step, or nothing if nothing came of it.
    fn step(&mut self, number: usize, event: &str, message: Option<Value>) -> Vec<Value> {
        let server = &mut self.servers[number];
        if !server.is_up() {
            return Vec::new();
        }
        let sent = server.finish();
        let state = server.state(&self.names);
        let log = server.log_change();
        let has_changed = server.has_changed(&state) || log.is_some() || !sent.is_empty();
        if !has_changed && event != "start" && event != "receive" {
            return Vec::new();
        }
        let mut step = json!({"server": self.names[number], "event": event, "state": state});
        if let Some(log) = log {
            step["log"] = log;
        }
        if let Some(message) = message {
            step["message"] = message;
        }
        let mut sends = Vec::new();
        for message in sent {
            let told = words::message(&message, &self.names[number], server.term(), self.messages.len(), &self.names);
            sends.push(told.clone());
            self.messages.push((message, told));
        }
        step["sends"] = Value::from(sends);
        vec![step]
    }

    fn number_of(&self, request: &Value) -> Option<usize> {
        let name = request["server"].as_str()?;
        self.names.iter().position(|other| other == name)
    }
}
