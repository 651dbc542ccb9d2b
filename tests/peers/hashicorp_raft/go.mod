module raftproof/peers/hashicorp_raft

go 1.24

require github.com/hashicorp/raft v1.7.3
