"""Every shipped metric keeps the contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from tailor import plugins
from tailor.metrics import companions, json_schema
from tailor.testing.metrics import MetricContract, ReadingContract

JSON = ('{"a": [1, {"b": "x"}], "c": null}', "[1, 2]")


class TestExact(MetricContract):
    name = "exact"


class TestExactNormalised(MetricContract):
    name = "exact-normalised"


class TestJsonValid(MetricContract):
    name = "json-valid"
    wanted = JSON


class TestJsonExact(MetricContract):
    name = "json-exact"
    wanted = JSON


class TestFieldF1(MetricContract):
    name = "field-f1"
    wanted = JSON


class TestJsonSchema(MetricContract):
    name = "json-schema"
    wanted = JSON

    @pytest.fixture(autouse=True)
    def schema(self, tmp_path: Path):
        file = tmp_path / "schema.json"
        file.write_text('{"type": ["object", "array"], "maxItems": 3}')
        json_schema.use(file)
        yield
        json_schema.use(None)


class TestNumberMatch(MetricContract):
    name = "number-match"


class TestMacroF1(MetricContract):
    name = "macro-f1"


class TestRougeL(MetricContract):
    name = "rouge-l"


class TestChrf(MetricContract):
    name = "chrf"


class TestBleu(MetricContract):
    name = "bleu"
    wanted = ("a cat sat on the mat", "seven days has a week", "The cat sat.\nIt purred.")


class TestPreference(MetricContract):
    name = "preference"


class TestAnswerNll(ReadingContract):
    name = "answer-nll"


class TestPerplexity(ReadingContract):
    name = "perplexity"


class TestBitsPerByte(ReadingContract):
    name = "bits-per-byte"


def test_no_metric_is_left_out():
    kept = (*MetricContract.__subclasses__(), *ReadingContract.__subclasses__())
    assert {contract.name for contract in kept} == set(plugins.names("metrics"))


def test_companions_are_metrics():
    for name in plugins.names("metrics"):
        assert set(companions(name)) <= set(plugins.names("metrics")) - {name}
