"""The store against the specification of the key-value store, where their operations meet."""

from hypothesis import given
from hypothesis import strategies as st

from raftimpl.store.store import Store
from raftspec import keyvalue
from tests.store.asking import all_at
from tests.store.specified import carry_out, documents

KEYS = st.sampled_from(["a", "ab", "b", "\N{GREEK SMALL LETTER ALPHA}"])
DOCUMENTS = st.sampled_from(['"1"', "2", "null"])
OPERATIONS = st.one_of(
    st.builds(keyvalue.Put, KEYS, DOCUMENTS),
    st.builds(keyvalue.Delete, KEYS),
    st.builds(keyvalue.CompareAndSet, KEYS, st.none() | DOCUMENTS, DOCUMENTS),
    st.builds(keyvalue.Get, KEYS),
    st.builds(keyvalue.ListPrefix, st.sampled_from(["", "a", "b", "c"])),
)


@given(st.lists(OPERATIONS, max_size=20))
def test_results_are_those_of_the_specification(operations: list[keyvalue.Operation]) -> None:
    store, specified = Store(), keyvalue.EMPTY
    history = {store.revision: specified}
    for operation in operations:
        revision = store.revision
        specified, result = keyvalue.apply(specified, operation)
        assert carry_out(store, operation) == result
        is_read = isinstance(operation, keyvalue.Get | keyvalue.ListPrefix)
        assert store.revision == revision + (result.succeeded and not is_read)
        history[store.revision] = specified
    for revision, contents in history.items():
        assert dict(documents(*all_at(store, revision))) == contents
