"""The three networks against the plainest models of them: a set, a bag, and a list for each link."""

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from raftcheck import Network
from raftcheck.explore.networks import OPERATIONS
from raftcheck.model import Envelope

ENVELOPES = st.builds(Envelope, st.integers(0, 1), st.integers(0, 1), st.sampled_from("abc"))
ACTIONS = st.lists(st.lists(ENVELOPES, max_size=3) | st.integers(0, 99), max_size=20)


@given(ACTIONS)
def test_lossy_duplicating_is_a_set_that_grows(actions: list[Any]) -> None:
    network, contents, model = OPERATIONS[Network.LOSSY_DUPLICATING], frozenset[Any](), set[Envelope]()
    for action in actions:
        if isinstance(action, list):
            contents = network.add(contents, tuple(action))
            model.update(action)
        elif model:
            contents = network.remove(contents, sorted(model)[action % len(model)])
        assert set(network.deliverable(contents)) == model


@given(ACTIONS)
def test_unordered_is_a_bag(actions: list[Any]) -> None:
    network, contents, model = OPERATIONS[Network.UNORDERED], frozenset[Any](), Counter[Envelope]()
    for action in actions:
        if isinstance(action, list):
            contents = network.add(contents, tuple(action))
            model.update(action)
        elif +model:
            envelope = sorted(+model)[action % len(+model)]
            contents = network.remove(contents, envelope)
            model[envelope] -= 1
        assert sorted(network.deliverable(contents)) == sorted(+model)
        assert contents == frozenset((+model).items())


@given(ACTIONS)
def test_ordered_is_a_queue_for_each_link(actions: list[Any]) -> None:
    network, contents = OPERATIONS[Network.ORDERED], frozenset[Any]()
    model: dict[tuple[int, int], list[Any]] = {(to, sender): [] for to in (0, 1) for sender in (0, 1)}
    for action in actions:
        heads = [Envelope(*link, queue[0]) for link, queue in model.items() if queue]
        if isinstance(action, list):
            contents = network.add(contents, tuple(action))
            for to, sender, message in action:
                model[to, sender].append(message)
        elif heads:
            head = heads[action % len(heads)]
            contents = network.remove(contents, head)
            assert model[head.to, head.sender].pop(0) == head.message
        heads = [Envelope(*link, queue[0]) for link, queue in model.items() if queue]
        assert sorted(network.deliverable(contents)) == sorted(heads)
        assert contents == {(link, tuple(queue)) for link, queue in model.items() if queue}
