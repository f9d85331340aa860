"""`tailor check --model M` and `tailor check RUN` as they are typed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tailor.config import resolve
from tailor.records import Example, Source, message
from tailor.run import Run
from tailor.testing.rules import pair, write

ROWS = [pair(f"question {n}", f"answer {n}") for n in range(30)]


@pytest.fixture
def call(typed: Any) -> Callable[..., Any]:
    return lambda *arguments: typed("check", *arguments)


def test_rules_that_need_something_wait_and_are_named_once(call: Any) -> None:
    write(Path("rows.jsonl"), ROWS)
    code, out, err = call("rows.jsonl", "--select", "M")
    assert (code, out.count("nothing found")) == (0, 1)
    assert "6 rules wait for --model (M201, M202, M301, M302, M303, M304)" in err
    assert "1 rule waits for a run: tailor check RUN (M305)" in err
    assert "wait" not in call("rows.jsonl", "--select", "D")[2]


def test_over_length_blocks_until_something_is_chosen(call: Any) -> None:
    write(Path("rows.jsonl"), [*ROWS, pair("a", "word " * 60)])
    asked = ("rows.jsonl", "--model", "thimble", "--select", "M2,M301", "--set", "data.max_length=50")
    code, out, err = call(*asked)
    assert code == 1
    assert "rows.jsonl:31 M301 1 row is longer than the 50 tokens that thimble reads; cutting loses " in out
    assert "fix: choose --over-length drop, split or cut-prompt" in out
    assert "wait" not in err
    code, out, _ = call(*asked, "--over-length", "split", "--json")
    (finding,) = json.loads(out)["findings"]
    assert (code, finding["severity"], finding["rows"]) == (0, "inform", [{"file": "rows.jsonl", "line": 31}])
    assert "no answer token is lost" in finding["message"]


def test_a_model_is_asked_and_its_notes_stay_off_stdout(call: Any, tiny: Path) -> None:
    write(Path("rows.jsonl"), ROWS)
    asked = ("rows.jsonl", "--model", str(tiny), "--select", "M3", "--device", "cpu", "--threads", "1")
    code, out, err = call(*asked, "--set", "check.model_rows=25", "--json")
    assert code == 0
    assert set(json.loads(out)["counts"]) <= {"M304"}, "random weights know nothing, and say so at most"
    assert "parameters" in err
    assert "M302, M303, M304 judged 25 of 30 rows, chosen by their content (check.model_rows)" in err
    log = json.loads(call(*asked, "--sarif")[1])
    assert log["version"] == "2.1.0"
    assert "there is no model called 'thimbel'" in call("rows.jsonl", "--model", "thimbel")[2]


@pytest.fixture
def trained(tmp_path: Path) -> Run:
    """A run whose third row was learned late."""
    run = Run.create(resolve(None, {"data.train": ["gone.jsonl"], "run.out": str(tmp_path / "run"), "check.show": 3}))
    turns = [(message("user", f"question {n}"), message("assistant", f"answer {n}")) for n in range(30)]
    rows = [Example(kind="chat", messages=both, source=Source("gone.jsonl", n + 11)) for n, both in enumerate(turns)]
    run.write_lines("data/train.jsonl", rows)
    for step, level in enumerate((3.0, 1.0, 0.5, 0.2)):
        loss = [level + n % 5 / 10 for n in range(30)]
        loss[2] = 3.0
        line = {"step": step + 1, "rows": list(range(30)), "loss": loss, "least": [-2 * value for value in loss]}
        run.append("row_losses.jsonl", line)
    return run


def test_a_run_tells_which_rows_were_learned_late(call: Any, trained: Run) -> None:
    code, out, err = call(str(trained.path), "--select", "M")
    assert code == 1
    assert "gone.jsonl:13 M305 its loss went 3.00, 3.00, 3.00, 3.00; the median row's 3.20, 1.20, 0.70, 0.40" in out
    assert out.rstrip().endswith("1 warn")
    assert "6 rules wait for --model" in err
    assert "a run" not in err
    log = json.loads(call(str(trained.path), "--select", "M", "--sarif")[1])
    assert log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"] == {"startLine": 13}


def test_a_run_is_not_repaired_and_an_older_one_says_what_it_lacks(call: Any, trained: Run) -> None:
    code, _, err = call(str(trained.path), "--fix")
    assert code == 2
    assert "a run's rows and settings are its own" in err
    (trained.path / "row_losses.jsonl").unlink()
    code, _, err = call(str(trained.path))
    assert code == 2
    assert "this run has recorded no losses of its rows" in err


def test_template_and_tokenizer_are_read_without_torch(tmp_path: Path) -> None:
    write(tmp_path / "rows.jsonl", ROWS)
    code = (
        "import sys; sys.argv = ['tailor', 'check', 'rows.jsonl', '--model', 'thimble', '--select', 'M2,M301']\n"
        "from tailor.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, cwd=tmp_path, env=dict(os.environ)
    )
    assert done.returncode == 0, done.stderr
    assert "nothing found" in done.stdout
