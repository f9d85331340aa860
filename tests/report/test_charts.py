"""Drawings checked as text against positions worked out by hand."""

import math
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailor.report.charts import Interval, Line, Part, Rule, bar, intervals, lines
from tailor.report.svg import Scale, spread, tag, tick_label


def elements(svg: str, name: str, class_: str | None = None) -> list[dict[str, str]]:
    """Attributes (and `text`) of the elements called `name`; `class_` is one of the classes they must have."""
    found = [element for element in ElementTree.fromstring(svg).iter() if element.tag == name]
    return [
        {**element.attrib, "text": element.text or ""}
        for element in found
        if class_ is None or class_ in element.get("class", "").split()
    ]


def test_text_and_attributes_are_escaped() -> None:
    written = tag("text", "<b>&\u202e", x=1.26, text_anchor="end", class_='a"b\u202e')
    assert written == '<text x="1.3" text-anchor="end" class="a&#34;b⟨U+202E⟩">&lt;b&gt;&amp;⟨U+202E⟩</text>'


def test_ticks_are_round_numbers_inside_the_range() -> None:
    assert Scale(0.0, 1.0, 0, 100).ticks() == [0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert Scale(-0.013, 0.058, 0, 100).ticks() == [0, 0.02, 0.04]
    assert Scale(0, 366_000, 0, 100).ticks(4) == [0, 100_000, 200_000, 300_000]
    assert Scale(0.08, 3.7, 0, 100, log=True).ticks() == [0.1, 0.2, 0.5, 1, 2]
    assert Scale(1e-6, 2.0, 0, 100, log=True).ticks() == [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0]
    assert [tick_label(tick, [-0.05, 0.0, 0.05]) for tick in (-0.05, 0.0, 0.05)] == ["−0.05", "0.00", "0.05"]


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_any_range_gets_a_few_even_ticks(low: float, length: float) -> None:
    if low + length == low or length < abs(low) * 1e-9:
        return
    ticks = Scale(low, low + length, 0, 1).ticks()
    assert 2 <= len(ticks) <= 6
    assert all(low - length / 1e6 <= tick <= low + length * (1 + 1e-6) for tick in ticks)


def test_the_range_has_air_and_keeps_its_limits() -> None:
    assert spread([0.6, 0.7]) == pytest.approx((0.594, 0.706))
    assert spread([0.95, 1.0], (0, 1)) == (pytest.approx(0.947), 1)
    assert spread([0.1, 0.9], (0, 1)) == (0, 1)
    assert spread([0.3], (0, 1)) == (0, 1)
    assert spread([2.0], (0, math.inf)) == pytest.approx((1.88, 2.12))
    assert spread([0.0]) == (-1, 1)


def test_an_interval_stands_where_its_numbers_say() -> None:
    row = Interval("tuned", 0.5, (0.2, 0.8), "0.500 [0.200, 0.800]", "tuned")
    svg = intervals("arms", [row], width=720, title="Score", axis="exact", limits=(0, 1))
    # the axis runs from 150 to 720 - 204 = 516: 366 pixels for 0 to 1; the row's middle is 4 + 38 / 2
    (span, low, high) = elements(svg, "line", "span")
    assert (span["x1"], span["x2"], span["y1"]) == ("223.2", "442.8", "23")
    assert (low["x1"], high["x1"]) == ("223.2", "442.8")
    (circle,) = elements(svg, "circle")
    assert (circle["cx"], circle["cy"]) == ("333", "23")
    ticks = [text for text in elements(svg, "text", "small") if text["text"] != "exact"]
    assert [text["text"] for text in ticks] == ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]
    assert [text["x"] for text in ticks] == ["150", "223.2", "296.4", "369.6", "442.8", "516"]
    assert elements(svg, "title")[0]["text"] == "Score"
    assert elements(svg, "desc")[0]["text"] == "tuned 0.500 [0.200, 0.800]"
    root = ElementTree.fromstring(svg)
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == "arms-720-title arms-720-desc"


def test_arms_differ_in_shape_and_not_in_colour_alone() -> None:
    rows = [Interval(tone, 0.5, None, "0.5", tone) for tone in ("tuned", "against", "other")]
    svg = intervals("arms", rows, width=340, title="Score", axis="exact")
    assert [len(elements(svg, shape)) for shape in ("circle", "path", "rect")] == [1, 1, 1]
    assert elements(svg, "line", "span") == []  # no interval is drawn where none is known


