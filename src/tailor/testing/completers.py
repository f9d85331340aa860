"""What every completer promises. Inherit and say how to make one:

class TestMine(CompleterContract):
    def completer(self) -> Completer: ...
"""

from __future__ import annotations

import pytest

from tailor.completers.base import gather
from tailor.errors import ConfigError
from tailor.records import Completer, Completion, Request, Sampling, message


class CompleterContract:
    """pytest collects the tests below in the class that inherits them."""

    def completer(self) -> Completer:
        """The completer on trial; made afresh for each test."""
        raise NotImplementedError

    def requests(self) -> list[Request]:
        """At least three different requests that it answers with more than one token each."""
        texts = ("How many days has a week?", "Name a fruit, please.", "Which month comes after May?")
        return [Request(messages=(message("user", text),)) for text in texts]

    def test_every_request_is_answered_once_with_n_completions(self) -> None:
        requests = self.requests()
        for n in (1, 3):
            answers = list(self.completer().complete(requests, Sampling(max_tokens=8, n=n)))
            assert sorted(index for index, _ in answers) == list(range(len(requests)))
            assert all(len(completions) == n for _, completions in answers)

    def test_no_requests_give_no_answers(self) -> None:
        assert list(self.completer().complete([], Sampling())) == []

    def test_what_a_completion_holds(self) -> None:
        for [completion] in gather(self.completer(), self.requests(), Sampling(max_tokens=8)):
            assert completion.finish_reason in ("stop", "length")
            assert completion.prompt_tokens > 0
            assert completion.seconds >= 0
            assert 0 < len(completion.ids) == len(completion.logprobs) <= 8
            assert all(logprob <= 1e-6 for logprob in completion.logprobs)

    def test_an_answer_is_cut_at_max_tokens_and_says_so(self) -> None:
        for [completion] in gather(self.completer(), self.requests(), Sampling(max_tokens=1)):
            assert len(completion.ids) == 1
            assert completion.finish_reason == "length"

    def test_greedy_answers_repeat_and_do_not_depend_on_the_batch(self) -> None:
        requests, sampling = self.requests(), Sampling(max_tokens=8)
        together = _contents(gather(self.completer(), requests, sampling))
        assert together == _contents(gather(self.completer(), requests, sampling))
        alone = [gather(self.completer(), [request], sampling)[0] for request in requests]
        assert together == _contents(alone)
        assert together[::-1] == _contents(gather(self.completer(), requests[::-1], sampling))

    def test_sampled_answers_repeat_and_do_not_depend_on_the_batch(self) -> None:
        requests, sampling = self.requests(), Sampling(max_tokens=8, temperature=1.0, top_p=0.9, n=3, seed=7)
        together = _contents(gather(self.completer(), requests, sampling))
        alone = [gather(self.completer(), [request], sampling)[0] for request in requests]
        assert together == _contents(alone)

    def test_a_stream_joins_to_the_completion(self) -> None:
        for sampling in (Sampling(max_tokens=8), Sampling(max_tokens=8, temperature=1.0, seed=3)):
            for request in self.requests():
                [[completion]] = gather(self.completer(), [request], sampling)
                assert "".join(self.completer().stream(request, sampling)) == completion.text

    def test_settings_that_make_no_sense_are_refused(self) -> None:
        wrong = (
            Sampling(max_tokens=0),
            Sampling(temperature=-1.0),
            Sampling(top_p=0.0),
            Sampling(top_p=1.5),
            Sampling(n=0),
        )
        for sampling in wrong:
            with pytest.raises(ConfigError):
                list(self.completer().complete(self.requests(), sampling))
            with pytest.raises(ConfigError):
                list(self.completer().stream(self.requests()[0], sampling))


def _contents(answers: list[list[Completion]]) -> list[list[tuple[str, tuple[int, ...], str]]]:
    """Completions without what may differ from run to run: their seconds and the last bits of the log-probs."""
    return [[(one.text, one.ids, one.finish_reason) for one in completions] for completions in answers]
