"""Pictures of histories hold what they should, and are what they say."""

from pathlib import Path
from random import Random
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raftcheck.model import ModelError
from raftcheck.oracle.history import Event, Examination, KeyValue, examine
from raftcheck.oracle.history.picture import MOST_DRAWN, picture
from tests.conftest import ROOT
from tests.oracle.history.simulated import WORLDS, faulty

HISTORIES = ROOT / "tests" / "data" / "histories"
SVG = "{http://www.w3.org/2000/svg}"


def bars(svg: str) -> list[tuple[set[str], str]]:
    """The marks and the tooltip of each operation."""
    return [
        (set(group.attrib["class"].split()), group.findtext(f"{SVG}title") or "")
        for group in ElementTree.fromstring(svg).iter(f"{SVG}g")
    ]


def points(svg: str) -> list[tuple[float, str]]:
    return [
        (float(circle.attrib["cx"]), circle.findtext(f"{SVG}title") or "")
        for circle in ElementTree.fromstring(svg).iter(f"{SVG}circle")
    ]


def examined(name: str, form: str) -> Examination:
    return examine(HISTORIES / name, format=form)


def test_the_impossible_operation_is_marked() -> None:
    svg = picture(examined("stale-read.log", "jepsen"), "p.svg")
    found = bars(svg)
    assert [text for marks, text in found if "impossible" in marks] == ["process 1: read -> 1 (lines 5-6)"]
    assert len([text for marks, text in found if "needed" in marks]) == 3
    assert [text for _, text in points(svg)] == ["1. process 0: write 1", "2. process 0: write 2"]
    assert "REJECT" in svg
    assert "prefers-color-scheme: dark" in svg


def test_unknown_outcomes_are_dashed_and_points_follow_the_order() -> None:
    svg = picture(examined("unknown-write-seen-much-later.log", "jepsen"), "p.svg")
    assert [text for marks, text in bars(svg) if "unknown" in marks] == ["process 0: write 7 -> ? (lines 1-2)"]
    order = points(svg)
    assert order == sorted(order)
    assert [text.split(". ")[1] for _, text in order] == [
        "process 1: write 1", "process 1: read -> 1", "process 0: write 7 -> ?", "process 2: read -> 7"
    ]  # fmt: skip


def test_only_the_failing_key_is_drawn() -> None:
    svg = picture(examined("appends-in-the-wrong-order.txt", "porcupine"), "p.svg")
    assert bars(svg)
    assert not [text for _, text in bars(svg) if '"b"' in text]


def test_a_page_has_picture_and_report() -> None:
    page = picture(examined("stale-read.log", "jepsen"), "p.html")
    assert page.startswith("<!doctype html>")
    assert "<svg" in page
    assert "can one of these be left out: no" in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")


def test_texts_are_escaped() -> None:
    evil = '</title><script>alert("1")</script>\x00&'
    events = [Event("invoke", evil, "get", key=evil), Event("ok", evil, "get", key=evil, result=evil)]
    examination = examine(events, model=KeyValue())
    for name in ("p.svg", "p.html"):
        text = picture(examination, name)
        assert "<script" not in text
        assert "\x00" not in text
    ElementTree.fromstring(picture(examination, "p.svg"))


def test_a_large_history_is_cut_to_what_can_be_read() -> None:
    events = []
    for number in range(400):
        events += [Event("invoke", 1, "write", value=number), Event("ok", 1, "write", value=number)]
    events += [Event("invoke", 2, "read"), Event("ok", 2, "read", result=7)]
    examination = examine(events, model=WORLDS["register"].model)
    svg = picture(examination, "p.svg")
    found = bars(svg)
    assert len(found) == MOST_DRAWN
    assert [text for marks, text in found if "impossible" in marks] == ["process 2: read -> 7 (line 0-)"]
    assert f"{401 - MOST_DRAWN} operations are not drawn" in svg


@pytest.mark.parametrize("name", sorted(WORLDS))
@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_every_picture_is_xml_with_a_bar_for_each_operation(name: str, seed: int) -> None:
    random = Random(seed)
    examination = examine(faulty(WORLDS[name], random, 8, 3), model=WORLDS[name].model)
    found = bars(picture(examination, "p.svg"))
    explanation = examination.explanation
    assert sum("impossible" in marks for marks, _ in found) == (explanation is not None)
    if explanation:
        assert sum("needed" in marks for marks, _ in found) == len(explanation.needed)
    else:
        assert len(found) == len(examination.history.calls)


def test_other_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"should end with \.svg or \.html"):
        picture(examined("stale-read.log", "jepsen"), tmp_path / "p.png")
