"""The specification as a TLA+ module, and a small model of it for TLC."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from textwrap import wrap

from raftcheck.document.contents import (
    argument,
    argument_names,
    chapters,
    definitions,
    groups,
    introduction,
    is_about_the_state,
    variables,
)
from raftcheck.document.notation import Row, indented
from raftcheck.document.tla_notation import CONSTANTS, SIGNS, WIDTH, TlaNotation, sort_text
from raftcheck.model import ModelError
from raftspec.logic import (
    BOOLEAN,
    Action,
    Apply,
    Claim,
    Definition,
    Function,
    Kind,
    Sort,
    Specification,
    Variable,
)
from raftspec.proof import RAFT
from raftspec.quorum import majority

INDENT = "    "

DOMAINS: Mapping[str, str] = {"Entry": "[term : Term, value : Value]"}
"""The sets that are no constants of the module, beside those of numbers."""

PARTS: Mapping[str, tuple[str, ...]] = {"Entry": ("Value",)}
"""The constants that such sets are made of."""

FIRST: Mapping[str, str] = {"Entry": "[term |-> 0, value |-> CHOOSE value \\in Value : TRUE]"}
"""An element of a set, where CHOOSE of the whole set would leave open which."""

HELPERS = {"common": "Common(q, r) == CHOOSE n \\in Server : n \\in q /\\ n \\in r"}
"""Definitions that the representation of a constant function needs."""


@dataclass(frozen=True)
class TlcModel:
    """How large the model is that TLC explores."""

    servers: int = 2
    terms: int = 2
    indexes: int = 1
    messages: int = 1
    values: int = 1

    def elements(self, sort: str) -> str:
        """Return the elements of a constant set."""
        servers = [f"s{number}" for number in range(1, self.servers + 1)]
        if sort == "Quorum":
            return braces(map(braces, combinations(servers, majority(self.servers))))
        size = {"Server": self.servers, "Message": self.messages, "Value": self.values}.get(sort, 2)
        return braces(f"{sort[0].lower()}{number}" for number in range(1, size + 1))

    def bound(self, sort: str) -> int:
        """Return the greatest number of a sort."""
        return {"Term": self.terms, "Index": self.indexes}.get(sort, 1)


def tla_module(specification: Specification = RAFT, name: str = "Raft") -> str:
    """Return the specification as a TLA+ module of that name, which its file must have too."""
    return Module(specification, name).text()


def tla_config(specification: Specification = RAFT, model: TlcModel | None = None, name: str = "Raft") -> str:
    """Return a configuration with which TLC checks the module in a small model, a cluster of two servers by default."""
    return Module(specification, name).config(model or TlcModel())


class Module:
    """A specification, as it becomes a module of TLA+."""

    def __init__(self, specification: Specification, name: str) -> None:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
            raise ModelError(f"{name!r} is no name of a TLA+ module: it takes letters, digits and _")
        self.specification, self.name = specification, name
        self.notation = TlaNotation(specification)
        self.groups = [group for group in groups(specification) if group.name != "constants"]
        self.variables = variables(specification)

    # The whole

    def text(self) -> str:
        """Return the module."""
        title = f" MODULE {self.name} "
        sections = (
            self.head(), self.constants(), self.declarations(), self.types(), self.definitions(), self.initial(),
            self.actions(), self.next(), self.claims(), self.lemmas(), self.bounds(),
        )  # fmt: skip
        lines = [title.center(WIDTH + len(INDENT), "-")]
        for section in sections:
            lines.extend(["", "\n".join(section).rstrip("\n")])
        return "\n".join([*lines, "", "=" * (WIDTH + len(INDENT))]) + "\n"

    def config(self, model: TlcModel) -> str:
        """Return a configuration for TLC."""
        sets = [f"{sort} = {model.elements(sort)}" for sort in self.constant_sets()]
        numbers = [f"Max{sort.name} = {model.bound(sort.name)}" for sort in self.sorts() if sort.is_number]
        lines = [
            f"\\* A small model for TLC: java -cp tla2tools.jar tlc2.TLC -config {self.name}.cfg {self.name}.tla",
            "CONSTANTS",
            *(INDENT + line for line in [*sets, *numbers]),
            "SPECIFICATION Spec",
            "CONSTRAINT WithinBounds",
            "INVARIANTS",
            *(INDENT + name for name in ["TypeOK", *map(camel_case, self.state_claims())]),
            "PROPERTIES",
            *(
                INDENT + name
                for name in [*map(camel_case, self.specification.steps), *map(lemmas_name, self.specification.lemmas)]
            ),
        ]
        return "\n".join(lines) + "\n"

    # Parts

    def head(self) -> list[str]:
        """Return the introduction."""
        about = [
            *introduction(),
            *argument(),
            "This module is generated from the specification of raftproof, as is its small model for TLC. Functions "
            "take one argument after the other; messages of which it only counts whether they were sent are members of "
            "a set. Ghost variables remember, for the proof, what no server has to know.",
        ]
        lines = [line for paragraph in about for line in [*wrap(paragraph, WIDTH), ""]]
        return ["(*", *lines[:-1], "*)", "EXTENDS Naturals"]

    def constants(self) -> Iterator[str]:
        """Yield the constants and what is assumed of them."""
        sets = list(self.constant_sets())
        yield "CONSTANTS"
        yield from (f"{INDENT}{name}," for name in sets)
        bounds = [f"{INDENT}Max{sort.name}" for sort in self.sorts() if sort.is_number]
        unknown = [f for f in self.specification.functions if f.kind is Kind.CONSTANT and f.name not in CONSTANTS]
        operators = [f"{INDENT}{f.name}({', '.join('_' * len(f.arguments))})" for f in unknown]
        yield from ",\n".join([*bounds, *operators]).split("\n")
        yield ""
        yield from comment(
            "Numbers go one further than the bounds of TLC's model: it looks at states just beyond the bounds, where "
            "every function is defined, and does not go on from there."
        )
        yield from (f"{sort.name} == 0..(Max{sort.name} + 1)" for sort in self.sorts() if sort.is_number)
        yield from (f"{sort.name} == {DOMAINS[sort.name]}" for sort in self.sorts() if sort.name in DOMAINS)
        for function in self.specification.functions:
            if function.name in HELPERS:
                yield from ["", *comment(function.meaning), HELPERS[function.name]]
        for claim in self.specification.axioms:
            if not is_about_the_state(claim):
                yield from ["", *self.claim(claim, "ASSUME ")]

    def declarations(self) -> Iterator[str]:
        """Yield the variables, by groups."""
        yield "VARIABLES"
        functions = [function for group in self.groups for function in group.functions]
        for group in self.groups:
            yield from comment(f"{group.title}. {group.meaning}", INDENT)
            for function in group.functions:
                comma = "" if function is functions[-1] else ","
                yield f"{INDENT}{function.name + comma:24}\\* {function.meaning}"
        yield ""
        for group in self.groups:
            yield from enclosed(f"{group.name} == <<", [function.name for function in group.functions], ">>")
        yield from enclosed("vars == <<", [group.name for group in self.groups], ">>")

    def types(self) -> Iterator[str]:
        """Yield what the variables may be."""
        yield from comment("What every variable is.")
        yield "TypeOK =="
        for function in self.specification.state:
            yield f"{INDENT}/\\ {function.name} {self.type_of(function)}"

    def type_of(self, function: Function) -> str:
        """Return what a variable belongs to."""
        sorts = list(map(sort_text, function.arguments))
        if self.notation.is_set(function):
            return "\\subseteq " + (sorts[0] if len(sorts) == 1 else f"({product(sorts)})")
        return "\\in " + "".join(f"[{sort} -> " for sort in sorts) + sort_text(function.result) + "]" * len(sorts)

    def definitions(self) -> Iterator[str]:
        """Yield the definitions."""
        for definition in definitions(self.specification):
            yield from [*comment(definition.meaning), *self.definition(definition), ""]

    def definition(self, definition: Definition) -> list[str]:
        """Return a definition."""
        head = operator(definition.name, definition.parameters)
        return laid_out(head, self.notation.rows(definition.body, WIDTH - len(head) - 4))

    def initial(self) -> Iterator[str]:
        """Yield the initial state."""
        free = [f for f in self.specification.state if f.initially is None]
        sorts = dict.fromkeys(f.result.name for f in free if not f.result.is_number and f.result != BOOLEAN)
        yield from comment(
            "The specification lets these begin with any value; here they begin with a definite one, for TLC: "
            + ", ".join(function.name for function in free)
            + "."
        )
        yield from (f"First{name} == {FIRST.get(name) or choice(name)}" for name in sorts)
        yield from ["", "Init =="]
        for function in self.specification.state:
            yield f"{INDENT}/\\ {function.name} = {self.first(function)}"

    def first(self, function: Function) -> str:
        """Return what a variable is at first."""
        if self.notation.is_set(function):
            return "{}"
        if function.initially is not None:
            value = str(function.initially).upper()
        else:
            value = "0" if function.result.is_number else f"First{function.result.name}"
        arguments = argument_names(self.specification, function)
        return "".join(f"[{self.notation.bound([a])} |-> " for a in arguments) + value + "]" * len(arguments)

    def actions(self) -> Iterator[str]:
        """Yield the actions."""
        for action in self.specification.actions:
            yield from [*self.action(action), ""]

    def action(self, action: Action) -> Iterator[str]:
        """Yield an action as an operator: guards with their names, assignments, what stays unchanged."""
        yield from comment(f"{action.meaning} ({action.source})")
        yield operator(action.name, action.parameters)
        for name, guard in action.guard.items():
            yield from comment(name, INDENT)
            yield from bullet(self.notation.rows(guard, WIDTH))
        for assignment in action.update:
            yield from bullet(self.notation.assignment(action, assignment))
        unchanged = self.unchanged({assignment.function.name for assignment in action.update})
        if unchanged:
            yield from enclosed(f"{INDENT}/\\ UNCHANGED <<", unchanged, ">>")

    def unchanged(self, changed: set[str]) -> list[str]:
        """Return the variables that an action leaves alone, whole groups by their names."""
        names: list[str] = []
        for group in self.groups:
            members = [function.name for function in group.functions]
            kept = [name for name in members if name not in changed]
            names.extend([group.name] if kept == members else kept)
        return names

    def next(self) -> Iterator[str]:
        """Yield what may happen, and the whole."""
        yield "Next =="
        for action in self.specification.actions:
            bound = f"\\E {self.notation.bound(action.parameters)} : " if action.parameters else ""
            yield f"{INDENT}\\/ {bound}{call(action.name, action.parameters)}"
        yield from ["", "Spec == Init /\\ [][Next]_vars"]

    def claims(self) -> Iterator[str]:
        """Yield axioms of the state, safety, steps and invariants, each as an operator."""
        for chapter in chapters(self.specification):
            is_steps = chapter.claims == self.specification.steps
            wanted = [c for c in chapter.claims if c not in self.specification.axioms or is_about_the_state(c)]
            if wanted:
                yield from [*comment(f"{chapter.title}. {chapter.meaning}"), ""]
            for claim in wanted:
                yield from [*(self.step(claim) if is_steps else self.claim(claim)), ""]
        yield from conjunction("Safety", map(camel_case, self.specification.safety))
        yield ""
        yield from comment("The inductive invariant.")
        yield from conjunction("Inv", map(camel_case, self.specification.invariants))

    def claim(self, claim: Claim, keyword: str = "") -> list[str]:
        """Return a claim as an operator."""
        rows = self.notation.rows(claim.formula, WIDTH)
        return [*comment(about(claim)), *laid_out(f"{keyword}{camel_case(claim)} ==", rows)]

    def step(self, claim: Claim) -> list[str]:
        """Return a claim of steps as a temporal property."""
        rows = always(self.notation.rows(claim.formula, WIDTH))
        return [*comment(about(claim)), *laid_out(f"{camel_case(claim)} ==", rows)]

    def lemmas(self) -> Iterator[str]:
        """Yield the steps on the way of the proof as operators, and for each action the property that they are true."""
        for name, lemmas in self.specification.lemmas.items():
            parameters = self.specification.action(name).parameters
            yield from [*comment(f"Steps on the way of the proof, true of every step {name}."), ""]
            for lemma in lemmas:
                head = f"{operator(lemma_name(name, lemma), parameters)}"
                yield from [*comment(about(lemma)), *laid_out(head, self.notation.rows(lemma.formula, WIDTH)), ""]
            head = f"\\A {self.notation.bound(parameters)} :"
            parts = [Row(2, f"/\\ {call(lemma_name(name, lemma), parameters)}") for lemma in lemmas]
            rows = [Row(0, head), Row(1, f"{call(name, parameters)} =>"), *parts]
            yield from [*laid_out(f"{lemmas_name(name)} ==", always(rows)), ""]

    def bounds(self) -> Iterator[str]:
        """Yield the constraint that keeps TLC's model small."""
        yield from comment("For TLC: beyond these bounds no state is explored.")
        yield "WithinBounds =="
        for function in self.specification.functions:
            if function.is_of_server and function.result.is_number:
                arguments = argument_names(self.specification, function)
                value = self.notation.one_line(Apply(function, arguments))
                yield f"{INDENT}/\\ \\A {self.notation.bound(arguments)} : {value} <= Max{function.result.name}"

    # Names

    def sorts(self) -> list[Sort]:
        """Return all sorts, in the order in which they first occur."""
        found = [sort for f in self.specification.functions for sort in (*f.arguments, f.result) if sort != BOOLEAN]
        return list(dict.fromkeys([*found, *(variable.sort for variable in self.variables)]))

    def constant_sets(self) -> list[str]:
        """Return the names of the sets that are constants of the module."""
        named = [sort.name for sort in self.sorts() if not sort.is_number]
        return [name for sort in named for name in (PARTS[sort] if sort in DOMAINS else (sort,))]

    def state_claims(self) -> list[Claim]:
        """Return the claims that TLC checks in every state."""
        axioms = (claim for claim in self.specification.axioms if is_about_the_state(claim))
        return [*axioms, *self.specification.safety, *self.specification.invariants]


