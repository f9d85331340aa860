"""The page of whole, broken and hostile run folders."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tailor import plugins
from tailor.report import render, write
from tailor.report.text import shown
from tailor.run import Run

MakeRun = Callable[..., Run]

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg onload=alert(1)>",
    "</style><script>alert(1)</script>",
    "</title></head><body onload=alert(1)>",
    "<!-- --><iframe src=https://example.com>",
    "{{ 7 * 7 }}{% include 'style.css' %}",
    "&lt;b&gt; &amp; &#x3c;script>",
    "]]><script>alert(1)</script>",
    "javascript:alert(1)",
    "\u202e\u0000\x1b]0;title\x07",
    "<a href='//example.com'>x</a>",
]


class Page(HTMLParser):
    """The tags, attributes and text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.shape: list[tuple[str, tuple[str, ...]]] = []
        self.attributes: list[tuple[str, str]] = []
        self.words: list[str] = []
        self._raw = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.shape.append((tag, tuple(name for name, _ in attrs)))
        self.attributes += [(name, value or "") for name, value in attrs]
        self._raw = tag

    def handle_endtag(self, tag: str) -> None:
        self._raw = ""

    def handle_data(self, data: str) -> None:
        if self._raw != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def hostile_run(make_run: MakeRun, name: str, word: str) -> Run:
    """A run with `word` in every field that data, model or user can fill."""
    row = {"source": {"file": word, "line": 1}, "prompt": word, "wanted": word, "given": word, "detail": word}
    rows = [row | {"row": number, "score": 1.0} for number in range(3)]
    arm = {"metric": word, "n": 3, "score": 1.0, "ci": [0.4, 1.0], "prompt_tokens": 3, "completion_tokens": 3}
    arms = [arm | {"name": each, "seconds": 1.0, "others": {word: 0.5}} for each in ("few-shot", word)]
    summary = {
        "run": word,
        "model": word,
        "method": word,
        "arms": arms,
        "difference": {"arm": word, "against": "few-shot", "mean": 0.0, "ci": [-0.1, 0.1], "p": 1.0},
        "train": {"adapter": word, "best_step": 10},
        "verdict": {"decision": "tune", "sentence": word, "rows_needed": {}},
        "notes": [word, word],
    }
    ledger = {"rows_in": 1, "dropped": {word: 1}, "dropped_at": {word: [word]}}
    scores = {"few-shot": rows} | ({} if "/" in word or "\0" in word else {word: rows})
    return make_run(
        name=name,
        summary=summary,
        ledger=ledger,
        environment={"verb": word, word: word, "versions": {word: word}},
        scores=scores,
        settings={"data.system": word, "data.map": {word: word}},
    )


@pytest.mark.parametrize("word", HOSTILE)
def test_hostile_text_stays_text_in_every_field(make_run: MakeRun, word: str) -> None:
    tame = "harmless/" if "/" in word or "\0" in word else "harmless"
    html = render(hostile_run(make_run, "hostile", word))
    page, usual = Page(html), Page(render(hostile_run(make_run, "tame", tame)))
    assert shown(html, len(html)) == html  # no character that hides others, in text, attributes and drawings
    assert page.shape == usual.shape  # not a tag or attribute more
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert {value for name, value in page.attributes if name in ("href", "src", "action")} == {"data:,"}
    if word.isprintable():
        assert page.text.count(word) >= 15


def test_a_script_in_a_data_row_is_escaped_byte_for_byte(make_run: MakeRun) -> None:
    html = render(hostile_run(make_run, "hostile", HOSTILE[0]))
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


def test_the_page_asks_nothing_of_the_network(make_run: MakeRun) -> None:
    html = render(make_run())
    assert re.search(r"Content-Security-Policy\" content=\"default-src 'none'", html)
    assert not re.search(r"https?:|url\(|@import|<script|<link rel=.?stylesheet", html)


