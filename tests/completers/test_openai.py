"""The completer of OpenAI-compatible endpoints, against a scripted one on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tailor.completers.base import gather
from tailor.completers.openai import OpenAICompleter
from tailor.errors import ConfigError, ResourceError
from tailor.records import Completer, Media, Message, Reasoning, Request, Sampling, Text, ToolCall, ToolResult, message
from tailor.testing.completers import CompleterContract
from tailor.testing.endpoint import Endpoint, Script

ASK = [Request(messages=(message("user", "How many?"),))]
KEY = "sk-not-a-real-key"


class TestContract(CompleterContract):
    @pytest.fixture(autouse=True)
    def endpoint(self) -> Iterator[None]:
        with Endpoint(lambda body: f"you said {body['messages'][-1]['content']}, {body['seed']} times") as self.server:
            yield

    def completer(self) -> Completer:
        return OpenAICompleter(self.server.url, "m")

    def test_what_a_completion_holds(self) -> None:
        """The wire has no token ids: text, why it ended, and what the prompt took."""
        [[completion]] = gather(self.completer(), self.requests()[:1], Sampling(max_tokens=20))
        assert completion.text.startswith("you said How many days")
        assert (completion.finish_reason, completion.prompt_tokens, completion.ids) == ("stop", 6, ())

    def test_an_answer_is_cut_at_max_tokens_and_says_so(self) -> None:
        [[completion]] = gather(self.completer(), self.requests()[:1], Sampling(max_tokens=1))
        assert (completion.text, completion.finish_reason) == ("you", "length")


def answers(script: Script, **named: Any) -> tuple[Any, list[float], Endpoint]:
    """What the completer makes of an endpoint: its answer or error, how it waited, and the endpoint."""
    waited: list[float] = []
    with Endpoint(script) as endpoint:
        completer = OpenAICompleter(endpoint.url, "m", sleep=waited.append, **named)
        try:
            return gather(completer, ASK, Sampling())[0][0], waited, endpoint
        except (ConfigError, ResourceError) as error:
            return error, waited, endpoint


def test_what_is_sent() -> None:
    turns = (
        message("system", "s"),
        message("user", "u"),
        Message("assistant", (Reasoning("hm"), Text("a"), ToolCall("f", {"x": 1}, "c1"))),
        Message("tool", (ToolResult("3", "c1"),)),
    )
    tools = ({"type": "function", "function": {"name": "f"}},)
    with Endpoint(lambda body: "fine") as endpoint:
        asked = [Request(messages=turns, tools=tools)]
        gather(
            OpenAICompleter(endpoint.url + "/", "m"), asked, Sampling(max_tokens=9, temperature=0.5, top_p=0.9, seed=3)
        )
    [(_, body)] = endpoint.asked
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}
    assert body == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "s"},
            {"role": "user", "content": "u"},
            {"role": "assistant", "content": "a", "tool_calls": [call]},
            {"role": "tool", "content": "3", "tool_call_id": "c1"},
        ],
        "tools": list(tools),
        "max_tokens": 9,
        "temperature": 0.5,
        "top_p": 0.9,
        "seed": 3,
    }


@pytest.mark.parametrize("status", [408, 409, 429, 500, 503])
def test_what_may_pass_is_tried_again(status: int) -> None:
    replies = iter([(status, {}, {}), (status, {"Retry-After": "7"}, {}), "fine"])
    completion, waited, endpoint = answers(lambda body: next(replies))
    assert completion.text == "fine"
    assert waited == [0.5, 7.0]
    assert len(endpoint.asked) == 3


def test_what_does_not_pass_is_told_after_the_last_try() -> None:
    error, waited, _ = answers(lambda body: (503, {}, {"error": {"message": "overloaded"}}), retries=5)
    assert isinstance(error, ResourceError)
    assert "no answer in 6 tries: 503 overloaded" in error.what
    assert waited == [0.5, 1.0, 2.0, 4.0, 8.0]


def test_nobody_there() -> None:
    with Endpoint(lambda body: "") as endpoint:
        pass
    waited: list[float] = []
    with pytest.raises(ResourceError, match="gave no answer in 3 tries"):
        gather(OpenAICompleter(endpoint.url, "m", sleep=waited.append), ASK, Sampling())
    assert len(waited) == 2


def test_the_key_is_sent_and_never_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    error, _, endpoint = answers(lambda body: (401, {}, {"error": {"message": f"wrong key {KEY}"}}), key_from="MY_KEY")
    assert endpoint.asked[0][0]["Authorization"] == f"Bearer {KEY}"
    assert isinstance(error, ConfigError)
    assert "wrong key [key]" in str(error)
    assert "is MY_KEY set?" in str(error)
    assert KEY not in str(error)


def test_no_key_sends_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    _, _, endpoint = answers(lambda body: "fine")
    assert "Authorization" not in endpoint.asked[0][0]


def test_a_redirect_does_not_carry_the_key_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with Endpoint(lambda body: "stolen") as other:
        error, _, _ = answers(lambda body: (307, {"Location": f"{other.url}/chat/completions"}, {}))
    assert isinstance(error, ConfigError)
    assert other.asked == []


@pytest.mark.parametrize(
    "reply", [b"<html>", b"{}", b'{"choices": []}', b"[" * 100_000, b'{"choices": [{"message": null}]}', b"\xff"]
)
def test_what_is_no_completion_is_refused(reply: bytes) -> None:
    error, _, _ = answers(lambda body: (200, {}, reply))
    assert isinstance(error, ConfigError)
    assert "answered something else than a completion" in error.what


def test_a_prompt_that_leaves_no_room_is_one_refused_answer_and_not_the_end() -> None:
    said = {"error": {"message": "This model's maximum context length is 8192 tokens."}}
    completion, _, _ = answers(lambda body: (400, {}, said))
    assert (completion.text, completion.finish_reason) == ("", "refused")


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://host/v1", "https://user:secret@host/v1", "http://"])
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(ConfigError) as raised:
        OpenAICompleter(url, "m")
    assert "secret" not in str(raised.value)


def test_media_cannot_be_sent() -> None:
    with Endpoint(lambda body: "fine") as endpoint, pytest.raises(ConfigError, match="image cannot be sent"):
        asked = [Request(messages=(Message("user", (Media("image", "a.png"),)),))]
        gather(OpenAICompleter(endpoint.url, "m"), asked, Sampling())
