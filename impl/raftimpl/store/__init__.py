"""The replicated state machine: etcd's data model."""
