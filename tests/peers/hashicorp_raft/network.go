package main

import (
	"errors"
	"io"
	"math/rand"
	"time"

	"github.com/hashicorp/raft"
)

const (
	longestDelay = 4 * time.Millisecond
	patience     = 100 * time.Millisecond
)

var (
	errLost        = errors.New("lost by the network")
	errUnsupported = errors.New("not supported by this network")
)

// A call is a remote procedure call. Its request and its answer travel as messages, each of which may be lost.
type call struct {
	from     string
	request  any
	message  message               // the request, as the trace shows it
	response chan raft.RPCResponse // where the library puts the answer
	done     chan raft.RPCResponse // where the recorder puts it, once it is told
	answer   message               // what it has told
}

// A transport connects one life of a server to the others. The server's own goroutines call it.
type transport struct {
	*life
	network  *network
	consumer chan raft.RPC
}

// A network delivers calls: to one server one after the other, so that it is known what a server does because of it.
type network struct {
	recorder *recorder
	loss     float64
	inboxes  map[string]chan *transport // each holds the server's transport, for whoever delivers
	isCut    func(from, to string) bool
}

// call sends a request, waits for the answer, and tells of both.
func (t *transport) call(to raft.ServerID, request any) (any, error) {
	c := &call{from: t.name, request: request, response: make(chan raft.RPCResponse, 1)}
	c.done = make(chan raft.RPCResponse, 1)
	if !t.leaves(c, string(to)) || t.network.loses(t.name, string(to)) {
		time.Sleep(longestDelay)
		return nil, errLost
	}
	response, err := t.network.deliver(c, string(to))
	if err != nil || response.Error != nil || t.network.loses(string(to), t.name) {
		return nil, errors.Join(err, response.Error, errLost)
	}
	return response.Response, t.arrives(c, response.Response)
}

// leaves tells of a message, unless its sender is no longer what it was when it began to send it: the library's
// goroutines may be late. Then it is lost on the spot. A candidate's requests wait until its own vote is on disk.
func (t *transport) leaves(c *call, to string) bool {
	for began := time.Now(); time.Since(began) < patience; time.Sleep(time.Millisecond) {
		if left, late := t.tryToLeave(c, to); left || late {
			return left
		}
	}
	return false
}

func (t *transport) tryToLeave(c *call, to string) (left, late bool) {
	t.recorder.lock.Lock()
	defer t.recorder.lock.Unlock()
	if t.hasEnded() {
		return false, true
	}
	t.catchUp()
	if _, ok := c.request.(*raft.RequestPreVoteRequest); ok && t.role == candidate {
		t.role = preCandidate // The library calls both by one name.
	}
	left, late = t.maySend(c.request)
	if left {
		c.message = shownRequest(t.recorder.nextID(), t.name, to, c.request)
		t.tell(eventOf(c.request), nil, c.message)
	}
	return left, late
}

func eventOf(request any) string {
	if r, ok := request.(*raft.AppendEntriesRequest); ok && len(r.Entries) == 0 {
		return "heartbeat"
	}
	return "other"
}

// maySend tells whether a server is what the request says, or is so no more.
func (s *server) maySend(request any) (ready, late bool) {
	term := termOf(request)
	switch request.(type) {
	case *raft.AppendEntriesRequest:
		ready = s.role == leader && term == s.term
		return ready, !ready
	case *raft.RequestPreVoteRequest:
		ready = s.role == preCandidate && term == s.term+1
		return ready, !ready
	}
	ready = s.role == candidate && term == s.term && s.votedTerm == term && s.votedFor == s.name
	return ready, s.term > term || s.role == leader || s.role == follower
}

func (n *network) loses(from, to string) bool {
	time.Sleep(time.Duration(rand.Int63n(int64(longestDelay))))
	return n.isCut(from, to) || rand.Float64() < n.loss
}

// deliver hands a call over to a server and returns its answer.
func (n *network) deliver(c *call, to string) (raft.RPCResponse, error) {
	select {
	case receiver := <-n.inboxes[to]:
		defer func() { n.inboxes[to] <- receiver }()
		return n.handOver(c, receiver)
	case <-time.After(patience):
		return raft.RPCResponse{}, errLost
	}
}

