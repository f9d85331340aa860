"""Messages of every dialect -> Messages of ours, and the order they have to stand in.

OpenAI's keys (`role`, `content`, `tool_calls`) and ShareGPT's (`from`, `value`, roles `function_call` and
`observation`) are read by the same code, because files mix them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from tailor.errors import did_you_mean
from tailor.formats._json import decode
from tailor.formats.base import Malformed, Path, describe
from tailor.records import Example, Media, Message, Part, Reasoning, Role, Source, Text, ToolCall, ToolResult

ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "tool": "tool",
    "function": "tool",
    "observation": "tool",
    "function_response": "tool",
    "function_call": "assistant",
    "tool_call": "assistant",
}
_CALL_ROLES = ("function_call", "tool_call")
_WEIGHTS = ("weight", "loss_weight")
_REASONING = ("reasoning_content", "reasoning", "thinking")

# ---------------------------------------------------------------------------------------------------- turns


def turns(raw: Any, at: Path) -> tuple[Message, ...]:
    """A list of messages (or the JSON text of one, as tables hold it). Raises Malformed where a message is not one."""
    if type(raw) is str:
        raw = json_text(raw, at, "a list of messages")
    if type(raw) is not list:
        raise Malformed(f"{name(at)} is {describe(raw)}, not a list of messages", at)
    if not raw:
        raise Malformed(f"{name(at)} is empty", at, "a row needs at least one message", "empty")
    return tuple([turn(message, at, index) for index, message in enumerate(raw)])


def turn(raw: Any, at: Path, index: int | None = None) -> Message:
    """One message; `index` is its place in the list at `at`."""
    if type(raw) is dict and len(raw) == 2:  # the common case, and the only one that has to be fast
        role, content = raw.get("role"), raw.get("content")
        if type(content) is str:
            if role == "user" or role == "assistant":
                return Message(role, (Text(content),))
            if role == "system":
                return system_turn(content)
    place = at if index is None else (*at, index)
    if type(raw) is not dict:
        raise Malformed(f"a message is an object with role and content, this is {describe(raw)}", place)
    spoken, role = _role(raw, place)
    if role == "tool":
        parts: tuple[Part, ...] = (_tool_result(raw, place),)
    else:
        parts = _parts(raw, spoken, role, place)
    return Message(role, parts, _weight(raw, role, place))


@functools.lru_cache(maxsize=256)
def system_turn(text: str) -> Message:
    """A system message; rows that say the same share it, because a long one for each of a million fills the memory."""
    return Message("system", (Text(text),))


def _role(raw: dict[str, Any], at: Path) -> tuple[str, Role]:
    key = "role" if "role" in raw else "from"
    if key not in raw:
        raise Malformed("this message has no role", at, did_you_mean("role", raw) if raw else "", "role")
    spoken = raw[key]
    if type(spoken) is not str:
        raise Malformed(f"the role is {describe(spoken)}, not text", (*at, key), kind="role")
    role = ROLES.get(spoken.lower())
    if role is None:
        raise Malformed(f"unknown role {spoken!r}", (*at, key), _closest_role(spoken.lower()), "role")
    return spoken.lower(), role


@functools.lru_cache(maxsize=1024)  # a file with a wrong role has it in every row
def _closest_role(spoken: str) -> str:
    return did_you_mean(spoken, ROLES)


def _content(raw: dict[str, Any], at: Path) -> tuple[Any, Path]:
    key = "content" if "content" in raw else "value"
    return raw.get(key), (*at, key)


def _weight(raw: dict[str, Any], role: Role, at: Path) -> float | None:
    for key in _WEIGHTS:
        value = raw.get(key)
        if value is None:
            continue
        if type(value) not in (int, float) or value < 0:
            raise Malformed(f"{key} is {value!r}", (*at, key), "a weight is a number from 0 (context only) upwards")
        if role == "assistant":
            return float(value)
        if value > 0:
            raise Malformed(f"{key} {value:g} on a {role} message", (*at, key), "only assistant turns are trained on")
    return None


# ---------------------------------------------------------------------------------------------------- parts


def _parts(raw: dict[str, Any], spoken: str, role: Role, at: Path) -> tuple[Part, ...]:
    content, place = _content(raw, at)
    parts: list[Part] = []
    if role == "assistant":
        for key in _REASONING:
            if raw.get(key) is not None:
                parts.append(Reasoning(_text(raw[key], (*at, key))))
                break
    if spoken in _CALL_ROLES:
        return (*parts, *_calls(content, place))
    if type(content) is str:
        if content or not raw.get("tool_calls"):
            parts.append(Text(content))
    elif type(content) is list:
        parts += [part for index, item in enumerate(content) for part in _part(item, role, (*place, index))]
    elif content is not None:
        raise Malformed(f"the content is {describe(content)}", place, "content is text, or a list of parts")
    if role == "assistant":
        parts += _declared_calls(raw, at)
        if not parts and type(raw.get("refusal")) is str:
            parts.append(Text(raw["refusal"]))
    if not parts:
        close = did_you_mean("content", raw)
        raise Malformed("this message has no content", at, close if close.startswith("did") else "", "empty")
    return tuple(parts)


def _part(item: Any, role: Role, at: Path) -> list[Part]:
    """One entry of a content list; its text stands under the key of its type, `text` or `value`."""
    if type(item) is not dict or type(item.get("type")) is not str:
        raise Malformed("a part of a content list is an object with a type", at)
    kind = item["type"]
    read = _PARTS.get(kind)
    if read is None:
        raise Malformed(f"unknown part type {kind!r}", (*at, "type"), did_you_mean(kind, _PARTS))
    if role != "assistant" and read in (_reasoning, _call_part):
        raise Malformed(
            f"a {kind} part in a {role} message", (*at, "type"), "only the assistant reasons and calls tools"
        )
    return read(item, at)


def _plain(item: dict[str, Any], at: Path) -> list[Part]:
    for key in ("text", "value", "refusal"):
        if key in item:
            return [Text(_text(item[key], (*at, key)))]
    raise Malformed("this part has no text", at)


def _reasoning(item: dict[str, Any], at: Path) -> list[Part]:
    for key in ("value", "text", "reasoning", "thinking"):
        if key in item:
            return [Reasoning(_text(item[key], (*at, key)))]
    raise Malformed("this part has no text", at)


def _call_part(item: dict[str, Any], at: Path) -> list[Part]:
    if "value" in item:
        return list(_calls(item["value"], (*at, "value")))
    return [_call({"arguments": item.get("input")} | item, at)]


def _media(item: dict[str, Any], at: Path) -> list[Part]:
    kind = item["type"].removeprefix("input_").removesuffix("_url")
    for key in (item["type"], kind, "url", "path", "value"):
        source = item.get(key)
        if type(source) is dict:
            source = source.get("url") or source.get("path") or _inline(kind, source)
        if type(source) is str and source:
            return [Media(kind, source)]
    raise Malformed(f"this {kind} has no address", at, "give its url or path")


def _inline(kind: str, source: dict[str, Any]) -> str | None:
    """A sound that stands in the row itself (`{"data": base64, "format": "wav"}`) as a data address."""
    data = source.get("data")
    return f"data:{kind}/{source.get('format', 'octet-stream')};base64,{data}" if type(data) is str else None


_PARTS: dict[str, Callable[[dict[str, Any], Path], list[Part]]] = {
    "text": _plain,
    "input_text": _plain,
    "output_text": _plain,
    "refusal": _plain,
    "reasoning": _reasoning,
    "thinking": _reasoning,
    "tool_call": _call_part,
    "tool_use": _call_part,
    "image": _media,
    "image_url": _media,
    "input_audio": _media,
    "audio": _media,
    "audio_url": _media,
    "video": _media,
    "video_url": _media,
}

# ---------------------------------------------------------------------------------------------------- tools


def _tool_result(raw: dict[str, Any], at: Path) -> ToolResult:
    content, place = _content(raw, at)
    if type(content) is list:
        texts = [part for index, item in enumerate(content) for part in _part(item, "tool", (*place, index))]
        content = "".join(part.text for part in texts if isinstance(part, Text))
    elif type(content) is not str:
        raise Malformed(f"the result of a tool is {describe(content)}", place, "write it as text")
    call = raw.get("tool_call_id")
    return ToolResult(content, id=call if type(call) is str else "", name=_optional(raw, "name", at))


def _declared_calls(raw: dict[str, Any], at: Path) -> list[ToolCall]:
    calls = raw.get("tool_calls")
    if calls is not None:
        if type(calls) is not list:
            raise Malformed(f"tool_calls is {describe(calls)}, not a list", (*at, "tool_calls"))
        return [_call(call, (*at, "tool_calls", index)) for index, call in enumerate(calls)]
    single = raw.get("function_call")  # OpenAI's first form of it
    return [_call(single, (*at, "function_call"))] if single is not None else []


def _calls(value: Any, at: Path) -> tuple[ToolCall, ...]:
    """The calls of a `function_call` turn: an object or a list of them, usually as JSON text."""
    if type(value) is str:
        value = json_text(value, at, "a tool call")
    if type(value) is list and value:
        return tuple(_call(call, at) for call in value)
    return (_call(value, at),)


def _call(raw: Any, at: Path) -> ToolCall:
    if type(raw) is not dict:
        raise Malformed(f"a tool call is an object with name and arguments, this is {describe(raw)}", at)
    function = raw.get("function", raw)
    place = (*at, "function") if "function" in raw else at
    if type(function) is not dict or type(function.get("name")) is not str or not function["name"]:
        raise Malformed("this tool call has no name", place, kind="tool")
    arguments = function.get("arguments", function.get("parameters"))
    place = (*place, "arguments")
    if type(arguments) is str:
        arguments = json_text(arguments, place, "the arguments") if arguments.strip() else {}
    if arguments is None:
        arguments = {}
    if type(arguments) is not dict:
        what = f"the arguments of {function['name']} are {describe(arguments)}, not an object"
        raise Malformed(what, place, kind="tool")
    return ToolCall(function["name"], arguments, id=_optional(raw, "id", at))


def tools(raw: Any, at: Path) -> tuple[dict[str, Any], ...]:
    """Declared functions in OpenAI's form, from that form, from bare functions, or from the JSON text of either."""
    if type(raw) is str:
        raw = json_text(raw, at, "a list of tools") if raw.strip() else []
    if raw is None:
        return ()
    if type(raw) is dict:
        raw = [raw]
    if type(raw) is not list:
        raise Malformed(f"{name(at)} is {describe(raw)}, not a list of tools", at)
    declared = tuple(_tool(tool, (*at, index)) for index, tool in enumerate(raw))
    if len(_SHARED_TOOLS) >= 256:
        _SHARED_TOOLS.clear()
    return _SHARED_TOOLS.setdefault(msgspec.json.encode(declared), declared)


