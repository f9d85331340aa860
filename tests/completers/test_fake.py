"""The scripted completer."""

from __future__ import annotations

import pytest

from tailor.completers.base import gather
from tailor.completers.fake import FakeCompleter
from tailor.errors import ConfigError
from tailor.records import Completer, Example, Request, Sampling, Source, message
from tailor.testing.completers import CompleterContract


class TestContract(CompleterContract):
    def completer(self) -> Completer:
        return FakeCompleter(lambda request: f"you said:  {request.messages[-1].text}\n")


def example(number: int) -> Example:
    turns = (message("user", f"question {number}"), message("assistant", f"answer {number}"))
    return Example(kind="chat", source=Source("rows.jsonl", number + 1), messages=turns)


def requests(examples: list[Example]) -> list[Request]:
    return [Request(messages=example.prompt) for example in examples]


def right(seed: int, k: int) -> list[bool]:
    examples = [example(number) for number in range(20)]
    fake = FakeCompleter.knowing(examples, right=k, seed=seed)
    answers = gather(fake, requests(examples), Sampling())
    return [completion.text == example.answer for [completion], example in zip(answers, examples)]


def test_knows_exactly_as_many_answers_as_told_and_the_seed_draws_which():
    assert [sum(right(0, k)) for k in (0, 7, 20)] == [0, 7, 20]
    assert right(1, 7) == right(1, 7) != right(2, 7)
    with pytest.raises(ConfigError, match="between 0 and the 20 examples"):
        right(0, 21)


def test_a_prompt_the_script_lacks_is_an_error_unless_there_is_something_to_say_otherwise():
    request = Request(messages=(message("user", "how?"),))
    assert gather(FakeCompleter({}, otherwise="no"), [request], Sampling())[0][0].text == "no"
    with pytest.raises(ConfigError, match=r"no answer to 'how\?'"):
        gather(FakeCompleter({"why?": "because"}), [request], Sampling())


def test_answers_are_cut_between_words_and_calls_are_kept():
    request = Request(messages=(message("user", "go"),))
    fake = FakeCompleter({"go": " one two\nthree "})
    [[cut]] = gather(fake, [request], Sampling(max_tokens=2))
    assert (cut.text, cut.finish_reason, len(cut.ids)) == (" one two\n", "length", 2)
    [[whole]] = gather(fake, [request], Sampling(max_tokens=3))
    assert (whole.text, whole.finish_reason) == (" one two\nthree ", "stop")
    assert list(fake.stream(request, Sampling(max_tokens=3))) == [" one ", "two\n", "three "]
    assert fake.calls == [request] * 3
