"""A model folder's tokenizer on plain `tokenizers`: text <-> ids, and which ids mean something.

Importing transformers for this would pull torch in. What transformers keeps beside `tokenizer.json` is read here from
the same files: `tokenizer_config.json`, `special_tokens_map.json`, `generation_config.json`, `config.json`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import AddedToken
from tokenizers import Tokenizer as Backend

from tailor.errors import ModelError

NAMED = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
ENDS = ("<|im_end|>", "<|eot_id|>", "<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>", "[EOS]")
DEFAULT_CONTEXT = 2048
MARK = re.compile(r"[<\[{(｜|].+[>\]})｜|]", re.DOTALL)  # the shape of tokens that stand for structure, not for text


@dataclass(frozen=True)
class Files:
    """The small JSON files of a model folder; a missing one is empty."""

    folder: Path
    config: dict[str, Any]
    generation: dict[str, Any]
    tokenizer: dict[str, Any]
    special: dict[str, Any]

    @classmethod
    def read(cls, folder: Path) -> Files:
        """Raises ModelError where a file is no JSON object."""
        names = ("config.json", "generation_config.json", "tokenizer_config.json", "special_tokens_map.json")
        return cls(folder, *(_read_object(folder / name) for name in names))

    @property
    def text_config(self) -> dict[str, Any]:
        """The language model's part of a multimodal configuration."""
        nested = self.config.get("text_config")
        return nested if isinstance(nested, dict) else {}

    @property
    def context(self) -> int | None:
        """Longest sequence that the model was made for, in tokens; None where no file says it."""
        text = {**self.config, **self.text_config}
        for key in ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len"):
            if isinstance(text.get(key), int):
                return int(text[key])
        length = self.tokenizer.get("model_max_length")
        return int(length) if isinstance(length, int | float) and length < 1e9 else None


