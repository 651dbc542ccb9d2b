package main

import (
	"encoding/hex"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
)

// The types below are those of docs/traces.md.

type header struct {
	Format  string   `json:"format"`
	Servers []string `json:"servers"`
	Network string   `json:"network"`
}

type step struct {
	Server  string     `json:"server"`
	Event   string     `json:"event"`
	Message message    `json:"message,omitempty"`
	State   state      `json:"state"`
	Log     *logChange `json:"log,omitempty"`
	Sends   []message  `json:"sends"`
}

type state struct {
	Term          uint64            `json:"term"`
	Vote          *string           `json:"vote"`
	Role          string            `json:"role"`
	Commit        uint64            `json:"commit"`
	Last          uint64            `json:"last"`
	Match         map[string]uint64 `json:"match,omitempty"`
	Configuration configuration     `json:"configuration"`
}

type configuration struct {
	Voters []string `json:"voters"`
}

type logChange struct {
	Keep    int     `json:"keep"`
	Entries []entry `json:"entries"`
}

type entry struct {
	Term uint64 `json:"term"`
	Data string `json:"data"`
}

// A message has the fields that its type has.
type message map[string]any

var roles = map[raft.StateType]string{
	raft.StateFollower:     "follower",
	raft.StatePreCandidate: "pre-candidate",
	raft.StateCandidate:    "candidate",
	raft.StateLeader:       "leader",
}

var messageTypes = map[pb.MessageType]string{
	pb.MsgVote:          "RequestVote",
	pb.MsgVoteResp:      "RequestVoteResponse",
	pb.MsgPreVote:       "PreVote",
	pb.MsgPreVoteResp:   "PreVoteResponse",
	pb.MsgApp:           "AppendEntries",
	pb.MsgAppResp:       "AppendEntriesResponse",
	pb.MsgHeartbeat:     "Heartbeat",
	pb.MsgHeartbeatResp: "HeartbeatResponse",
	pb.MsgSnap:          "InstallSnapshot",
	pb.MsgTimeoutNow:    "TimeoutNow",
}

func newHeader(servers []string) *header {
	return &header{"raftproof/trace/1", servers, "any"}
}

// shownMessage returns a message as a trace tells it.
func (a *adapter) shownMessage(id int, m pb.Message) message {
	kind, known := messageTypes[m.Type]
	result := message{"id": id, "type": kind, "from": a.names[m.From-1], "to": a.names[m.To-1], "term": m.Term}
	if !known {
		result["type"], result["what"] = "Other", m.Type.String()
	}
	switch m.Type {
	case pb.MsgVote, pb.MsgPreVote:
		result["last_index"], result["last_term"] = m.Index, m.LogTerm
	case pb.MsgVoteResp, pb.MsgPreVoteResp:
		result["granted"] = !m.Reject
	case pb.MsgApp:
		result["prev_index"], result["prev_term"] = m.Index, m.LogTerm
		result["entries"], result["commit"] = shownEntries(m.Entries), m.Commit
	case pb.MsgAppResp:
		result["success"] = !m.Reject
		if !m.Reject {
			result["index"] = m.Index
		}
		if a.fault == wrongTerm {
			result["term"] = m.Term + 1
		}
	case pb.MsgHeartbeat:
		result["commit"] = m.Commit
	case pb.MsgSnap:
		result["index"], result["index_term"] = m.Snapshot.Metadata.Index, m.Snapshot.Metadata.Term
	}
	return result
}

// shownEntries returns entries as a trace tells them. The first entry of a leader has no data at all, unlike any value.
func shownEntries(entries []pb.Entry) []entry {
	result := []entry{}
	for _, e := range entries {
		data := "value " + string(e.Data)
		if e.Type != pb.EntryNormal {
			data = e.Type.String() + " " + hex.EncodeToString(e.Data)
		} else if e.Data == nil {
			data = "no-op"
		}
		result = append(result, entry{e.Term, data})
	}
	return result
}

// changeOf returns what has become of a log, or nil if it is as it was.
func changeOf(before, after []entry) *logChange {
	keep := 0
	for keep < len(before) && keep < len(after) && before[keep] == after[keep] {
		keep++
	}
	if keep == len(before) && keep == len(after) {
		return nil
	}
	return &logChange{keep, after[keep:]}
}
