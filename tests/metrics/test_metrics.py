"""Single metrics against the packages that define them, or numbers worked out by hand."""

from __future__ import annotations

import json
import random
from decimal import Decimal
from pathlib import Path

import jsonschema
import pytest
import sacrebleu
from rouge_score.rouge_scorer import RougeScorer

from tailor.errors import ConfigError
from tailor.metrics import (
    _json,
    _sacre,
    answer_nll,
    bits_per_byte,
    bleu,
    chrf,
    field_f1,
    json_exact,
    json_schema,
    json_valid,
    macro_f1,
    perplexity,
    rouge_l,
)
from tailor.metrics.base import clean, shown
from tailor.metrics.number_match import last_number
from tailor.records import Completion
from tailor.testing.metrics import example

VOCABULARY = ["the", "a", "cat", "dog", "sat", "on", "mat,", "ran.", "Berlin", "3.5", "don't", "isn't", "x_y"]


def pairs(count: int, seed: int) -> list[tuple[str, str]]:
    draw = random.Random(seed)
    texts = [" ".join(draw.choices(VOCABULARY, k=draw.randint(1, 90))) for _ in range(2 * count)]
    return list(zip(texts[::2], texts[1::2]))


# ---------------------------------------------------------------------------------------------------------- prose


def test_rouge_l_is_that_of_rouge_score():
    scorer = RougeScorer(["rougeL"])
    for wanted, given in pairs(60, seed=0):
        golden = scorer.score(wanted, given)["rougeL"].fmeasure
        assert rouge_l.score(example(wanted), Completion(text=given)).value == pytest.approx(golden, abs=1e-12)


@pytest.mark.parametrize("text", ["Привет, мир", "東京は大きい", "ประเทศไทย", "naïve café"])
def test_rouge_l_reads_other_letters(text: str):
    assert rouge_l.score(example(text), Completion(text=text + "!")).value == 1
    assert rouge_l.score(example(text), Completion(text="hello")).value == 0
    assert rouge_l.words("東京 2 café") == ["東", "京", "2", "café"]


def test_corpus_scores_are_those_of_sacrebleu():
    rows = [*pairs(40, seed=1), ("some words", ""), ("a", "a")]
    wanted, given = [one for one, _ in rows], [other for _, other in rows]
    assert chrf.aggregate(rows) == pytest.approx(sacrebleu.corpus_chrf(given, [wanted]).score / 100, abs=1e-12)
    golden = sacrebleu.corpus_bleu(given, [wanted], force=True).score / 100
    assert golden > 0.01
    assert bleu.aggregate(rows) == pytest.approx(golden, abs=1e-12)


def test_signatures_are_those_of_sacrebleu():
    for module, golden in ((chrf, sacrebleu.CHRF()), (bleu, sacrebleu.BLEU())):
        golden.corpus_score(["a"], [["a"]])
        assert module.signature() == str(golden.get_signature())
    assert "version:" in bleu.signature()


def test_resampling_a_corpus_score_counts_each_row_once(monkeypatch: pytest.MonkeyPatch):
    rows, metric = pairs(20, seed=2), sacrebleu.CHRF()
    counted: list[str] = []
    count = metric._extract_corpus_statistics
    monkeypatch.setattr(metric, "_extract_corpus_statistics", lambda given, _: counted.extend(given) or count(given, _))
    score = _sacre.corpus(metric)
    first = score(rows)
    assert score(rows[::-1]) == pytest.approx(first) and score(rows[:5] * 4) != pytest.approx(first)
    assert sorted(counted) == sorted(given for _, given in rows)


# ----------------------------------------------------------------------------------------------------- likelihood


def test_likelihood_of_the_wanted_answer_in_three_units():
    given = Completion(text="über", ids=(5, 6, 7, 2), logprobs=(-1.0, -0.5, -2.5, 0.0))  # 4 nats, 4 tokens, 5 bytes
    scores = [metric.score(example("über"), given) for metric in (answer_nll, perplexity, bits_per_byte)]
    assert [score.value for score in scores] == pytest.approx([1.0, 2.718281828459045, 4 / 0.6931471805599453 / 5])
    assert [score.weight for score in scores] == [4, 4, 5]
    assert scores[0].detail == "4 tokens, 4.0 nats in all, 2.5 for the least likely one"


