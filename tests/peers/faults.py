"""The deliberate faults of the adapters, which the judges have to find."""

ETCD_FAULTS = (
    "drop-vote",
    "raise-commit",
    "old-term-commit",
    "wrong-term",
    "flip-reject",
    "forget-vote",
    "double-vote",
    "lose-entry-on-restart",
    "unsynced-write",
)