_SHARED_TOOLS: dict[bytes, tuple[dict[str, Any], ...]] = {}  # most rows of a file declare the same ones


def _tool(raw: Any, at: Path) -> dict[str, Any]:
    if type(raw) is dict:
        function = raw.get("function") if "function" in raw else raw
        if type(function) is dict and type(function.get("name")) is str and function["name"]:
            return raw if "function" in raw else {"type": "function", "function": raw}
    raise Malformed("a tool is a function with a name", at, 'as in {"type": "function", "function": {"name": ...}}')


# --------------------------------------------------------------------------------------------- conversations


def conversation(
    source: Source,
    messages: tuple[Message, ...],
    tools: tuple[dict[str, Any], ...],
    place: Callable[[int], Path],
) -> Example:
    """The Example of a conversation: `chat` where the assistant has the last word, else `prompt`.

    `place(i)` says where message i stands in its row. Raises Malformed where the order of the turns makes no sense.
    """
    check_order(messages, place)
    answered = messages[-1].role == "assistant"
    if not answered and all(message.role == "system" for message in messages):
        raise Malformed("there is nothing but system messages", place(len(messages) - 1), "add a user turn", "order")
    return Example(kind="chat" if answered else "prompt", source=source, messages=messages, tools=tools)


def check_order(messages: Sequence[Message], place: Callable[[int], Path]) -> None:
    """Raises Malformed for an answer to an answer, a tool's result without its call, or a call without its result."""
    previous = ""
    open_calls: list[str] = []
    for index, message in enumerate(messages):
        role = message.role
        if role == "assistant":
            if previous == "assistant":
                raise Malformed(
                    "two assistant turns in a row",
                    place(index),
                    "join them, or put what was said between them",
                    "order",
                )
            open_calls = [part.id for part in message.parts if type(part) is ToolCall]
        elif role == "tool":
            _answer(open_calls, message, place(index))
        elif open_calls and previous == "assistant":
            raise Malformed(
                "the tool calls before this turn have no result", place(index), "add the tool's turn", "tool"
            )
        previous = role


