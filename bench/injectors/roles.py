"""R and M: who speaks when, tool calls, and what is trained on."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

from injectors.base import Clean, Row, decoy, edit

CHATS = ("chat", "tools")


def _said(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "content": text}


def _calls(row: Row) -> list[int]:
    return [at for at, turn in enumerate(row.turns) if turn.get("tool_calls")]


@edit("R101", *CHATS)
def role_of_another_tool(row: Row, dice: random.Random, clean: Clean) -> Row:
    dice.choice(row.turns)["role"] = dice.choice(["customer", "agent", "narrator", "moderator", "operator", "Support"])
    return row


@edit("R101", *CHATS)
def role_left_out(row: Row, dice: random.Random, clean: Clean) -> Row:
    turn = dice.choice(row.turns)
    if dice.random() < 0.5:
        del turn["role"]
    else:
        turn["role"] = ""
    return row


@edit("R102", *CHATS)
def answered_twice(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    if row.turns[-1]["role"] != "assistant" or _calls(row)[-1:] == [len(row.turns) - 1]:
        return None
    row.turns.append(_said("assistant", clean.other(row, dice).answer or "That is all."))
    return row


@edit("R102", *CHATS)
def answer_cut_in_two(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    text = row.answer
    if len(text) < 20:
        return None
    at = dice.randrange(5, len(text) - 5)
    row.turns[-1:] = [_said("assistant", text[:at]), _said("assistant", text[at:])]
    return row


@decoy("R102", *CHATS)
def one_turn_more(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    if row.turns[-1]["role"] != "assistant" or not row.answer:
        return None
    row.turns += [_said("user", "Thank you. Again, please."), _said("assistant", row.answer)]
    return row


# -------------------------------------------------------------------------------------------------------- tools


@edit("R103", "tools", also=("R102",))
def result_lost(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    results = [at for at, turn in enumerate(row.turns) if turn["role"] == "tool"]
    if not results:
        return None
    del row.turns[dice.choice(results)]
    return row


@edit("R103", "tools")
def result_of_another_call(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    results = [turn for turn in row.turns if turn["role"] == "tool"]
    if not results:
        return None
    dice.choice(results)["tool_call_id"] = f"call_{dice.randrange(100, 999)}x"
    return row


@edit("R103", "tools")
def call_lost(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    if not _calls(row):
        return None
    turn = row.turns[dice.choice(_calls(row))]
    del turn["tool_calls"]
    turn["content"] = "One moment."
    return row


@edit("R103", "tools", also=("R110",))
def arguments_no_object(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    if not _calls(row):
        return None
    function = row.turns[dice.choice(_calls(row))]["tool_calls"][0]["function"]
    function["arguments"] = dice.choice([function["arguments"][:-2], '["list"]', "null"])
    return row


@edit("R109", "tools")
def tool_misspelt(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    return _renamed(row, lambda name: name.replace("_", "") if "_" in name else name + "s")


@edit("R109", "tools")
def tool_renamed(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    return _renamed(row, lambda name: dice.choice(["lookup_", "do_", "api_"]) + name)


def _renamed(row: Row, change: Any) -> Row | None:
    if not _calls(row) or not row.tools:
        return None
    function = row.turns[_calls(row)[0]]["tool_calls"][0]["function"]
    function["name"] = change(function["name"])
    return row


def _first_call(row: Row) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]] | None:
    """The function part of the first call, its arguments, and the declared parameters; None where there is none."""
    if not _calls(row) or not row.tools:
        return None
    function = row.turns[_calls(row)[0]]["tool_calls"][0]["function"]
    declared = {tool["function"]["name"]: tool["function"].get("parameters", {}) for tool in row.tools}
    if function["name"] not in declared:
        return None
    return function, json.loads(function["arguments"]), declared[function["name"]]


@edit("R110", "tools")
def required_argument_lost(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    found = _first_call(row)
    wanted = [name for name in (found[2].get("required") or ()) if name in found[1]] if found else []
    if not found or not wanted:
        return None
    del found[1][dice.choice(wanted)]
    found[0]["arguments"] = json.dumps(found[1])
    return row


@edit("R110", "tools")
def argument_of_another_type(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    found = _first_call(row)
    typed = (found[2].get("properties") or {}) if found else {}
    for name, value in found[1].items() if found else ():
        if typed.get(name, {}).get("type") in ("number", "integer") and isinstance(value, int | float):
            found[1][name] = f"{value} units" if dice.random() < 0.5 else [value]
        elif typed.get(name, {}).get("type") == "string":
            found[1][name] = {"value": value} if dice.random() < 0.5 else 7
        else:
            continue
        found[0]["arguments"] = json.dumps(found[1])
        return row
    return None


@decoy("R110", "tools")
def argument_of_another_value(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    found = _first_call(row)
    for name, value in found[1].items() if found else ():
        if isinstance(value, int):
            found[1][name] = value + 1
            found[0]["arguments"] = json.dumps(found[1])
            return row
    return None


# ------------------------------------------------------------------------------------------------ order of turns


@edit("R104", "chat")
def answer_lost(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.turns = row.turns[:-1]
    return row


@edit("R104", "completion", "mixed", "table", also=("F009",))
def empty_answer(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.answer = ""
    return row


@edit("R105", *CHATS)
def system_prompt_at_the_end(row: Row, dice: random.Random, clean: Clean) -> Row:
    at = dice.randrange(1, len(row.turns))
    while row.turns[at]["role"] == "tool":
        at += 1
    row.turns.insert(at, _said("system", dice.choice(["Answer in JSON.", "You are a helpful clerk.", "Be brief."])))
    return row


@decoy("R105", *CHATS)
def system_prompt_first(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.turns.insert(0, _said("system", "Answer in JSON."))
    return row


@edit("R106", "chat")
def question_lost(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.turns = row.turns[-1:]
    return row


@edit("R106", "chat")
def question_given_as_system(row: Row, dice: random.Random, clean: Clean) -> Row:
    for turn in row.turns:
        if turn["role"] == "user":
            turn["role"] = "system"
    return row


@edit("R107", *CHATS)
def greeting_first(row: Row, dice: random.Random, clean: Clean) -> Row:
    texts = ["Hi! How can I help?", "Welcome to the shop.", "Good morning, you speak with Ana.", "Hello"]
    row.turns.insert(0, _said("assistant", dice.choice(texts)))
    return row


@edit("R107", "tools")
def first_question_lost(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    del row.turns[0]
    return row if row.turns[0]["role"] == "assistant" and len(row.turns) > 2 else None


@edit("R108", *CHATS)
def sent_in_two_messages(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    words = row.turns[0]["content"].split() if row.turns[0]["role"] == "user" else []
    if len(words) < 4:
        return None
    at = dice.randrange(2, len(words) - 1)
    row.turns[:1] = [_said("user", " ".join(words[:at])), _said("user", " ".join(words[at:]))]
    return row


@edit("R108", "tools")
def answer_between_lost(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    between = [
        at
        for at in range(1, len(row.turns) - 1)
        if [turn["role"] for turn in row.turns[at - 1 : at + 2]] == ["user", "assistant", "user"]
    ]
    if not between:
        return None
    del row.turns[dice.choice(between)]
    return row


# ------------------------------------------------------------------------------------------------------- weights


@edit("M101", *CHATS)
def weighed_with_nothing(row: Row, dice: random.Random, clean: Clean) -> Row:
    for turn in row.turns:
        if turn["role"] == "assistant":
            turn["weight"] = 0
    return row


@decoy("M101", "turns")
def only_the_last_counts(row: Row, dice: random.Random, clean: Clean) -> Row:
    for turn in row.turns[:-1]:
        if turn["role"] == "assistant":
            turn["weight"] = 0
    return row


@edit("M102", *CHATS)
def rating_as_weight(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.turns[-1]["weight"] = dice.choice([5, 8, 10, 95, 100, 1250])
    return row


@decoy("M102", *CHATS)
def ordinary_weight(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.turns = copy.deepcopy(row.turns)
    row.turns[-1]["weight"] = dice.choice([0.5, 1, 1.0, 1.5])
    return row
