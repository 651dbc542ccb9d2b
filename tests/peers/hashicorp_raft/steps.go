package main

import (
	"encoding/hex"
	"encoding/json"
	"io"

	"github.com/hashicorp/raft"
)

// The types below are those of docs/traces.md.

type header struct {
	Format  string   `json:"format"`
	Servers []string `json:"servers"`
	Network string   `json:"network"`
	Source  string   `json:"source"`
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
	Term   uint64  `json:"term"`
	Vote   *string `json:"vote"`
	Role   string  `json:"role"`
	Commit uint64  `json:"commit"`
	Last   uint64  `json:"last"`
}

type logChange struct {
	Keep    uint64  `json:"keep"`
	Entries []entry `json:"entries"`
}

type entry struct {
	Term uint64 `json:"term"`
	Data string `json:"data"`
}

// A message has the fields that its type has.
type message map[string]any

// Every server of this library begins in term 1 with a log of one entry, which names the members. The traces begin
// after that: terms and indices are counted from there, so that all begin in term 0 with an empty log.

func shownTerm(term uint64) uint64 { return max(term, bootTerm) - bootTerm }

func shownIndex(index uint64) uint64 { return max(index, bootIndex) - bootIndex }

const bootTerm, bootIndex = 1, 1

func shownEntries(logs []*raft.Log) []entry {
	result := []entry{}
	for _, log := range logs {
		if log.Index <= bootIndex {
			continue
		}
		data := "value " + string(log.Data)
		if log.Type != raft.LogCommand {
			data = log.Type.String() + " " + hex.EncodeToString(log.Data)
		}
		result = append(result, entry{shownTerm(log.Term), data})
	}
	return result
}

// shownRequest returns what a remote procedure call asks for as a message.
func shownRequest(id int, from, to string, request any) message {
	result := message{"id": id, "from": from, "to": to}
	switch r := request.(type) {
	case *raft.AppendEntriesRequest:
		result["type"], result["term"] = "AppendEntries", shownTerm(r.Term)
		result["prev_index"], result["prev_term"] = shownIndex(r.PrevLogEntry), shownTerm(r.PrevLogTerm)
		result["entries"], result["commit"] = shownEntries(r.Entries), shownIndex(r.LeaderCommitIndex)
	case *raft.RequestVoteRequest:
		result["type"], result["term"] = "RequestVote", shownTerm(r.Term)
		result["last_index"], result["last_term"] = shownIndex(r.LastLogIndex), shownTerm(r.LastLogTerm)
	case *raft.RequestPreVoteRequest:
		result["type"], result["term"] = "PreVote", shownTerm(r.Term)
		result["last_index"], result["last_term"] = shownIndex(r.LastLogIndex), shownTerm(r.LastLogTerm)
	}
	return result
}

// shownResponse returns the answer to a call as a message. An answer to AppendEntries does not say how far the logs
// match; the library takes it to be as far as the request went, and so does the trace.
func shownResponse(id int, from, to string, request, response any) message {
	result := message{"id": id, "from": from, "to": to}
	switch r := response.(type) {
	case *raft.AppendEntriesResponse:
		asked := request.(*raft.AppendEntriesRequest)
		result["type"], result["term"], result["success"] = "AppendEntriesResponse", shownTerm(r.Term), r.Success
		if r.Success {
			result["index"] = shownIndex(asked.PrevLogEntry + uint64(len(asked.Entries)))
		}
	case *raft.RequestVoteResponse:
		result["type"], result["term"], result["granted"] = "RequestVoteResponse", shownTerm(r.Term), r.Granted
	case *raft.RequestPreVoteResponse:
		result["type"], result["term"], result["granted"] = "PreVoteResponse", shownTerm(r.Term), r.Granted
	}
	return result
}

// write writes a trace.
func write(out io.Writer, head header, steps []step) error {
	encoder := json.NewEncoder(out)
	if err := encoder.Encode(head); err != nil {
		return err
	}
	for _, step := range steps {
		if err := encoder.Encode(step); err != nil {
			return err
		}
	}
	return nil
}
