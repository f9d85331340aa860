from hypothesis import given
from hypothesis import strategies as st

from tailor.records import Scored, Source
from tailor.report.examples import FOLD, Piece, choose, compare, samples, tally
from tailor.report.facts import Mark


def marks(*scores: float) -> dict[int, Mark]:
    return {row: Mark(row, score) for row, score in enumerate(scores)}


def line(row: int, prompt: str, wanted: str, given: str, score: float = 0.0) -> Scored:
    return Scored(row=row, source=Source("test.csv", row + 2), prompt=prompt, wanted=wanted, given=given, score=score)


def test_the_largest_gains_and_losses_are_chosen() -> None:
    base, tuned = marks(0.0, 0.0, 1.0, 0.5, 0.4), marks(1.0, 0.2, 0.0, 0.5, 0.1)
    assert choose(tuned, base) == [(0, "better"), (1, "better"), (2, "worse"), (4, "worse"), (3, "same")]
    assert choose(tuned, base, 2) == [(0, "better"), (2, "worse")]
    assert tally(tuned, base) == {"better": 2, "same": 1, "worse": 2}


def test_losses_are_shown_even_where_gains_abound() -> None:
    tuned, base = marks(*[1.0] * 90, *[0.0] * 10), marks(*[0.0] * 90, *[1.0] * 10)
    groups = [group for _, group in choose(tuned, base)]
    assert groups == ["better"] * 5 + ["worse"] * 5
    one_loss = choose(marks(*[1.0] * 99, 0.0), marks(*[0.0] * 99, 1.0))
    assert [group for _, group in one_loss] == ["better"] * 9 + ["worse"]


def test_ties_are_a_sample_and_not_the_head_of_the_file() -> None:
    chosen = [row for row, _ in choose(marks(*[1.0] * 1000), marks(*[0.0] * 1000))]
    assert chosen == [row for row, _ in choose(marks(*[1.0] * 1000), marks(*[0.0] * 1000))]
    assert max(chosen) > 500 and len(set(chosen)) == 10


def test_a_metric_where_less_is_better_is_read_the_other_way() -> None:
    base, tuned = marks(2.0, 1.0), marks(1.0, 2.0)
    assert choose(tuned, base, sign=-1) == [(0, "better"), (1, "worse")]
    assert tally(tuned, base, -1) == {"better": 1, "same": 0, "worse": 1}


def test_one_arm_alone_shows_its_worst_rows() -> None:
    assert choose(marks(1.0, 0.25, 0.5), {}, 2) == [(1, "same"), (2, "same")]


def test_what_was_not_wanted_is_marked() -> None:
    assert compare("the cat sat", "the dog sat") == (
        Piece("the ", "same"),
        Piece("dog", "extra"),
        Piece(" sat", "same"),
    )
    assert compare('{"a": 1, "b": 2}', '{"a": 1}') == (
        Piece('{"a": 1', "same"), Piece(', "b": 2', "gap"), Piece("}", "same")
    )  # fmt: skip
    assert compare("yes", "yes\n") == (Piece("yes", "same"), Piece("\n", "extra"))
    assert compare("one two", "red blue") == (Piece("red blue", "extra"),)  # a phrase, not two words
    assert compare("yes", "") == (Piece("yes", "gap"),)
    assert compare("", "anything") == (Piece("anything", "same"),)  # nothing was wanted, so nothing is wrong


def test_texts_too_long_to_align_are_compared_by_their_ends() -> None:
    wanted, given = "w " * 900 + "middle " + "v " * 900, "w " * 900 + "other " + "v " * 900
    kinds = [(piece.kind, len(piece.text)) for piece in compare(wanted, given)]
    assert kinds == [("same", 1800), ("extra", 5), ("same", 1801)]


@given(st.text("ab \n", max_size=60), st.text("ab \n", max_size=60))
def test_pieces_spell_the_answer_and_agree_with_what_was_wanted(wanted: str, given: str) -> None:
    pieces = compare(wanted, given)
    assert "".join(piece.text for piece in pieces if piece.kind != "gap") == given
    if wanted:
        rest = iter(wanted)
        assert all(char in rest for piece in pieces if piece.kind == "same" for char in piece.text)
        assert (given == wanted) == all(piece.kind == "same" for piece in pieces)


def test_a_long_answer_is_folded_around_its_first_difference() -> None:
    words = " ".join(f"word{i}" for i in range(400))
    (sample,) = samples([(0, "worse")], {"tuned": {0: line(0, "?", words, words.replace("word300", "wrong"))}})
    answer = sample.answers[0].text
    brief = "".join(piece.text for piece in answer.brief)
    assert "wrong" in brief and len(brief) < FOLD + 10
    assert brief.startswith("… ") and brief.endswith(" …")
    assert "".join(piece.text for piece in answer.whole if piece.kind != "gap") == words.replace("word300", "wrong")
    assert answer.length == len(words) - 2


def test_what_all_prompts_share_is_left_out_of_their_brief() -> None:
    rules = "Rule: be brief.\n" * 30
    rows = {row: line(row, f"{rules}Question {row}?", "a", "b") for row in (3, 4)}
    first, second = samples([(3, "same"), (4, "same")], {"tuned": rows})
    assert "".join(piece.text for piece in first.prompt.brief) == "… Question 3?"
    assert "".join(piece.text for piece in second.prompt.whole) == f"{rules}Question 4?"
    assert (first.source, second.source) == ("test.csv:5", "test.csv:6")


def test_a_row_that_only_one_arm_scored_is_shown_with_that_arm() -> None:
    (sample,) = samples([(0, "same")], {"few-shot": {}, "tuned": {0: line(0, "p", "w", "g")}})
    assert [answer.arm for answer in sample.answers] == ["tuned"]
