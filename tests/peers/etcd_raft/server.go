package main

import (
	"fmt"
	"io"
	"log"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
)

// electionTicks is the library's election timeout. Followers are never ticked, since the library randomises their
// timeout with a generator of its own that cannot be seeded: elections are started by Campaign.
const electionTicks = 10

// settings are those options of the library that change what a server may do.
type settings struct {
	preVote, checkQuorum, stepDownOnRemoval bool
	forwarding                              bool
	maxSizePerMessage                       uint64
}

// A server is one member of a cluster: a RawNode and its disk.
type server struct {
	id       uint64
	settings settings
	tracer   raft.TraceLogger // may be nil
	fault    fault
	disk     *disk
	previous *disk // before the last write, if the fault is unsyncedWrite

	node          *raft.RawNode // nil while it is down
	ready         *raft.Ready   // taken from the node, but not yet on disk
	applied       uint64
	configuration pb.ConfState // after the entry at applied

	wasMember bool // since it was started
	hasLeft   bool // it was removed, and is not to be started again unless it is added again
}

// start creates the node from what is on disk. What was applied after the last snapshot is applied again.
func (s *server) start() {
	_, configuration, _ := s.disk.InitialState()
	snapshot, _ := s.disk.Snapshot()
	s.configuration, s.applied, s.wasMember = configuration, snapshot.Metadata.Index, false
	node, err := raft.NewRawNode(&raft.Config{
		ID:                        s.id,
		ElectionTick:              electionTicks,
		HeartbeatTick:             1,
		Storage:                   s.disk,
		Applied:                   s.applied,
		MaxSizePerMsg:             s.settings.maxSizePerMessage,
		MaxCommittedSizePerReady:  1 << 62,
		MaxInflightMsgs:           8,
		CheckQuorum:               s.settings.checkQuorum,
		PreVote:                   s.settings.preVote,
		StepDownOnRemoval:         s.settings.stepDownOnRemoval,
		DisableProposalForwarding: !s.settings.forwarding,
		Logger:                    silent(),
		TraceLogger:               s.tracer,
	})
	must(err)
	s.node = node
}

// crash loses everything that is not on disk.
func (s *server) crash() {
	s.node, s.ready = nil, nil
	if s.previous != nil {
		s.disk, s.previous = s.previous, nil
	}
}

// restart starts the server again after a crash.
func (s *server) restart() {
	s.fault.beforeRestart(s)
	s.start()
}

func (s *server) isUp() bool { return s.node != nil }

func (s *server) isLeader() bool {
	return s.isUp() && s.node.BasicStatus().RaftState == raft.StateLeader
}

// take takes what the node wants done from it. It tells whether there was anything.
func (s *server) take() bool {
	if !s.isUp() || s.ready != nil || !s.node.HasReady() {
		return false
	}
	ready := s.node.Ready()
	s.ready = &ready
	return true
}

// finish does what the node wants done: first to disk, and only then the messages, which it returns, may leave.
func (s *server) finish() []pb.Message {
	ready := *s.ready
	s.ready = nil
	s.persist(ready)
	s.apply(ready)
	s.node.Advance(ready)
	return ready.Messages
}

func (s *server) persist(ready raft.Ready) {
	if s.fault == unsyncedWrite && ready.MustSync {
		s.previous = s.disk.withEntries(s.disk.entries())
	}
	s.disk.write(ready)
	if !raft.IsEmptySnap(ready.Snapshot) {
		s.applied, s.configuration = ready.Snapshot.Metadata.Index, ready.Snapshot.Metadata.ConfState
	}
}

// apply applies what is committed: only changes of the membership mean anything to the library.
func (s *server) apply(ready raft.Ready) {
	for _, entry := range ready.CommittedEntries {
		s.applied = entry.Index
		if change, ok := membershipChange(entry); ok {
			s.configuration = *s.node.ApplyConfChange(change)
		}
	}
}

// settle takes and finishes until there is nothing more to do, and returns what is to be sent.
func (s *server) settle() []pb.Message {
	var messages []pb.Message
	for s.ready != nil || s.take() {
		messages = append(messages, s.finish()...)
	}
	return messages
}

// canCompact tells whether something is applied that is in no snapshot yet.
func (s *server) canCompact() bool {
	snapshot, _ := s.disk.Snapshot()
	first, _ := s.disk.FirstIndex()
	return s.applied > snapshot.Metadata.Index && s.applied >= first
}

// compact makes a snapshot of what is applied, and cuts the log off at upTo.
func (s *server) compact(upTo uint64) {
	_, err := s.disk.CreateSnapshot(s.applied, &s.configuration, []byte(fmt.Sprintf("state at %d", s.applied)))
	must(err)
	must(s.disk.Compact(upTo))
}

// membershipChange returns the change that an entry makes to the membership, if it makes one.
func membershipChange(entry pb.Entry) (pb.ConfChangeI, bool) {
	switch entry.Type {
	case pb.EntryConfChange:
		var change pb.ConfChange
		must(change.Unmarshal(entry.Data))
		return change, true
	case pb.EntryConfChangeV2:
		var change pb.ConfChangeV2
		must(change.Unmarshal(entry.Data))
		return change, true
	}
	return nil, false
}

// copied returns a message that shares no memory with its sender, as if it had come over a wire.
func copied(message pb.Message) pb.Message {
	data, err := message.Marshal()
	must(err)
	var received pb.Message
	must(received.Unmarshal(data))
	return received
}

func silent() raft.Logger { return &raft.DefaultLogger{Logger: log.New(io.Discard, "", 0)} }

func must(err error) {
	if err != nil {
		panic(err)
	}
}
