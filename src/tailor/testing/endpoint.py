"""An OpenAI-compatible endpoint on this machine, scripted: for tests of what talks to one.

with Endpoint(lambda body: "the answer") as endpoint:
    OpenAICompleter(endpoint.url, "any-model")
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

Script = Callable[[dict[str, Any]], Any]


class Endpoint:
    """Answers `POST /v1/chat/completions` by a script of the request's body.

    The script returns a text, cut to the request's `max_tokens` words; or (status, headers, body) to send as it is.
    `asked` keeps every request as (headers, body).
    """

    def __init__(self, script: Script) -> None:
        self.asked: list[tuple[dict[str, str], dict[str, Any]]] = []
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                endpoint.asked.append((dict(self.headers), body))
                found = script(body)
                status, headers, reply = found if isinstance(found, tuple) else (200, {}, _completion(body, found))
                raw = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
                self.send_response(status if self.path == "/v1/chat/completions" else 404)
                for name, value in {**headers, "Content-Length": str(len(raw))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_: Any) -> None:
                """Nothing on stderr."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> Endpoint:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _completion(body: dict[str, Any], text: str) -> dict[str, Any]:
    words = text.split(" ")
    kept = words[: body["max_tokens"]]
    return {
        "object": "chat.completion",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": " ".join(kept)},
                "finish_reason": "stop" if len(kept) == len(words) else "length",
            }
        ],
        "usage": {"prompt_tokens": sum(len(str(turn["content"]).split()) for turn in body["messages"])},
    }
