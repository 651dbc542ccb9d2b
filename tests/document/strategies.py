"""Random well-formed formulas about Raft's functions."""

from hypothesis import strategies as st

from raftcheck.document.contents import definitions, variables
from raftspec.logic import (
    BOOLEAN,
    Apply,
    Call,
    Comparison,
    Connective,
    Constant,
    Expression,
    ForAll,
    IfThenElse,
    Implies,
    Not,
    Sort,
    Sum,
    sort_of,
)
from raftspec.proof import RAFT

VARIABLES = variables(RAFT)
DEFINITIONS = definitions(RAFT)
SORTS = [BOOLEAN, *{variable.sort: None for variable in VARIABLES}]


@st.composite
def expressions(draw: st.DrawFn, sort: Sort = BOOLEAN, depth: int = 4) -> Expression:
    """An expression of a sort, so many operations deep at most."""
    leaves = [variable for variable in VARIABLES if variable.sort == sort]
    makers = [LEAF, CHOICE, *([APPLY] if any(function.result == sort for function in RAFT.functions) else [])]
    makers += [SUM] if sort.is_number else [COMPARE, NOT, JOIN, JOIN, IMPLY, CLAIM] if sort == BOOLEAN else []
    maker = draw(st.sampled_from(makers)) if depth else LEAF
    if maker == LEAF:
        constants = [Constant(True), Constant(False)] if sort == BOOLEAN else [Constant(0), Constant(2)]
        return draw(st.sampled_from([*leaves, *constants] if sort == BOOLEAN or sort.is_number else leaves))
    below = depth - 1
    if maker == APPLY:
        return draw(applications(sort, below))
    if maker == CHOICE:
        return IfThenElse(draw(expressions(BOOLEAN, below)), *(draw(expressions(sort, below)) for _ in range(2)))
    if maker == SUM:
        return Sum(draw(expressions(sort, below)), draw(expressions(sort, below)))
    return draw(formulas(maker, below))


LEAF, APPLY, CHOICE, SUM, COMPARE, NOT, JOIN, IMPLY, CLAIM = range(9)


@st.composite
def applications(draw: st.DrawFn, sort: Sort, depth: int) -> Expression:
    """A function or a definition, applied."""
    functions = [function for function in RAFT.functions if function.result == sort]
    named = [definition for definition in DEFINITIONS if sort_of(definition.body) == sort]
    chosen = draw(st.sampled_from([*functions, *named]))
    if chosen in named:
        return Call(chosen, tuple(draw(expressions(v.sort, depth)) for v in chosen.parameters))
    operands = tuple(draw(expressions(argument, depth)) for argument in chosen.arguments)
    return Apply(chosen, operands, is_after=chosen in RAFT.state and draw(st.booleans()))


@st.composite
def formulas(draw: st.DrawFn, maker: int, depth: int) -> Expression:
    """A comparison, or formulas combined."""
    if maker == COMPARE:
        sort = draw(st.sampled_from(SORTS))
        relation = draw(st.sampled_from(["=", "<=", "<"] if sort.is_number else ["="]))
        return Comparison(relation, draw(expressions(sort, depth)), draw(expressions(sort, depth)))
    if maker == JOIN:
        operands = draw(st.lists(st.one_of(expressions(BOOLEAN, depth), orders()), max_size=3))
        return Connective(draw(st.sampled_from(["and", "or"])), tuple(operands))
    if maker == CLAIM:
        ranges = draw(st.lists(st.sampled_from(VARIABLES), min_size=1, max_size=3, unique_by=lambda v: v.name))
        return ForAll(tuple(ranges), draw(expressions(BOOLEAN, depth)))
    if maker == IMPLY:
        return Implies(draw(expressions(BOOLEAN, depth)), draw(expressions(BOOLEAN, depth)))
    return Not(draw(expressions(BOOLEAN, depth)))


@st.composite
def orders(draw: st.DrawFn) -> Expression:
    """A comparison of two of a few numbers, so that chains are frequent."""
    numbers = st.sampled_from([variable for variable in VARIABLES if variable.sort.name == "Index"][:3])
    return Comparison(draw(st.sampled_from(["<=", "<"])), draw(numbers), draw(numbers))
