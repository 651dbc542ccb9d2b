package main

import (
	"sync"

	"github.com/hashicorp/raft"
)

// A recorder turns what can be seen of a cluster into steps. All that is seen passes through it, one at a time.
//
// A server's main goroutine writes terms, votes and entries through stores that are ours, and changes its role under
// the eyes of an observer, so these are known exactly and in their order. The commit index can only be read.
type recorder struct {
	lock    sync.Mutex
	steps   []step
	lastID  int
	servers map[string]*server
}

// A server is what is on its disk, and the role that it is known to have. The recorder's lock protects it.
type server struct {
	name     string
	recorder *recorder

	stable *raft.InmemStore
	logs   *raft.InmemStore

	term      uint64
	votedTerm uint64
	votedFor  string
	role      string
	length    uint64 // of the log
	isVoting  bool   // its term is that of its election, and its own vote is not on disk yet

	shownLength uint64 // of the log in the step that was told last
	shownKeep   uint64 // how much of that is still there

	node *raft.Raft // nil while it is down
	life *life      // of the node

	handling *call    // what it was given and has not answered yet
	answers  []answer // that would raise its term, and of which nothing is seen yet
}

// An answer to one of a server's own calls.
type answer struct {
	term    uint64
	message message
}

func (r *recorder) nextID() int {
	r.lastID++
	return r.lastID
}

// tell adds a step of a server. The lock must be held.
func (s *server) tell(event string, received message, sends ...message) {
	if sends == nil {
		sends = []message{}
	}
	result := step{Server: s.name, Event: event, Message: received, State: s.state(), Log: s.logChange(), Sends: sends}
	s.recorder.steps = append(s.recorder.steps, result)
}

func (s *server) state() state {
	result := state{Term: shownTerm(s.term), Role: s.role, Last: shownIndex(s.length)}
	if s.votedTerm == s.term && s.votedFor != "" {
		vote := s.votedFor
		result.Vote = &vote
	}
	if s.node != nil {
		result.Commit = shownIndex(s.node.CommitIndex())
	}
	return result
}

// logChange returns how the log differs from what was told last.
func (s *server) logChange() *logChange {
	keep := min(s.shownKeep, s.shownLength)
	if keep == s.shownLength && keep == s.length {
		return nil
	}
	var added []*raft.Log
	for index := keep + 1; index <= s.length; index++ {
		log := new(raft.Log)
		must(s.logs.GetLog(index, log))
		added = append(added, log)
	}
	s.shownLength, s.shownKeep = s.length, s.length
	return &logChange{shownIndex(keep), shownEntries(added)}
}

// catchUp tells of an answer that a server has given, before anything that it does after that. Since the answer is the
// last thing that handling a call does, what is done before it belongs to the call. The lock must be held.
func (s *server) catchUp() {
	if s.handling == nil {
		return
	}
	select {
	case response := <-s.handling.response:
		s.answered(response)
	default:
	}
}

// answered tells of the answer to the call that is being handled.
func (s *server) answered(response raft.RPCResponse) {
	call := s.handling
	s.handling = nil
	if response.Error == nil {
		call.answer = shownResponse(s.recorder.nextID(), s.name, call.from, call.request, response.Response)
		s.tell("receive", call.message, call.answer)
	} else {
		s.tell("receive", call.message)
	}
	call.done <- response
}

// termIsWritten is called before a new term is on disk. Since a server becomes a follower before it takes over a term
// from a message, one that is not has begun an election.
func (s *server) termIsWritten(term uint64) {
	s.catchUp()
	if term == s.term {
		return
	}
	s.term = term
	switch {
	case s.role != follower:
		s.role, s.isVoting = candidate, true // It is told when its own vote is on disk.
	case s.handling != nil && termOf(s.handling.request) == term:
		// It belongs to the call, and is told with it.
	default:
		s.tellCauseOf(term)
	}
}

// tellCauseOf tells of the answer that has made a server raise its term.
func (s *server) tellCauseOf(term uint64) {
	for i, answer := range s.answers {
		if answer.term == term {
			s.answers = append(s.answers[:i:i], s.answers[i+1:]...)
			s.tell("receive", answer.message)
			return
		}
	}
	s.tell("other", nil)
}

// stopsWhileVoting tells of a call whose handling ends in the middle: it is on disk in which term the server votes, but
// the vote that is there is its last one, in another term.
func (s *server) stopsWhileVoting() {
	s.tell("receive", s.handling.message)
	s.handling = nil
}

// voteIsWritten is called when a vote is on disk.
func (s *server) voteIsWritten(votedFor string) {
	s.catchUp()
	s.votedFor, s.isVoting = votedFor, false
	if votedFor == s.name {
		s.tell("timeout", nil)
	}
}

// roleHasChanged is called when a server has a new role.
func (s *server) roleHasChanged(role raft.RaftState) {
	s.catchUp()
	switch role {
	case raft.Leader:
		s.role = leader
		s.tell("other", nil)
	case raft.Candidate:
		s.role = preCandidate
		s.tell("timeout", nil)
	case raft.Follower:
		s.role = follower // If it is because of a message, it is told with that.
	}
}

// entriesAreWritten is called when entries are on disk, of which the last has that index.
func (s *server) entriesAreWritten(last *raft.Log) {
	s.length = last.Index
	if s.role == leader {
		event := "other"
		if last.Type == raft.LogCommand {
			event = "propose"
		}
		s.tell(event, nil)
	}
}

const (
	follower     = "follower"
	preCandidate = "pre-candidate"
	candidate    = "candidate"
	leader       = "leader"
)

func termOf(request any) uint64 {
	switch r := request.(type) {
	case *raft.AppendEntriesRequest:
		return r.Term
	case *raft.RequestVoteRequest:
		return r.Term
	case *raft.RequestPreVoteRequest:
		return r.Term
	}
	return 0
}