def laid_out(head: str, rows: Sequence[Row], step: str = SIGNS.step) -> list[str]:
    """Return a definition: its head, then its rows; all in one line if there is but one row, and room."""
    if len(rows) == 1 and len(head) + len(rows[0].text) < WIDTH:
        return [f"{head} {rows[0].text}"]
    return [head, *(f"{INDENT}{step * row.indent}{row.text}" for row in rows)]


def bullet(rows: Sequence[Row]) -> list[str]:
    """Return rows as a part of a conjunction."""
    first, *others = rows
    lines = [f"{INDENT}/\\ {SIGNS.step * first.indent}{first.text}"]
    return lines + [f"{INDENT}{SIGNS.step * (row.indent + 1)}{row.text}" for row in others]


def always(rows: Sequence[Row]) -> list[Row]:
    """Return rows as the property that they are true of every step that changes something."""
    first, *others = rows
    opened = [Row(0, f"[][{SIGNS.step * first.indent}{first.text}"), *indented(others)]
    return [*opened[:-1], Row(opened[-1].indent, opened[-1].text + "]_vars")]


def operator(name: str, parameters: Sequence[Variable]) -> str:
    """Return the head of a definition."""
    return f"{call(name, parameters)} =="


def call(name: str, parameters: Sequence[Variable]) -> str:
    """Return an operator, applied."""
    return f"{name}({', '.join(v.name for v in parameters)})" if parameters else name


