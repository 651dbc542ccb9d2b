"""An adapter that lies: `python tests/peers/faulty.py FAULT COMMAND ...` runs another one and falsifies what it says.

The implementation behind it has no fault. But it is shown as one that has: that is what a judge has to find, in any
peer, wherever it is programmed.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

Json = dict[str, Any]


def drop_vote(step: Json) -> None:
    """A vote that is given is not noted."""
    if any(message.get("granted") for message in sent(step, "RequestVoteResponse")):
        step["state"]["vote"] = None


def double_vote(step: Json) -> None:
    """Who has voted for another in this term is given a vote, too."""
    message, state = step.get("message"), step["state"]
    if message and message["type"] == "RequestVote" and message["term"] == state["term"]:
        if any(not answer["granted"] for answer in sent(step, "RequestVoteResponse")):
            answer_to(step, "RequestVoteResponse")["granted"] = True
        elif not sent(step, "RequestVoteResponse") and state["vote"] not in (None, message["from"]):
            state["vote"] = message["from"]


def raise_commit(step: Json) -> None:
    """The commit index is one too high."""
    if step["state"]["commit"] < step["state"]["last"]:
        step["state"]["commit"] += 1


def lower_commit(step: Json) -> None:
    """The commit index goes back by one when heartbeats are sent."""
    if step["event"] == "heartbeat" and step["state"]["commit"]:
        step["state"]["commit"] -= 1


def raise_match(step: Json) -> None:
    """A leader takes the logs of others to match one entry further than they are known to."""
    match = step["state"].get("match", {})
    step["state"]["match"] = {server: index + 1 for server, index in match.items()} or None


def wrong_term(step: Json) -> None:
    """Acknowledgements are sent with the term after the sender's."""
    for message in sent(step, "AppendEntriesResponse"):
        message["term"] += 1


def flip_reject(step: Json) -> None:
    """AppendEntries that are refused are acknowledged."""
    for message in sent(step, "AppendEntriesResponse"):
        if not message["success"] and step["message"]["type"] == "AppendEntries":
            message.update(success=True, index=step["message"]["prev_index"])


def change_entry(step: Json) -> None:
    """The entries that are sent are not those of the log."""
    for message in sent(step, "AppendEntries"):
        for entry in message["entries"]:
            entry["data"] += ", changed"


def forget_vote(step: Json) -> None:
    """A restart forgets the vote."""
    if step["event"] == "start":
        step["state"]["vote"] = None


def forget_term(step: Json) -> None:
    """A restart forgets the term, and with it the vote."""
    if step["event"] == "start":
        step["state"].update(term=0, vote=None)


def lose_entry_on_restart(step: Json) -> None:
    """A restart loses the last entry."""
    last = step["state"]["last"]
    if step["event"] == "start" and last:
        step["state"].update(last=last - 1, commit=min(step["state"]["commit"], last - 1))
        step["log"] = {"keep": last - 1, "entries": []}


def sent(step: Json, kind: str) -> list[Json]:
    """Return the messages of one type that a step sends."""
    return [message for message in step.get("sends", ()) if message["type"] == kind]


def answer_to(step: Json, kind: str) -> Json:
    """Return the message of a type that a step sends to whom it has heard."""
    return next(message for message in sent(step, kind) if message["to"] == step["message"]["from"])


LIES: tuple[Callable[[Json], None], ...] = (
    drop_vote, double_vote, raise_commit, lower_commit, raise_match, wrong_term, flip_reject, change_entry,
    forget_vote, forget_term, lose_entry_on_restart,
)  # fmt: skip
FAULTS = {lie.__name__.replace("_", "-"): lie for lie in LIES}


def falsified(answers: Iterator[str], fault: str) -> Iterator[str]:
    """Yield answers with a fault in them. A message that was falsified when it was sent is received like that."""
    as_sent: dict[int | str, Json] = {}
    for line in answers:
        answer = json.loads(line)
        for step in answer.get("steps", ()):
            if "message" in step:
                step["message"] = as_sent[step["message"]["id"]]
            FAULTS[fault](step)
            as_sent.update({message["id"]: message for message in step.get("sends", ())})
        yield json.dumps(answer)


def main() -> int:
    """Answer the requests on stdin."""
    parser = argparse.ArgumentParser(description="An adapter that lies.")
    parser.add_argument("fault", choices=FAULTS)
    parser.add_argument("command", nargs=argparse.REMAINDER, help="the adapter that is falsified")
    chosen = parser.parse_args()
    with subprocess.Popen(chosen.command, stdin=sys.stdin, stdout=subprocess.PIPE, text=True) as adapter:
        assert adapter.stdout is not None
        for line in falsified(iter(adapter.stdout.readline, ""), chosen.fault):
            print(line, flush=True)
    return adapter.returncode


if __name__ == "__main__":
    sys.exit(main())
