"""Small systems that are not Raft, for tests of the checker."""