def conjunction(name: str, operators: Iterable[str]) -> list[str]:
    """Return the definition of a conjunction of operators."""
    return [f"{name} ==", *([f"{INDENT}/\\ {operator}" for operator in operators] or [f"{INDENT}TRUE"])]


def about(claim: Claim) -> str:
    """Return what a claim means and where it comes from."""
    return f"{claim.meaning} ({claim.source})" if claim.source else claim.meaning


def camel_case(claim: Claim) -> str:
    """Return the name of a claim as an operator's: Leader's Log Is That becomes LeadersLogIsThat."""
    words = re.findall(r"\w+", claim.name.replace("'", ""))
    return "".join(word[0].upper() + word[1:] for word in words)


def lemma_name(action: str, lemma: Claim) -> str:
    """Return the name of a lemma as an operator's."""
    return action + camel_case(lemma)


def lemmas_name(action: str) -> str:
    """Return the name of the property that an action's lemmas are true."""
    return f"{action}Lemmas"


def comment(text: str, indent: str = "") -> list[str]:
    """Return a comment, in lines."""
    start = f"{indent}\\* "
    return wrap(text, WIDTH + len(INDENT), initial_indent=start, subsequent_indent=start)


def enclosed(start: str, names: Sequence[str], end: str) -> list[str]:
    """Return names between brackets, in lines."""
    return wrap(", ".join(names) + end, WIDTH, initial_indent=start, subsequent_indent=" " * len(start))


def choice(sort: str) -> str:
    """Return some element of a set, always the same one."""
    return f"CHOOSE element \\in {sort} : TRUE"


def product(sets: Iterable[str]) -> str:
    """Return the set of all tuples."""
    return " \\X ".join(sets)


def braces(elements: Iterable[str]) -> str:
    """Return a set of elements."""
    return f"{{{', '.join(elements)}}}"