def test_the_difference_is_read_against_zero() -> None:
    row = Interval("difference", 0.02, (-0.01, 0.05), "+0.020", "tuned")
    rules = [Rule(0.0, "no difference"), Rule(0.02, "least gain wanted")]
    svg = intervals("gain", [row], width=720, title="Difference", axis="tuned minus few-shot", rules=rules)
    # -0.01 to 0.05 with 6% of air is -0.0136 to 0.0536: zero at 150 + 366 * 0.0136 / 0.0672
    zero, least = elements(svg, "line", "rule")
    assert zero["x1"] == zero["x2"] == "224.1"
    assert least["x1"] == elements(svg, "circle")[0]["cx"] == "333"
    labels = {text["text"]: float(text["y"]) for text in elements(svg, "text", "small")}
    assert labels["least gain wanted"] - labels["no difference"] == 16  # one under the other: they cannot collide


def test_losses_stand_over_their_tokens() -> None:
    series = [Line("train", [(0, 3.0), (1000, 1.0)], "other"), Line("validation", [(500, 2.0)], "tuned", dots=True)]
    svg = lines("loss", series, width=720, title="Loss", axis="loss", best=(500, "best: step 5"))
    # x: 46 to 646 for 0 to 1000 tokens; y: 244 to 36 for 0.88 to 3.12
    train, validation = elements(svg, "path", "curve")
    assert train["d"] == "M46.0 47.1L646.0 232.9"
    assert validation["d"] == "M346.0 140.0"
    (dot,) = elements(svg, "circle")
    assert (dot["cx"], dot["cy"]) == ("346", "140")
    (rule,) = elements(svg, "line", "rule")
    assert rule["x1"] == "346"
    assert {"train", "validation"} == {text["text"] for text in elements(svg, "text", "label")}
    assert elements(svg, "desc")[0]["text"] == "train from 3.000 to 1.000; validation from 2.000 to 2.000"


def test_losses_of_very_different_size_get_a_log_scale() -> None:
    svg = lines("loss", [Line("train", [(0, 10.0), (50, 1.0), (100, 0.1)], "other")], width=720, title="", axis="loss")
    assert elements(svg, "path", "curve")[0]["d"].split("L")[1] == "346.0 140.0"  # 1 is halfway from 10 to 0.1
    assert "loss, log scale" in svg


def test_labels_at_line_ends_do_not_collide() -> None:
    series = [Line("train", [(0, 2.0), (9, 1.0)], "other"), Line("validation", [(0, 2.0), (9, 1.001)], "tuned")]
    svg = lines("loss", series, width=340, title="", axis="loss")
    first, second = (float(text["y"]) for text in elements(svg, "text", "label"))
    assert first - second == pytest.approx(15, abs=0.2)


def test_a_bar_is_divided_in_proportion_and_hides_nothing() -> None:
    svg = bar(
        "rows", [Part("train", 1, "train"), Part("empty", 0, "test"), Part("dropped", 3, "dropped")], title="Rows"
    )
    # 720 less one gap of 2 and twice the least width of 3 leaves 712 to share out as 1 : 3
    assert [(part["x"], part["width"]) for part in elements(svg, "rect")] == [("0", "181"), ("183", "537")]
    assert elements(svg, "desc")[0]["text"] == "train 1, empty 0, dropped 3"
    tiny = elements(bar("rows", [Part("a", 10**6, "train"), Part("b", 1, "dropped")], title="Rows"), "rect")
    assert float(tiny[1]["width"]) >= 3


def test_no_letter_leaves_the_drawing() -> None:
    row = Interval("an arm with a very long name", -12.345, (-100.123, 20.0), "−12.345 [−100.1, 20.00]", "other")
    for width in (720, 340):
        svg = intervals("arms", [row], width=width, title="Score", axis="x")
        for text in elements(svg, "text"):
            reach = 7.5 * len(text["text"]) * {"end": -1, "middle": 0.5}.get(text.get("text-anchor", ""), 1)
            assert float(text["x"]) + min(reach, 0) >= -30 and float(text["x"]) + max(reach, 0) <= width + 30
        assert re.search(r"an arm with a ver…", svg)
