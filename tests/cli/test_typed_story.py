"""A run from its first command to the last, each as it is typed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest

Typed = Callable[..., tuple[int, str, str]]
ROWS = ["text,category", *(f"item {n} of lot {n % 7},{('red', 'green', 'blue')[n % 3]}" for n in range(60))]


@pytest.fixture
def fitted(typed: Typed, tiny: Path, tmp_path: Path) -> Path:
    """A finished run, `runs/rows-1` of the folder that commands are typed in."""
    (tmp_path / "rows.csv").write_text("\n".join(ROWS[:41]) + "\n")
    (tmp_path / "new.csv").write_text("\n".join([ROWS[0], *ROWS[41:]]) + "\n")
    settings = (
        "--set",
        "optim.epochs=8",
        "--set",
        "optim.learning_rate=0.01",
        "--set",
        "eval.max_tokens=3",
        "--set",
        'eval.arms=["zero-shot","tuned"]',
    )
    code, _, said = typed("fit", "rows.csv", "--test", "new.csv", "--model", str(tiny), *settings)
    assert code == 0, said
    return tmp_path / "runs" / "rows-1"


def test_a_run_is_scored_on_new_rows_listed_and_written_again(fitted: Path, typed: Typed) -> None:
    code, out, _ = typed("eval", "rows-1", "new.csv", "--arm", "tuned", "--json")
    [arm] = json.loads(out)["arms"]
    assert (code, arm["name"], arm["n"]) == (0, "tuned", 20)
    assert arm["score"] == json.loads((fitted / "scores" / "tuned.json").read_text())["score"]

    code, out, _ = typed("eval", "rows-1", "new.csv", "--metric", "chrf")
    assert code == 0 and "chrf" in out and "tuned minus zero-shot" in out

    code, _, said = typed("eval", "rows-1", "new.csv", "--arm", "tunde")
    assert code == 2 and "tuned" in said
    code, _, said = typed("eval", "rows-1", "nowhere.csv")
    assert code != 0 and "nowhere.csv" in said

    assert "rows-1" in typed("runs")[1]
    page = fitted / "report.html"
    before = page.read_text()
    page.unlink()
    assert typed("report", "rows-1")[0] == 0
    assert page.read_text() == before


def test_a_person_talks_to_both_models(fitted: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ["item 3 of lot 3", "/base", "and item 4?", "/new", "/tuned", "item 3 of lot 3", "/helo", "/quit", "more"]
    monkeypatch.setattr(sys, "stdin", StringIO("\n".join(lines) + "\n"))
    code, out, said = typed("chat", "rows-1", "--max-tokens", "4")
    assert code == 0, said
    assert "the base model answers now" in out and "the tuned model answers now" in out
    assert out.count("/quit ends") == 2, "once at the start and once for a command that is none"
    answers = [part.strip() for part in out.split("> ")[1:]]
    assert len(answers) == 8, "nothing is read behind /quit"
    assert answers[0] == answers[5].split("\n")[0], "after /new the tuned model answers as at first"
    assert answers[0] in ("red", "green", "blue") and answers[2].split("\n")[0] not in ("red", "green", "blue")


def test_a_conversation_that_is_too_long_says_so_and_goes_on(
    fitted: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", StringIO("item 3 of lot 3\n" + "many words " * 2000 + "\nitem 3 of lot 3\n"))
    code, out, said = typed("chat", "rows-1", "--max-tokens", "4")
    assert code == 0, said
    first, long, after, _ = out.split("> ")[1:]
    assert "leave no room for an answer: the model reads" in long and "/new" in long
    assert first.strip() and after.strip() and "no room" not in after