def test_the_verdict_comes_first_and_the_numbers_follow(make_run: MakeRun) -> None:
    text = Page(render(make_run())).text
    places = [
        text.index(word)
        for word in (
            "Tune: 90.2% right on 3,080 held-out rows",
            "Arms",
            "11.0% to 13.3%",
            "tuned against few-shot, row by row",
            "best: step 420",
            "13,083 rows in =",
            "Where tuned does better than few-shot",
            "Where tuned does worse than few-shot",
            "tailor fit --recipe runs/banking77-1/recipe.toml",
            "What was assumed",
            "blake2b:5d1c0f3a9b7e4c22",
        )
    ]
    assert places == sorted(places)
    assert "What this page lacks" not in text


def test_the_table_of_arms_holds_the_numbers_of_the_summary(make_run: MakeRun) -> None:
    table = re.search(r"<tr><th scope=\"row\">few-shot</th>(.*?)</tr>", render(make_run(3080, scores={})), re.DOTALL)
    assert table
    cells = [re.sub(r"<.*?>", " ", cell).split("  ") for cell in re.findall(r"<td>(.*?)</td>", table[1])]
    assert [part.strip() for cell in cells for part in cell] == [
        *("34.8%", "33.1% to 36.5%"),
        *("3,080", "934", "4.0", "131.6"),
    ]


def test_the_prompted_arms_show_their_instructions(make_run: MakeRun) -> None:
    run = make_run()
    run.write("choices.json", {"metric": "exact", "instructions": "Answer with <one> label.", "notes": ["aloud"]})
    text = Page(render(run)).text
    assert "Instructions of the prompted arms Answer with <one> label." in text


def test_a_detail_that_repeats_the_answers_is_left_out(make_run: MakeRun) -> None:
    line = {"source": {"file": "t", "line": 1}, "prompt": "p", "wanted": "yes", "given": "no ", "score": 0.0}
    details = ["wanted 'yes', given 'no'", "the answer is not a number"]
    rows = [line | {"row": row, "detail": detail} for row, detail in enumerate(details)]
    text = Page(render(make_run(scores={"tuned": rows}))).text
    assert details[0] not in text and details[1] in text


def test_rows_that_ran_into_the_limit_are_counted(make_run: MakeRun) -> None:
    line = {"source": {"file": "t", "line": 1}, "prompt": "", "wanted": "a", "given": "b", "score": 0.0}
    rows = [line | {"row": row, "finish_reason": "length" if row < 3 else "stop"} for row in range(8)]
    html = render(make_run(scores={"tuned": rows}))
    assert re.search(r'<th scope="row">tuned</th>.*?<td>3</td></tr>', html)
    text = Page(html).text
    assert "Cut off: answers that ran into the token limit" in text
    assert "ran into the token limit" in text


def test_the_ledger_shows_the_first_rows_of_each_reason(make_run: MakeRun) -> None:
    text = Page(render(make_run())).text
    assert "train.csv:40 train.csv:50 train.csv:60 train.csv:70 train.csv:80 and 28 more" in text
    assert "train.csv:90" not in text
    assert "Every row that came in is accounted for" in text


def test_a_ledger_that_does_not_add_up_is_told(make_run: MakeRun) -> None:
    text = Page(render(make_run(ledger={"rows_in": 10, "train": 7}))).text
    assert "The ledger does not add up" in text
    assert "accounted for" not in text


def test_settings_that_are_not_the_default_stand_out(make_run: MakeRun) -> None:
    html = render(make_run(settings={"optim.learning_rate": 1e-3}))
    assert re.findall(r'<tr class="changed"><th scope="row">(.*?)</th><td>(.*?)</td>', html)[:2] == [
        ("optim.learning_rate", "0.001"),
        ("optim.epochs", "4"),
    ]
    assert re.search(r"\b3 of \d+ differ", Page(html).text)  # run.out, and the two above


def test_an_inconclusive_page_says_what_would_change_it(make_run: MakeRun, changed_summary: Any) -> None:
    verdict = {"decision": "inconclusive", "sentence": "Inconclusive: so it is.", "rows_needed": {"held_out": 1412}}
    text = Page(render(make_run(summary=changed_summary(verdict=verdict)))).text
    assert "What would change it: about 1,412 held-out rows." in text


def test_the_least_gain_wanted_is_drawn(make_run: MakeRun) -> None:
    assert "least gain wanted" in render(make_run(settings={"eval.minimum_gain": 0.02}))
    assert "least gain wanted" not in render(make_run(name="other"))


