package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"runtime/debug"
	"sort"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
)

// longestLine is how many bytes a request may have.
const longestLine = 1 << 24

// A request is one line of docs/lockstep.md.
type request struct {
	Do      string   `json:"do"`
	Servers []string `json:"servers"`
	Server  string   `json:"server"`
	Value   string   `json:"value"`
	Message int      `json:"message"`
}

// An answer is what a request leads to: the steps, or why there are none.
type answer struct {
	Peer        string  `json:"peer,omitempty"`
	Header      *header `json:"header,omitempty"`
	Steps       []step  `json:"steps,omitzero"`
	Error       string  `json:"error,omitempty"`
	Unsupported string  `json:"unsupported,omitempty"`
}

// An adapter holds the whole cluster. Servers have the names that begin gives them, and the ids 1, 2, ... in the library.
type adapter struct {
	settings settings
	fault    fault

	names   []string
	servers map[string]*member
	sent    []sentMessage // the id of a message is its place here
}

// A member is a server, and its log as it was shown last.
type member struct {
	*server
	shown []entry
}

type sentMessage struct {
	message pb.Message
	shown   message
}

// serve answers requests until there are no more.
func (a *adapter) serve(in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, longestLine)
	writer := json.NewEncoder(out)
	for lines.Scan() {
		if err := writer.Encode(a.answerTo(lines.Bytes())); err != nil {
			return err
		}
	}
	return lines.Err()
}

// answerTo does what a request asks for. The library's panics are answers, too.
func (a *adapter) answerTo(line []byte) (result answer) {
	defer func() {
		if found := recover(); found != nil {
			result = answer{Error: fmt.Sprint(found)}
		}
	}()
	var request request
	must(json.Unmarshal(line, &request))
	switch request.Do {
	case "begin":
		return a.begin(request.Servers)
	case "deliver":
		return a.deliver(request.Message)
	}
	member := a.servers[request.Server]
	if member == nil {
		return answer{Error: "there is no server " + request.Server}
	}
	switch request.Do {
	case "crash":
		member.crash()
		return answer{Steps: []step{}}
	case "restart":
		member.restart()
		return answer{Steps: []step{a.finish(member, "start", nil)}}
	case "timeout", "heartbeat", "propose":
		return a.input(member, request)
	}
	return answer{Unsupported: "this adapter does not know " + request.Do}
}

// begin starts servers whose logs are empty and that know of each other.
func (a *adapter) begin(names []string) answer {
	a.names, a.servers, a.sent = names, map[string]*member{}, nil
	var configuration pb.ConfState
	for i := range names {
		configuration.Voters = append(configuration.Voters, uint64(i+1))
	}
	steps := []step{}
	for i, name := range names {
		member := &member{server: &server{
			id: uint64(i + 1), settings: a.settings, fault: a.fault, disk: newDisk(configuration),
		}}
		a.servers[name] = member
		member.start()
		steps = append(steps, a.finish(member, "start", nil))
	}
	return answer{Peer: a.peer(), Header: newHeader(names), Steps: steps}
}

// peer names the library, its version and the options that are set.
func (a *adapter) peer() string {
	name := "etcd raft"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if module.Path == "go.etcd.io/raft/v3" {
				name += " " + module.Version
			}
		}
	}
	if a.settings.preVote {
		name += ", PreVote"
	}
	if a.settings.checkQuorum {
		name += ", CheckQuorum"
	}
	return name
}

func (a *adapter) deliver(id int) answer {
	if id < 0 || id >= len(a.sent) {
		return answer{Error: fmt.Sprintf("there is no message %d", id)}
	}
	sent := a.sent[id]
	receiver := a.servers[a.names[sent.message.To-1]]
	if !receiver.isUp() {
		return answer{Steps: []step{}}
	}
	message := copied(sent.message)
	a.fault.beforeReceiving(receiver.server, message)
	_ = receiver.node.Step(message)
	return answer{Steps: []step{a.finish(receiver, "receive", sent.shown)}}
}

// input gives a server something other than a message. Where that means nothing to it, there is no step.
func (a *adapter) input(member *member, request request) answer {
	nothing := answer{Steps: []step{}}
	if !member.isUp() {
		return nothing
	}
	switch request.Do {
	case "timeout":
		// The lease of a leader ends with the election timeout. Tick would start an election when it likes.
		for range electionTicks {
			member.node.TickQuiesced()
		}
		if member.isLeader() || member.node.Campaign() != nil {
			return nothing
		}
	case "heartbeat":
		if !member.isLeader() {
			return nothing
		}
		member.node.Tick()
	case "propose":
		if member.node.Propose([]byte(request.Value)) != nil {
			return nothing
		}
	}
	return answer{Steps: []step{a.finish(member, request.Do, nil)}}
}

// finish lets a server do all its work, and returns what it has come to as one step.
func (a *adapter) finish(m *member, event string, received message) step {
	result := step{Server: a.names[m.id-1], Event: event, Message: received, Sends: []message{}}
	for _, message := range m.settle() {
		message = a.fault.onTheWay(copied(message))
		shown := a.shownMessage(len(a.sent), message)
		a.sent = append(a.sent, sentMessage{message, shown})
		result.Sends = append(result.Sends, shown)
	}
	result.State = a.shownState(m.server)
	entries := shownEntries(m.disk.entries())
	result.Log = changeOf(m.shown, entries)
	m.shown = entries
	return result
}

// shownState returns what the library tells of a server.
func (a *adapter) shownState(s *server) state {
	status := s.node.Status()
	last, _ := s.disk.LastIndex() // All is on disk when a server has done its work.
	vote, commit := status.Vote, status.Commit
	a.fault.lieAboutState(s, &vote, &commit, last)
	result := state{Term: status.Term, Role: roles[status.RaftState], Commit: commit, Last: last}
	if vote != raft.None {
		result.Vote = &a.names[vote-1]
	}
	if status.RaftState == raft.StateLeader {
		result.Match = map[string]uint64{}
		for id, progress := range status.Progress {
			if id != s.id {
				result.Match[a.names[id-1]] = progress.Match
			}
		}
	}
	for id := range status.Config.Voters[0] {
		result.Configuration.Voters = append(result.Configuration.Voters, a.names[id-1])
	}
	sort.Strings(result.Configuration.Voters)
	return result
}
