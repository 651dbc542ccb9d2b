"""A quorum rule as two things that must be one: a function that is called, and a formula that is proved."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import z3

from raftcheck.model import ModelError
from raftcheck.prove.quorum.rule_text import RuleText
from raftcheck.prove.quorum.solving import Query, ask
from raftcheck.prove.quorum.whole import Whole, whole
from raftspec.quorum import majority

CHECKED_UP_TO = 1_000
"""Cluster sizes for which a rule is also executed."""

COMPARED_UP_TO = 20
"""Cluster sizes for which formula and function are compared."""

QuorumRule = str | Callable[[Any], Any]

n = z3.Int("n")


@dataclass(frozen=True)
class Sizes:
    """A rule and the sizes that it gives: `sizes[n]` servers are a quorum of n; `sizes[0]` is unused.

    `formula` says the same of every n, and `defined` for which n there is a size at all.
    """

    text: str
    compute: Callable[[Any], Any]
    sizes: tuple[int, ...]
    formula: Any
    defined: Any

    def at(self, servers: int) -> int:
        """Return the size of a quorum of so many servers."""
        return self.sizes[servers] if servers < len(self.sizes) else executed(self.compute, self.text, servers)

    def of(self, servers: Any) -> Any:
        """Return the formula for a number of servers that stands for any."""
        return z3.substitute(self.formula, (n, servers))


def sizes_of(rule: QuorumRule | None) -> Sizes:
    """Read a rule, a text or a function of n; None is a majority.

    Raises ModelError if it is no rule: not understood, not a whole number, divides by zero, or is a function whose
    formula cannot be read from it.
    """
    return traced(*function_of(rule))


def function_of(rule: QuorumRule | None) -> tuple[Callable[[Any], Any], str]:
    """Return a rule as a function, and how to write it. Raises ModelError if it is neither a text nor a function."""
    if rule is None:
        return majority, "majority(n)"
    if isinstance(rule, str):
        read = RuleText(rule)
        return read, read.text
    if not callable(rule):
        raise ModelError(f"a rule is a text or a function of n, not {rule!r}")
    name = getattr(rule, "__name__", "rule")
    return rule, f"{name if name.isidentifier() else 'rule'}(n)"


def measured(compute: Callable[[Any], Any], text: str) -> tuple[int, ...]:
    """Return the sizes for 0 (which is no cluster) to CHECKED_UP_TO servers."""
    return (0, *(executed(compute, text, servers) for servers in range(1, CHECKED_UP_TO + 1)))


def executed(compute: Callable[[Any], Any], text: str, servers: int) -> int:
    """Call a rule with a number. Raises ModelError if that gives no whole number."""
    try:
        size = compute(servers)
    except ZeroDivisionError as error:
        raise ModelError(f"the rule {text} divides by zero for n = {servers}") from error
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(f"the rule {text} fails for n = {servers}: {type(error).__name__}: {error}") from error
    if not isinstance(size, int) or isinstance(size, bool):
        raise ModelError(f"the rule {text} gives {size!r} for n = {servers}; a quorum is a whole number of servers")
    return size


def traced(compute: Callable[[Any], Any], text: str) -> Sizes:
    """Call a rule with numbers, and with one that stands for any; compare what comes of it."""
    sizes = measured(compute, text)
    try:
        result = whole(compute(Whole(n)))
    except ModelError:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise ModelError(f"the formula of the rule {text} cannot be read from it ({reason})") from error
    for servers in range(1, COMPARED_UP_TO + 1):
        value = z3.simplify(z3.substitute(result.term, (n, z3.IntVal(servers))))
        if not z3.is_int_value(value) or value.as_long() != sizes[servers]:
            raise ModelError(
                f"the rule {text} gives {sizes[servers]} for n = {servers}, but its formula says {value}; "
                "it must compute the same for every kind of number"
            )
    return Sizes(text, compute, sizes, result.term, z3.simplify(result.defined))


def require_defined(rule: Sizes) -> str:
    """Raise ModelError if a rule divides by zero for some n >= 1; return why if that is not known, else ""."""
    answer = ask(Query("the rule has a value", rule.defined, (n >= 1,), (("n", n),)))
    if answer.status == "refuted":
        servers = least_size(z3.Not(rule.defined), dict(answer.values)["n"])
        raise ModelError(f"the rule {rule.text} divides by zero for n = {servers}")
    return "" if answer.status == "proved" else answer.reason


def least_size(condition: Any, known: int) -> int:
    """Return the least n >= 1 that meets a condition which n = `known` meets; by halving.

    Should Z3 give up, the least that is known is returned.
    """
    low, high = 1, known
    while low < high:
        middle = (low + high) // 2
        answer = ask(Query("none so small", z3.Not(condition), (n >= low, n <= middle), (("n", n),)))
        if answer.status == "unknown":
            break
        if answer.status == "refuted":
            high = dict(answer.values)["n"]
        else:
            low = middle + 1
    return high