def _answer(open_calls: list[str], message: Message, at: Path) -> None:
    """Strikes from `open_calls` the call that a tool's turn answers."""
    if not open_calls:
        fix = "put the assistant's tool call before it"
        raise Malformed("a tool's result without the call it answers", at, fix, "tool")
    for part in message.parts:
        if isinstance(part, ToolResult):
            if part.id and all(open_calls):
                if part.id not in open_calls:
                    what = f"this answers the call {part.id!r}, which was not made"
                    raise Malformed(what, (*at, "tool_call_id"), kind="tool")
                open_calls.remove(part.id)
            else:
                open_calls.pop(0)


# ---------------------------------------------------------------------------------------------------- values


def name(at: Path) -> str:
    """The last key of a path, to be said in a sentence."""
    return str(next((step for step in reversed(at) if isinstance(step, str)), "the row"))


def json_text(text: str, at: Path, wanted: str) -> Any:
    """The value of a JSON text that stands as a string in a row. Raises Malformed at the string."""
    try:
        return decode(text.encode())
    except Malformed as error:
        raise Malformed(f"{name(at)} is text, but not the JSON of {wanted}: {error.what}", at) from None


def _text(value: Any, at: Path) -> str:
    if type(value) is not str:
        raise Malformed(f"{name(at)} is {describe(value)}, not text", at)
    return value


def _optional(raw: dict[str, Any], key: str, at: Path) -> str:
    value = raw.get(key)
    return "" if value is None else _text(value, (*at, key))
