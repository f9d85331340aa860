"""F: what goes wrong with a file before anybody reads a row: broken JSON, encodings, keys, shapes, tables."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random

from injectors.base import Clean, Row, damage, decoy, edit

LINES = ("chat", "completion", "tools", "mixed")


def _line(row: Row) -> str:
    return json.dumps(row.document(), ensure_ascii=False)


def _raw(row: Row, text: str | bytes) -> Row:
    return row.copy(raw=text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text)


# ------------------------------------------------------------------------------------------------- F002: not JSON


@edit("F002", *LINES)
def python_repr(row: Row, dice: random.Random, clean: Clean) -> Row:
    return _raw(row, repr(row.document()))


@edit("F002", *LINES)
def cut_off(row: Row, dice: random.Random, clean: Clean) -> Row:
    line = _line(row)
    return _raw(row, line[: dice.randrange(len(line) // 3, len(line) - 1)])


@edit("F002", *LINES)
def comma_at_the_end(row: Row, dice: random.Random, clean: Clean) -> Row:
    return _raw(row, _line(row)[:-1] + ",}")


@edit("F002", *LINES)
def quote_not_escaped(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    words = row.question.split()
    if len(words) < 4:
        return None
    at = dice.randrange(1, len(words) - 1)
    words[at] = f"QQ{words[at]}QQ"
    row.question = " ".join(words)
    return _raw(row, _line(row).replace("QQ", '"'))


@edit("F002", *LINES)
def line_break_inside(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    row.question = row.question + "\ttab"
    return _raw(row, _line(row).replace("\\ttab", "\x07 bell"))


@edit("F002", *LINES)
def not_a_number(row: Row, dice: random.Random, clean: Clean) -> Row:
    return _raw(row, _line(row)[:-1] + f', "score": {dice.choice(["NaN", "-Infinity", "Infinity"])}}}')


@edit("F002", *LINES)
def two_in_a_line(row: Row, dice: random.Random, clean: Clean) -> Row:
    return _raw(row, _line(row) + _line(row))


# ------------------------------------------------------------------------------------------------ F003: not UTF-8


@edit("F003", *LINES, "table")
def saved_as_windows(row: Row, dice: random.Random, clean: Clean) -> Row:
    name = dice.choice(["Müller", "café", "Señor Núñez", "naïve", "10 €", "“quoted”"])
    row.question = f"{row.question} {name}"
    text = _cells(row) if row.shape == "table" else _line(row)
    return _raw(row, text.encode("cp1252", "replace"))


@edit("F003", *LINES, "table")
def cut_in_the_middle_of_a_letter(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.question = f"{row.question} déjà vu"
    text = _cells(row) if row.shape == "table" else _line(row)
    return _raw(row, text.encode().replace("é".encode(), "é".encode()[:1]))


@decoy("F003", *LINES, "table")
def letters_with_marks(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.question = f"{row.question} {dice.choice(['Müller', 'Łódź', '東京', '€ 10'])}"
    return row


def _cells(row: Row) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow((row.question, row.answer))
    return text.getvalue()


# -------------------------------------------------------------------------------------- F004, F005, F006: the object


@edit("F004", *LINES)
def key_twice(row: Row, dice: random.Random, clean: Clean) -> Row:
    key, value = dice.choice(list(row.document().items()))
    return _raw(row, _line(row)[:-1] + f", {json.dumps(key)}: {json.dumps(value)}}}")


@edit("F004", "chat")
def role_twice(row: Row, dice: random.Random, clean: Clean) -> Row:
    return _raw(row, _line(row).replace('"role": "user"', '"role": "user", "role": "user"', 1))


@edit("F005", *LINES, also=("R104",))
def key_misspelt(row: Row, dice: random.Random, clean: Clean) -> Row:
    shown = row.document()
    key = next(key for key in ("messages", "conversations", "completion", "output") if key in shown)
    return _raw(row, json.dumps({(key[:-1] + "_" if name == key else name): value for name, value in shown.items()}))


@edit("F005", *LINES, also=("F008",))
def object_for_text(row: Row, dice: random.Random, clean: Clean) -> Row:
    shown = row.document()
    key = next(key for key in ("messages", "conversations", "completion", "output") if key in shown)
    return _raw(row, json.dumps(shown | {key: dice.choice([{"value": 17}, [], {}, [[1]]])}))


@edit("F005", "chat", "tools")
def turns_as_text(row: Row, dice: random.Random, clean: Clean) -> Row:
    return _raw(row, json.dumps(row.document() | {"messages": f"user: {row.question}\nassistant: {row.answer}"}))


@edit("F005", *LINES)
def a_list_for_a_row(row: Row, dice: random.Random, clean: Clean) -> Row:
    return _raw(row, json.dumps([row.question, row.answer]))


@decoy("F005", *LINES)
def one_more_key(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.extra["annotator"] = dice.choice(["ml", "kb", "tz"])
    return row


@edit("F006", "chat", "completion")
def another_export(row: Row, dice: random.Random, clean: Clean) -> Row:
    shape = dice.choice([shape for shape in ("messages", "alpaca", "sharegpt", "pair") if shape != row.shape])
    row.turns = [{"role": "user", "content": row.question}, {"role": "assistant", "content": row.answer}]
    made = row.copy(shape=shape, extra={})
    if shape == "pair":
        made.chosen, made.rejected = row.answer, clean.other(row, dice).answer
    return row.copy(raw=_line(made).encode())


# ------------------------------------------------------------------------------------------- F007: cells of a table


@edit("F007", "table")
def comma_without_quotes(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    words = row.question.replace('"', "").replace(",", "").split()
    if len(words) < 4:
        return None
    at = dice.randrange(1, len(words) - 1)
    return _raw(row, " ".join(words[:at]) + ", " + " ".join(words[at:]) + "," + row.answer.replace(",", ""))


@edit("F007", "table")
def one_cell_only(row: Row, dice: random.Random, clean: Clean) -> Row:
    return _raw(row, '"' + row.question.replace('"', '""') + '"')


@edit("F007", "table")
def one_cell_more(row: Row, dice: random.Random, clean: Clean) -> Row:
    return _raw(row, _cells(row) + dice.choice([",checked", ",1", ",ok"]))


@decoy("F007", "table")
def comma_in_quotes(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.question = f"Well, {row.question}"
    return row


# --------------------------------------------------------------------------------------------- F008, F009: nothing


@edit("F008", "chat", "tools")
def content_is_null(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.turns[0 if dice.random() < 0.5 else -1]["content"] = None
    row.turns[-1].pop("tool_calls", None)
    row.turns[0]["content"] = None
    return row


@edit("F008", "chat", "tools")
def no_messages(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.turns = []
    return row


@edit("F008", "chat", "tools")
def list_of_nothing(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.turns[0]["content"] = []
    return row


@edit("F009", "chat", "completion", "mixed", "tools")
def blank_question(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.question = dice.choice([" ", "\n", "\t \n", "\u00a0", "   "])
    return row


@edit("F009", "chat", "completion", "mixed", "table")
def blank_answer(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.answer = dice.choice([" ", "\n\n", "\u3000", "  \t"])
    return row


# -------------------------------------------------------------------------------------------- F001, F010: the file


@damage("F001", *LINES)
def half_downloaded(data: bytes, dice: random.Random, clean: Clean) -> tuple[str, bytes]:
    packed = gzip.compress(data, mtime=0)
    return ".gz", packed[: len(packed) // 2]


@damage("F001", *LINES)
def nothing_written(data: bytes, dice: random.Random, clean: Clean) -> tuple[str, bytes]:
    return "", b""


@damage("F001", *LINES)
def saved_as_utf16(data: bytes, dice: random.Random, clean: Clean) -> tuple[str, bytes]:
    return "", data.decode().encode("utf-16")


@damage("F010", *LINES, "table")
def saved_by_a_spreadsheet(data: bytes, dice: random.Random, clean: Clean) -> tuple[str, bytes]:
    return "", b"\xef\xbb\xbf" + data
