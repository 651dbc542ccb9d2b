package main

import (
	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
)

// A disk is what survives a crash. initial is the configuration of a cluster whose log is empty, which a MemoryStorage
// can only hold as part of a snapshot.
type disk struct {
	*raft.MemoryStorage
	initial pb.ConfState
}

func newDisk(initial pb.ConfState) *disk { return &disk{raft.NewMemoryStorage(), initial} }

// InitialState implements raft.Storage.
func (d *disk) InitialState() (pb.HardState, pb.ConfState, error) {
	hard, configuration, err := d.MemoryStorage.InitialState()
	if snapshot, _ := d.Snapshot(); raft.IsEmptySnap(snapshot) {
		configuration = d.initial
	}
	return hard, configuration, err
}

// entries returns what the log on disk holds: all that is not cut off by a snapshot.
func (d *disk) entries() []pb.Entry {
	first, _ := d.FirstIndex()
	last, _ := d.LastIndex()
	if last < first {
		return nil
	}
	entries, err := d.Entries(first, last+1, 1<<62)
	must(err)
	return entries
}

// write does what the library asks for in the order that its contract demands: the commit index of the hard state must
// not be beyond the entries that are there.
func (d *disk) write(ready raft.Ready) {
	if !raft.IsEmptySnap(ready.Snapshot) {
		must(d.ApplySnapshot(ready.Snapshot))
	}
	must(d.Append(ready.Entries))
	if !raft.IsEmptyHardState(ready.HardState) {
		must(d.SetHardState(ready.HardState))
	}
}

// withEntries returns a copy that holds these entries in the place of its own, which must start at the same index.
func (d *disk) withEntries(entries []pb.Entry) *disk {
	result := newDisk(d.initial)
	first, _ := d.FirstIndex()
	snapshot, _ := d.Snapshot()
	if cut := first - 1; cut > 0 {
		term, err := d.Term(cut)
		must(err)
		start := snapshot // The log may go back further than its snapshot does.
		start.Metadata.Index, start.Metadata.Term = cut, term
		must(result.ApplySnapshot(start))
	}
	must(result.Append(entries))
	if snapshot.Metadata.Index >= first {
		_, err := result.CreateSnapshot(snapshot.Metadata.Index, &snapshot.Metadata.ConfState, snapshot.Data)
		must(err)
	}
	hard, _, _ := d.InitialState()
	last, _ := result.LastIndex()
	hard.Commit = min(hard.Commit, last)
	must(result.SetHardState(hard))
	return result
}

// withoutLastEntry returns a copy that has lost its last entry, if it has one that is not in the snapshot.
func (d *disk) withoutLastEntry() *disk {
	entries := d.entries()
	snapshot, _ := d.Snapshot()
	if len(entries) == 0 || entries[len(entries)-1].Index <= snapshot.Metadata.Index {
		return d
	}
	return d.withEntries(entries[:len(entries)-1])
}
