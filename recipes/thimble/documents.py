"""What a training document is: text in pieces, each with the loss weight its predictability deserves.

SURE: the context determines it. PLAIN: the grammar's own phrasing. FREE: a random choice nobody can predict.
"""

from __future__ import annotations

from dataclasses import dataclass, field

SURE, PLAIN, FREE = 1.0, 0.35, 0.08
BOS, END = "<|bos|>", "<|end|>"


@dataclass
class Doc:
    """Pieces of text with weights; the tokenizer sees their concatenation."""

    pieces: list[tuple[str, float]] = field(default_factory=list)

    def add(self, text: str, weight: float = PLAIN) -> Doc:
        if text:
            self.pieces.append((text, weight))
        return self

    def sure(self, text: str) -> Doc:
        return self.add(text, SURE)

    def free(self, text: str) -> Doc:
        return self.add(text, FREE)

    def turn(self, role: str, text: str, weight: float = PLAIN) -> Doc:
        """One chat turn, exactly as the chat template renders it. After free content, the end is free as well."""
        self.add(f"<|{role}|>", FREE).add(text, weight)
        return self.add(END, max(weight, PLAIN) if role == "assistant" else FREE)

    @property
    def text(self) -> str:
        return "".join(text for text, _ in self.pieces)