def test_a_token_that_cannot_be_leaves_perplexity_finite():
    given = Completion(text="x", ids=(1,), logprobs=(-5_000.0,))
    assert perplexity.score(example("x"), given).value < 1e305
    assert answer_nll.score(example("x"), given).value == 5_000


# --------------------------------------------------------------------------------------------------------- labels


def test_macro_f1_by_hand():
    # cat: 2 wanted, 3 given, 2 right -> 4/5;  dog: 2 wanted, 1 given, 1 right -> 2/3;  cow: 1 wanted, none given -> 0
    rows = [("cat", "cat"), ("cat", "cat\n"), ("dog", "cat"), ("dog", "dog"), ("cow", "a cow, I think")]
    assert macro_f1.aggregate(rows) == pytest.approx((4 / 5 + 2 / 3 + 0) / 3)


# -------------------------------------------------------------------------------------------------------- numbers


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1,234", "1234"),
        ("1.234", "1.234"),
        ("1,2", "1.2"),
        ("1.234.567", "1234567"),
        ("1,234,567.89", "1234567.89"),
        ("1.234.567,89", "1234567.89"),
        ("1'234.50", "1234.5"),
        ("12\u202f500", "12500"),
        ("$-5", "-5"),
        ("-$5.", "-5"),
        ("(3)", "3"),
        ("x=-7", "-7"),
        ("1–5", "5"),
        ("1-5", "5"),
        (".5", "0.5"),
        ("2e3 m", "2000"),
        ("v2", "2"),
        ("costs 12 %", "12"),
        ("123456789012345678901234567890123456789", "123456789012345678901234567890123456789"),
        ("-0.1", "-0.1"),
        ("first 3, then 04", "4"),
    ],
)
def test_numbers_as_people_write_them(text: str, number: str):
    assert last_number(text) == Decimal(number)


@pytest.mark.parametrize("text", ["", "none", "½", "version 1.2.3", "1,23,45", "9" * 401])
def test_what_is_no_number(text: str):
    assert last_number(text) is None


# ----------------------------------------------------------------------------------------------------------- JSON


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("{'a': 1}", "line 1 column 2"),
        ('{"a": 1} and more', "Extra data"),
        ('```json\n{"a": 1}\n```', "in a code fence"),
        ("[NaN]", "NaN is no JSON number"),
        ("[-Infinity]", "-Infinity is no JSON number"),
        ("[1e400]", "too large"),
        ("9" * 5000, "4,300 digits"),
        ('{"a": {"b": 1, "b": 2}}', "the key 'b' stands twice"),
        ("[" * 65 + "]" * 65, "nested deeper than 64"),
        ("[" * 100_000, "nested deeper"),
        ('"' + "a" * 1_000_000 + '"', "longer than"),
    ],
)
def test_what_is_no_json_says_why(text: str, reason: str):
    with pytest.raises(_json.NotJson, match=reason):
        _json.parse(text)
    score = json_valid.score(example("{}"), Completion(text=text))
    assert score.value == ("stands twice" in reason)  # which RFC 8259 allows
    assert score.value or reason in score.detail


def test_what_is_json():
    assert _json.parse("[" * 64 + "]" * 64) is not None
    for text in ("null", ' "a" ', "-0", "1e-400", '{"a": {"a": 1}}', '"\\ud83d\\ude00"'):
        assert _json.parse(text) == json.loads(text)


@pytest.mark.parametrize(
    ("wanted", "given", "detail"),
    [
        ('{"a": 1}', "{}", "$.a is missing"),
        ('{"a": 1}', '{"a": 1, "b": 2}', "$.b was not wanted"),
        ('{"a": [1, {"b": "x"}]}', '{"a": [1, {"b": "y"}]}', '$.a[1].b: wanted "x", given "y"'),
        ("[1, 2]", "[1]", "$ has 1 items, wanted 2"),
        ('{"a": 1}', "[1]", '$: wanted {"a": 1}, given [1]'),
        ('{"a": 0}', '{"a": false}', "$.a: wanted 0, given false"),
        ('{"a": ["x"]}', '{"a": "x"}', '$.a: wanted ["x"], given "x"'),
        ("plain", "[]", "the wanted answer is not JSON"),
    ],
)
def test_json_exact_names_the_first_difference(wanted: str, given: str, detail: str):
    score = json_exact.score(example(wanted), Completion(text=given))
    assert score.value == 0
    assert score.detail.startswith(detail)


