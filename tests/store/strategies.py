"""Random requests about few keys, so that they meet."""

from hypothesis import strategies as st

from raftimpl.store.requests import (
    Compact,
    Compare,
    CompareResult,
    CompareTarget,
    DeleteRange,
    LeaseExpire,
    LeaseGrant,
    LeaseKeepAlive,
    LeaseRevoke,
    Put,
    Range,
    SortOrder,
    SortTarget,
    Txn,
)

KEYS = st.sampled_from([b"a", b"ab", b"b", b"c", b"d"])
RANGE_ENDS = st.sampled_from([b"", b"", b"b", b"c", b"z", b"\0"])
VALUES = st.sampled_from([b"", b"1", b"2", b"3"])
LEASES = st.sampled_from([0, 0, 0, 1, 2])
REVISIONS = st.one_of(st.just(0), st.integers(-2, 12))
BOUNDS = st.one_of(st.just(0), st.just(0), st.integers(1, 10))

PLAIN_RANGES = st.builds(Range, KEYS, RANGE_ENDS, st.integers(-1, 4), REVISIONS)
RANGES = st.one_of(
    PLAIN_RANGES,
    PLAIN_RANGES,
    st.builds(
        Range, KEYS, RANGE_ENDS, st.integers(-1, 4), REVISIONS, st.sampled_from(SortOrder), st.sampled_from(SortTarget),
        keys_only=st.booleans(), count_only=st.integers(0, 5).map(lambda n: n == 0),
        min_mod_revision=BOUNDS, max_mod_revision=BOUNDS, min_create_revision=BOUNDS, max_create_revision=BOUNDS,
    ),
)  # fmt: skip
PLAIN_PUTS = st.builds(Put, KEYS, VALUES, LEASES, st.booleans())
PUTS = st.one_of(
    PLAIN_PUTS,
    PLAIN_PUTS,
    st.builds(Put, KEYS, st.just(b""), LEASES, st.booleans(), ignore_value=st.just(True)),
    st.builds(Put, KEYS, VALUES, st.just(0), st.booleans(), st.booleans(), ignore_lease=st.just(True)),
)
DELETIONS = st.builds(DeleteRange, KEYS, RANGE_ENDS, st.booleans())
RESULTS = st.sampled_from(CompareResult)
NUMBERS = st.sampled_from(sorted(set(CompareTarget) - {CompareTarget.VALUE}))
COMPARES = st.one_of(
    st.builds(Compare, RESULTS, NUMBERS, KEYS, st.integers(0, 8), RANGE_ENDS),
    st.builds(Compare, RESULTS, st.just(CompareTarget.VALUE), KEYS, VALUES, RANGE_ENDS),
)


def transactions(*operations: st.SearchStrategy[object], depth: int = 2) -> st.SearchStrategy[Txn]:
    """Return transactions of these operations, and of transactions of them."""
    inner = [transactions(*operations, depth=depth - 1)] if depth else []
    some = st.lists(st.one_of(*operations, *inner), max_size=3).map(tuple)
    return st.builds(Txn, st.lists(COMPARES, max_size=2).map(tuple), some, some)


WRITES = st.one_of(
    PUTS,
    PUTS,
    PUTS,
    DELETIONS,
    transactions(RANGES, PUTS, PUTS, DELETIONS),
    transactions(PUTS, DELETIONS),
    st.builds(Compact, st.integers(-1, 20)),
    st.builds(LeaseGrant, st.integers(0, 2), st.sampled_from([-5, 1, 2, 60, 9_000_000_000, 9_000_000_001])),
    st.builds(LeaseRevoke, st.integers(1, 2)),
    st.builds(LeaseKeepAlive, st.integers(1, 2)),
    st.builds(LeaseExpire, st.integers(1, 2), st.integers(0, 6)),
)
READS = st.one_of(RANGES, RANGES, transactions(RANGES, depth=1))
