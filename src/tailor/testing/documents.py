"""What every reader of documents promises. Inherit, name it, write a file of its format, and say what stands in it:

class TestMine(DocumentContract):
    name = "mine"
    blocks = (Block("heading", "Term", level=1), Block("paragraph", "Two years."))

    def write(self, path: Path) -> None: ...
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, get_args

import pytest

from tailor import plugins
from tailor.documents import extract, suffixes
from tailor.documents.base import LIGATURES, Block, BlockKind, Document, LeftOut, Reader, Unreadable
from tailor.errors import Problem, ResourceError

NO_DOCUMENT = {
    "nothing": b"",
    "control characters": b"\x00\x01garbage",
    "a zip archive cut off": b"PK\x03\x04 cut off",
    "an Office file before 2007, or an encrypted one": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
}
"""What no reader takes for a file of its format."""


class DocumentContract:
    """pytest collects the tests below in the class that inherits them."""

    name: ClassVar[str]
    blocks: ClassVar[Sequence[Block]]
    """What stands in the file that `write` writes, in reading order."""
    left_out: ClassVar[Sequence[LeftOut]] = ()
    """What stands in it and is no part of the text."""
    package: ClassVar[str | None] = None
    """The optional package that it needs, by the name that it is imported by."""
    suffix: ClassVar[str | None] = None
    """End of the file's name, for a reader that is chosen by name alone."""

    def write(self, path: Path) -> None:
        """A file of this format at `path`."""
        raise NotImplementedError

    @property
    def reader(self) -> Reader:
        """The reader."""
        found: Reader = plugins.load("documents.readers", self.name)
        return found

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        """The file that `write` wrote."""
        path = tmp_path / f"Terms of 2024{self.suffix or self.reader.SUFFIXES[0]}"
        self.write(path)
        return path

    def test_it_says_which_files_are_its_own(self) -> None:
        assert self.reader.__doc__
        assert self.reader.SUFFIXES or self.suffix
        for suffix in self.reader.SUFFIXES:
            assert suffix.startswith(".") and suffix == suffix.lower()
            assert suffixes()[suffix] == self.name, "no other reader claims them"

    def test_it_reads_what_stands_in_a_file(self, path: Path) -> None:
        document = self.reader.read(path)
        assert document.blocks == list(self.blocks)
        assert document.left_out == list(self.left_out)
        _assert_sound(document)

    def test_a_file_is_left_as_it_was_and_reads_the_same_again(self, path: Path) -> None:
        before = path.read_bytes()
        first = self.reader.read(path)
        assert self.reader.read(path) == first
        assert path.read_bytes() == before

    @pytest.mark.parametrize("what", NO_DOCUMENT)
    def test_what_is_no_document_is_refused(self, what: str, path: Path) -> None:
        path.write_bytes(NO_DOCUMENT[what])
        with pytest.raises(Unreadable) as caught:
            self.reader.read(path)
        problem = caught.value.problem
        assert (problem.where, problem.kind) == (str(path), "unreadable")
        assert problem.what and problem.what[-1] != "."

    def test_damage_is_refused_or_read_around(self, path: Path) -> None:
        """A file that is cut off or has a wrong byte raises Unreadable, and nothing else."""
        sound = path.read_bytes()
        places = range(0, len(sound), max(1, len(sound) // 12))
        cut = [sound[:place] for place in places]
        wrong = [sound[:place] + bytes([sound[place] ^ 0x55]) + sound[place + 1 :] for place in places]
        for damaged in (*cut, *wrong):
            path.write_bytes(damaged)
            try:
                _assert_sound(self.reader.read(path))
            except Unreadable:
                continue

    def test_a_file_that_cannot_be_opened_is_not_called_damaged(self, path: Path) -> None:
        path.unlink()
        found = extract(path, reader=self.name)
        assert isinstance(found, Problem)
        assert found.what.startswith("this file cannot be read: No such file")

    def test_a_package_that_is_not_there_is_named_with_its_extra(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if self.package is None:
            return
        genuine = importlib.import_module

        def without(wanted: str, *rest: Any) -> ModuleType:
            if wanted == self.package:
                raise ModuleNotFoundError(f"No module named {wanted!r}", name=wanted)
            return genuine(wanted, *rest)

        monkeypatch.setattr(importlib, "import_module", without)
        with pytest.raises(ResourceError, match=self.package) as caught:
            self.reader.read(path)
        assert caught.value.fix.startswith("pip install")


def _assert_sound(document: Document) -> None:
    """The promises that documents.base makes of blocks."""
    assert document.blocks
    for block in document.blocks:
        assert block.kind in get_args(BlockKind)
        assert block.text.strip()
        assert block.text == block.text.translate(LIGATURES)
        assert "\r" not in block.text
        assert block.text.encode()
        assert (block.level > 0) == (block.kind == "heading")
    pages = [block.page for block in document.blocks if block.page is not None]
    assert len(pages) in (0, len(document.blocks)), "all blocks have a page, or none"
    assert pages == sorted(pages) and min(pages, default=1) >= 1
    assert all(piece.reason and piece.text.strip() for piece in document.left_out)
