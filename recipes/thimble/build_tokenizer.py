"""Builds thimble's byte-level BPE from generated text: ``python recipes/thimble/build_tokenizer.py``.

A word splits the same way wherever it stands: merges are learned on bare words, and only then may a leading space or
underscore join the first piece. So " Ramón", "_ramón" and "Ramón" share their pieces, which makes copying a span into
JSON or a label a matter of exact tokens. Digits are split one by one, and JSON punctuation comes in few tokens.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

from corpus import documents
from lexicon import World, lists
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

EMBEDDED = Path(__file__).parents[2] / "src/tailor/weights/embedded/thimble"
VOCABULARY, BARE = 4096, 2560
SPECIAL = [
    "<|pad|>",
    "<|bos|>",
    "<|end|>",
    "<|system|>",
    "<|user|>",
    "<|assistant|>",
    "<|tool|>",
    *(f"<|reserved_{n}|>" for n in range(5)),
]
JSON_MARKS = r'["\]\}]*[:,] ?["\[\{]+'
WORD = r"\p{L}+(?:'\p{L}{1,2}\b)?"
REST = r"\p{N}|[^\s\p{L}\p{N}_]+|_+|\s+(?!\S)|\s+"
JOINED = f"{JSON_MARKS}|[ _]?{WORD}|{REST}"
APART = f"{JSON_MARKS}|[ _](?=\\p{{L}})|{WORD}|{REST}"
TEMPLATE = """\
<|bos|>
{%- if tools %}
    {{- '<|system|>' }}
    {%- if messages and messages[0].role == 'system' %}{{- messages[0].content + '\\n' }}{%- endif %}
    {{- tools | tojson }}
    {{- '<|end|>' }}
{%- endif %}
{%- for message in messages %}
    {%- if message.role == 'assistant' %}
        {{- '<|assistant|>' }}
        {%- generation %}
            {{- message.content or '' }}
            {%- for call in message.tool_calls or [] %}
                {%- set call = call.function or call %}
                {%- if message.content or not loop.first %}{{- '\\n' }}{%- endif %}
                {{- '{"name": ' + call.name | tojson + ', "arguments": ' }}
                {{- call.arguments if call.arguments is string else call.arguments | tojson }}
                {{- '}' }}
            {%- endfor %}
            {{- '<|end|>' }}
        {%- endgeneration %}
    {%- elif not (tools and loop.first and message.role == 'system') %}
        {{- '<|' + message.role + '|>' + (message.content or '') + '<|end|>' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|assistant|>' }}
{%- endif %}"""
MIX = {
    "repeat": 3,
    "lookup": 2,
    "classify": 2,
    "transform": 2,
    "relation": 3,
    "label_direct": 8,
    "label_listed": 10,
    "label_shots": 3,
    "extract": 10,
    "spot": 4,
    "convert": 3,
    "find_row": 1,
    "form_fill": 3,
    "tool_call": 1,
    "json_text": 3,
    "passage": 6,
    "arithmetic": 1,
    "dates": 1,
    "everyday": 10,
    "dialogue": 3,
    "listing": 1,
    "obey": 1,
}


def train(texts: list[str], bare: int = BARE, size: int = VOCABULARY) -> Tokenizer:
    """Merges on bare words first, then the commonest first pieces joined with their space or underscore."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = split(APART)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=bare, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    merges = [tuple(merge) for merge in model["merges"]]
    marks = {pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str(mark)[0][0]: mark for mark in " _"}
    firsts: Counter[tuple[str, str]] = Counter()
    for encoded in tokenizer.encode_batch(texts):
        firsts.update(
            (a, b) for a, b in zip(encoded.tokens, encoded.tokens[1:], strict=False) if a in marks and b[0].isalpha()
        )
    pieces = sorted(model["vocab"], key=model["vocab"].__getitem__)
    joined = [pair for pair, _ in firsts.most_common() if pair[0] + pair[1] not in model["vocab"]]
    joined = joined[: size - len(SPECIAL) - len(pieces)]
    vocabulary = {token: at for at, token in enumerate([*SPECIAL, *pieces, *(a + b for a, b in joined)])}
    final = Tokenizer(models.BPE(vocab=vocabulary, merges=[*merges, *joined]))
    final.pre_tokenizer = split(JOINED)
    final.decoder = decoders.ByteLevel()
    final.add_special_tokens(SPECIAL)
    return final


def split(pattern: str) -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def save(tokenizer: Tokenizer, folder: Path) -> None:
    """The three files that AutoTokenizer reads."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<|bos|>",
        "eos_token": "<|end|>",
        "pad_token": "<|pad|>",
        "model_max_length": 2048,
        "clean_up_tokenization_spaces": False,
        "additional_special_tokens": SPECIAL[3:],
        "padding_side": "left",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")
    (folder / "chat_template.jinja").write_text(TEMPLATE)


def sample(documents_wanted: int, seed: int = 1) -> list[str]:
    """Generated text without special tokens, and every word of the lists a few times, in both cases."""
    world = World(random.Random(seed))
    stream = documents(world, MIX, (0.2, 0.8))
    texts = []
    for _ in range(documents_wanted):
        texts.append(
            "".join(" " if text.startswith("<|") and text.endswith("|>") else text for text, _ in next(stream).pieces)
        )
    known = [
        word
        for file in ("classes.txt", "names.txt")
        for name, members in lists(file).items()
        if "pairs" not in name
        for word in members
    ]
    for text in (" ".join(known), "\n".join(known), "\n".join(word.capitalize() for word in known), "_".join(known)):
        texts += [text] * 8
    texts += [" ".join(lists("classes.txt")["common"])] * 60 + ["\n".join(lists("classes.txt")["common"])] * 60
    texts += ["\n".join(" ".join([word] * 12) for word in lists("classes.txt")["letter"])] * 12
    return texts


if __name__ == "__main__":
    built = train(sample(40_000))
    save(built, EMBEDDED)
    print(f"{built.get_vocab_size()} tokens -> {EMBEDDED}")
