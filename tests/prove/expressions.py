"""Random quorum rules, and what they mean by other means than those under test."""

import ast
from itertools import combinations

from hypothesis import strategies as st

from raftcheck.prove.quorum.rule_text import LONGEST_TEXT, MOST_PARTS

COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")


@st.composite
def linear_rules(draw: st.DrawFn, depth: int = 2) -> str:
    """Return arithmetic that multiplies and divides by numbers only: Z3 decides it."""
    kind = draw(st.integers(0, 6)) if depth else 6

    def part() -> str:
        return draw(linear_rules(depth - 1))

    def pick(*values: object) -> object:
        return draw(st.sampled_from(values))

    match kind:
        case 0:
            return f"({part()} {pick('+', '-')} {part()})"
        case 1:
            return f"{pick(2, 3)}*({part()})"
        case 2:
            return f"(({part()}) {pick('//', '%')} {pick(1, 2, 3, 4, -1, -2, -3)})"
        case 3:
            return f"{pick('min', 'max')}({part()}, {part()})"
        case 4:
            return f"({part()} if {part()} {pick(*COMPARISONS)} {part()} else {part()})"
        case 5:
            return f"({pick(1, 2, 3)}*n + {pick(-1, 0, 1, 2)}) // {pick(2, 3, 4)} + {pick(0, 1)}"
        case _:
            return f"{pick('n', 'n', 1, 2, 3, 7)}"


@st.composite
def conditions(draw: st.DrawFn, depth: int) -> str:
    """Return a condition on rules."""
    kind = draw(st.integers(0, 4)) if depth else 0

    def number() -> str:
        return draw(rules(max(depth - 1, 0)))

    comparison = draw(st.sampled_from(COMPARISONS))
    match kind:
        case 0 | 1:
            return f"{number()} {comparison} {number()}"
        case 2:
            return f"{number()} {comparison} {number()} {draw(st.sampled_from(COMPARISONS))} {number()}"
        case 3:
            joining = draw(st.sampled_from(["and", "or"]))
            return f"({draw(conditions(depth - 1))} {joining} {draw(conditions(depth - 1))})"
        case _:
            return f"(not {draw(conditions(depth - 1))})"


@st.composite
def rules(draw: st.DrawFn, depth: int = 3) -> str:
    """Return anything that a rule may be made of."""
    kind = draw(st.integers(0, 5)) if depth else 5

    def part() -> str:
        return draw(rules(depth - 1))

    match kind:
        case 0 | 1:
            return f"({part()} {draw(st.sampled_from(['+', '-', '*', '//', '%']))} {part()})"
        case 2:
            return f"({draw(st.sampled_from('+-'))}{part()})"
        case 3:
            return f"{draw(st.sampled_from(['min', 'max']))}({part()}, {part()}, {part()})"
        case 4:
            return f"({part()} if {draw(conditions(depth - 1))} else {part()})"
        case _:
            return draw(st.just("n") | st.integers(0, 9).map(str))


def readable(text: str) -> bool:
    """Tell whether a rule is not too long to be one."""
    return len(text) <= LONGEST_TEXT and sum(1 for _ in ast.walk(ast.parse(text, mode="eval").body)) <= MOST_PARTS


RULES = rules().filter(readable)
LINEAR_RULES = linear_rules().filter(readable)


def by_python(text: str, servers: int) -> int | None:
    """What Python makes of a rule; None where it divides by zero."""
    try:
        value = eval(text, {"__builtins__": {}}, {"n": servers, "min": min, "max": max})
    except ZeroDivisionError:
        return None
    assert isinstance(value, int)
    return value


def sets_of_at_least(size: int, servers: int) -> list[frozenset[int]]:
    """All sets of at least so many of the servers."""
    return [
        frozenset(members)
        for count in range(max(size, 0), servers + 1)
        for members in combinations(range(servers), count)
    ]


def disjoint_pair_exists(first: int, second: int, servers: int) -> bool:
    """Whether two sets of at least so many servers are disjoint, by trying all pairs."""
    others = sets_of_at_least(second, servers)
    return any(not a & b for a in sets_of_at_least(first, servers) for b in others)
