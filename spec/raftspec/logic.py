"""The language of the specification: typed first-order formulas, as values.

A formula is built once and then interpreted: evaluated on finite states (`raftspec.concrete`), handed to a solver,
printed. Python's operators build formulas: `a == b`, `a <= b`, `a + 1`, `~a`. They have no truth value, so Python's
`and`, `or`, `not` and chains like `a < b < c` are errors: write `all_of`, `any_of`, `~`.

Functions from arguments to values hold everything: what TLA+ writes as log[n][i] is `log[n, i]` here. Functions of the
kinds PERSISTENT, VOLATILE and MESSAGE are the state of the system; GHOST functions only remember, for the proof;
CONSTANT ones never change. An action says under which guards it may happen, and what the changed functions become.
"""

import enum
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, NoReturn


class SpecificationError(Exception):
    """Raised when a formula is not well formed: the text says which part, and what was expected."""


@dataclass(frozen=True)
class Sort:
    """What a term may denote. Numbers are the whole numbers; of the other sorts' elements only equality is known."""

    name: str
    is_number: bool = False


BOOLEAN = Sort("Boolean")
NUMBER = Sort("Number", is_number=True)
"""The sort of a literal: it fits every sort of numbers."""


class Expression:
    """A term or a formula. See the module's text for the operators."""

    def __eq__(self, other: object) -> "Comparison":  # type: ignore[override]
        return Comparison("=", self, lifted(other))

    def __ne__(self, other: object) -> "Not":  # type: ignore[override]
        return Not(self == other)

    __hash__ = object.__hash__

    def __le__(self, other: object) -> "Comparison":
        return Comparison("<=", self, lifted(other))

    def __lt__(self, other: object) -> "Comparison":
        return Comparison("<", self, lifted(other))

    def __ge__(self, other: object) -> "Comparison":
        return Comparison("<=", lifted(other), self)

    def __gt__(self, other: object) -> "Comparison":
        return Comparison("<", lifted(other), self)

    def __add__(self, other: object) -> "Sum":
        return Sum(self, lifted(other))

    def __invert__(self) -> "Not":
        return Not(self)

    def __bool__(self) -> NoReturn:
        raise SpecificationError(
            "a formula has no truth value in Python: write all_of(...), any_of(...) and ~ for and, or, not, "
            "and two comparisons instead of a chain"
        )


def lifted(value: object) -> Expression:
    """Return a Python number or truth value as an expression; expressions stay as they are."""
    if isinstance(value, Expression):
        return value
    if isinstance(value, bool | int):
        return Constant(value)
    raise SpecificationError(f"{value!r} is no part of a formula")


def require_sort(what: str, expression: Expression, expected: Sort) -> None:
    """Raise SpecificationError unless an expression fits a sort."""
    sort = sort_of(expression)
    if sort != expected and not (NUMBER in (sort, expected) and sort.is_number and expected.is_number):
        raise SpecificationError(f"{what} must be of sort {expected.name}, not {sort.name}")


# Terms


@dataclass(frozen=True, eq=False)
class Variable(Expression):
    """A parameter of an action or a definition, or what a quantifier ranges over. The name is what counts."""

    name: str
    sort: Sort


@dataclass(frozen=True, eq=False)
class Constant(Expression):
    """A number or a truth value."""

    value: bool | int


TRUE, FALSE = Constant(True), Constant(False)


class Kind(enum.Enum):
    """What a function is for."""

    PERSISTENT = "persistent"
    """Part of a server's state that a crash spares: the first argument is the server."""
    VOLATILE = "volatile"
    """Part of a server's state that a crash takes: the first argument is the server."""
    MESSAGE = "message"
    """What was ever sent. Messages are never taken away: that they get lost means that nobody acts on them."""
    GHOST = "ghost"
    """A memory for the proof. No guard and no change of the state depends on it."""
    CONSTANT = "constant"
    """The same in all states."""


@dataclass(frozen=True)
class Function:
    """A function of the state, or a constant one. `initially`: its value everywhere at first; None: any value."""

    name: str
    arguments: tuple[Sort, ...]
    result: Sort
    kind: Kind
    meaning: str
    initially: bool | int | None = None

    def __getitem__(self, arguments: "Arguments") -> "Apply":
        return Apply(self, lifted_arguments(arguments))

    @property
    def is_of_server(self) -> bool:
        """Whether it is part of the state of a server, which is its first argument."""
        return self.kind in (Kind.PERSISTENT, Kind.VOLATILE)

    @property
    def after(self) -> "After":
        """The function as it is after the step (TLA+'s prime)."""
        return After(self)


Arguments = Expression | int | tuple[Expression | int, ...]


