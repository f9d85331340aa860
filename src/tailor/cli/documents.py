"""`tailor documents FOLDER -o rows.jsonl`: a folder of documents becomes rows that name their document and page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tailor.cli import _options as options
from tailor.errors import ConfigError, DataError

if TYPE_CHECKING:
    from rich.console import Console

    from tailor.documents import Account, Library
    from tailor.documents.recipes.base import Given
    from tailor.records import Ledger, Progress

SHOWN = 3  # places that are printed of each reason; --json has all


def command(
    folder: Annotated[
        list[str], typer.Argument(help="Folders and files: PDF, DOCX, PPTX, XLSX, HTML, MD, TXT.", show_default=False)
    ],
    out: Annotated[str, typer.Option("--out", "-o", help="The rows, as JSON lines.")] = "rows.jsonl",
    recipe: Annotated[
        str,
        typer.Option("--recipe", help="text, sections, summaries, clauses (--clauses) or questions (--writer)."),
    ] = "text",
    chunk_tokens: Annotated[
        int | None,
        typer.Option("--chunk-tokens", min=0, help="Longest passage; 0 for none. 512, and 0 for sections."),
    ] = None,
    clauses: Annotated[
        str | None, typer.Option("--clauses", help="CSV: a column `file`, and one a clause type (spans as a list).")
    ] = None,
    writer: Annotated[
        str | None, typer.Option("--writer", help="OpenAI-compatible endpoint that proposes questions; gets the text.")
    ] = None,
    writer_model: Annotated[str | None, typer.Option("--writer-model", help="Its model.")] = None,
    writer_key: Annotated[
        str, typer.Option("--writer-key", help="The environment variable that holds its key.")
    ] = "OPENAI_API_KEY",
    questions: Annotated[int, typer.Option("--questions", min=1, help="How many to ask for a passage.")] = 3,
    reader: Annotated[
        str | None, typer.Option("--reader", help="markitdown: reads all but Markdown and text, without pages.")
    ] = None,
    skip_unreadable: Annotated[
        bool, typer.Option("--skip-unreadable", help="Write the rows of the others; exit code 1.")
    ] = False,
    model: Annotated[str, typer.Option("--model", help="Whose tokenizer measures passages.")] = "thimble",
    as_json: options.AsJson = False,
) -> None:
    """Turn documents into rows: text for continued pretraining, or instructions by a recipe.

    Every row keeps its file and page; rows of one document stay on one side of every split. What is left out, and why,
    is listed. Exit code 2, and nothing written, where a file cannot be read, unless --skip-unreadable.
    """
    from rich.console import Console

    from tailor.cli._print import document
    from tailor.cli._screen import Screen

    with Screen() as screen:
        given = _given(model, chunk_tokens, clauses, writer, writer_model, writer_key, questions)
        library = _library(folder, reader, screen.progress, skip_unreadable=skip_unreadable)
        account = _write(library, recipe, given, Path(out), screen.progress)
    if as_json:
        document(_document(library, account, out))
    else:
        _show(library, account, out, Console(highlight=False, soft_wrap=True))
    if library.problems:
        raise typer.Exit(1)


def _library(folder: list[str], reader: str | None, progress: Progress, *, skip_unreadable: bool) -> Library:
    """What the folders hold. Raises DataError with all that cannot be read, unless that is to be skipped."""
    from tailor import documents

    library = documents.read(folder, reader=reader, progress=progress)
    if not library.documents and not library.problems:
        raise DataError(f"no documents in {', '.join(folder)}", fix=f"known: {' '.join(sorted(documents.suffixes()))}")
    if library.problems and not (skip_unreadable and library.documents):
        count = len(library.documents) + len(library.problems)
        what = f"{len(library.problems):,} of {count:,} documents cannot be read"
        raise DataError(what, fix="mend them, or go on without: --skip-unreadable", problems=library.problems)
    return library


def _given(
    model: str,
    length: int | None,
    clauses: str | None,
    writer: str | None,
    writer_model: str | None,
    writer_key: str,
    questions: int,
) -> Given:
    from tailor import render
    from tailor.completers.openai import OpenAICompleter
    from tailor.documents.recipes.base import Given
    from tailor.documents.recipes.clauses import table
    from tailor.weights.locate import locate

    if (writer is None) != (writer_model is None):
        raise ConfigError("--writer and --writer-model go together", fix="--writer URL --writer-model NAME")
    tokenizer = render.load(locate(model, None)).tokenizer
    return Given(
        tokens=lambda text: len(tokenizer.encode(text)),
        length=length,
        clauses=table(Path(clauses)) if clauses else None,
        writer=OpenAICompleter(writer, writer_model, key_from=writer_key) if writer and writer_model else None,
        questions=questions,
    )


def _write(library: Library, recipe: str, given: Given, out: Path, progress: Progress) -> Account:
    """The rows, whole or not at all."""
    import json

    from tailor import documents
    from tailor.disk import written

    with written(out) as file:

        def put(row: dict[str, Any]) -> None:
            file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")

        account = documents.write(library, recipe, given, put, progress)
        if not account.rows:
            reasons = "; ".join(f"{count:,} {reason}" for reason, count in _dropped(account).items())
            raise DataError(f"not one row came of the recipe {recipe!r}", fix=reasons or "try --recipe text")
    return account


def _dropped(account: Account) -> dict[str, int]:
    return {**account.text.dropped, **account.answers.dropped}


def _document(library: Library, account: Account, out: str) -> dict[str, Any]:
    def told(ledger: Ledger) -> dict[str, Any]:
        return {"in": ledger.rows_in, "used": ledger.train, "dropped": ledger.dropped, "dropped_at": ledger.dropped_at}

    return {
        "rows": account.rows,
        "out": out,
        "documents": len(library.documents),
        "groups": account.groups,
        "blocks": told(account.text),
        "answers": told(account.answers),
        "duplicates": [{"file": name, "same_as": first} for name, first in account.duplicates],
        "unreadable": [{"file": p.where, "what": p.what, "fix": p.fix} for p in library.problems],
        "not_documents": library.others,
        "notes": [f"{doc.name}: {note}" for doc in library.documents for note in doc.notes],
    }


def _show(library: Library, account: Account, out: str, console: Console) -> None:
    from rich.text import Text

    console.print(
        Text.assemble(
            (f"{account.rows:,} rows", "bold"), f" of {len(library.documents):,} documents  ->  ", (out, "bold")
        )
    )
    for ledger, what in ((account.text, "pieces of text"), (account.answers, "rows and answers proposed")):
        if ledger.dropped:
            console.print(f"{what}: {ledger.rows_in:,} in, {ledger.train:,} used")
        for reason, count in ledger.dropped.items():
            console.print(Text.assemble("  ", (f"{count:,} left out", "yellow"), f": {reason}"))
            for place in ledger.dropped_at[reason][:SHOWN]:
                console.print(Text(f"    {place}", style="dim"))
            if count > SHOWN:
                console.print(Text(f"    and {count - SHOWN:,} more", style="dim"))
    for name, first in account.duplicates:
        console.print(Text(f"{name} says the same as {first}: one group"))
    for found in library.documents:
        for note in found.notes:
            console.print(Text(f"{found.name}: {note}"))
    for problem in library.problems:
        console.print(Text(f"not read: {problem}", style="red"))
    if library.others:
        shown = ", ".join(library.others[:5]) + (", …" if len(library.others) > 5 else "")
        console.print(Text(f"{len(library.others):,} files of other kinds were not opened: {shown}"))
    console.print(f"next: tailor check {out}   (rows of one document stay on one side of every split)")