func (n *network) handOver(c *call, to *transport) (raft.RPCResponse, error) {
	n.recorder.lock.Lock()
	to.handling = c
	n.recorder.lock.Unlock()
	select {
	case to.consumer <- raft.RPC{Command: c.request, RespChan: c.response}:
	case <-time.After(patience):
		n.recorder.lock.Lock()
		to.handling = nil
		n.recorder.lock.Unlock()
		return raft.RPCResponse{}, errLost
	}
	for {
		select {
		case response := <-c.response:
			n.recorder.lock.Lock()
			if to.handling == c {
				to.answered(response)
			}
			n.recorder.lock.Unlock()
		case response := <-c.done:
			return response, nil
		case <-to.ended:
			return raft.RPCResponse{}, errLost
		}
	}
}

// arrives tells that an answer has come. One that raises the term of its receiver is told when it is seen to do so.
func (t *transport) arrives(c *call, response any) error {
	t.recorder.lock.Lock()
	defer t.recorder.lock.Unlock()
	if t.hasEnded() {
		return errLost
	}
	t.catchUp()
	term := termOfResponse(response)
	_, isPreVote := response.(*raft.RequestPreVoteResponse)
	if term > t.term && !isPreVote {
		t.answers = append(t.answers, answer{term, c.answer})
	} else {
		t.tell("receive", c.answer)
	}
	return nil
}

func termOfResponse(response any) uint64 {
	switch r := response.(type) {
	case *raft.AppendEntriesResponse:
		return r.Term
	case *raft.RequestVoteResponse:
		return r.Term
	case *raft.RequestPreVoteResponse:
		return r.Term
	}
	return 0
}

// AppendEntries implements raft.Transport.
func (t *transport) AppendEntries(
	id raft.ServerID, _ raft.ServerAddress, request *raft.AppendEntriesRequest, response *raft.AppendEntriesResponse,
) error {
	asked := *request // The library uses the memory of a heartbeat again.
	return answerInto(response)(t.call(id, &asked))
}

// RequestVote implements raft.Transport.
func (t *transport) RequestVote(
	id raft.ServerID, _ raft.ServerAddress, request *raft.RequestVoteRequest, response *raft.RequestVoteResponse,
) error {
	return answerInto(response)(t.call(id, request))
}

// RequestPreVote implements raft.WithPreVote.
func (t *transport) RequestPreVote(
	id raft.ServerID, _ raft.ServerAddress, request *raft.RequestPreVoteRequest, response *raft.RequestPreVoteResponse,
) error {
	return answerInto(response)(t.call(id, request))
}

func answerInto[Response any](response *Response) func(any, error) error {
	return func(answer any, err error) error {
		if err == nil {
			*response = *answer.(*Response)
		}
		return err
	}
}

// Consumer implements raft.Transport.
func (t *transport) Consumer() <-chan raft.RPC { return t.consumer }

// LocalAddr implements raft.Transport.
func (t *transport) LocalAddr() raft.ServerAddress { return raft.ServerAddress(t.name) }

// AppendEntriesPipeline implements raft.Transport: the library then sends one call after the other.
func (t *transport) AppendEntriesPipeline(raft.ServerID, raft.ServerAddress) (raft.AppendPipeline, error) {
	return nil, raft.ErrPipelineReplicationNotSupported
}

// InstallSnapshot implements raft.Transport. No server of a recording makes snapshots.
func (t *transport) InstallSnapshot(
	raft.ServerID, raft.ServerAddress, *raft.InstallSnapshotRequest, *raft.InstallSnapshotResponse, io.Reader,
) error {
	return errUnsupported
}

// TimeoutNow implements raft.Transport. No leadership is transferred in a recording.
func (t *transport) TimeoutNow(
	raft.ServerID, raft.ServerAddress, *raft.TimeoutNowRequest, *raft.TimeoutNowResponse,
) error {
	return errUnsupported
}

// EncodePeer implements raft.Transport.
func (t *transport) EncodePeer(_ raft.ServerID, address raft.ServerAddress) []byte {
	return []byte(address)
}

// DecodePeer implements raft.Transport.
func (t *transport) DecodePeer(address []byte) raft.ServerAddress { return raft.ServerAddress(address) }

// SetHeartbeatHandler implements raft.Transport. Heartbeats take the way of all other calls.
func (t *transport) SetHeartbeatHandler(func(raft.RPC)) {}