def lifted_arguments(arguments: Arguments) -> tuple[Expression, ...]:
    """Return what stands between brackets as expressions."""
    return tuple(map(lifted, arguments if isinstance(arguments, tuple) else (arguments,)))


@dataclass(frozen=True)
class After:
    """A function as it is after a step: `f.after[x]` is f'[x]."""

    function: Function

    def __getitem__(self, arguments: Arguments) -> "Apply":
        return Apply(self.function, lifted_arguments(arguments), is_after=True)


@dataclass(frozen=True, eq=False)
class Apply(Expression):
    """The value of a function, before a step or after it. The arguments are evaluated before it."""

    function: Function
    operands: tuple[Expression, ...]
    is_after: bool = False

    def __post_init__(self) -> None:
        name, wanted = self.function.name, self.function.arguments
        if len(wanted) != len(self.operands):
            raise SpecificationError(f"{name} takes {len(wanted)} arguments, not {len(self.operands)}")
        for position, (sort, argument) in enumerate(zip(wanted, self.operands, strict=True), 1):
            require_sort(f"argument {position} of {name}", argument, sort)

    def becomes(self, value: Expression | bool | int, where: Expression = TRUE) -> "Assignment":
        """Change the function here: a variable that the action does not have as a parameter means everywhere."""
        return Assignment(self.function, self.operands, lifted(value), where)


@dataclass(frozen=True)
class Definition:
    """A named expression with parameters."""

    name: str
    parameters: tuple[Variable, ...]
    body: Expression
    meaning: str

    def __call__(self, *arguments: Expression | int) -> "Call":
        """Return the definition applied to arguments."""
        return Call(self, tuple(map(lifted, arguments)))


@dataclass(frozen=True, eq=False)
class Call(Expression):
    """A definition, applied."""

    definition: Definition
    operands: tuple[Expression, ...]

    def __post_init__(self) -> None:
        for parameter, argument in zip(self.definition.parameters, self.operands, strict=True):
            require_sort(f"{parameter.name} of {self.definition.name}", argument, parameter.sort)


@dataclass(frozen=True, eq=False)
class Sum(Expression):
    """The sum of two numbers."""

    left: Expression
    right: Expression


@dataclass(frozen=True, eq=False)
class IfThenElse(Expression):
    """One of two terms."""

    condition: Expression
    then: Expression
    otherwise: Expression


def if_else(condition: Expression, then: Expression | int, otherwise: Expression | int) -> IfThenElse:
    """Return `then` if the condition is true, else `otherwise`."""
    return IfThenElse(condition, lifted(then), lifted(otherwise))


# Formulas

Relation = Literal["=", "<=", "<"]


@dataclass(frozen=True, eq=False)
class Comparison(Expression):
    """Two terms compared."""

    relation: Relation
    left: Expression
    right: Expression

    def __post_init__(self) -> None:
        require_sort(f"the right side of {self.relation}", self.right, sort_of(self.left))
        if self.relation != "=":
            require_sort(f"the left side of {self.relation}", self.left, NUMBER)


@dataclass(frozen=True, eq=False)
class Not(Expression):
    """Not."""

    operand: Expression

    def __post_init__(self) -> None:
        require_sort("what is negated", self.operand, BOOLEAN)


@dataclass(frozen=True, eq=False)
class Connective(Expression):
    """All of some formulas, or any of them."""

    word: Literal["and", "or"]
    operands: tuple[Expression, ...]

    def __post_init__(self) -> None:
        for operand in self.operands:
            require_sort(f"a part of {self.word}", operand, BOOLEAN)


def all_of(*formulas: Expression) -> Connective:
    """Return the conjunction."""
    return Connective("and", formulas)


def any_of(*formulas: Expression) -> Connective:
    """Return the disjunction."""
    return Connective("or", formulas)


@dataclass(frozen=True, eq=False)
class Implies(Expression):
    """If the premise is true, then so is the conclusion."""

    premise: Expression
    conclusion: Expression

    def __post_init__(self) -> None:
        require_sort("a premise", self.premise, BOOLEAN)
        require_sort("a conclusion", self.conclusion, BOOLEAN)


def implies(premise: Expression, conclusion: Expression) -> Implies:
    """Return the implication."""
    return Implies(premise, conclusion)


Pattern = tuple[Expression, ...]


@dataclass(frozen=True, eq=False)
class ForAll(Expression):
    """True of all values of the variables. `patterns` tell a solver which terms make an instance interesting."""

    variables: tuple[Variable, ...]
    body: Expression
    patterns: tuple[Pattern, ...] = ()

    def __post_init__(self) -> None:
        require_sort("what is claimed of all", self.body, BOOLEAN)