def test_a_new_run_folder_has_a_page(tmp_path: Path, make_run: MakeRun) -> None:
    text = Page(render(make_run(summary=None, ledger=None, environment=None, metrics=None, scores=None))).text
    assert "No verdict yet" in text
    for missing in (
        "was stopped before its end",
        "No arm was measured",
        "no training log",
        "no ledger",
        "no record of",
    ):
        assert missing in text
    assert re.search(r"tailor fit --resume \S*banking77-1", text)


def test_a_run_stopped_while_evaluating_shows_what_there_is(make_run: MakeRun) -> None:
    row = {"source": {"file": "t.csv", "line": 2}, "prompt": "p", "wanted": "a", "given": "a"}
    lines = [row | {"row": number, "score": float(number % 4 > 0)} for number in range(8)]
    state = {"phase": "measuring few-shot", "time": "2026-02-03T10:44:02+0000", "pid": 1}
    run = make_run(summary=None, state=state, scores={"zero-shot": lines, "few-shot": lines[:4]})
    done = {"name": "zero-shot", "metric": "exact", "n": 8, "score": 0.75, "ci": [0.41, 0.93], "seconds": 2.0}
    run.write("scores/zero-shot.json", done | {"prompt_tokens": 80, "completion_tokens": 8})
    run.write("choices.json", {"metric": "exact", "notes": ["the metric is exact"], "instructions": ""})
    text = Page(render(run)).text
    assert "It was last at: measuring few-shot, 2026-02-03T10:44:02+0000." in text
    assert "75.0% [41.0%, 93.0%]" in text  # measured to the end, though the run was not
    assert "75.0% so far" in text
    assert "Some arms are not measured to the end" in text
    assert "the metric is exact" in text


def test_a_run_stopped_while_training_marks_its_best_step_so_far(make_run: MakeRun) -> None:
    losses = {100: 0.5, 200: 0.31, 300: 0.4}
    lines = [{"step": step, "epoch": 1.0, "tokens": 10 * step, "loss": 1.0} for step in range(50, 301, 50)]
    lines += [
        {"step": step, "epoch": 1.0, "tokens": 10 * step, "validation_loss": loss} for step, loss in losses.items()
    ]
    text = Page(render(make_run(summary=None, metrics=lines, scores=None))).text
    assert "best: step 200, 0.310" in text


def test_a_run_that_only_trained_says_so(make_run: MakeRun, changed_summary: Any) -> None:
    summary = changed_summary(arms=[], difference=None, verdict=None)
    text = Page(render(make_run(summary=summary, scores=None, environment={"verb": "train"}))).text
    assert "This run trained a model and measured nothing" in text
    assert "tailor train --recipe" in text
    assert "--resume" not in text
    assert "best: step 420" in text


def test_a_run_that_only_measured_says_so(make_run: MakeRun, changed_summary: Any) -> None:
    summary = changed_summary(train=None)
    text = Page(render(make_run(summary=summary, metrics=None))).text
    assert "There is no training log" in text
    assert "tokens a second" not in text


def test_the_examples_of_a_single_arm_are_its_worst_rows(make_run: MakeRun, changed_summary: Any) -> None:
    only = changed_summary(arms=[changed_summary()["arms"][0]], difference=None)
    lines = [json.loads(line) for line in (make_run(20).path / "scores/zero-shot.jsonl").read_text().splitlines()]
    text = Page(render(make_run(name="one", summary=only, scores={"zero-shot": lines}))).text
    assert "Worst rows of zero-shot" in text
    assert "differ most" not in text


def test_damaged_files_are_told_and_the_rest_is_shown(make_run: MakeRun) -> None:
    run = make_run()
    (run.path / "environment.json").write_text("{half")
    (run.path / "data/ledger.json").write_text('{"rows_in": "many"}')
    with open(run.path / "scores/tuned.jsonl", "a") as file:
        file.write("not json\n")
    text = Page(render(run)).text
    assert "environment.json is damaged" in text
    assert "data/ledger.json is damaged" in text
    assert text.count("scores/tuned.jsonl is read only up to a damaged line") == 1 and "(line 301)" in text
    assert "Tune: 90.2% right" in text and "Where tuned does better" in text
    assert "13,083 rows in" in text  # from the summary


