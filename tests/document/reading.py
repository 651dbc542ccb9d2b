"""Formulas read back: by a grammar of TLA+ that others wrote, as nested tuples; and what those should be.

The text form and the LaTeX form become TLA+ by exchanging signs one for one, so the same grammar reads all three.
"""

import re
import warnings
from collections.abc import Iterator
from typing import Any

import tree_sitter
import tree_sitter_tlaplus

from raftcheck.document.tla_notation import TlaNotation
from raftspec.logic import (
    Apply,
    Call,
    Comparison,
    Connective,
    Constant,
    Expression,
    ForAll,
    IfThenElse,
    Implies,
    Kind,
    Not,
    Sum,
    Variable,
)

Tree = Any
"""A name, or a tuple of an operation and its operands."""

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # the grammar hands over an address, not a capsule
    LANGUAGE = tree_sitter.Language(tree_sitter_tlaplus.language())


def parsed(module: str) -> tree_sitter.Node:
    """Return the parse tree of a module. Raises SyntaxError if it is none."""
    root = tree_sitter.Parser(LANGUAGE).parse(module.encode()).root_node
    if root.has_error:
        raise SyntaxError(f"no TLA+ at line {first_error(root)}")
    return root


def first_error(node: tree_sitter.Node) -> int:
    if node.is_error or node.is_missing:
        return node.start_point[0] + 1
    return next((first_error(child) for child in node.children if child.has_error or child.is_missing), 0)


def read(lines: list[str]) -> Tree:
    """Return the structure of a formula in TLA+."""
    text = "\n".join(["---- MODULE Formula ----", "Formula ==", *(f"    {line}" for line in lines), "===="])
    module = parsed(text).named_children[0]
    operator = next(child for child in module.named_children if child.type == "operator_definition")
    return structure(field(operator, "definition"))


def as_tla(text: str) -> str:
    """Return a text formula as TLA+ writes it."""
    return re.sub(r"\b(if|then|else)\b", lambda word: word[0].upper(), text)


def latex_as_tla(latex: str) -> str:
    """Return a LaTeX formula as TLA+ writes it."""
    latex = re.sub(r"\\text{ ?(\w+) ?}", r" \1 ", re.sub(r"\\mathit{([^}]*)}", r"\1", latex)).replace(r"\_", "_")
    signs = {r"\land": "∧", r"\lor": "∨", r"\lnot": "¬", r"\Rightarrow": "⇒", r"\forall": "∀", r"\le": "≤", r"\ne": "≠"}
    latex = re.sub(r"\\[a-z]+", lambda sign: signs[sign[0]], latex.replace(r"\;", " "), flags=re.IGNORECASE)
    return as_tla(latex)


# The parse tree

INFIX = {
    "land": "and", "lor": "or", "implies": "=>", "eq": "=", "neq": "#", "leq": "<=", "lt": "<", "plus": "+",
    "in": "in", "notin": "notin",
}  # fmt: skip
ORDERS = ("<=", "<")


def field(node: tree_sitter.Node, name: str) -> tree_sitter.Node:
    found = node.child_by_field_name(name)
    assert found is not None, (node.type, name)
    return found


def structure(node: tree_sitter.Node) -> Tree:
    reader = READERS.get(node.type)
    assert reader, f"{node.type}: {node.text!r}"
    return reader(node)


def leaf(node: tree_sitter.Node) -> Tree:
    return node.text.decode() if node.text else ""


def infix(node: tree_sitter.Node) -> Tree:
    word, left, right = INFIX[field(node, "symbol").type], field(node, "lhs"), structure(field(node, "rhs"))
    if word in ORDERS and left.type == "bound_infix_op" and INFIX[field(left, "symbol").type] in ORDERS:
        chain = structure(left)  # a < b < c
        last = chain[-1] if chain[0] == "and" else chain
        return junction("and", [chain, (word, last[2], right)])
    if word in ("and", "or"):
        return junction(word, [structure(left), right])
    return (word, structure(left), right)


def junction(word: str, parts: list[Tree]) -> Tree:
    flat = [x for part in parts for x in (part[1:] if isinstance(part, tuple) and part[0] == word else (part,))]
    return (word, *flat) if len(flat) > 1 else flat[0]


def junction_list(word: str) -> Any:
    return lambda node: junction(word, [structure(item.named_children[1]) for item in node.named_children])


