"""Every reader on files made here: what stands in them, in which order, on which page; and what is refused."""

from __future__ import annotations

import io
import sys
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from tailor.documents import extract, read
from tailor.documents.base import Block, Document, LeftOut
from tailor.errors import Problem
from tailor.testing.documents import DocumentContract

MakePdf = Callable[[Sequence[Sequence[str]]], bytes]
W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
PROSE = "The quick brown fox jumps over the lazy dog and rests"


def opened(path: Path) -> Document:
    found = extract(path)
    assert isinstance(found, Document), found
    return found


def told(document: Document) -> list[tuple[str, str]]:
    return [(block.kind, block.text) for block in document.blocks]


def refused(path: Path) -> Problem:
    found = extract(path)
    assert isinstance(found, Problem)
    assert found.where == str(path)
    return found


# ------------------------------------------------------------------------------------------------------------ PDF


class TestPdf(DocumentContract):
    name = "pdf"
    package = "pypdf"
    blocks = (
        Block("heading", "1. Term", 1, 2),
        Block("paragraph", f"{PROSE}.", 1),
        Block("heading", "2. Fees", 2, 2),
        Block("paragraph", f"None {PROSE}.", 2),
    )
    left_out = (LeftOut("page header or footer", 1, "1"), LeftOut("page header or footer", 2, "2"))

    @pytest.fixture(autouse=True)
    def maker(self, make_pdf: MakePdf) -> None:
        self.make_pdf = make_pdf

    def write(self, path: Path) -> None:
        path.write_bytes(self.make_pdf([["1. Term", f"{PROSE}.", "1"], ["2. Fees", f"None {PROSE}.", "2"]]))


def test_bookmarks_of_a_pdf_are_titles(tmp_path: Path, make_pdf: MakePdf) -> None:
    pypdf = pytest.importorskip("pypdf")
    writer = pypdf.PdfWriter(io.BytesIO(make_pdf([["how we work", f"{PROSE} and more."]])))
    writer.add_outline_item(title="How we work", page_number=0)
    path = tmp_path / "a.pdf"
    writer.write(path)
    assert told(opened(path)) == [("heading", "how we work"), ("paragraph", f"{PROSE} and more.")]


def test_a_scan_is_named_and_a_scanned_page_is_told(tmp_path: Path, make_pdf: MakePdf) -> None:
    scan, half = tmp_path / "scan.pdf", tmp_path / "half.pdf"
    scan.write_bytes(make_pdf([[], ["7"]]))
    half.write_bytes(make_pdf([[PROSE], []]))
    problem = refused(scan)
    assert "no text on its 2 pages: it is a scan" in problem.what
    assert "ocrmypdf" in problem.fix
    assert opened(half).notes == ["1 of 2 pages hold no text (blank, or scanned): 2"]


def test_an_encrypted_pdf_is_named(tmp_path: Path, make_pdf: MakePdf) -> None:
    pypdf = pytest.importorskip("pypdf")
    for password, readable in (("secret", False), ("", True)):
        writer = pypdf.PdfWriter(io.BytesIO(make_pdf([[PROSE]])))
        writer.encrypt(user_password=password, owner_password="owner", algorithm="RC4-128")
        path = tmp_path / f"{readable}.pdf"
        writer.write(path)
        if readable:  # no password is needed to open it
            assert PROSE in opened(path).text
        else:
            assert refused(path).what == "this PDF is encrypted"


# ----------------------------------------------------------------------------------------------------------- Word


def word(path: Path, body: str) -> Path:
    """A Word file whose body is the given XML."""
    docx = pytest.importorskip("docx")
    made = io.BytesIO()
    docx.Document().save(made)
    with zipfile.ZipFile(made) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(
                name, f"<w:document {W}><w:body>{body}</w:body></w:document>" if name == "word/document.xml" else data
            )
    return path


def run(text: str) -> str:
    return f"<w:r><w:t>{text}</w:t></w:r>"


