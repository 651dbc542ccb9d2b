package main

import (
	"bufio"
	"math/rand"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
)

// inFlight is how many messages may be under way before delivering gets precedence over everything else.
const inFlight = 40

// A simulation is a cluster whose every choice is made by one seeded generator.
type simulation struct {
	random   *rand.Rand
	with     map[string]bool // see features
	servers  []*server       // by id, from 1; those that have left stay in it
	network  []pb.Message    // under way, oldest first
	values   int             // proposed so far
	settings settings
	fault    fault
	out      *bufio.Writer
}

// An action is something that may happen next. do tells whether it was possible.
type action struct {
	feature string // without it the action never happens; "" is always there
	weight  int
	do      func() bool
}

func (s *simulation) actions() []action {
	return []action{
		{"", 60, s.deliver},
		{"", 30, s.work},
		{"", 8, s.propose},
		{"", 4, s.heartbeat},
		{"", 6, s.electIfThereIsNoLeader},
		{"elections", 1, s.elect},
		{"loss", 3, s.lose},
		{"crashes", 1, s.crash},
		{"crashes", 4, s.restart},
		{"membership", 6, s.changeMembership},
		{"snapshots", 3, s.compact},
		{"transfer", 1, s.transferLeadership},
		{"reads", 1, s.read},
		{"check-quorum", 2, s.forgetLeader},
	}
}

func newSimulation(seed int64, size int, with map[string]bool, fault fault, out *bufio.Writer) *simulation {
	random := rand.New(rand.NewSource(seed))
	s := &simulation{random: random, with: with, fault: fault, out: out}
	s.settings = settings{
		preVote:           with["pre-vote"],
		checkQuorum:       with["check-quorum"],
		stepDownOnRemoval: random.Intn(2) == 0,
		forwarding:        true,
		maxSizePerMessage: []uint64{0, 64, 1 << 40}[random.Intn(3)],
	}
	var peers []raft.Peer
	for id := 1; id <= size; id++ {
		peers = append(peers, raft.Peer{ID: uint64(id)})
	}
	for range peers {
		must(s.join().node.Bootstrap(peers))
	}
	for _, server := range s.servers {
		s.send(server, server.settle())
	}
	return s
}

// join starts one more server, with an empty disk.
func (s *simulation) join() *server {
	server := &server{
		id: uint64(len(s.servers) + 1), settings: s.settings, fault: s.fault, disk: newDisk(pb.ConfState{}),
	}
	server.tracer = &tracer{server, s.out}
	s.servers = append(s.servers, server)
	server.start()
	return server
}

// run makes as many steps. A step is one action that was possible.
func (s *simulation) run(steps int) {
	actions, total := s.actions(), 0
	for i, action := range actions {
		if action.feature != "" && !s.with[action.feature] {
			actions[i].weight = 0
		}
		total += actions[i].weight
	}
	for done := 0; done < steps; {
		if s.choose(actions, total).do() {
			done++
		}
	}
}

func (s *simulation) choose(actions []action, total int) action {
	if len(s.network) > inFlight && s.random.Intn(4) > 0 {
		return actions[0]
	}
	at := s.random.Intn(total)
	for _, action := range actions {
		if at -= action.weight; at < 0 {
			return action
		}
	}
	panic("weights do not add up")
}

// any returns one of the servers that satisfy a condition, or nil.
func (s *simulation) any(condition func(*server) bool) *server {
	var found []*server
	for _, server := range s.servers {
		if condition(server) {
			found = append(found, server)
		}
	}
	if len(found) == 0 {
		return nil
	}
	return found[s.random.Intn(len(found))]
}

// byID returns a server, or nil if there is no such server or it is down.
func (s *simulation) byID(id uint64) *server {
	if id == 0 || id > uint64(len(s.servers)) || !s.servers[id-1].isUp() {
		return nil
	}
	return s.servers[id-1]
}

// send puts what a server has to say on the network, after which it may stop for good.
func (s *simulation) send(from *server, messages []pb.Message) {
	s.transmit(messages)
	s.stopIfRemoved(from)
}

// transmit puts messages on the network. What a server sends to itself is handed over by Advance and never gets here.
func (s *simulation) transmit(messages []pb.Message) {
	for _, message := range messages {
		s.network = append(s.network, s.fault.onTheWay(copied(message)))
	}
}

// afterwards lets a server that was given something do its work, all of it or none for now: several inputs may come
// before the library is asked what it wants done.
func (s *simulation) afterwards(server *server) bool {
	if s.random.Intn(3) > 0 {
		s.send(server, server.settle())
	}
	return true
}

// work does one half of a server's work: what is taken may be lost in a crash before it is on disk.
func (s *simulation) work() bool {
	server := s.any(func(x *server) bool { return x.isUp() && (x.ready != nil || x.node.HasReady()) })
	if server == nil {
		return false
	}
	if !server.take() {
		s.send(server, server.finish())
	}
	return true
}

