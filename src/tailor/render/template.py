"""Chat templates: messages -> text, exactly as transformers' `apply_chat_template` writes it, within limits.

The rendering itself happens in a process of its own (`_sandbox.py` says why). One such process serves all templates of
this process; it starts with the first rendering and ends with its parent.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tailor.errors import ModelError

SOURCE_CHARS = 1 << 19  # the longest template in use is about 20,000 characters
DATE = "2026-01-01"  # what strftime_now sees, so that a run reads the same on every day

PLAIN = """\
{%- if bos_token %}{{ bos_token }}{% endif %}
{%- if tools %}{{ '### Tools\\n' }}{% for tool in tools %}{{ tool | tojson + '\\n' }}{% endfor %}{{ '\\n' }}{% endif %}
{%- for message in messages %}
    {{- '### ' + message.role | capitalize + '\\n' + message.content }}
    {%- for call in message.tool_calls or [] %}
        {{- ('\\n' if message.content or not loop.first else '') + call.function | tojson }}
    {%- endfor %}
    {{- (eos_token if message.role == 'assistant' else '') + '\\n\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '### Assistant\\n' }}{% endif %}
"""
"""For base models that come without a template: roles as headings, and the end-of-text token ends an answer."""


class Refused(Exception):
    """The template raised an error for these messages (wrong order of roles, no place for tools ...)."""


Messages = Sequence[Mapping[str, Any]]
Cut = tuple[int, bool]
"""(end, add_generation_prompt)"""


class Job(NamedTuple):
    """One conversation to render at several cuts."""

    messages: Messages
    tools: Messages
    cuts: Sequence[Cut]


class Template:
    """A chat template with its constants (special tokens, thinking mode)."""

    def __init__(self, source: str, constants: Mapping[str, Any], *, date: str = DATE, where: str = "") -> None:
        """Raises ModelError where the template is too long or no valid Jinja."""
        if len(source) > SOURCE_CHARS:
            raise ModelError(f"the chat template is longer than {SOURCE_CHARS:,} characters", where=where)
        self.source = source
        self.where = where
        self.constants = dict(constants)
        self.date = date
        body = json.dumps([source, self.constants, date], sort_keys=True)
        self.key = hashlib.blake2b(body.encode(), digest_size=16).hexdigest()
        try:
            _process.ask(self, [])
        except Refused as refusal:
            raise ModelError(f"the chat template cannot be read: {refusal}", where=where) from None

    def render(self, messages: Messages, tools: Messages, cuts: Sequence[Cut]) -> list[str]:
        """For every (end, add_generation_prompt) of `cuts` the text of `messages[:end]`, in transformers' message form.

        Raises Refused where the template raises an error, ModelError where it takes more than about a second or more
        memory than it may.
        """
        (texts,) = self.render_many([Job(messages, tools, cuts)])
        if isinstance(texts, Refused):
            raise texts
        return texts

    def render_many(self, jobs: Sequence[Job]) -> list[list[str] | Refused]:
        """`render` of many conversations in one exchange with the process; refusals are returned in their place."""
        return _process.ask(self, jobs)


class _Process:
    """The rendering process and the line to it; safe to use from several threads and after a fork."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.child: subprocess.Popen[bytes] | None = None
        self.owner = 0
        self.known: set[str] = set()

    def ask(self, template: Template, jobs: Sequence[Job]) -> list[list[str] | Refused]:
        """The answers to `jobs`. Raises Refused where the template itself is no valid one."""
        with self.lock:
            self._start()
            if template.key not in self.known:
                introduction = {"source": template.source, "constants": template.constants, "date": template.date}
                (reply,) = self._exchange(template, introduction)
                if "refused" in reply:
                    raise Refused(reply["refused"])
                self.known.add(template.key)
            if not jobs:
                return []
            asked = [{"messages": job.messages, "tools": list(job.tools) or None, "cuts": job.cuts} for job in jobs]
            replies = self._exchange(template, {"jobs": asked})
            return [reply["texts"] if "texts" in reply else Refused(reply["refused"]) for reply in replies]

    def _start(self) -> None:
        if self.child is not None and self.owner == os.getpid() and self.child.poll() is None:
            return
        self.close()
        script = str(Path(__file__).with_name("_sandbox.py"))
        self.child = subprocess.Popen(
            [sys.executable, "-P", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.owner = os.getpid()
        self.known = set()

    def _exchange(self, template: Template, request: dict[str, Any]) -> list[dict[str, Any]]:
        assert self.child is not None and self.child.stdin is not None and self.child.stdout is not None
        try:
            self.child.stdin.write(json.dumps({"template": template.key, **request}).encode() + b"\n")
            self.child.stdin.flush()
            line = self.child.stdout.readline()
        except BrokenPipeError:
            line = b""
        if not line.endswith(b"\n"):
            status = self.child.wait()
            self.close()
            reason = (
                "it ran longer than a second"
                if status == -signal.SIGPROF
                else f"the process that renders it ended with status {status}"
            )
            raise ModelError(
                f"the chat template was stopped: {reason}",
                where=template.where,
                fix="look at the model's chat template: it may be broken or hostile",
            )
        replies: list[dict[str, Any]] = json.loads(line)
        return replies

    def close(self) -> None:
        """End the process, if it is ours."""
        child, self.child = self.child, None
        if child is None or self.owner != os.getpid():
            return
        assert child.stdin is not None and child.stdout is not None
        child.kill()
        child.wait()
        child.stdin.close()
        child.stdout.close()


_process = _Process()
atexit.register(_process.close)