class TestWord(DocumentContract):
    """Insertions and controls are kept, deletions left out; Word never laid it out, so there are no pages."""

    name = "docx"
    package = "docx"
    blocks = (
        Block("heading", "Term", level=1),
        Block("paragraph", "Two full years."),
        Block("paragraph", "In a control."),
        Block("list", "- an office item"),
        Block("table", "| a | b\\|c |\n| --- | --- |"),
    )

    def write(self, path: Path) -> None:
        two = run("Two ") + f'<w:ins w:id="1">{run("full ")}</w:ins>'
        two += '<w:del w:id="2"><w:r><w:delText>bad</w:delText></w:r></w:del>' + run("years.")
        cells = "".join(f"<w:tc><w:p>{run(text)}</w:p></w:tc>" for text in ("a", "b|c"))
        word(
            path,
            f'<w:p><w:pPr><w:pStyle w:val="Heading1"/></w:pPr>{run("Term")}</w:p><w:p>{two}</w:p>'
            f"<w:sdt><w:sdtContent><w:p>{run('In a control.')}</w:p></w:sdtContent></w:sdt>"
            f"<w:p><w:pPr><w:numPr/></w:pPr>{run('an oﬃce item')}</w:p><w:tbl><w:tr>{cells}</w:tr></w:tbl>",
        )


def test_pages_of_a_word_file_are_those_it_was_laid_out_on(tmp_path: Path) -> None:
    second = "<w:p><w:r><w:lastRenderedPageBreak/><w:t>second</w:t></w:r></w:p>"
    path = word(tmp_path / "a.docx", f"<w:p>{run('first')}</w:p>{second}<w:p>{run('second too')}</w:p>")
    assert [(block.text, block.page) for block in opened(path).blocks] == [
        ("first", 1),
        ("second", 1),
        ("second too", 2),
    ]


# ------------------------------------------------------------------------------------------- PowerPoint and Excel


class TestPowerPoint(DocumentContract):
    """Shapes from top to bottom, then the notes."""

    name = "pptx"
    package = "pptx"
    blocks = (
        Block("heading", "Plan", 1, 1),
        Block("list", "- one\n- two", 1),
        Block("table", "| x | y |\n| --- | --- |", 1),
        Block("paragraph", "below the office", 1),
        Block("note", "say hello", 1),
    )

    def write(self, path: Path) -> None:
        pptx = pytest.importorskip("pptx")
        deck = pptx.Presentation()
        slide = deck.slides.add_slide(deck.slide_layouts[5])
        slide.shapes.title.text = "Plan"
        low = slide.shapes.add_textbox(0, 5_000_000, 100, 100)
        low.text_frame.text = "below the oﬃce"
        high = slide.shapes.add_textbox(0, 2_000_000, 100, 100)
        high.text_frame.text = "one"
        high.text_frame.add_paragraph().text = "two"
        cells = slide.shapes.add_table(1, 2, 0, 3_000_000, 100, 100).table
        cells.cell(0, 0).text, cells.cell(0, 1).text = "x", "y"
        slide.notes_slide.notes_text_frame.text = "say hello"
        deck.save(path)


class TestExcel(DocumentContract):
    """Empty rows divide tables; empty edges and empty sheets are nothing."""

    name = "xlsx"
    blocks = (
        Block("heading", "Office prices", 1, 1),
        Block("table", "| a | b |\n| --- | --- |\n| 1 |  |", 1),
        Block("table", "| flat rate | 2.5 |\n| --- | --- |", 1),
    )

    def write(self, path: Path) -> None:
        import openpyxl

        book = openpyxl.Workbook()
        sheet = book.active
        sheet.title = "Oﬃce prices"
        for row in (["", "a", "b"], ["", 1, None], [None], ["", "ﬂat\u00a0rate", 2.5]):
            sheet.append(row)
        book.create_sheet("empty")
        book.save(path)


# -------------------------------------------------------------------------------------------- HTML, Markdown, text


class TestHtml(DocumentContract):
    """Menus and scripts are left out, tags that are never closed forgiven."""

    name = "html"
    blocks = (
        Block("heading", "A & B", level=1),
        Block("paragraph", "one\ntwo three"),
        Block("paragraph", "the office"),
        Block("list", "- x"),
        Block("list", "- y"),
        Block("table", "| k | v |\n| --- | --- |\n| 1 | 2 |"),
        Block("code", "a\n  b"),
        Block("paragraph", "tail"),
    )
    left_out = (
        LeftOut("menu, footer or aside of a page", None, "Home"),
        LeftOut("menu, footer or aside of a page", None, "(c)"),
    )

    def write(self, path: Path) -> None:
        path.write_text(
            "<html><head><title>t</title><style>p{}</style></head><body><nav><a>Home</a></nav><h1>A &amp; <b>B</b></h1>"
            "<p>one<br>two <i>three</i><p>the&nbsp;oﬃce<ul><li>x<li>y</ul><table><tr><th>k<td>v</tr><tr><td>1<td>2"
            "</table><pre>a\n  b</pre><script>if (a < b) {}</script><footer>(c)</footer>tail",
            encoding="utf-8",
        )


