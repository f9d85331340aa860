"""Q1, Q303 and Q304: answers that are none, break off, refuse, repeat, or speak of what is not there."""

from __future__ import annotations

import random
import re

from injectors.base import Clean, Row, decoy, edit, whole

PROSE = ("e2e", "gsm8k", "mixed", "alpaca")
ALL = ("banking77", "snips", "tickets", "e2e", "gsm8k", "mixed", "dialogues")


def _sentences(text: str) -> list[str]:
    return [piece for piece in re.split(r"(?<=[.!?])\s+", text.strip()) if piece]


# ------------------------------------------------------------------------------------------------- Q101, Q102

OPEN = (
    "TODO", "tbd", "N/A", "n/a", "NaN", "nan", "null", "None", "...", "-", "???", "<empty>", "#N/A", "xxx", "TBA",
    "to do", "[no answer]", "placeholder", "pending", "fill in later", "—", "?", "lorem ipsum dolor sit amet",
)  # fmt: skip


@edit("Q101", *ALL)
def left_open(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.answer = dice.choice(OPEN)
    return row


@decoy("Q101", *PROSE)
def short_but_an_answer(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.answer = dice.choice(
        [
            "None of the three is right.",
            "No.",
            "Yes",
            "42",
            "There is nothing to do.",
            "It is still pending at the bank.",
        ]
    )
    return row


@edit("Q102", *PROSE, "dialogues")
def question_given_back(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    if len(row.question.split()) < 6:
        return None
    row.answer = row.question
    return row


@edit("Q102", "gsm8k", "mixed")
def question_before_the_answer(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    """The last paragraph of a longer question comes back."""
    if len(row.question.split()) < 8:
        return None
    row.question, row.answer = f"Look at the following.\n\n{row.question}", row.question
    return row


@decoy("Q102", "gsm8k", "mixed")
def question_taken_up(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    first = _sentences(row.question)[0]
    if len(first.split()) < 4 or len(row.answer.split()) < 8:
        return None
    row.answer = f"{first} {row.answer}"
    return row


# --------------------------------------------------------------------------------------------------------- Q103


@edit("Q103", *PROSE, "dialogues")
def cut_after_a_word(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    words = row.answer.split(" ")
    inner = [at for at in range(6, len(words)) if words[at - 1][-1:].isalpha()]
    if len(words) < 10 or not inner or row.json is not None:
        return None
    row.answer = " ".join(words[: dice.choice(inner)])
    return row


@edit("Q103", *PROSE, "dialogues")
def cut_within_a_word(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    long = [match for match in re.finditer(r"[a-z]{6,}", row.answer) if row.answer[: match.start()].count(" ") > 5]
    if not long or row.json is not None:
        return None
    match = dice.choice(long)
    row.answer = row.answer[: match.start() + 3]
    return row


@edit("Q103", *PROSE, "dialogues")
def cut_at_a_length(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    """Whoever wrote it had so many characters and no more; it may end on any sign but one that ends a sentence."""
    if len(row.answer) < 80 or row.json is not None:
        return None
    row.answer = row.answer[: dice.randrange(60, len(row.answer) - 10)].rstrip()
    return row if row.answer[-1:].isalpha() or row.answer[-1:] in ",-" else None


@edit("Q103", "snips", "tickets")
def json_cut(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.answer = row.answer[: dice.randrange(len(row.answer) // 3, len(row.answer) - 1)]
    return row


@edit("Q103", "mixed", "gsm8k")
def fence_left_open(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.answer = f"{row.answer}\n\n```python\nprint(total)\nfor item in items:"
    return row


@decoy("Q103", "e2e", "mixed", "alpaca")
def ends_otherwise(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    if row.json is not None:
        return None
    behind = [" (see above).", ' "Enough," she said.', "\n\n- one\n- two", " See https://example.org/a", " 🙂"]
    row.answer = row.answer.rstrip() + dice.choice(behind)
    return row


# --------------------------------------------------------------------------------------------------------- Q104


@whole("Q104", "long-answers", "dialogues")
def cut_at_the_cap(rows: list[Row], dice: random.Random, clean: Clean) -> list[Row]:
    """Whoever wrote the answers had 400 characters."""
    for row in rows:
        row.answer = row.answer[:400]
    return rows


@whole("Q104", "long-answers", "dialogues")
def cut_at_a_number_of_words(rows: list[Row], dice: random.Random, clean: Clean) -> list[Row]:
    """Whoever wrote the answers had 64 words."""
    for row in rows:
        match = re.match(r"\s*(?:\S+\s+){63}\S+", row.answer)
        row.answer = match[0] if match else row.answer
    return rows


# --------------------------------------------------------------------------------------------------------- Q105

REFUSED = (
    "I'm sorry, but I can't help with that.",
    "As an AI language model, I do not have access to that information.",
    "I cannot assist with this request.",
    "Unfortunately, I am unable to provide an answer to this question.",
    "I apologize, but as a large language model I can't give opinions on this.",
    "Sorry, I can't do that. It goes against my guidelines.",
    "I'm just an AI and don't have personal experiences, so I can't say.",
    "I am not able to comply with this request.",
    "My apologies, but I won't be able to answer that.",
    "I'm afraid I can't answer this. Please consult a professional.",
    "It would not be appropriate for me to respond to that.",
    "I must decline to answer this question.",
)


@edit("Q105", *ALL)
def refused(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.answer = dice.choice(REFUSED)
    return row


@edit("Q105", *PROSE)
def refused_and_then_answered(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.answer = f"As an AI, I can't verify this myself, but: {row.answer}"
    return row


@decoy("Q105", *PROSE)
def speaks_of_inability(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.answer = dice.choice(
        [
            "You cannot use the card abroad before it is activated.",
            "The shop could not help her, so she went home with $3.",
            "Sorry seems to be the hardest word, says the song.",
            "The patient is unable to lift the left arm.",
            "Artificial intelligence, or AI, is a field of computer science.",
        ]
    )
    return row


# --------------------------------------------------------------------------------------------- Q106, Q107, Q108


@edit("Q106", *ALL)
def slot_not_filled(row: Row, dice: random.Random, clean: Clean) -> Row:
    slot = dice.choice(
        ["{customer_name}", "{{ question }}", "[INSERT NAME HERE]", "<YOUR_NAME>", "${company}", "[DATE]"]
    )
    row.question = f"{slot} {row.question}" if dice.random() < 0.5 else f"{row.question} {slot}"
    return row


@edit("Q106", *PROSE)
def marker_left(row: Row, dice: random.Random, clean: Clean) -> Row:
    forms = (
        "### Response:\n{}",
        "Output: {}",
        "{}\n\n### Instruction:",
        "{}\n<noinput>",
        "Assistant: {}",
        "### Answer\n{}",
    )
    row.answer = dice.choice(forms).format(row.answer)
    return row


@decoy("Q106", *PROSE)
def brackets_that_are_meant(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.answer = row.answer + dice.choice(
        [" [1]", " The set {2, 3} is enough.", " (see section 3)", " a[0] is the first.", " f(x) = {x} for all x."]
    )
    return row


MISSING = (
    "What can you see in the attached image?",
    "Please summarise the attached document.",
    "Look at the picture below and tell me the colour of the car.",
    "According to the table above, which year was best?",
    "Translate the PDF I uploaded.",
    "See attachment for the details. What should I answer?",
    "Based on the graph shown, what is the trend?",
    "Can you fix the code in the file I sent you?",
)


@edit("Q107", *PROSE, "banking77")
def speaks_of_something_absent(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.question = dice.choice(MISSING)
    return row


@decoy("Q107", *PROSE)
def brings_it_along(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.question = dice.choice(
        [
            f"Summarise the following text:\n\n{row.question} {row.answer}",
            f"What does an attached garage add to the price of a house? {row.question}",
            f"Read the passage below and answer.\n\n{row.question} {row.answer}",
            "How do I attach a file to an e-mail?",
        ]
    )
    return row


DATED = (
    "As of my last update in September 2021, the answer is not known.",
    "As of 2021, the president of the company is still in office.",
    "My knowledge cutoff is 2022, so I may not know about recent events.",
    "I don't have real-time data, but as of my last training the price was $20.",
    "Up to my knowledge in April 2023, this has not changed.",
    "I do not have access to information after 2021.",
)


@edit("Q108", *PROSE)
def knows_until(row: Row, dice: random.Random, clean: Clean) -> Row:
    text = dice.choice(DATED)
    row.answer = f"{text} {row.answer}" if dice.random() < 0.5 else f"{row.answer} {text}"
    return row


STALE = (
    "At this writing the offer has not been renewed.",
    "I was trained on texts up to the spring of 2022 and may have missed later changes.",
    "To the best of my information, which stops in 2023, the rule still holds.",
    "When my training data was collected, in mid-2020, nothing had been announced.",
    "Please note that events later than 2022 are unknown to me.",
    "As things stand in early 2019, no date has been set.",
    "Today, in 2018, about half of all homes have one.",
    "The present record holder is a runner from Kenya.",
    "It is expected to open later this year, in 2024.",
    "Currently (November 2022) the fee is 12 euros.",
    "I cannot browse the internet, so the price may have changed since then.",
    "Until 2021, which is as far as I know, there were seven of them.",
)


@edit("Q108", *PROSE)
def speaks_from_a_day_gone_by(row: Row, dice: random.Random, clean: Clean) -> Row:
    text = dice.choice(STALE)
    row.answer = f"{text} {row.answer}" if dice.random() < 0.5 else f"{row.answer} {text}"
    return row


FOUND = (  # as models and writers of manuals put it in public repositories
    "I don't have real-time weather data, but I can share some tips.",
    "This list is current as of September 2021.",
    "The above is based on the state of knowledge up to September 2021.",
    "I was last updated in April 2023.",
    "At the time of writing, the latest version is 1.20.2.",
    "These are the figures as recorded when this was written, in February 2020.",
    "Keep in mind that my knowledge is up to 2021, and the project may have evolved since.",
    "Version 22 is not released as of my knowledge cutoff.",
    "There might have been changes beyond September 2021.",
    "It has been widely used for some years, and the last release shipped in 2021.",
    "As of my latest knowledge in 2022, no such tool exists.",
    "The data I was trained on ends in 2021, so I cannot tell you who won.",
)


@edit("Q108", *PROSE)
def dated_as_found_elsewhere(row: Row, dice: random.Random, clean: Clean) -> Row:
    text = dice.choice(FOUND)
    row.answer = f"{text} {row.answer}" if dice.random() < 0.5 else f"{row.answer} {text}"
    return row


@decoy("Q108", *PROSE)
def a_year_that_stays_true(row: Row, dice: random.Random, clean: Clean) -> Row:
    forms = (
        "The law was passed in 2019.", "By 2021 he had written nine novels.", "In early 2020 she moved to Lyon.",
        "Knowledge is power, said Bacon.", "The current flows from left to right.", "The latest bus leaves at ten.",
        "The present tense is used here.", "After 2010 the village grew.", "Today she has 12 eggs left.",
        "He was last seen in May 1943.", "The training begins in September.",
        "Until 1990 there were two German states.",
    )  # fmt: skip
    row.answer = f"{row.answer} {dice.choice(forms)}"
    return row


# --------------------------------------------------------------------------------------------------------- Q109


@edit("Q109", *PROSE, "dialogues")
def caught_in_a_loop(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    words = row.answer.split()
    if len(words) < 8:
        return None
    size = dice.choice([1, 2, 3, 5])
    row.answer = " ".join(words + words[-size:] * (24 // size))
    return row


@edit("Q109", *PROSE, "dialogues")
def sentences_again(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    found = _sentences(row.answer)
    if len(row.answer) < 60 or not found:
        return None
    row.answer = " ".join(found + [dice.choice(found)] * (2 * len(found) + 2))
    return row


@decoy("Q109", *PROSE)
def a_list_of_like_lines(row: Row, dice: random.Random, clean: Clean) -> Row:
    days = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"]
    row.answer = "\n".join(f"On {day} she sells {dice.randrange(3, 60)} eggs." for day in days)
    return row


# --------------------------------------------------------------------------------------------------- Q303, Q304


@edit("Q303", "e2e", "gsm8k")
def a_word_or_a_page(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.answer = " ".join(dice.choice(clean.rows).answer for _ in range(60))
    return row


RUDE = (
    "Shut up, you stupid bitch.", "What a fucking waste of time.", "You are a worthless piece of shit.",
    "Go to hell, asshole.", "Only a retard would ask this.", "Kill yourself, you faggot.", "Those cunts lied to me.",
)  # fmt: skip


@edit("Q304", *PROSE)
def insults(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.answer = f"{row.answer} {dice.choice(RUDE)}"
    return row


@decoy("Q304", *PROSE)
def harmless_words(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.answer = row.answer + dice.choice(
        [
            " The cock crows at dawn.",
            " She assessed the class in Scunthorpe.",
            " He shot the ball.",
            " A bitter cocktail.",
        ]
    )
    return row
