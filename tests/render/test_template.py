"""Templates render as transformers renders them, and no template can hold up or fill up the machine."""

from __future__ import annotations

import os
import threading
from typing import Any

import pytest

from tailor.errors import ModelError
from tailor.render import template as module
from tailor.render.template import PLAIN, SOURCE_CHARS, Refused, Template

TURNS = [{"role": "user", "content": "  <b>hi</b> & 'bye'  "}, {"role": "assistant", "content": "ünïcode 😀"}]

FEATURES = {
    "trim and lstrip": "{% for m in messages %}\n    {% if true %}\n  {{ m.content }}\n{% endif %}\n{% endfor %}\n",
    "continue": "{% for m in messages %}{% if loop.first %}{% continue %}{% endif %}{{ m.role }}{% endfor %}",
    "break": "{% for m in messages %}{{ m.role }}{% break %}{% endfor %}",
    "tojson": "{{ messages | tojson }}{{ messages[1] | tojson(indent=2) }}",
    "tojson sorted": "{{ {'b': 1, 'a': 'é<&'} | tojson(sort_keys=true) }}",
    "generation": "a{% generation %}{% set x = 1 %}{{ messages[1].content }}{% endgeneration %}{{ x is defined }}",
    "generation with whitespace": "a \n{%- generation -%}\n b \n{%- endgeneration -%}\n c",
    "namespace": "{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}",
    "dict": "{{ dict(a=1).a }}{{ dict.fromkeys(['x'], 2) }}",
    "filters": "{{ messages[0].content | trim | upper | replace('B', 'c') }}{{ messages|map(attribute='role')|join }}",
    "undefined": "{{ nothing }}{{ messages[0].nothing }}{% if tools is defined and tools is none %}none{% endif %}",
    "constants": "{{ bos_token }}|{{ eos_token }}|{{ enable_thinking }}|{{ add_generation_prompt }}",
    "python methods": "{{ messages[0].content.strip().split(' ')[0] }}{% for k, v in messages[0].items() %}{{ k }}"
    "{% endfor %}",
    "slices": "{% for m in messages[::-1] %}{{ m.role }}{% endfor %}{% set messages = messages[1:] %}{{ messages }}",
    "macro": "{% macro f(x, y='z') -%}\n  {{ x ~ y }}\n{%- endmacro %}{{ f('a') }}",
    "date": "{{ strftime_now('%Y-%m-%d %B') }}",
    "format": "{{ '{0.__class__}'.format(messages) }}{{ '%s' % 1 }}",
    "autoescape is off": "{{ messages[0].content }}{{ '<' }}",
}


@pytest.mark.parametrize("name", FEATURES)
def test_renders_like_transformers(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import datetime

    from transformers.utils import chat_template_utils

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Clock:
            return cls.fromisoformat("2026-03-04")

    monkeypatch.setattr(chat_template_utils, "datetime", Clock)
    constants = {"bos_token": "<s>", "eos_token": "</s>", "enable_thinking": False}
    for prompt in (True, False):
        expected, _ = chat_template_utils.render_jinja_template(
            [TURNS], chat_template=FEATURES[name], add_generation_prompt=prompt, **constants
        )
        found = Template(FEATURES[name], constants, date="2026-03-04").render(TURNS, [], [(2, prompt)])
        assert found == expected


def test_cuts_render_the_first_messages() -> None:
    template = Template("{{ messages | length }}{{ add_generation_prompt }}{{ tools | length if tools }}", {})
    assert template.render(TURNS, [{"a": 1}], [(1, True), (2, False)]) == ["1True1", "2False1"]


HOSTILE = {
    "a range without end": ("{% for i in range(10 ** 9) %}{% endfor %}", "too big"),
    "one long C call": ("{% set x = 7 ** 9999999 %}{{ (x ** 99) | string | length }}", "ran longer than a second"),
    "a large string": ("{{ 'a' * 10 ** 11 }}", "memory"),
    "a doubling string": (
        "{% set n = namespace(x='a') %}" + "{% set n.x = n.x ~ n.x %}" * 60 + "{{ n.x }}",
        "memory|second",
    ),
    "much output": ("{% for i in range(99999) %}{{ 'x' * 1000 }}{% endfor %}", "more than 16,777,216 characters"),
    "endless calls": ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "calls itself"),
    "the interpreter": ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "unsafe"),
    "changing its input": ("{{ messages.append(1) }}", "unsafe|not safely callable"),
    "a private name": ("{% set n = namespace(__class__=1) %}", "cannot hold"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_templates_end_in_an_error(name: str) -> None:
    source, reason = HOSTILE[name]
    with pytest.raises((ModelError, Refused), match=reason):
        Template(source, {}).render(TURNS, [], [(2, True)])
    assert Template(PLAIN, {"eos_token": ""}).render(TURNS, [], [(0, True)]) == [
        "### Assistant\n"
    ]  # the next is served


def test_loops_in_loops_end_in_a_thread_too() -> None:
    source = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
    caught: list[BaseException] = []

    def work() -> None:
        try:
            Template(source, {}, where="evil.jinja").render(TURNS, [], [(2, True)])
        except ModelError as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    (error,) = caught
    assert "evil.jinja: the chat template was stopped: it ran longer than a second" in str(error)


def test_a_template_that_is_no_template() -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        Template("{% if %}", {}, where="here.jinja")
    with pytest.raises(ModelError, match="longer than"):
        Template("x" * (SOURCE_CHARS + 1), {})


def test_many_threads_get_their_own_texts() -> None:
    template = Template("{{ messages[0].content }}", {})
    wrong: list[int] = []

    def work(number: int) -> None:
        for _ in range(50):
            if template.render([{"role": "user", "content": str(number)}], [], [(1, False)]) != [str(number)]:
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_dead_process_is_replaced() -> None:
    template = Template("ok", {})
    child = module._process.child
    assert child is not None
    child.kill()
    child.wait()
    assert template.render(TURNS, [], [(1, False)]) == ["ok"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_after_a_fork_each_process_has_its_own() -> None:
    template = Template("{{ messages[0].content }}", {})
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        (text,) = template.render([{"content": "child"}], [], [(1, False)])
        os.write(writing, text.encode())
        module._process.close()
        os._exit(0)
    assert template.render([{"content": "parent"}], [], [(1, False)]) == ["parent"]
    os.waitpid(child, 0)
    assert os.read(reading, 100) == b"child"
    os.close(reading)
    os.close(writing)
    assert template.render([{"content": "again"}], [], [(1, False)]) == ["again"]
