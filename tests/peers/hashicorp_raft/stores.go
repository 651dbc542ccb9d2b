package main

import "github.com/hashicorp/raft"

// The keys under which the library keeps its term and its vote.
const keyTerm, keyVotedTerm, keyVotedFor = "CurrentTerm", "LastVoteTerm", "LastVoteCand"

// A life is one node of a server, from its start to its crash. It is the node's StableStore and LogStore: after the
// crash, what the node still does is of no effect.
type life struct {
	*server
	ended            chan struct{} // closed by the crash
	crashWhileVoting func() bool
}

func (l *life) hasEnded() bool {
	select {
	case <-l.ended:
		return true
	default:
		return false
	}
}

// Set implements raft.StableStore.
func (l *life) Set(key, value []byte) error {
	return l.writing(func() error {
		err := l.stable.Set(key, value)
		if string(key) == keyVotedFor {
			l.voteIsWritten(string(value))
		}
		return err
	})
}

// SetUint64 implements raft.StableStore.
func (l *life) SetUint64(key []byte, value uint64) error {
	return l.writing(func() error {
		switch string(key) {
		case keyTerm:
			l.termIsWritten(value)
		case keyVotedTerm:
			l.catchUp()
			l.votedTerm = value
			if l.handling != nil && l.votedFor != "" && l.crashWhileVoting() {
				l.stopsWhileVoting()
				close(l.ended)
			}
		}
		return l.stable.SetUint64(key, value)
	})
}

// Get implements raft.StableStore.
func (l *life) Get(key []byte) ([]byte, error) { return l.stable.Get(key) }

// GetUint64 implements raft.StableStore.
func (l *life) GetUint64(key []byte) (uint64, error) { return l.stable.GetUint64(key) }

// FirstIndex implements raft.LogStore.
func (l *life) FirstIndex() (uint64, error) { return l.logs.FirstIndex() }

// LastIndex implements raft.LogStore.
func (l *life) LastIndex() (uint64, error) { return l.logs.LastIndex() }

// GetLog implements raft.LogStore.
func (l *life) GetLog(index uint64, log *raft.Log) error { return l.logs.GetLog(index, log) }

// StoreLog implements raft.LogStore.
func (l *life) StoreLog(log *raft.Log) error { return l.StoreLogs([]*raft.Log{log}) }

// StoreLogs implements raft.LogStore.
func (l *life) StoreLogs(logs []*raft.Log) error {
	return l.writing(func() error {
		l.catchUp()
		err := l.logs.StoreLogs(logs)
		l.entriesAreWritten(logs[len(logs)-1])
		return err
	})
}

// DeleteRange implements raft.LogStore. The library deletes what conflicts with its leader, always to the end.
func (l *life) DeleteRange(first, last uint64) error {
	return l.writing(func() error {
		l.catchUp()
		l.length, l.shownKeep = first-1, min(l.shownKeep, first-1)
		return l.logs.DeleteRange(first, last)
	})
}

func (l *life) writing(write func() error) error {
	l.recorder.lock.Lock()
	defer l.recorder.lock.Unlock()
	if l.hasEnded() {
		return nil
	}
	return write()
}
