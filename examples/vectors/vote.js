// A vote handler of one's own, checked against conformance vectors:
//
//     raftproof vectors | node examples/vectors/vote.js
//
// docs/vectors.md describes the format. Only the vectors about RequestVote are of use here; the others are passed over.

"use strict";

// The code under test: what a server does with a RequestVote (Raft paper, Figure 2).

function handleRequestVote(server, candidate, request) {
  if (request.term > server.currentTerm) {
    server = { ...server, currentTerm: request.term, votedFor: null };
  }
  const { log, snapshot } = server; // the entries that follow on the snapshot, which stands for all before them
  const last = snapshot.index + log.length;
  const lastTerm = log.length === 0 ? snapshot.term : log[log.length - 1].term;
  const isUpToDate =
    request.lastLogTerm > lastTerm || (request.lastLogTerm === lastTerm && request.lastLogIndex >= last);
  const isFree = server.votedFor === null || server.votedFor === candidate;
  const granted = request.term === server.currentTerm && isFree && isUpToDate;
  return { server: granted ? { ...server, votedFor: candidate } : server, granted };
}

// From a vector to the values of that code, and back.

function serverOf(state) {
  const { entries, snapshot } = state.log;
  return {
    currentTerm: state.current_term,
    votedFor: state.voted_for,
    log: entries,
    snapshot: { index: snapshot.last_included_index, term: snapshot.last_included_term },
  };
}

function requestOf(message) {
  return { term: message.term, lastLogIndex: message.last_log_index, lastLogTerm: message.last_log_term };
}

function isGranted(outputs) {
  return outputs.some((output) => output.type === "Send" && output.message.vote_granted === true);
}

function faultsOf(vector) {
  const { sender, message } = vector.input;
  const { server, granted } = handleRequestVote(serverOf(vector.before), sender, requestOf(message));
  const wanted = serverOf(vector.after);
  const faults = [];
  if (server.currentTerm !== wanted.currentTerm) faults.push(`term ${server.currentTerm}, not ${wanted.currentTerm}`);
  if (server.votedFor !== wanted.votedFor) faults.push(`vote for ${server.votedFor}, not ${wanted.votedFor}`);
  if (granted !== isGranted(vector.outputs)) faults.push(granted ? "votes, and must not" : "does not vote, and must");
  return faults;
}

const [header, ...vectors] = require("fs")
  .readFileSync(process.argv[2] || 0, "utf8")
  .split("\n")
  .filter((line) => line !== "")
  .map((line) => JSON.parse(line));
if (header === undefined || header.format !== "raftproof/vectors/2") {
  console.error("these are no conformance vectors");
  process.exit(2);
}
const relevant = vectors.filter((vector) => vector.input.message?.type === "RequestVote");
const failed = relevant.filter((vector) => faultsOf(vector).length > 0);
for (const vector of failed) {
  console.log(`${vector.name}: ${faultsOf(vector).join("; ")}`);
}
console.log(`${relevant.length - failed.length} of ${relevant.length} vectors about RequestVote are met`);
process.exit(failed.length > 0 || relevant.length === 0 ? 1 : 0);
