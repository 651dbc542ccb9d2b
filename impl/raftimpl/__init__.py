"""The implementation of Raft: a pure core (`raftimpl.raft.step`) and what surrounds it."""
