import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailor.report.text import count, duration, grade, number, plain, probability, short, shown, signed, size


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain\ttext\n", "plain\ttext\n"),
        ("pay \u202e001 to", "pay ⟨U+202E⟩001 to"),
        ("a\u2066b\u2069", "a⟨U+2066⟩b⟨U+2069⟩"),
        ("zero\u200bwidth", "zero⟨U+200B⟩width"),
        ("\ufeffid", "⟨U+FEFF⟩id"),
        ("bell\x07 escape\x1b[31m", "bell⟨U+0007⟩ escape⟨U+001B⟩[31m"),
        ("\r\n", "⟨U+000D⟩\n"),
        ("nul\x00 del\x7f c1\x9b", "nul⟨U+0000⟩ del⟨U+007F⟩ c1⟨U+009B⟩"),
        ("tag \U000e0041", "tag ⟨U+E0041⟩"),
        ("hidden\U000e0101byte", "hidden⟨U+E0101⟩byte"),
        ("filler\u3164", "filler⟨U+3164⟩"),
        ("line\u2028end", "line⟨U+2028⟩end"),
        ("half \ud800", "half ⟨U+D800⟩"),
        ("joined a\u200db", "joined a⟨U+200D⟩b"),
        ("family 👨\u200d👩\u200d👧 ❤️", "family 👨\u200d👩\u200d👧 ❤️"),
        ("\u200d👩\u200d👧\u200d", "⟨U+200D⟩👩\u200d👧⟨U+200D⟩"),
        ("\U000e00ff\U000e0100\U000e01ef", "\U000e00ff⟨U+E0100⟩⟨U+E01EF⟩"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("naïve 東京 ½", "naïve 東京 ½"),
    ],
)
def test_what_hides_is_spelt_out_and_what_shows_is_left(text: str, expected: str) -> None:
    assert shown(text) == expected


def test_a_long_text_says_how_much_is_cut() -> None:
    assert shown("x" * 12_345, 1_000) == "x" * 1_000 + " … [11,345 more characters]"
    assert shown("x" * 1_000, 1_000) == "x" * 1_000


@given(st.text())
def test_nothing_invisible_is_left(text: str) -> None:
    left = shown(text)
    assert not {char for char in left if unicodedata.category(char) in ("Cc", "Cs", "Co", "Zl", "Zp")} - {"\n", "\t"}
    assert {char for char in left if unicodedata.category(char) == "Cf"} <= {"\u200c", "\u200d"}
    assert shown(left) == left


def test_numbers_read_well() -> None:
    assert [number(value) for value in (0.9117, 27.4149, 314.15, 1204.4, -0.0004, -0.5)] == [
        "0.912", "27.41", "314.1", "1,204", "0.000", "−0.500"
    ]  # fmt: skip
    assert [signed(value) for value in (0.0222, -0.0222, 0.0)] == ["+0.022", "−0.022", "0.000"]
    assert [grade(value) for value in (1.0, 0.0, 2 / 3)] == ["1", "0", "0.667"]
    assert [short(value) for value in (0, 950, 12_340, 1_250_000, 3e9)] == ["0", "950", "12.3k", "1.25M", "3G"]
    assert [count(value) for value in (10_003, 7)] == ["10,003", "7"]
    assert [probability(value) for value in (0.0, 0.00099, 0.001, 0.03149)] == [
        "p < 0.001", "p < 0.001", "p = 0.001", "p = 0.031"
    ]  # fmt: skip
    assert [duration(s) for s in (0.84, 42.2, 59.7, 742, 7560)] == [
        "0.8\u00a0s", "42\u00a0s", "1.0\u00a0min", "12.4\u00a0min", "2.1\u00a0h"
    ]  # fmt: skip
    assert [size(octets) for octets in (12, 640_000, 812e6, 1.61e9)] == ["12 B", "640 kB", "812 MB", "1.61 GB"]


def test_settings_read_as_a_person_writes_them() -> None:
    values = (None, True, 2e-4, ["a", 1], [], {"prompt": "text"}, "sft")
    assert [plain(value) for value in values] == ["not given", "yes", "0.0002", "a, 1", "none", "prompt = text", "sft"]