def for_all(variables: Iterable[Variable], body: Expression, *patterns: Iterable[Expression]) -> ForAll:
    """Return the claim that the body is true of all values of the variables."""
    return ForAll(tuple(variables), body, tuple(map(tuple, patterns)))


def sort_of(expression: Expression) -> Sort:
    """Return what an expression denotes."""
    match expression:
        case Variable(sort=sort):
            return sort
        case Constant(value=value):
            return BOOLEAN if isinstance(value, bool) else NUMBER
        case Apply(function=function):
            return function.result
        case Call(definition=definition):
            return sort_of(definition.body)
        case Sum(left=one, right=other) | IfThenElse(then=one, otherwise=other):
            return sort_of(other) if sort_of(one) == NUMBER else sort_of(one)
        case _:
            return BOOLEAN


def operands_of(expression: Expression) -> tuple[Expression, ...]:
    """Return the expressions that one is made of."""
    match expression:
        case Apply(operands=operands) | Call(operands=operands) | Connective(operands=operands):
            return operands
        case Sum(left=left, right=right) | Comparison(left=left, right=right):
            return (left, right)
        case Implies(premise=premise, conclusion=conclusion):
            return (premise, conclusion)
        case IfThenElse(condition=condition, then=then, otherwise=otherwise):
            return (condition, then, otherwise)
        case Not(operand=operand) | ForAll(body=operand):
            return (operand,)
        case _:
            return ()


# Actions, properties, the whole


@dataclass(frozen=True, eq=False)
class Assignment:
    """For all values of the variables that are no parameters of the action, if `where` is true: f[arguments] := value.

    Value, arguments and `where` are evaluated before the step.
    """

    function: Function
    arguments: tuple[Expression, ...]
    value: Expression
    where: Expression = TRUE

    def __post_init__(self) -> None:
        require_sort(f"what {self.function.name} becomes", self.value, self.function.result)
        require_sort("where", self.where, BOOLEAN)


@dataclass(frozen=True)
class Action:
    """What may happen: whenever every guard is true, the assignments may be carried out, all at once.

    `meaning` is one sentence, `source` where the paper tells it; each guard has a name in plain words.
    """

    name: str
    meaning: str
    source: str
    parameters: tuple[Variable, ...]
    guard: Mapping[str, Expression]
    update: tuple[Assignment, ...]

    def __post_init__(self) -> None:
        changed = [assignment.function.name for assignment in self.update]
        if len(set(changed)) != len(changed):
            raise SpecificationError(f"action {self.name} changes a function twice: {', '.join(changed)}")

    def is_everywhere(self, argument: Expression) -> bool:
        """Tell whether an argument of an assignment stands for every value."""
        return isinstance(argument, Variable) and argument.name not in {p.name for p in self.parameters}


@dataclass(frozen=True)
class Claim:
    """A formula with a name, a sentence of meaning, and where it comes from."""

    name: str
    formula: Expression
    meaning: str
    source: str = ""


@dataclass(frozen=True)
class Specification:
    """A system and what is claimed of it.

    `safety` are the properties that users rely on; they follow from `invariants`, which every action preserves.
    `steps` are claims of two consecutive states. `lemmas` are steps on the way, by the name of the action: each is
    proved from the invariants, the guard and the lemmas before it.
    """

    functions: tuple[Function, ...]
    axioms: tuple[Claim, ...]
    actions: tuple[Action, ...]
    safety: tuple[Claim, ...]
    invariants: tuple[Claim, ...]
    steps: tuple[Claim, ...]
    lemmas: Mapping[str, tuple[Claim, ...]] = field(default_factory=dict)

    def action(self, name: str) -> Action:
        """Return the action with that name. Raises SpecificationError if there is none."""
        for action in self.actions:
            if action.name == name:
                return action
        raise SpecificationError(f"there is no action {name!r}; there are: {', '.join(a.name for a in self.actions)}")

    def with_action(self, changed: Action) -> "Specification":
        """Return the specification with the action of the same name replaced."""
        self.action(changed.name)
        return replace(self, actions=tuple(changed if a.name == changed.name else a for a in self.actions))

    @property
    def state(self) -> tuple[Function, ...]:
        """The functions that actions may change."""
        return tuple(function for function in self.functions if function.kind is not Kind.CONSTANT)


def parts(expression: Expression) -> Iterator[Expression]:
    """Yield the expression and everything in it, definitions spelled out, patterns left out."""
    yield expression
    for operand in operands_of(expression):
        yield from parts(operand)
    if isinstance(expression, Call):
        yield from parts(expression.definition.body)


def functions_in(expression: Expression) -> set[Function]:
    """Return all functions that an expression depends on."""
    return {part.function for part in parts(expression) if isinstance(part, Apply)}
