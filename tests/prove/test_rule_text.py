"""Rules as text mean what Python means by them; whatever else one writes is refused in one line."""

import pytest
import z3
from hypothesis import given
from hypothesis import strategies as st

from raftcheck.model import ModelError
from raftcheck.prove.quorum.rule_text import RuleText
from raftcheck.prove.quorum.whole import Whole
from tests.prove.expressions import RULES, by_python

n = z3.Int("n")


@given(text=RULES, servers=st.integers(1, 40))
def test_a_rule_means_what_python_says(text: str, servers: int) -> None:
    rule = RuleText(text)
    expected = by_python(text, servers)
    if expected is None:
        with pytest.raises(ZeroDivisionError):
            rule(servers)
    else:
        assert rule(servers) == expected


@given(text=RULES, servers=st.integers(1, 40))
def test_the_formula_says_the_same(text: str, servers: int) -> None:
    result = RuleText(text)(Whole(n))
    at = [z3.simplify(z3.substitute(term, (n, z3.IntVal(servers)))) for term in (result.defined, result.term)]
    expected = by_python(text, servers)
    assert z3.is_true(at[0]) == (expected is not None)
    assert z3.is_false(at[0]) == (expected is None)
    if expected is not None:
        assert at[1].as_long() == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("   ", "is empty"),
        ("n +", "cannot be read"),
        ("(n", "cannot be read"),
        ("n n", "cannot be read"),
        ("n = 3", "cannot be read"),
        ("n\0", "cannot be read"),
        ("\ud800", "cannot be read"),
        ("n; n", "cannot be read"),
        ("0x", "cannot be read"),
        ("007", "cannot be read"),
        ("n / 2", "write //"),
        ("n ** 2", "write a product"),
        ("9 ** 9 ** 9 ** 9", "write a product"),
        ("n << 2", "a rule is made of"),
        ("n & 1", "a rule is made of"),
        ("~n", "a rule is made of"),
        ("m + 1", "'m' in the rule 'm [+] 1'"),
        ("N", "the rule 'N' is not understood"),
        ("True", "a rule is made of"),
        ("n + True", "'True' in the rule"),
        ("None", "a rule is made of"),
        ("1.5", "a rule is made of"),
        ("'n'", "a rule is made of"),
        ("[n]", "a rule is made of"),
        ("n > 3", "a rule is made of"),
        ("n and 3", "a rule is made of"),
        ("not n", "a rule is made of"),
        ("n if n else 3", "a condition compares numbers"),
        ("n if True else 3", "a condition compares numbers"),
        ("n if n in (1, 2) else 3", "a condition compares numbers"),
        ("n if n is 1 else 3", "a condition compares numbers"),
        ("min(n)", "a rule is made of"),
        ("min()", "a rule is made of"),
        ("min(n, 3, key=n)", "a rule is made of"),
        ("min(*n, 3)", "a rule is made of"),
        ("min", "a rule is made of"),
        ("abs(n)", "a rule is made of"),
        ("n.real", "a rule is made of"),
        ("n[0]", "a rule is made of"),
        ("n(3)", "a rule is made of"),
        ("__import__('os')", "a rule is made of"),
        ("__import__('os').system('true')", "a rule is made of"),
        ("(lambda: n)()", "a rule is made of"),
        ("(n := 3)", "a rule is made of"),
        ("f'{n}'", "a rule is made of"),
        ("9999999999", "numbers go up to 1,000,000,000"),
        ("n + " + "1 + " * 60 + "1", "characters"),
        ("+".join("n" * 60), "too complicated"),
        ("-" * 150 + "n", "too complicated"),
        ("(" * 150 + "n", "cannot be read"),
        ("9" * 5000, "characters"),
    ],
)
def test_what_is_no_rule_is_refused(text: str, says: str) -> None:
    with pytest.raises(ModelError, match=says) as caught:
        RuleText(text)
    assert len(str(caught.value).splitlines()) == 1


@given(
    st.text() | st.text(alphabet="n0123456789+-*/%()<>=! ,.", max_size=30) | st.text(alphabet="minaxfelsortd n0(),<")
)
def test_any_text_is_a_rule_or_refused(text: str) -> None:
    try:
        value = RuleText(text)(3)
    except (ModelError, ZeroDivisionError):
        return
    assert type(value) is int


@pytest.mark.parametrize("text", ["(" * 60 + "n" + ")" * 60, "n\n // 2 \t+ 1", "\uff4e // 2", "n # a comment"])
def test_unusual_but_right(text: str) -> None:
    assert RuleText(text)(4) in (3, 4, 2)


def test_conditions_stop_where_python_stops() -> None:
    assert RuleText("n if n == 1 or 6 // (n - 1) > 2 else 0")(1) == 1
    assert RuleText("n if n > 1 and 6 // (n - 1) > 2 else 0")(1) == 0
    assert RuleText("n if 3 < n < 6 // 0 else 0")(1) == 0
    assert RuleText("1 // 0 if n > 1 else 7")(1) == 7
