"""The proof that Raft is safe, for every number of servers, terms and entries."""
