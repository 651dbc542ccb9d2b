"""A picture of a history: operations as bars over time, one row a process, and where each took effect.

Self-contained SVG, or an HTML page that holds it together with the report; readable on light and dark ground.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from xml.etree import ElementTree

from raftcheck.model import ModelError
from raftcheck.oracle.history.events import Call, cut, process_text
from raftcheck.oracle.history.judging import Examination
from raftcheck.oracle.history.report import call_line

MOST_DRAWN = 150
"""Operations in a picture: more cannot be told apart."""

ROW, BAR, LEFT, TOP = 40, 22, 110, 64
"""In pixels: from process to process, height of a bar, and the margins."""

NARROWEST, WIDEST, WIDTH = 44.0, 150.0, 3600.0
"""In pixels: from event to event, and of the picture as long as that allows it."""

CHARACTER = 6.3
"""The width of a character, in pixels."""

STYLE = """
svg { font: 11px ui-monospace, Menlo, Consolas, monospace; --ink: #1c2733; --paper: #ffffff; --line: #d4dae1;
      --bar: #cfe3f7; --needed: #ffe2a8; --impossible: #f6a6a0; --point: #14508c; }
@media (prefers-color-scheme: dark) {
  svg { --ink: #e4eaf1; --paper: #14191f; --line: #313b46; --bar: #24486b; --needed: #6b4f12; --impossible: #8f2d28;
        --point: #9cd0ff; } }
.paper { fill: var(--paper); } text { fill: var(--ink); } .title { font-size: 14px; font-weight: bold; }
.row { stroke: var(--line); } .bar { fill: var(--bar); stroke: var(--ink); stroke-width: 0.6; }
.needed .bar { fill: var(--needed); } .impossible .bar { fill: var(--impossible); stroke-width: 2; }
.unknown .bar { stroke-dasharray: 4 3; fill-opacity: 0.5; } .point { fill: var(--point); }
.order { fill: var(--point); font-size: 9px; text-anchor: middle; }
"""

PAGE_STYLE = """
:root { color-scheme: light dark; } body { font: 15px system-ui, sans-serif; margin: 2em; }
pre { white-space: pre-wrap; } figure { margin: 0; overflow-x: auto; }
"""

KINDS = {".svg": "svg", ".html": "html", ".htm": "html"}


@dataclass(frozen=True)
class Scene:
    """What is drawn: operations, the order in which they took effect, and which of them are marked."""

    title: str
    calls: tuple[Call, ...]
    order: tuple[Call, ...]
    needed: frozenset[int] = frozenset()
    impossible: int | None = None
    left_out: int = 0


def picture(examination: Examination, target: str | Path) -> str:
    """Return the text of a picture for a file, SVG or HTML by its name. Raises ModelError for other names."""
    require_picture(target)
    svg = svg_of(scene_of(examination))
    return page_of(examination, svg) if KINDS[Path(target).suffix.lower()] == "html" else svg


def require_picture(target: str | Path | None) -> None:
    """Raise ModelError unless a file's name says which kind of picture it will be."""
    if target is not None and Path(target).suffix.lower() not in KINDS:
        raise ModelError(f"{target} is no name for a picture; it should end with .svg or .html")


def scene_of(examination: Examination) -> Scene:
    """Return what is drawn: on a reject what makes an event impossible and what happened around it, else all."""
    title = str(examination.judgement).splitlines()[0]
    explanation = examination.explanation
    if not explanation:
        order = tuple(call for judged in examination.parts for call in judged.found.order)
        calls = tuple(examination.history.calls)
        drawn = calls[:MOST_DRAWN]
        one = order if len(examination.parts) == 1 else ()
        return Scene(title, drawn, one, left_out=len(calls) - len(drawn))
    impossible = explanation.impossible
    calls = tuple(cut(impossible.part.calls, impossible.position))
    needed = {call.number for call in explanation.needed}
    ranked = sorted(calls, key=lambda call: (call.number not in needed, -call.invoked))[:MOST_DRAWN]
    drawn = tuple(sorted(ranked, key=lambda call: call.number))
    return Scene(
        title, drawn, impossible.order, frozenset(needed), impossible.call.number, left_out=len(calls) - len(drawn)
    )


def svg_of(scene: Scene) -> str:
    """Return a scene as SVG."""
    rows = {process: row for row, process in enumerate(dict.fromkeys(call.process for call in scene.calls))}
    moments = sorted(
        {moment for call in scene.calls for moment in (call.invoked, call.completed) if moment is not None}
    )
    step = min(WIDEST, max(NARROWEST, WIDTH / (len(moments) + 1)))
    places = {moment: LEFT + step * number for number, moment in enumerate(moments)}
    height = TOP + ROW * len(rows) + 20
    width = max(LEFT + step * (len(moments) + 1), 24 + 8.6 * len(scene.title), 24 + 6.8 * len(legend(scene)))
    root = ElementTree.Element(
        "svg",
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width:.0f} {height}",
        width=f"{width:.0f}",
        height=f"{height}",
    )
    ElementTree.SubElement(root, "title").text = printable(scene.title)
    ElementTree.SubElement(root, "style").text = STYLE
    ElementTree.SubElement(root, "rect", {"class": "paper", "width": "100%", "height": "100%"})
    write(root, 12, 22, scene.title, "title")
    write(root, 12, 40, legend(scene))
    for process, row in rows.items():
        y = TOP + ROW * row + BAR / 2
        line = {"class": "row", "x1": f"{LEFT - 8}", "x2": f"{width}", "y1": f"{y}", "y2": f"{y}"}
        ElementTree.SubElement(root, "line", line)
        write(root, 12, y + 4, shortened(f"process {process_text(process)}", LEFT - 24))
    for call in scene.calls:
        draw_call(root, scene, call, TOP + ROW * rows[call.process], places, width)
    draw_points(root, scene, rows, places, step)
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def legend(scene: Scene) -> str:
    """Return what the marks mean."""
    parts = ["a bar is an operation from invocation to completion, dashed if nobody knows its outcome"]
    if scene.order:
        parts.append("numbered points: an order in which they can have taken effect")
    if scene.impossible is not None:
        parts.append("red: the impossible one; yellow: what it contradicts")
    if scene.left_out:
        parts.append(f"{scene.left_out} operations are not drawn")
    return "; ".join(parts)


def draw_call(
    root: ElementTree.Element, scene: Scene, call: Call, y: float, places: Mapping[int, float], width: float
) -> None:
    """Draw the bar of an operation, with all about it as its tooltip."""
    marks = ["call"]
    if call.number in scene.needed:
        marks.append("needed")
    if call.number == scene.impossible:
        marks.append("impossible")
    if call.completed is None:
        marks.append("unknown")
    group = ElementTree.SubElement(root, "g", {"class": " ".join(marks)})
    ElementTree.SubElement(group, "title").text = printable(call_line(call))
    start = places[call.invoked]
    end = width - 4 if call.completed is None else places[call.completed]
    box = {"x": f"{start}", "y": f"{y}", "width": f"{end - start}", "height": f"{BAR}", "rx": "3", "class": "bar"}
    ElementTree.SubElement(group, "rect", box)
    mark = "✗ " if call.number == scene.impossible else ""
    write(group, start + 4, y + BAR - 7, shortened(f"{mark}{call.said}", end - start - 6))


def draw_points(
    root: ElementTree.Element, scene: Scene, rows: Mapping[Hashable, int], places: Mapping[int, float], step: float
) -> None:
    """Draw where operations take effect: each after all invocations that come before it in the order."""
    drawn = {call.number for call in scene.calls}
    latest, slots = 0.0, []
    for number, call in enumerate(scene.order, start=1):
        if call.number in drawn:
            latest = max(latest, places[call.invoked])
            slots.append((latest, number, call))
    for slot, group in groupby(slots, key=lambda item: item[0]):
        together = list(group)
        for place, (_, number, call) in enumerate(together, start=1):
            x, y = slot + step * place / (len(together) + 1), TOP + ROW * rows[call.process]
            point = {"class": "point", "cx": f"{x:.1f}", "cy": f"{y + BAR}", "r": "3.5"}
            circle = ElementTree.SubElement(root, "circle", point)
            ElementTree.SubElement(circle, "title").text = printable(f"{number}. {call}")
            write(root, x, y + BAR + 12, str(number), "order")


def write(parent: ElementTree.Element, x: float, y: float, text: str, style: str = "") -> None:
    """Write a text."""
    attributes = {"x": f"{x:.1f}", "y": f"{y:.1f}"} | ({"class": style} if style else {})
    ElementTree.SubElement(parent, "text", attributes).text = printable(text)


def printable(text: str) -> str:
    """Return a text without the characters that XML cannot hold."""
    return "".join(sign if sign >= " " and not "\ud800" <= sign <= "\udfff" else "�" for sign in text)


def shortened(text: str, width: float) -> str:
    """Return as much of a text as there is room for."""
    most = max(1, int(width / CHARACTER))
    return text if len(text) <= most else text[: most - 1] + "…"


def page_of(examination: Examination, svg: str) -> str:
    """Return an HTML page with the picture and the report."""
    root = ElementTree.Element("html", lang="en")
    head, body = ElementTree.SubElement(root, "head"), ElementTree.SubElement(root, "body")
    ElementTree.SubElement(head, "meta", charset="utf-8")
    title, *report = str(examination.judgement).splitlines()
    ElementTree.SubElement(head, "title").text = printable(title)
    ElementTree.SubElement(head, "style").text = PAGE_STYLE
    ElementTree.SubElement(body, "h1").text = printable(title)
    figure = ElementTree.SubElement(body, "figure")
    figure.append(ElementTree.fromstring(svg))
    ElementTree.SubElement(body, "pre").text = "\n".join(map(printable, report))
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return "<!doctype html>\n" + ElementTree.tostring(root, encoding="unicode", method="html") + "\n"
