"""Every reader on files made here: what stands in them, in which order, on which page; and what is refused."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tailor.documents import extract, read
from tailor.documents.base import Document
from tailor.errors import Problem, ResourceError

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


def test_pdf_pages_and_their_numbers(tmp_path: Path, make_pdf: MakePdf) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(make_pdf([["1. Term", f"{PROSE}.", "1"], ["2. Fees", f"None {PROSE}.", "2"]]))
    document = opened(path)
    assert [(block.page, block.kind, block.text) for block in document.blocks] == [
        (1, "heading", "1. Term"),
        (1, "paragraph", f"{PROSE}."),
        (2, "heading", "2. Fees"),
        (2, "paragraph", f"None {PROSE}."),
    ]
    assert [piece.text for piece in document.left_out] == ["1", "2"]


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


def test_word_keeps_insertions_and_controls_and_leaves_deletions_out(tmp_path: Path) -> None:
    path = word(
        tmp_path / "a.docx",
        '<w:p><w:pPr><w:pStyle w:val="Heading1"/></w:pPr>' + run("Term") + "</w:p>"
        "<w:p>"
        + run("Two ")
        + '<w:ins w:id="1">'
        + run("full ")
        + '</w:ins><w:del w:id="2"><w:r><w:delText>bad</w:delText>'
        "</w:r></w:del>" + run("years.") + "</w:p>"
        "<w:sdt><w:sdtContent><w:p>" + run("In a control.") + "</w:p></w:sdtContent></w:sdt>"
        "<w:p><w:pPr><w:numPr/></w:pPr>" + run("an item") + "</w:p>"
        "<w:tbl><w:tr><w:tc><w:p>"
        + run("a")
        + "</w:p></w:tc><w:tc><w:p>"
        + run("b|c")
        + "</w:p></w:tc></w:tr></w:tbl>",
    )
    assert told(opened(path)) == [
        ("heading", "Term"),
        ("paragraph", "Two full years."),
        ("paragraph", "In a control."),
        ("list", "- an item"),
        ("table", "| a | b\\|c |\n| --- | --- |"),
    ]
    assert {block.page for block in opened(path).blocks} == {None}  # Word never laid it out


def test_pages_of_a_word_file_are_those_it_was_laid_out_on(tmp_path: Path) -> None:
    second = "<w:p><w:r><w:lastRenderedPageBreak/><w:t>second</w:t></w:r></w:p>"
    path = word(tmp_path / "a.docx", f"<w:p>{run('first')}</w:p>{second}<w:p>{run('second too')}</w:p>")
    assert [(block.text, block.page) for block in opened(path).blocks] == [
        ("first", 1),
        ("second", 1),
        ("second too", 2),
    ]


# ------------------------------------------------------------------------------------------- PowerPoint and Excel


def test_slides_from_top_to_bottom_with_tables_and_notes(tmp_path: Path) -> None:
    pptx = pytest.importorskip("pptx")
    deck = pptx.Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[5])
    slide.shapes.title.text = "Plan"
    low = slide.shapes.add_textbox(0, 5_000_000, 100, 100)
    low.text_frame.text = "below"
    high = slide.shapes.add_textbox(0, 2_000_000, 100, 100)
    high.text_frame.text = "one"
    high.text_frame.add_paragraph().text = "two"
    cells = slide.shapes.add_table(1, 2, 0, 3_000_000, 100, 100).table
    cells.cell(0, 0).text, cells.cell(0, 1).text = "x", "y"
    slide.notes_slide.notes_text_frame.text = "say hello"
    path = tmp_path / "a.pptx"
    deck.save(path)
    assert told(opened(path)) == [
        ("heading", "Plan"),
        ("list", "- one\n- two"),
        ("table", "| x | y |\n| --- | --- |"),
        ("paragraph", "below"),
        ("note", "say hello"),
    ]


def test_sheets_and_the_tables_on_them(tmp_path: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Prices"
    for row in (["", "a", "b"], ["", 1, None], [None], ["", "next", 2.5]):
        sheet.append(row)
    book.create_sheet("empty")
    path = tmp_path / "a.xlsx"
    book.save(path)
    assert told(opened(path)) == [
        ("heading", "Prices"),
        ("table", "| a | b |\n| --- | --- |\n| 1 |  |"),
        ("table", "| next | 2.5 |\n| --- | --- |"),
    ]


# -------------------------------------------------------------------------------------------- HTML, Markdown, text


def test_html_without_its_menus_and_scripts(tmp_path: Path) -> None:
    path = tmp_path / "a.html"
    path.write_text(
        "<html><head><title>t</title><style>p{}</style></head><body><nav><a>Home</a></nav><h1>A &amp; <b>B</b></h1>"
        "<p>one<br>two <i>three</i><p>four<ul><li>x<li>y</ul><table><tr><th>k<td>v</tr><tr><td>1<td>2</table>"
        "<pre>a\n  b</pre><script>if (a < b) {}</script><footer>(c)</footer>tail",
        encoding="utf-8",
    )
    document = opened(path)
    assert told(document) == [
        ("heading", "A & B"),
        ("paragraph", "one\ntwo three"),
        ("paragraph", "four"),
        ("list", "- x"),
        ("list", "- y"),
        ("table", "| k | v |\n| --- | --- |\n| 1 | 2 |"),
        ("code", "a\n  b"),
        ("paragraph", "tail"),
    ]
    assert [piece.text for piece in document.left_out] == ["Home", "(c)"]


def test_markdown(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text(
        "---\ntitle: x\n---\n"
        "# One #\n\ntext\nmore\n- i\n- j\n\nTwo\n---\n\n```py\n# no title\n```\n| a |\n|---|\n| 1 |\n",
        encoding="utf-8",
    )
    document = opened(path)
    assert told(document) == [
        ("heading", "One"),
        ("paragraph", "text\nmore"),
        ("list", "- i\n- j"),
        ("heading", "Two"),
        ("code", "# no title"),
        ("table", "| a |\n|---|\n| 1 |"),
    ]
    assert [(piece.reason, piece.text) for piece in document.left_out] == [("front matter", "title: x")]


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


@pytest.mark.parametrize("name", ["a.pdf", "a.docx", "a.pptx", "a.xlsx", "a.html", "a.md", "a.txt"])
@pytest.mark.parametrize(
    "content", [b"", b"\x00\x01garbage", b"PK\x03\x04 cut off", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"]
)
def test_what_is_broken_is_named(name: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    problem = refused(path)
    assert problem.kind == "unreadable"
    if content.startswith(b"\xd0") and path.suffix in (".docx", ".pptx", ".xlsx"):
        assert "encrypted" in problem.what


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


@pytest.mark.parametrize(("name", "package"), [("a.pdf", "pypdf"), ("a.docx", "docx"), ("a.pptx", "pptx")])
def test_a_package_that_is_not_there_names_the_extra(
    name: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib

    genuine = importlib.import_module

    def without(wanted: str, *rest: Any) -> Any:
        if wanted == package:
            raise ModuleNotFoundError(f"No module named {wanted!r}", name=wanted)
        return genuine(wanted, *rest)

    monkeypatch.setattr(importlib, "import_module", without)
    path = tmp_path / name
    path.write_bytes(b"x")
    with pytest.raises(ResourceError) as raised:
        extract(path)
    assert raised.value.fix == "pip install 'tailor[documents]'"


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
