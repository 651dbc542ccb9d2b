"""The etcd v3 API, so that etcd's clients can talk to a server of ours."""
