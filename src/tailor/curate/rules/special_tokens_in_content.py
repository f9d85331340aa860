"""A special token of a chat template within the text.

`<|im_start|>`, `</s>`, `[INST]` and the like are what templates put between turns. Within the text they end the turn
early or begin one that nobody wrote: the loss mask stands in the wrong place, and whoever writes such text can pose as
the system. A single one at the end or the beginning of a text was left there by an export and can be taken off.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.rows import Row

CODE = "Q205"
SEVERITY = "block"
COST = "turns begin and end where they do not, and the mask with them"
FIX = "take the token out of the text: the template writes it"

_TOKEN = (
    r"<\|(?:im_start|im_end|im_sep|endoftext|end_of_text|begin_of_text|startoftext|start_header_id|end_header_id|eot_id|eom_id"
    r"|eot|eom|system|user|assistant|end|start|message|channel|return|call|tool|pad|python_tag|finetune_right_pad_id"
    r"|endofprompt|EOT|START_OF_TURN_TOKEN|END_OF_TURN_TOKEN|(?:USER|CHATBOT|SYSTEM)_TOKEN)\|>"
    r"|<(?:start|end)_of_turn>|<(?:bos|eos)>|\[/?INST\]|<</?SYS>>|<｜(?:begin▁of▁sentence|end▁of▁sentence|User|Assistant)｜>"
    r"|\[/?(?:AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|SYSTEM_PROMPT)\]"
)
_ANYWHERE = re.compile(_TOKEN)
_EDGE = re.compile(
    rf"(?:\s*(?:{_TOKEN}|</s>|<eos>|<pad>))+\s*\Z|\A\s*(?:(?:{_TOKEN}|<s>(?!.*</s>.)|<bos>|<pad>)\s*)+", re.S
)
_AT_EDGE = re.compile(r"\A\s*(?:<s>|<bos>|<pad>)|(?:</s>|<eos>|<pad>)\s*\Z")
_SENTENCE = re.compile(r"</?s>")


def look(row: Row) -> Iterator[Hit]:
    """One Hit a row."""
    whole = row.whole
    if "<" not in whole and "[" not in whole:
        return
    for _, text in row.texts:
        found = _ANYWHERE.search(text) or _AT_EDGE.search(text)
        if found is None and text.count("<s>") != text.count("</s>"):
            found = _SENTENCE.search(text)  # in pairs they strike words out
        if found:
            line = " ".join(text[max(0, found.start() - 40) : found.end() + 40].split())
            yield Hit(message=f"{found[0].strip()} within the text", evidence=line, at=found[0].strip())
            return


def mend(row: Row) -> dict[str, str]:
    """Texts without the tokens at their edges; what stands in the middle somebody has to judge."""
    new = {text: _EDGE.sub("", text) for _, text in row.texts if "<" in text or "[" in text}
    return {old: text for old, text in new.items() if text != old and text.strip()}
