//! tikv/raft-rs as an adapter for lockstep: `raft-rs-peer [OPTION ...]`.
//!
//! docs/lockstep.md tells the protocol, `words.rs` how the library's words are put into ours. The library's servers run
//! without real time: time goes on for a server only if a timeout or a heartbeat is asked for.

mod cluster;
mod server;
mod words;

use std::io::{self, BufRead, Write};

use cluster::{Cluster, Options};

fn main() -> io::Result<()> {
    let mut cluster = Cluster::new(options());
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let request = serde_json::from_str(&line?)?;
        writeln!(out, "{}", cluster.ask(&request))?;
        out.flush()?;
    }
    Ok(())
}

const NAMES: &str = "--pre-vote, --check-quorum, --compact";

fn options() -> Options {
    let mut options = Options::default();
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--pre-vote" => options.pre_vote = true,
            "--check-quorum" => options.check_quorum = true,
            "--compact" => options.compact = true,
            _ => {
                eprintln!("{argument} is not one of {NAMES}");
                std::process::exit(2);
            }
        }
    }
    options
}
