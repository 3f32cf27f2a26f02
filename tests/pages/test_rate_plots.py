"""Recall and precision over a rule's figure, as a picture that needs neither colour nor a page."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from console.behaviour_scoring import draw_curves

SVG = "{http://www.w3.org/2000/svg}"


def point(kind: str, value: int, recall: str, precision: str, operating: bool = False) -> dict[str, object]:
    return {"kind": kind, "figure": "share_bp", "value": value, "recall": recall, "precision": precision, "operating": operating}


def test_each_kind_is_a_picture_with_both_rates_and_its_operating_point(tmp_path: Path) -> None:
    points = [
        point("pooling", 500, "1.0000", "0.2500"),
        point("pooling", 2500, "0.5000", "1.0000", True),
        point("<x>", 1, "0.0000", "1.0000"),
    ]
    first, second = draw_curves(points, tmp_path / "plots")
    assert (first.name, second.name) == ("pooling.svg", "<x>.svg")
    root = ElementTree.fromstring(first.read_text(encoding="utf-8"))
    recall, precision = (
        [tuple(map(float, p.split(","))) for p in line.attrib["points"].split()] for line in root.iter(f"{SVG}polyline")
    )
    height = dict(zip((1.0, 0.5), (y for _, y in recall), strict=True))
    assert precision[1][1] == height[1.0] and recall[0][0] == precision[0][0] < recall[1][0]
    # A quarter lies as far below a half as a half below three quarters.
    assert abs((precision[0][1] - height[0.5]) - (height[0.5] - height[1.0]) / 2) < 0.11
    bold = [text.text for text in root.iter(f"{SVG}text") if text.attrib.get("font-weight")]
    assert bold == ["2500"]
    assert {circle.find(f"{SVG}title").text for circle in root.iter(f"{SVG}circle")} == {  # type: ignore[union-attr]
        "500: 1.0000", "500: 0.2500", "2500: 0.5000", "2500: 1.0000",
    }  # fmt: skip
    assert ElementTree.fromstring(second.read_text(encoding="utf-8")).find(f"{SVG}title").text == "<x>: share_bp"  # type: ignore[union-attr]
