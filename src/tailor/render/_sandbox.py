"""The process that renders chat templates: `python _sandbox.py`, one JSON document a line in and out.

A template comes with a model and is someone else's program. Jinja's immutable sandbox keeps it from the interpreter;
what it cannot stop is a template that never ends or eats the memory, also inside one C call (`10 ** 10 ** 10`). So
templates run in a process of their own whose CPU time and address space the system bounds: no signal handler and no
thread of the caller is needed, and the caller only sees that the process died. This file is run as a script and
imports nothing of tailor.

In:  {"template": key, "source": text, "constants": {...}, "date": "YYYY-MM-DD"} the first time, then
     {"template": key, "jobs": [{"messages": [...], "tools": [...] | null, "cuts": [[end, generation], ...]}, ...]}
Out: a list with {"texts": [...]} for each job, one text a cut (the rendering of `messages[:end]`, with the
     generation prompt or without), or {"refused": message}
"""

from __future__ import annotations

import contextlib
import json
import resource
import signal
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any

import jinja2
import jinja2.ext
from jinja2 import nodes
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

CPU_SECONDS = 1.0  # for one rendering; a real one takes under a millisecond
MEMORY_BYTES = 1 << 30  # address space of the process, most of it mapped libraries
TEXT_CHARS = 1 << 24  # of one rendering


class Generation(jinja2.ext.Extension):
    """`{% generation %}...{% endgeneration %}`, the marks of what the assistant writes, rendered as what they hold."""

    tags = {"generation"}  # noqa: RUF012 (the name and type that jinja2 asks for)

    def parse(self, parser: Parser) -> list[nodes.Node]:
        """The body alone, in a scope of its own as transformers has it."""
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return [nodes.CallBlock(self.call_method("_body"), [], [], body).set_lineno(line)]

    def _body(self, caller: Callable[[], str]) -> str:
        return caller()


class PlainNamespace(Namespace):
    """`namespace(...)` without names that begin with an underscore."""

    def __init__(*args: Any, **kwargs: Any) -> None:  # so that `namespace(self=...)` works, as jinja2 does it
        self, rest = args[0], args[1:]
        values = dict(*rest, **kwargs)
        for name in values:
            _check_name(name)
        Namespace.__init__(self, values)

    def __setitem__(self, name: str, value: Any) -> None:
        _check_name(name)
        Namespace.__setitem__(self, name, value)


class PlainDict:
    """`dict(...)` and `dict.fromkeys(...)` without the rest of the class."""

    def __call__(self, *args: Any, **kwargs: Any) -> dict[Any, Any]:
        return dict(*args, **kwargs)

    def fromkeys(self, *args: Any) -> dict[Any, Any]:
        return dict.fromkeys(*args)


def _check_name(name: Any) -> None:
    if isinstance(name, str) and name.startswith("_"):
        raise jinja2.exceptions.SecurityError(f"a namespace cannot hold {name!r}")


def _raise_exception(message: str) -> None:
    raise jinja2.exceptions.TemplateError(message)


def _tojson(
    value: Any, ensure_ascii: bool = False, indent: Any = None, separators: Any = None, sort_keys: bool = False
) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def compile_template(source: str, date: str) -> jinja2.Template:
    """`source` in the environment that transformers' `apply_chat_template` sets up, its clock stopped at `date`."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
    )
    now = datetime.fromisoformat(date)
    environment.filters["tojson"] = _tojson
    environment.globals["raise_exception"] = _raise_exception
    environment.globals["strftime_now"] = lambda form: now.strftime(form)
    environment.globals["dict"] = PlainDict()
    environment.globals["namespace"] = PlainNamespace
    return environment.from_string(source)


def render(template: jinja2.Template, values: dict[str, Any]) -> str:
    """The text, counted as it grows. Raises TemplateError where it is too long."""
    pieces, length = [], 0
    for piece in template.generate(values):
        length += len(piece)
        if length > TEXT_CHARS:
            raise jinja2.exceptions.TemplateError(f"it wrote more than {TEXT_CHARS:,} characters")
        pieces.append(piece)
    return "".join(pieces)


Known = dict[str, tuple[jinja2.Template, dict[str, Any]]]


def answer(request: dict[str, Any], known: Known) -> list[dict[str, Any]]:
    """The reply to one line."""
    if "source" in request:
        return [_reply(_introduce, request, known)]
    template, constants = known[request["template"]]
    return [_reply(_texts, template, constants, job) for job in request["jobs"]]


def _introduce(request: dict[str, Any], known: Known) -> list[str]:
    _clock(CPU_SECONDS)
    known[request["template"]] = (compile_template(request["source"], request["date"]), request["constants"])
    return []


def _texts(template: jinja2.Template, constants: dict[str, Any], job: dict[str, Any]) -> list[str]:
    texts = []
    for end, add_generation_prompt in job["cuts"]:
        _clock(CPU_SECONDS)
        values = {
            **constants,
            "messages": job["messages"][:end],
            "tools": job["tools"],
            "documents": None,
            "add_generation_prompt": add_generation_prompt,
        }
        texts.append(render(template, values))
    return texts


def _reply(work: Callable[..., list[str]], *args: Any) -> dict[str, Any]:
    """The texts; that a template refuses or fails (TypeError, UndefinedError ...) is a reply too."""
    try:
        return {"texts": work(*args)}
    except MemoryError:
        return {"refused": "it needs more memory than a template may have"}
    except RecursionError:
        return {"refused": "it calls itself without end"}
    except Exception as error:
        return {"refused": str(error) or type(error).__name__}
    finally:
        _clock(0)


def _clock(seconds: float) -> None:
    """The system ends this process (SIGPROF) after so much CPU time; 0 stops the clock."""
    signal.setitimer(signal.ITIMER_PROF, seconds)


def main() -> None:
    """Serve until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the caller, who may want to render while it saves
    for limit, value in ((resource.RLIMIT_AS, MEMORY_BYTES), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0)):
        with contextlib.suppress(ValueError, OSError):  # not every system bounds the address space
            resource.setrlimit(limit, (value, value))
    known: Known = {}
    for line in sys.stdin.buffer:
        sys.stdout.buffer.write(json.dumps(answer(json.loads(line), known)).encode() + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
