package main

import pb "go.etcd.io/raft/v3/raftpb"

// mostServers is how many servers a simulation may have in all, those that have left included.
const mostServers = 7

// changeMembership proposes a change to a leader: one server at a time, several at once by joint consensus, or the end
// of a joint configuration. Only leaders are asked, since they know on which configuration the change will be made.
func (s *simulation) changeMembership() bool {
	leader := s.any((*server).isLeader)
	if leader == nil {
		return false
	}
	current := leader.node.Status().Config
	if len(current.Voters[1]) > 0 {
		return leader.node.ProposeConfChange(pb.ConfChangeV2{}) == nil && s.afterwards(leader)
	}
	members := map[uint64]pb.ConfChangeType{}
	for id := range current.Voters[0] {
		members[id] = pb.ConfChangeAddNode
	}
	for id := range current.Learners {
		members[id] = pb.ConfChangeAddLearnerNode
	}
	count := 1
	if s.with["joint"] {
		count += s.random.Intn(3)
	}
	changes := s.changesOf(members, count)
	if len(changes) == 0 {
		return false
	}
	return leader.node.ProposeConfChange(s.wrapped(changes)) == nil && s.afterwards(leader)
}

// wrapped returns the changes as the library wants them, in one of the ways that there are.
func (s *simulation) wrapped(changes []pb.ConfChangeSingle) pb.ConfChangeI {
	if len(changes) == 1 && (!s.with["joint"] || s.random.Intn(2) == 0) {
		return pb.ConfChange{Type: changes[0].Type, NodeID: changes[0].NodeID}
	}
	change := pb.ConfChangeV2{Changes: changes}
	if s.with["joint"] {
		change.Transition = pb.ConfChangeTransition(s.random.Intn(3))
	}
	return change
}

// changesOf returns up to count changes of different servers, after which at least two are voters still.
// It carries them out on members.
func (s *simulation) changesOf(members map[uint64]pb.ConfChangeType, count int) []pb.ConfChangeSingle {
	var changes []pb.ConfChangeSingle
	for _, at := range s.random.Perm(mostServers)[:count] {
		id := uint64(at + 1)
		if id > uint64(len(s.servers)) {
			id = uint64(len(s.servers)) + 1
		}
		kinds := s.possible(members, id)
		if len(kinds) == 0 {
			continue
		}
		kind := kinds[s.random.Intn(len(kinds))]
		if id > uint64(len(s.servers)) {
			s.join()
		}
		s.servers[id-1].hasLeft = false
		changes = append(changes, pb.ConfChangeSingle{Type: kind, NodeID: id})
		if kind == pb.ConfChangeRemoveNode {
			delete(members, id)
		} else {
			members[id] = kind
		}
	}
	return changes
}

// possible returns what a change may do to a server.
func (s *simulation) possible(members map[uint64]pb.ConfChangeType, id uint64) []pb.ConfChangeType {
	voters := 0
	for _, kind := range members {
		if kind == pb.ConfChangeAddNode {
			voters++
		}
	}
	role, isMember := members[id]
	var kinds []pb.ConfChangeType
	isVoter := isMember && role == pb.ConfChangeAddNode
	if !isVoter {
		kinds = append(kinds, pb.ConfChangeAddNode)
	}
	if isMember && (!isVoter || voters > 2) {
		kinds = append(kinds, pb.ConfChangeRemoveNode)
	}
	if s.with["learners"] && (!isMember || isVoter && voters > 2) {
		kinds = append(kinds, pb.ConfChangeAddLearnerNode)
	}
	return kinds
}

// stopIfRemoved stops a server, usually, that has seen that it is no member any more.
func (s *simulation) stopIfRemoved(server *server) {
	switch {
	case server.isMember():
		server.wasMember = true
	case server.wasMember && s.random.Intn(4) > 0:
		server.crash()
		server.hasLeft = true
	}
}

// isMember tells whether the configuration that a server has applied has a place for it.
func (s *server) isMember() bool {
	c := s.configuration
	for _, ids := range [][]uint64{c.Voters, c.VotersOutgoing, c.Learners, c.LearnersNext} {
		for _, id := range ids {
			if id == s.id {
				return true
			}
		}
	}
	return false
}