// pick returns the place of the message to be handled next: any, or if the network keeps the order any that is the
// first of its sender to its receiver.
func (s *simulation) pick() (int, bool) {
	if len(s.network) == 0 {
		return 0, false
	}
	at := s.random.Intn(len(s.network))
	if s.with["reordering"] {
		return at, true
	}
	for i, message := range s.network {
		if message.From == s.network[at].From && message.To == s.network[at].To {
			return i, true
		}
	}
	return at, true
}

func (s *simulation) remove(at int) pb.Message {
	message := s.network[at]
	s.network = append(s.network[:at:at], s.network[at+1:]...)
	return message
}

func (s *simulation) deliver() bool {
	at, ok := s.pick()
	if !ok {
		return false
	}
	message := copied(s.network[at])
	if !s.with["duplication"] || s.random.Intn(8) > 0 {
		s.remove(at)
	}
	receiver := s.byID(message.To)
	if receiver == nil {
		s.reportLost(message)
		return true
	}
	if message.Type == pb.MsgSnap && receiver.ready != nil {
		// What was committed before has to be applied first: the library would put an old change of the membership
		// on top of the configuration that comes with the snapshot.
		s.transmit(receiver.finish())
	}
	s.transmit(s.fault.beforeReceiving(receiver, message))
	_ = receiver.node.Step(message) // A server may refuse, for example the answer of one that is no member.
	return s.afterwards(receiver)
}

func (s *simulation) lose() bool {
	at, ok := s.pick()
	if ok {
		s.reportLost(s.remove(at))
	}
	return ok
}

// reportLost tells the sender, sometimes, as a transport does that has noticed.
func (s *simulation) reportLost(message pb.Message) {
	sender := s.byID(message.From)
	if sender == nil || s.random.Intn(2) == 0 {
		return
	}
	switch message.Type {
	case pb.MsgSnap:
		sender.node.ReportSnapshot(message.To, raft.SnapshotFailure)
	case pb.MsgApp, pb.MsgHeartbeat:
		sender.node.ReportUnreachable(message.To)
	}
}

// propose gives one or more values to a server, which is usually a leader; others forward them.
func (s *simulation) propose() bool {
	server, leader := s.any((*server).isUp), s.any((*server).isLeader)
	if leader != nil && s.random.Intn(8) > 0 {
		server = leader
	}
	if server == nil {
		return false
	}
	batch := 1
	if s.with["batches"] {
		batch += s.random.Intn(3)
	}
	message := pb.Message{Type: pb.MsgProp, From: server.id}
	for range batch {
		s.values++
		message.Entries = append(message.Entries, pb.Entry{Data: value(s.values)})
	}
	return server.node.Step(message) == nil && s.afterwards(server)
}

// heartbeat lets time pass on a leader: it sends heartbeats, and at times looks whether a quorum is there.
func (s *simulation) heartbeat() bool {
	leader := s.any((*server).isLeader)
	if leader == nil {
		return false
	}
	leader.node.Tick()
	return s.afterwards(leader)
}

func (s *simulation) elect() bool {
	server := s.any((*server).isUp)
	if server == nil {
		return false
	}
	must(server.node.Campaign())
	return s.afterwards(server)
}

func (s *simulation) electIfThereIsNoLeader() bool {
	return s.any((*server).isLeader) == nil && s.elect()
}

// forgetLeader ends a follower's lease, during which it answers no candidate.
func (s *simulation) forgetLeader() bool {
	server := s.any((*server).isUp)
	if server == nil {
		return false
	}
	must(server.node.ForgetLeader())
	return true
}

func (s *simulation) transferLeadership() bool {
	server, to := s.any((*server).isUp), s.any((*server).isUp)
	if server == nil {
		return false
	}
	server.node.TransferLeader(to.id)
	return s.afterwards(server)
}

// read asks for a linearizable read, which costs a round of heartbeats.
func (s *simulation) read() bool {
	server := s.any((*server).isUp)
	if server == nil {
		return false
	}
	s.values++
	server.node.ReadIndex(value(s.values))
	return s.afterwards(server)
}

// crash stops a server at any time: before its work is taken, or after that and before it is on disk.
func (s *simulation) crash() bool {
	server := s.any((*server).isUp)
	if server == nil {
		return false
	}
	if s.random.Intn(2) == 0 {
		server.take()
	}
	server.crash()
	return true
}

func (s *simulation) restart() bool {
	server := s.any(func(x *server) bool { return !x.isUp() && !x.hasLeft })
	if server == nil {
		return false
	}
	server.restart()
	return s.afterwards(server)
}

// compact makes a snapshot on some server and cuts off its log, so that what it leads may need snapshots.
func (s *simulation) compact() bool {
	server := s.any(func(x *server) bool { return x.isUp() && x.ready == nil && x.canCompact() })
	if server == nil {
		return false
	}
	first, _ := server.disk.FirstIndex()
	server.compact(first + uint64(s.random.Int63n(int64(server.applied-first+1))))
	return true
}