def fields(wanted: object, given: object) -> tuple[int, int, int]:
    return field_f1.matched(wanted, given), field_f1.size(wanted), field_f1.size(given)


def test_fields_by_hand():
    assert fields({"a": 1, "b": {"c": 2, "d": []}}, {"b": {"d": [], "c": 3}, "a": 1}) == (2, 3, 3)
    assert fields([1, 2, 2, 3], [2, 3, 2, 2]) == (3, 4, 4)
    assert fields({}, {}) == (1, 1, 1)
    assert fields({}, []) == (0, 1, 1)
    assert fields({"a": {}}, {"a": {"b": 1}}) == (0, 1, 1)
    assert fields({"a": "New  York"}, {"a": "New York"}) == (1, 1, 1)
    assert fields(["3", 0.30000000000000004, True], [3.0, 0.3, 1]) == (2, 3, 3)
    assert fields(["007", 10**15], ["7", 10**15 + 1]) == (0, 2, 2)


def test_list_items_are_paired_so_that_most_fields_match():
    # Taken in turn, the first wanted item would grab the given item with two of its fields, and leave the second none.
    wanted = [{"a": 1, "b": 1, "c": 1}, {"a": 1, "b": 1, "c": 2}]
    given = [{"a": 1, "b": 1, "c": 2}, {"a": 9, "b": 9, "c": 1}]
    assert field_f1.matched(wanted, given) == 4
    score = field_f1.score(example(json.dumps(wanted)), Completion(text=json.dumps(given[:1])))
    assert score.value == pytest.approx(2 * 3 / (3 + 6))
    assert score.detail == "3 fields right of 3 given (precision 100%) and 6 wanted (recall 50%)"


# --------------------------------------------------------------------------------------------------------- schema


@pytest.fixture
def use(tmp_path: Path):
    def write(schema: object) -> Path:
        file = tmp_path / "schema.json"
        file.write_text(schema if isinstance(schema, str) else json.dumps(schema))
        json_schema.use(file)
        return file

    yield write
    json_schema.use(None)


def test_json_schema_agrees_with_jsonschema(use):
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "required": ["intent"],
        "additionalProperties": False,
        "properties": {
            "intent": {"enum": ["play", "book"]},
            "slots": {"type": "object", "additionalProperties": {"$ref": "#/definitions/slot"}},
        },
        "definitions": {"slot": {"type": "string", "pattern": "^[a-z ]+$", "maxLength": 9}},
    }
    use(schema)
    values = [
        {"intent": "play"},
        {"intent": "sing"},
        {"intent": "book", "slots": {"city": "rome"}},
        {"intent": "book", "slots": {"city": "Rome"}},
        {"intent": "play", "more": 1},
        [],
    ]
    golden = [jsonschema.Draft7Validator(schema).is_valid(value) for value in values]
    assert golden == [True, False, True, False, False, False]
    scores = [json_schema.score(example(""), Completion(text=json.dumps(value))) for value in values]
    assert [bool(score.value) for score in scores] == golden
    assert scores[3].detail == "$.slots.city: 'Rome' does not match '^[a-z ]+$'"


def test_json_schema_without_a_usable_schema_says_so(use, tmp_path):
    with pytest.raises(ConfigError, match="needs a schema"):
        json_schema.score(example(""), Completion(text="{}"))
    with pytest.raises(ConfigError, match="cannot be read"):
        json_schema.use(tmp_path / "missing.json")
    with pytest.raises(ConfigError, match=r"schema.json:1:10: the schema is not valid JSON"):
        use('{"type": }')
    with pytest.raises(ConfigError, match=r"no JSON schema: \$.type"):
        use({"type": "objekt"})
    with pytest.raises(ConfigError, match=r"refers to 'https://example\.com/other\.json'"):
        use({"$ref": "https://example.com/other.json"})
        json_schema.score(example(""), Completion(text="{}"))


def test_a_schema_that_turns_in_circles_ends(use):
    use({"$ref": "#"})
    assert json_schema.score(example(""), Completion(text="{}")).value == 0


def test_details_are_short_and_can_be_saved():
    assert shown("a" * 500).endswith("…'")
    assert len(shown("a" * 500)) == 82
    assert shown("\ud800\n") == r"'\ud800\n'"
    assert clean("it's \ud800\n") == r"it's \ud800\n"
