"""Passage and question -> answer: a writer model proposes both; an answer is taken if it stands in the passage.

The answer is written as the passage has it, so it can be checked word for word; what the writer makes up is counted and
left out. What stands in the text but answers another question is not noticed: look at some rows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from tailor.documents.base import Document, LeftOut
from tailor.documents.recipes.base import Given, Made, Words, blocks_at, passages, required
from tailor.records import Request, Sampling, message

UNUSED = "no question was taken that it answers"
MADE_UP = "the answer does not stand in the passage"
NO_LIST = "the writer gave no list of questions and answers"
AGAIN = "the question was asked before in this passage"
_ASK = (
    "Write up to {count} questions that the passage below answers. Copy each answer from the passage word for word, as "
    'short as it can be. Reply with JSON alone: [{{"question": "...", "answer": "..."}}]\n\nPassage: {passage}'
)
_LIST = re.compile(r"\[.*\]", re.DOTALL)
_ROOM = 120  # tokens that a question and its answer may take


def rows(document: Document, given: Given) -> Iterator[Made | LeftOut]:
    """The rows of each passage, in the order of the text."""
    fix = "--writer http://localhost:8000/v1 --writer-model NAME"
    writer = required(given.writer, "the recipe `questions` needs a model that writes them", fix)
    found = list(passages(document.blocks, given))
    requests = [
        Request(messages=(message("user", _ASK.format(count=given.questions, passage=passage.text)),))
        for passage in found
    ]
    sampling = Sampling(max_tokens=_ROOM * given.questions)
    replies = {index: completions[0] for index, completions in writer.complete(requests, sampling)}
    for index, passage in enumerate(found):
        page = document.blocks[passage.blocks[0]].page
        proposals = _proposals(replies[index].text)
        if not proposals:
            yield LeftOut(NO_LIST, page, replies[index].text[:200])
        words, asked = Words(passage.text), set()
        for question, answer in proposals:
            place = words.find(answer)
            if place is None or question.casefold() in asked:
                yield LeftOut(MADE_UP if place is None else AGAIN, page, f"{question} {answer}")
                continue
            asked.add(question.casefold())
            prompt = f"Passage: {passage.text}\n\nQuestion: {question}"
            completion = passage.text[place[0] : place[1]]
            yield Made({"prompt": prompt, "completion": completion}, passage.blocks, blocks_at(passage, completion))


def _proposals(reply: str) -> list[tuple[str, str]]:
    """(question, answer) of each entry of the JSON list in a reply; none where there is no such list."""
    match = _LIST.search(reply)
    try:
        value = json.loads(match[0]) if match else None
    except (ValueError, RecursionError):
        return []
    if not isinstance(value, list):
        return []
    pairs = [(entry.get("question"), entry.get("answer")) for entry in value if isinstance(entry, dict)]
    return [(q.strip(), a.strip()) for q, a in pairs if isinstance(q, str) and isinstance(a, str) and q.strip()]
