"""Completions of any OpenAI-compatible endpoint (`POST {url}/chat/completions`), through the standard library.

What the wire gives is passed on: most endpoints return no token ids, and a server need not honour `seed`. The key comes
from the environment, goes into one header, and stands in no message, log or error. 408, 409, 429 and 5xx, and a
connection that breaks, are tried again after 0.5 s doubling up to 8 s, or what `Retry-After` asks for, as OpenAI's own
client does.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

from tailor.completers.base import check
from tailor.errors import ConfigError, ResourceError
from tailor.records import Completion, Message, Reasoning, Request, Sampling, Text, ToolCall, ToolResult

RETRIED = (408, 409, 429)  # and every 5xx
FIRST_WAIT, LONGEST_WAIT, LONGEST_ASKED = 0.5, 8.0, 120.0  # seconds
_REPLY = 16 << 20  # bytes; no honest reply is longer
_REASONS: dict[str, Literal["stop", "length", "refused"]] = {"length": "length", "content_filter": "refused"}
_REFUSED = {"choices": [{"message": {"content": ""}, "finish_reason": "content_filter"}]}  # no room for an answer


class OpenAICompleter:
    """The model called `model` at `url` (`http://localhost:8000/v1`), one request at a time.

    The key is read from the environment variable `key_from`; none is sent where it is unset. Raises ConfigError for a
    URL that is none; when it is asked, ConfigError for what the endpoint refuses (no such model, wrong key) and
    ResourceError where it cannot be reached.
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        key_from: str = "OPENAI_API_KEY",
        timeout: float = 600.0,
        retries: int = 2,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(f"{url}: this is no address of an endpoint", fix="http://localhost:8000/v1")
        if parts.username or parts.password:
            raise ConfigError("the address holds a password", fix=f"put the key into the environment: {key_from}")
        self._address = url.rstrip("/") + "/chat/completions"
        self._model = model
        self._key_from = key_from
        self._timeout = timeout
        self._retries = retries
        self._sleep = sleep
        self._opener = urllib.request.build_opener(_NoRedirect)

    def complete(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[tuple[int, list[Completion]]]:
        """Yields (index of the request, its `sampling.n` completions), in order."""
        check(sampling)
        for index, request in enumerate(requests):
            began = time.monotonic()
            replies = [self._post(self._body(request, sampling, seed)) for seed in range(sampling.n)]
            seconds = (time.monotonic() - began) / sampling.n
            yield index, [self._completion(reply, seconds) for reply in replies]

    def stream(self, request: Request, sampling: Sampling) -> Iterator[str]:
        """Yields the text of one completion, all of it at once."""
        check(sampling)
        yield self._completion(self._post(self._body(request, sampling, 0)), 0.0).text

    # ---------------------------------------------------------------------------------------------- the wire

    def _body(self, request: Request, sampling: Sampling, number: int) -> bytes:
        """The request; `n` is asked for one by one, because half of the endpoints know no other."""
        body: dict[str, Any] = {
            "model": self._model,
            "messages": [_message(message) for message in request.messages],
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": sampling.seed + number,
        }
        if request.tools:
            body["tools"] = list(request.tools)
        return json.dumps(body).encode()

    def _post(self, body: bytes) -> dict[str, Any]:
        wait = FIRST_WAIT
        for attempt in range(self._retries + 1):
            try:
                return self._once(body)
            except _Again as again:
                if attempt == self._retries:
                    tries = f"{attempt + 1} tries" if attempt else "one try"
                    raise ResourceError(f"{self._address} gave no answer in {tries}: {again}") from None
                self._sleep(min(again.after, LONGEST_ASKED) if again.after is not None else wait)
                wait = min(2 * wait, LONGEST_WAIT)
        raise AssertionError  # the last attempt returns or raises

    def _once(self, body: bytes) -> dict[str, Any]:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        key = os.environ.get(self._key_from)
        if key:
            headers["Authorization"] = f"Bearer {key}"
        request = urllib.request.Request(self._address, body, headers)
        try:
            with self._opener.open(request, timeout=self._timeout) as reply:
                text = reply.read(_REPLY)
        except urllib.error.HTTPError as error:
            with error:
                said = _said(error.read(_REPLY), key)
            if error.code == 400 and "context" in said and "length" in said:
                return _REFUSED
            if error.code in RETRIED or error.code >= 500:
                raise _Again(f"{error.code} {said}", _seconds(error.headers.get("Retry-After"))) from None
            fix = f"is {self._key_from} set?" if error.code in (401, 403) else "check the address and the model's name"
            raise ConfigError(f"{self._address} refused the request: {error.code} {said}", fix=fix) from None
        except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
            raise _Again(str(getattr(error, "reason", error)) or type(error).__name__, None) from None
        try:
            value = json.loads(text)
            value["choices"][0]["message"]["content"]
        except (ValueError, LookupError, TypeError, RecursionError):
            fix = "is this the address of an OpenAI-compatible endpoint? it usually ends in /v1"
            raise ConfigError(f"{self._address} answered something else than a completion", fix=fix) from None
        return dict(value)

    def _completion(self, reply: dict[str, Any], seconds: float) -> Completion:
        choice, usage = reply["choices"][0], reply.get("usage")
        prompt = usage.get("prompt_tokens") if isinstance(usage, dict) else 0
        return Completion(
            text=str(choice["message"]["content"] or ""),
            finish_reason=_REASONS.get(choice.get("finish_reason"), "stop"),
            prompt_tokens=prompt if isinstance(prompt, int) else 0,
            seconds=seconds,
        )


class _Again(Exception):
    """A failure that may pass; `after` is how many seconds the endpoint asks to wait."""

    def __init__(self, what: str, after: float | None) -> None:
        super().__init__(what)
        self.after = after


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the key to another host: it is an error like any other."""

    def redirect_request(self, *arguments: Any, **named: Any) -> None:
        """Follows none."""


def _said(raw: bytes, key: str | None) -> str:
    """What an endpoint says of its error, the key taken out in case it is repeated."""
    text = " ".join(raw.decode("utf-8", "replace").split())
    with contextlib.suppress(ValueError, LookupError, TypeError, RecursionError):
        text = str(json.loads(raw)["error"]["message"])
    return (text.replace(key, "[key]") if key else text)[:300]


def _seconds(value: str | None) -> float | None:
    try:
        return max(0.0, float(value)) if value else None
    except ValueError:
        return None  # a date: the usual wait will do


def _message(message: Message) -> dict[str, Any]:
    """A turn as the wire has it; reasoning is not sent back, as the API asks."""
    value: dict[str, Any] = {"role": message.role, "content": message.text}
    calls = [part for part in message.parts if isinstance(part, ToolCall)]
    if calls:
        value["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": json.dumps(call.arguments)},
            }
            for call in calls
        ]
    for part in message.parts:
        if isinstance(part, ToolResult):
            value |= {"content": part.content, "tool_call_id": part.id}
        elif not isinstance(part, Text | Reasoning | ToolCall):
            raise ConfigError(f"a {part.kind} cannot be sent to an endpoint yet", fix="ask with text alone")
    return value