def test_a_damaged_summary_leaves_the_verdict_and_the_scores(make_run: MakeRun) -> None:
    run = make_run()
    (run.path / "summary.json").write_text('{"arms": 3}')
    text = Page(render(run)).text
    assert "summary.json is damaged" in text
    assert "Tune: 90.2% right" in text and "so far" in text


LOST = ["config.json", "summary.json", "verdict.json", "environment.json", "metrics.jsonl", "data/ledger.json"]


@pytest.mark.parametrize("lost", [*LOST, "scores/tuned.jsonl", "scores/few-shot.jsonl"])
def test_whatever_single_file_is_lost_there_is_a_page(make_run: MakeRun, lost: str) -> None:
    run = make_run(20, steps=20)
    (run.path / lost).unlink()
    text = Page(render(run)).text
    assert "Tune: 90.2% right" in text or lost == "summary.json"
    assert "Go on from here" in text


def test_less_is_better_where_the_metric_says_so(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "load", lambda kind, name: SimpleNamespace(AGGREGATE="mean", LOWER_IS_BETTER=True))
    line = {"source": {"file": "t", "line": 1}, "prompt": "p", "wanted": "a", "given": "b"}
    scores = {arm: [line | {"row": 0, "score": score}] for arm, score in (("few-shot", 2.0), ("tuned", 0.5))}
    text = Page(render(make_run(scores=scores, settings={"eval.minimum_gain": 0.1}))).text
    assert "Lower is better" in text
    assert "Where tuned does better than few-shot" in text and "does worse" not in text
    assert "1 tuned better 100.0%" in text
    scores["zero-shot"] = [line | {"row": 0, "score": 3.0}]
    text = Page(render(make_run(name="stopped", summary=None, scores=scores))).text
    assert "Where tuned does better than few-shot" in text  # the best of the others, though no difference says so


def test_a_huge_answer_is_cut_visibly(make_run: MakeRun) -> None:
    line = {"row": 0, "source": {"file": "t", "line": 1}, "prompt": "p" * 10**6, "wanted": "w", "given": "g" * 10**6}
    html = render(make_run(scores={"tuned": [line | {"score": 0.0}]}))
    assert len(html) < 200_000
    assert "more characters]" in html


def test_ten_thousand_rows_make_a_page_of_the_usual_size(make_run: MakeRun) -> None:
    run = make_run(10_000, steps=20_000)
    html = render(run)
    assert len(html) < 300_000
    assert "A point of the training line is the mean of 84 steps" in Page(html).text
    assert max(path.count("L") for path in re.findall(r'class="curve"|d="(M[^"]*)"', html)) == 238  # 239 points


def test_the_page_is_written_whole_and_the_same_each_time(make_run: MakeRun) -> None:
    run = make_run(50)
    path = write(run)
    first = path.read_bytes()
    assert path == run.path / "report.html"
    assert write(run).read_bytes() == first
    assert b"</html>" in first
    assert not [each for each in run.path.iterdir() if each.name.endswith(".tmp")]


def _contrast(one: str, other: str) -> float:
    """WCAG 2.2 contrast ratio of two colours written as #rrggbb."""
    lights = []
    for colour in (one, other):
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        lights.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    return (max(lights) + 0.05) / (min(lights) + 0.05)


def test_every_text_colour_has_contrast_in_light_dark_and_print() -> None:
    css = (Path(render.__code__.co_filename).parent / "style.css").read_text()
    themes = [
        dict(re.findall(r"--(\w[\w-]*): (#\w{6})", re.sub(r"#fff;", "#ffffff;", re.sub(r"#000;", "#000000;", block))))
        for block in re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    ]
    assert len(themes) == 3
    for theme in themes:
        for colour in ("ink", "quiet", "tuned", "against", "gap"):
            for ground in ("paper", "card", "notice"):
                assert _contrast(theme[colour], theme[ground]) >= 4.5, (colour, ground)
        assert _contrast(theme["mark-ink"], theme["mark"]) >= 4.5
        for part in ("train", "dropped", "test"):
            assert _contrast(theme[part], theme["paper"]) >= 3, part
