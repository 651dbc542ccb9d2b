package main

import (
	"fmt"
	"sort"
	"strconv"
	"strings"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
)

// A fault is one that a judge has to find. The library has none of them: with a lie, it is shown otherwise than it is;
// with a misdeed, its disk or its network do what they must not do.
type fault string

const (
	dropVote      fault = "drop-vote"
	raiseCommit   fault = "raise-commit"
	oldTermCommit fault = "old-term-commit"
	wrongTerm     fault = "wrong-term"

	flipReject    fault = "flip-reject"
	forgetVote    fault = "forget-vote"
	doubleVote    fault = "double-vote"
	loseEntry     fault = "lose-entry-on-restart"
	unsyncedWrite fault = "unsynced-write"
)

var faults = map[fault]string{
	dropVote:      "lie: a vote for another server is not shown",
	raiseCommit:   "lie: the commit index is shown one too high, if there is an entry there",
	oldTermCommit: "lie: a leader is shown to have committed what a majority has, of whatever term it is",
	wrongTerm:     "lie: answers to AppendEntries are shown with a term that is one too high",
	flipReject:    "misdeed: on the way, a refusal becomes an approval",
	forgetVote:    "misdeed: a server that restarts has forgotten its vote",
	doubleVote:    "misdeed: a follower forgets its vote when another candidate asks for one in the same term",
	loseEntry:     "misdeed: a server that restarts has lost the last entry of its log",
	unsyncedWrite: "misdeed: a crash loses what was written last, although the messages that rest on it have left",
}

func faultNamed(name string) fault {
	if _, ok := faults[fault(name)]; name != "" && !ok {
		var known []string
		for fault, what := range faults {
			known = append(known, fmt.Sprintf("  %-22s %s", fault, what))
		}
		sort.Strings(known)
		fail("unknown fault " + name + ": there are\n" + strings.Join(known, "\n"))
	}
	return fault(name)
}

// lieAboutState changes what is shown of a server.
func (f fault) lieAboutState(s *server, vote, commit *uint64, last uint64) {
	switch {
	case f == dropVote && *vote != s.id:
		*vote = raft.None
	case f == raiseCommit && *commit < last:
		*commit++
	case f == oldTermCommit && s.isLeader():
		*commit = max(*commit, s.heldByMajority())
	}
}

// lieAboutEvent changes an event of the library's trace.
func (f fault) lieAboutEvent(s *server, event *raft.TracingEvent) {
	vote, err := strconv.ParseUint(event.State.Vote, 10, 64)
	must(err)
	f.lieAboutState(s, &vote, &event.State.Commit, event.LogSize)
	event.State.Vote = strconv.FormatUint(vote, 10)
	if m := event.Message; f == wrongTerm && m != nil && m.Type == pb.MsgAppResp.String() && m.From != m.To {
		m.Term++
	}
}

// onTheWay changes a message between its sender and its receiver.
func (f fault) onTheWay(message pb.Message) pb.Message {
	if f == flipReject && message.Reject {
		message.Reject, message.RejectHint, message.LogTerm = false, 0, 0
	}
	return message
}

// beforeRestart changes what is on a disk.
func (f fault) beforeRestart(s *server) {
	switch f {
	case forgetVote:
		s.forgetVote()
	case loseEntry:
		s.disk = s.disk.withoutLastEntry()
	}
}

// beforeReceiving changes the server that a message is to be given to: it is started anew, and nobody is told.
func (f fault) beforeReceiving(s *server, message pb.Message) (sent []pb.Message) {
	now := s.node.BasicStatus()
	if f != doubleVote || message.Type != pb.MsgVote || message.Term != now.Term || now.Vote == message.From ||
		now.RaftState != raft.StateFollower {
		return nil
	}
	sent = s.settle()
	s.forgetVote()
	tracer := s.tracer
	s.tracer = nil
	s.start()
	s.settle()
	s.tracer = tracer
	return sent
}

func (s *server) forgetVote() {
	hard, _, _ := s.disk.InitialState()
	hard.Vote = raft.None
	must(s.disk.SetHardState(hard))
}

// heldByMajority returns the index up to which a majority's logs match the leader's.
func (s *server) heldByMajority() uint64 {
	var matches []uint64
	status := s.node.Status()
	for id := range status.Config.Voters[0] {
		matches = append(matches, status.Progress[id].Match)
	}
	sort.Slice(matches, func(i, j int) bool { return matches[i] < matches[j] })
	return matches[(len(matches)-1)/2]
}