MARKDOWN = """---
title: x
---
# One #

the\u00a0oﬃce
more
- i
- j

Two
---

```py
# no title
```
| a |
|---|
| 1 |
"""
IN_MARKDOWN = (
    Block("heading", "One", level=1),
    Block("paragraph", "the office\nmore"),
    Block("list", "- i\n- j"),
    Block("heading", "Two", level=2),
    Block("code", "# no title"),
    Block("table", "| a |\n|---|\n| 1 |"),
)


class TestMarkdown(DocumentContract):
    name = "markdown"
    blocks = IN_MARKDOWN
    left_out = (LeftOut("front matter", None, "title: x"),)

    def write(self, path: Path) -> None:
        path.write_text(MARKDOWN, encoding="utf-8")


class TestMarkitdown(DocumentContract):
    """What it makes of the Markdown that markitdown hands it; a stand-in converts files that hold it already."""

    name = "markitdown"
    package = "markitdown"
    suffix = ".pptx"
    blocks = IN_MARKDOWN
    left_out = (LeftOut("front matter", None, "title: x"),)

    @pytest.fixture(autouse=True)
    def stand_in(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def convert_local(path: Path) -> SimpleNamespace:
            text = path.read_text(encoding="utf-8")
            if (not text.isprintable() and "\0" in text) or text.startswith("PK"):
                raise ValueError("no converter takes this file")
            return SimpleNamespace(text_content=text)

        made = SimpleNamespace(MarkItDown=lambda: SimpleNamespace(convert_local=convert_local))
        monkeypatch.setitem(sys.modules, "markitdown", made)

    def write(self, path: Path) -> None:
        path.write_text(MARKDOWN + "<!-- Slide number: 1 -->\n", encoding="utf-8")


class TestText(DocumentContract):
    """Form feeds divide pages."""

    name = "text"
    blocks = (
        Block("heading", "1. Term", 1, 2),
        Block("paragraph", "The office rests.", 1),
        Block("paragraph", "Page two.", 2),
    )

    def write(self, path: Path) -> None:
        path.write_bytes("1. Term\r\n\r\nThe oﬃce rests.\fPage two.".encode())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_text_of_any_encoding_that_says_what_it_is(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("Größe.\r\n\r\nNext.\fPage two.".encode(encoding))
    assert [(block.text, block.page) for block in opened(path).blocks] == [
        ("Größe.", 1),
        ("Next.", 1),
        ("Page two.", 2),
    ]


def test_text_of_an_unnamed_encoding_is_refused_with_the_line(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("ok\nGröße".encode("latin-1"))
    assert refused(path).what == "not UTF-8 at line 2"


# ---------------------------------------------------------------------------------------------- what cannot be read


@pytest.mark.parametrize("name", ["a.docx", "a.pptx", "a.xlsx"])
def test_an_encrypted_office_file_is_named(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
    assert "encrypted" in refused(path).what


@pytest.mark.parametrize("name", ["a.docx", "a.pptx", "a.xlsx"])
def test_a_zip_of_something_else_or_too_much_is_named(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x", "y")
    assert "damaged" in refused(path).what
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("word/document.xml", "w") as file:
        for _ in range(80):
            file.write(bytes(1 << 20))
    assert "looks like a bomb" in refused(path).what


def test_a_folder_is_read_to_its_depth_and_everything_is_told(tmp_path: Path, make_pdf: MakePdf) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.txt").write_text("The same words.", encoding="utf-8")
    (tmp_path / "b.md").write_text("The same\nwords.", encoding="utf-8")
    (tmp_path / "c.pdf").write_bytes(b"%PDF-1.4 broken")
    (tmp_path / "d.docx").write_bytes(b"broken")
    (tmp_path / "e.png").write_bytes(b"x")
    (tmp_path / "~$f.docx").write_bytes(b"x")
    library = read([str(tmp_path)])
    assert [(found.name, found.group) for found in library.documents] == [("b.md", "b.md"), ("deep/a.txt", "b.md")]
    assert [Path(problem.where).name for problem in library.problems] == ["c.pdf", "d.docx"]
    assert library.others == ["e.png", "~$f.docx"]