def bounded(node: tree_sitter.Node) -> Tree:
    names: list[str] = []
    for bound in node.children_by_field_name("bound"):
        members = [leaf(name) for name in bound.children_by_field_name("intro") if name.type == "identifier"]
        names.extend(f"{name} in {leaf(field(bound, 'set'))}" for name in members if bound.is_named)
    return ("all", tuple(names), structure(field(node, "expression")))


def unbounded(node: tree_sitter.Node) -> Tree:
    names = tuple(leaf(name) for name in node.children_by_field_name("intro") if name.type == "identifier")
    return ("all", names, structure(field(node, "expression")))


def operation(word: str) -> Any:
    return lambda node: (word, *map(structure, (child for child in node.named_children if child.type not in SIGNS)))


SIGNS = {"langle_bracket", "rangle_bracket", "prime", "lnot"}

READERS: dict[str, Any] = {
    "identifier_ref": leaf,
    "nat_number": leaf,
    "boolean": leaf,
    "parentheses": lambda node: structure(node.named_children[0]),
    "bound_infix_op": infix,
    "bound_prefix_op": operation("not"),
    "bound_postfix_op": operation("prime"),
    "bound_op": operation("call"),
    "function_evaluation": operation("at"),
    "record_value": operation("field"),
    "tuple_literal": operation("tuple"),
    "if_then_else": lambda node: ("if", *(structure(field(node, name)) for name in ("if", "then", "else"))),
    "conj_list": junction_list("and"),
    "disj_list": junction_list("or"),
    "bounded_quantification": bounded,
    "unbounded_quantification": unbounded,
}


# What is meant


class Meant:
    """The structure that a formula should be read as: in TLA+ if a notation for that is given, else in text."""

    def __init__(self, tla: TlaNotation | None = None) -> None:
        self.tla = tla

    def tree(self, expression: Expression) -> Tree:
        result: Tree = getattr(self, type(expression).__name__.lower())(expression)
        return result

    def variable(self, variable: Variable) -> Tree:
        return variable.name

    def constant(self, constant: Constant) -> Tree:
        return str(constant.value).upper() if self.tla else str(constant.value).lower()

    def apply(self, apply: Apply) -> Tree:
        function, operands = apply.function, tuple(map(self.tree, apply.operands))
        name: Tree = ("prime", function.name) if apply.is_after else function.name
        if self.tla and self.tla.is_set(function):
            return ("in", ("tuple", *operands) if len(operands) > 1 else operands[0], name)
        if self.tla and function.kind is Kind.CONSTANT:
            return CONSTANTS[function.name](*operands)
        if not self.tla:
            return ("at", name, *operands)
        for operand in operands:
            name = ("at", name, operand)
        return name

    def call(self, call: Call) -> Tree:
        return ("call", call.definition.name, *map(self.tree, call.operands))

    def sum(self, total: Sum) -> Tree:
        return ("+", self.tree(total.left), self.tree(total.right))

    def comparison(self, comparison: Comparison) -> Tree:
        return (comparison.relation, self.tree(comparison.left), self.tree(comparison.right))

    def not_(self, negation: Not) -> Tree:
        operand, tree = negation.operand, self.tree(negation.operand)
        if isinstance(operand, Comparison) and operand.relation == "=":
            return ("#", *tree[1:])
        if self.tla and isinstance(operand, Apply) and self.tla.is_set(operand.function):
            return ("notin", *tree[1:])
        return ("not", tree)

    def connective(self, connective: Connective) -> Tree:
        parts = list(self.parts(connective))
        return junction(connective.word, parts) if parts else self.constant(Constant(connective.word == "and"))

    def parts(self, connective: Connective) -> Iterator[Tree]:
        for operand in connective.operands:
            if isinstance(operand, Connective) and operand.word == connective.word:
                yield from self.parts(operand)
            else:
                yield self.tree(operand)

    def implies(self, implication: Implies) -> Tree:
        return ("=>", self.tree(implication.premise), self.tree(implication.conclusion))

    def ifthenelse(self, choice: IfThenElse) -> Tree:
        return ("if", *map(self.tree, (choice.condition, choice.then, choice.otherwise)))

    def forall(self, claim: ForAll) -> Tree:
        names = (f"{v.name} in {v.sort.name}" if self.tla else v.name for v in claim.variables)
        return ("all", tuple(names), self.tree(claim.body))


setattr(Meant, "not", Meant.not_)

CONSTANTS: dict[str, Any] = {
    "member": lambda server, quorum: ("in", server, quorum),
    "is_quorum": lambda quorum: ("in", quorum, "Quorum"),
    "common": lambda one, other: ("call", "Common", one, other),
    "term_of": lambda entry: ("field", entry, "term"),
}