def _read_object(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ModelError(f"not valid JSON: {error}", where=str(path)) from None
    if not isinstance(value, dict):
        raise ModelError("a JSON object is needed here", where=str(path))
    return value


class TextTokenizer:
    """Text <-> ids. Adds nothing by itself: a chat template writes its BOS, `document` knows the tokenizer's custom."""

    def __init__(self, backend: Backend, files: Files) -> None:
        """Raises ModelError where no end-of-text token can be found."""
        backend.no_padding()
        backend.no_truncation()
        self.backend = backend
        self.notes: list[str] = []
        self.special: dict[str, str] = _named_tokens(files)
        self._add_missing_special()
        added = backend.get_added_tokens_decoder()
        self.special_ids = frozenset(i for i, token in added.items() if token.special)
        self.added = {token.content: token for token in added.values()}
        self.vocabulary = backend.get_vocab_size(with_added_tokens=True)
        self.eos_ids = self._find_eos(files)
        self.pad_id = self._find_pad(files)
        self._document_start, self._document_end = self._custom(files)
        self._anchor = self._find_anchor()

    @classmethod
    def read(cls, files: Files) -> TextTokenizer:
        """The tokenizer of a model folder. Raises ModelError where there is none."""
        path = files.folder / "tokenizer.json"
        if not path.exists():
            raise ModelError(
                "this model has no tokenizer.json",
                where=str(files.folder),
                fix="save its fast tokenizer once: AutoTokenizer.from_pretrained(...).save_pretrained(folder)",
            )
        try:
            backend = Backend.from_file(str(path))
        except Exception as error:  # tokenizers raises bare Exception
            raise ModelError(f"the tokenizer cannot be read: {error}", where=str(path)) from None
        return cls(backend, files)

    # ------------------------------------------------------------------------------------------ text <-> ids

    def encode(self, text: str) -> list[int]:
        """Ids of `text`; special tokens written out in it are recognised."""
        ids: list[int] = self.backend.encode(text, add_special_tokens=False).ids
        return ids

    def encode_many(self, texts: Sequence[str], *, after: bool = False) -> list[list[int]]:
        """`encode` (with `after` `encode_after`) of many texts, on all cores."""
        if after and self._anchor is not None:
            return [self.encode_after(text) for text in texts]
        return [found.ids for found in self.backend.encode_batch_fast(list(texts), add_special_tokens=False)]

    def encode_after(self, text: str) -> list[int]:
        """Ids of `text` as a continuation: without the space that some tokenizers put before the first word."""
        if self._anchor is None or not text:
            return self.encode(text)
        anchor, anchor_ids = self._anchor
        ids = self.encode(anchor + text)
        return ids[len(anchor_ids) :] if ids[: len(anchor_ids)] == anchor_ids else self.encode(text)

    def decode(self, ids: Sequence[int], *, skip_special: bool = False) -> str:
        """Text of `ids`."""
        text: str = self.backend.decode(list(ids), skip_special_tokens=skip_special)
        return text

    def token(self, index: int) -> str:
        """The vocabulary's own spelling of one token."""
        return self.backend.id_to_token(index) or f"<{index}>"

    def document(self, ids: Sequence[int]) -> list[int]:
        """A whole text for continued pretraining: BOS where this tokenizer's custom is to write one, then EOS."""
        return [*self._document_start, *ids, *self._document_end]

    def marks(self, source: str) -> tuple[list[str], list[str]]:
        """(special tokens, other structural tokens that the template `source` writes), as text."""
        special = [text for text, token in self.added.items() if token.special and len(text) > 1]
        others = [
            text
            for text, token in self.added.items()
            if not token.special and len(text) > 2 and MARK.fullmatch(text) and text in source
        ]
        return special, others

    # ------------------------------------------------------------------------------------------ set-up

    def _add_missing_special(self) -> None:
        """Tokens that the configuration calls special are special, also where tokenizer.json does not say so."""
        known = {token.content for token in self.backend.get_added_tokens_decoder().values() if token.special}
        missing = [t for t in self.special.values() if t not in known and self._index(t) is not None]
        self.backend.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in missing])

    def _find_eos(self, files: Files) -> frozenset[int]:
        found: set[int] = set()
        for source in (files.generation, files.config, files.text_config):
            value = source.get("eos_token_id")
            found.update([value] if isinstance(value, int) else value or ())
        named = self._index(self.special.get("eos_token"))
        found = {index for index in found if index < self.vocabulary} | ({named} if named is not None else set())
        if not found:
            guess = next((text for text in ENDS if self._index(text) is not None), None)
            named = self._index(guess)
            if named is None:
                raise ModelError(
                    "this model names no token that ends a text",
                    where=str(files.folder),
                    fix='set "eos_token" in tokenizer_config.json',
                )
            self.notes.append(f"the model names no end-of-text token; {guess} is taken")
            found = {named}
        self.eos_id = min(found) if named is None else named
        self.special["eos_token"] = self.token(self.eos_id)
        return frozenset(found)

    def _index(self, text: str | None) -> int | None:
        index: int | None = self.backend.token_to_id(text) if text else None
        return index

    def _find_pad(self, files: Files) -> int:
        """Padding is always masked, so a model without a pad token needs no new one."""
        named = self._index(self.special.get("pad_token"))
        if named is not None:
            return named
        for source in (files.generation, files.config):
            value = source.get("pad_token_id")
            if isinstance(value, int) and 0 <= value < self.vocabulary:
                return value
        self.notes.append(
            f"the model has no pad token; {self.token(self.eos_id)} stands in and is masked wherever it pads"
        )
        return self.eos_id

    def _custom(self, files: Files) -> tuple[list[int], list[int]]:
        """What stands before and after a whole text: the post-processor's or the configuration's BOS; always EOS."""
        bare = self.encode("a")
        full = list(self.backend.encode("a", add_special_tokens=True).ids)
        at = next((i for i in range(len(full)) if full[i : i + len(bare)] == bare), 0)
        start = full[:at]
        if not start and files.tokenizer.get("add_bos_token") is True and "bos_token" in self.special:
            start = self.encode(self.special["bos_token"])
        return start, [self.eos_id]

    def _find_anchor(self) -> tuple[str, list[int]] | None:
        """Text to encode a continuation behind, where the tokenizer would write a space before its first word."""
        for anchor in ("\n", "."):
            ids = self.encode(anchor)
            joined = self.encode(anchor + "x")
            if joined[: len(ids)] == ids:
                return None if joined[len(ids) :] == self.encode("x") else (anchor, ids)
        return None


def _named_tokens(files: Files) -> dict[str, str]:
    """`bos_token`, `eos_token` ... as text, the way transformers hands them to a template."""
    named: dict[str, str] = {}
    for source in (files.special, files.tokenizer):
        for key in NAMED:
            value = source.get(key)
            text = value.get("content") if isinstance(value, dict) else value
            if isinstance(text, str):
                named[key] = text
    return named
