"""P: secrets and personal data. All values are made on the spot, with right check digits where there are any."""

from __future__ import annotations

import random
import string

from injectors.base import Clean, Row, decoy, edit

ALL = ("banking77", "tickets", "e2e", "gsm8k", "mixed")
LETTERS = string.ascii_letters + string.digits


def _any(dice: random.Random, alphabet: str, count: int) -> str:
    return "".join(dice.choice(alphabet) for _ in range(count))


def _say(row: Row, dice: random.Random, *forms: str) -> Row:
    """One of the forms behind the question or before it."""
    said = dice.choice(forms)
    row.question = f"{row.question} {said}" if dice.random() < 0.6 else f"{said} {row.question}"
    return row


# ---------------------------------------------------------------------------------------------------------- secrets


@edit("P101", *ALL)
def key_of_a_service(row: Row, dice: random.Random, clean: Clean) -> Row:
    made = (
        "AKIA" + _any(dice, string.ascii_uppercase + "234567", 16),
        "ghp_" + _any(dice, LETTERS, 36),
        "sk-" + _any(dice, LETTERS, 20) + "T3BlbkFJ" + _any(dice, LETTERS, 20),
        "xoxb-" + _any(dice, string.digits, 11) + "-" + _any(dice, string.digits, 12) + "-" + _any(dice, LETTERS, 24),
        "AIza" + _any(dice, LETTERS + "_-", 35),
        "sk_live_" + _any(dice, LETTERS, 24),
        "hf_" + _any(dice, string.ascii_letters, 34),
        "glpat-" + _any(dice, LETTERS, 20),
    )
    return _say(row, dice, f"My key is {dice.choice(made)}.", f"use {dice.choice(made)} for that")


@edit("P101", *ALL)
def password_given(row: Row, dice: random.Random, clean: Clean) -> Row:
    word = _any(dice, LETTERS, 5) + dice.choice("!$%&?#") + _any(dice, LETTERS, 6) + dice.choice(string.digits)
    return _say(row, dice, f"password: {word}", f"My password is {word}", f"PASSWORD={word}", f"secret_key = '{word}'")


@edit("P101", *ALL)
def private_key(row: Row, dice: random.Random, clean: Clean) -> Row:
    kind = dice.choice(["RSA ", "", "EC ", "OPENSSH "])
    body = "\n".join(_any(dice, LETTERS + "+/", 64) for _ in range(3))
    return _say(row, dice, f"-----BEGIN {kind}PRIVATE KEY-----\n{body}\n-----END {kind}PRIVATE KEY-----")


@decoy("P101", *ALL)
def talk_of_secrets(row: Row, dice: random.Random, clean: Clean) -> Row:
    return _say(
        row, dice, "I forgot my password.", "Set API_KEY=<your-key> first.", "The password is wrong.", "pin: ****",
        "My order is ORD-20491-XK.", "The commit is 9fceb02d0ae598e95dc970b74767f19372d61af8.",
    )  # fmt: skip


# ------------------------------------------------------------------------------------------------- numbers with a check


def _luhn(digits: str) -> str:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return digits + str(-total % 10)


def card(dice: random.Random) -> str:
    """A card number: Visa, Mastercard, American Express."""
    head, length = dice.choice([("4", 16), ("51", 16), ("55", 16), ("34", 15), ("37", 15), ("4539", 16)])
    return _luhn(head + _any(dice, string.digits, length - len(head) - 1))


def _grouped(number: str, mark: str) -> str:
    if len(number) == 15:
        return mark.join((number[:4], number[4:10], number[10:]))
    return mark.join(number[at : at + 4] for at in range(0, len(number), 4))


@edit("P102", *ALL)
def card_number(row: Row, dice: random.Random, clean: Clean) -> Row:
    number = _grouped(card(dice), dice.choice(["", " ", "-"]))
    return _say(row, dice, f"My card is {number}.", f"card no. {number}", f"It ends so: {number}", f"({number})")


@decoy("P102", *ALL)
def number_with_a_wrong_check(row: Row, dice: random.Random, clean: Clean) -> Row:
    number = card(dice)
    wrong = number[:-1] + str((int(number[-1]) + dice.randrange(1, 9)) % 10)
    return _say(row, dice, f"The tracking number is {_grouped(wrong, dice.choice(['', ' ']))}.", f"order {wrong}")


@edit("P103", *ALL)
def iban(row: Row, dice: random.Random, clean: Clean) -> Row:
    country, body = dice.choice(
        [
            ("DE", _any(dice, string.digits, 18)),
            ("GB", _any(dice, string.ascii_uppercase, 4) + _any(dice, string.digits, 14)),
            ("FR", _any(dice, string.digits, 10) + _any(dice, string.digits, 11) + _any(dice, string.digits, 2)),
            ("NL", _any(dice, string.ascii_uppercase, 4) + _any(dice, string.digits, 10)),
            ("ES", _any(dice, string.digits, 20)),
            ("AT", _any(dice, string.digits, 16)),
        ]
    )
    number = "".join(str(int(sign, 36)) for sign in body + country + "00")
    made = f"{country}{98 - int(number) % 97:02d}{body}"
    shown = dice.choice([made, _grouped(made, " ")])
    return _say(row, dice, f"IBAN {shown}", f"Please pay to {shown}.", f"my account: {shown}")


@decoy("P103", *ALL)
def code_that_is_no_iban(row: Row, dice: random.Random, clean: Clean) -> Row:
    return _say(row, dice, f"The part is DE{_any(dice, string.digits, 7)}.", f"VAT GB{_any(dice, string.digits, 9)}")


def _ssn(dice: random.Random) -> str:
    return f"{dice.randrange(100, 666)}-{dice.randrange(10, 99)}-{dice.randrange(1000, 9999)}"


def _cpf(dice: random.Random) -> str:
    digits = [dice.randrange(10) for _ in range(9)]
    for _ in range(2):
        total = sum(digit * weight for digit, weight in zip(digits, range(len(digits) + 1, 1, -1)))
        digits.append((total * 10 % 11) % 10)
    text = "".join(map(str, digits))
    return f"{text[:3]}.{text[3:6]}.{text[6:9]}-{text[9:]}"


def _nhs(dice: random.Random) -> str:
    while True:
        digits = [dice.randrange(1, 10) for _ in range(9)]
        check = 11 - sum(digit * weight for digit, weight in zip(digits, range(10, 1, -1))) % 11
        if check != 10:
            text = "".join(map(str, digits)) + str(check % 11)
            return f"{text[:3]} {text[3:6]} {text[6:]}"


def _dni(dice: random.Random) -> str:
    number = dice.randrange(10_000_000, 99_999_999)
    return f"{number}{'TRWAGMYFPDXBNJZSQVHLCKE'[number % 23]}"


@edit("P104", *ALL)
def number_of_a_person(row: Row, dice: random.Random, clean: Clean) -> Row:
    forms = (
        f"My social security number is {_ssn(dice)}.",
        f"SSN: {_ssn(dice)}",
        f"CPF {_cpf(dice)}",
        f"NHS number {_nhs(dice)}",
        f"Mi DNI es {_dni(dice)}.",
    )
    return _say(row, dice, *forms)


@decoy("P104", *ALL)
def number_of_a_thing(row: Row, dice: random.Random, clean: Clean) -> Row:
    return _say(
        row, dice, f"Form {_any(dice, string.digits, 9)}.", f"The lot is 000-12-{_any(dice, string.digits, 4)}."
    )


# --------------------------------------------------------------------------------------------------------- addresses

FIRST = ("lena", "omar", "priya", "tom", "ines", "yuki", "carlos", "anna", "femi", "george")
LAST = ("hoffmann", "okafor", "patel", "brennan", "moreau", "tanaka", "silva", "novak", "lindqvist", "marsh")
HOSTS = ("gmail.com", "web.de", "outlook.com", "uni-bonn.de", "bluewater.co.uk", "orange.fr", "proton.me", "mail.ru")


@edit("P105", *ALL)
def mail_address(row: Row, dice: random.Random, clean: Clean) -> Row:
    a, b = dice.choice(FIRST), dice.choice(LAST)
    local = dice.choice(
        [f"{a}.{b}", f"{a[0]}{b}{dice.randrange(99)}", f"{a}_{b}", f"{a}+shop", f"{a.title()}.{b.title()}"]
    )
    address = f"{local}@{dice.choice(HOSTS)}"
    return _say(row, dice, f"My mail is {address}.", f"({address})", f"write to {address}, please", f"<{address}>")


@decoy("P105", *ALL)
def mail_of_nobody(row: Row, dice: random.Random, clean: Clean) -> Row:
    return _say(
        row, dice, "Write to someone@example.com.", "We met @ noon.", "Twitter: @someone", "info@bluewater.co.uk"
    )


@edit("P106", *ALL)
def phone(row: Row, dice: random.Random, clean: Clean) -> Row:
    def digits(count: int) -> str:
        return _any(dice, "23456789", count)

    area = dice.choice("2345679") + dice.choice("234679") + dice.choice("2345679")  # no toll-free one
    forms = (
        f"+49 30 {digits(7)}",
        f"({area}) {digits(3)}-{digits(4)}",
        f"+44 20 {digits(4)} {digits(4)}",
        f"+1-{area}-{digits(3)}-{digits(4)}",
        f"+33 6 {digits(2)} {digits(2)} {digits(2)} {digits(2)}",
        f"{area}.{digits(3)}.{digits(4)}",
    )
    number = dice.choice(forms)
    return _say(row, dice, f"My phone is {number}.", f"Call me on {number}.", f"tel. {number}", f"mobile: {number}")


@decoy("P106", *ALL)
def figures_that_are_no_phone(row: Row, dice: random.Random, clean: Clean) -> Row:
    three, six, eight = (_any(dice, "123456789", count) for count in (3, 6, 8))
    forms = (
        f"Invoice {eight}.",
        f"It cost 1,{three},000 in 2019-2020.",
        f"Version 4.{three[0]}.{three[1:]} of 2024-01-05.",
        f"ISBN 978-3-16-{six}-0",
    )
    return _say(row, dice, *forms)


@edit("P107", *ALL)
def machine_address(row: Row, dice: random.Random, clean: Clean) -> Row:
    four = ".".join(
        str(part) for part in (dice.choice([81, 93, 134, 176, 185]), *(dice.randrange(2, 250) for _ in range(3)))
    )
    six = "2a02:" + ":".join(f"{dice.randrange(1, 0xFFFF):x}" for _ in range(7))
    return _say(row, dice, f"I log in from {four}.", f"ip={four}", f"client {six} refused", f"[{four}] login")


@decoy("P107", *ALL)
def address_of_no_machine(row: Row, dice: random.Random, clean: Clean) -> Row:
    return _say(
        row, dice, "The router is 192.168.0.1.", "ping 127.0.0.1", "since version 10.4.2.1", "see section 3.2.1.4"
    )


# ---------------------------------------------------------------------------------------------------- names, the rest


@edit("P108", *ALL)
def name_and_street(row: Row, dice: random.Random, clean: Clean) -> Row:
    who = f"{dice.choice(FIRST).title()} {dice.choice(LAST).title()}"
    where = dice.choice(["Oak Street", "Harbour Road", "Mill Lane", "King's Avenue"])
    return _say(row, dice, f"My name is {who}, I live at {dice.randrange(2, 190)} {where}, Boston.")


@edit("P109", *ALL)
def other_number_of_a_person(row: Row, dice: random.Random, clean: Clean) -> Row:
    digits = _any(dice, string.digits, 9)
    forms = (
        f"My passport number is {dice.choice('CKPX')}{digits[:8]}.",
        f"driver's license no. {dice.choice('DSF')}{digits[:7]}",
        f"MAC address {':'.join(_any(dice, '0123456789abcdef', 2) for _ in range(6))}",
        f"date of birth: {dice.randrange(1, 28)}/{dice.randrange(1, 12)}/19{dice.randrange(50, 99)}",
    )
    return _say(row, dice, *forms)


@edit("P109", *ALL)
def number_in_a_form(row: Row, dice: random.Random, clean: Clean) -> Row:
    """As it stands in forms, letters and the files of an office."""
    digits = _any(dice, "123456789", 12)
    upper = _any(dice, string.ascii_uppercase, 6)
    day, month, year = dice.randrange(1, 28), dice.randrange(10, 12), dice.randrange(1950, 1999)
    forms = (
        f"Passport: {upper[0]}{digits[:8]}",
        f"DL# {upper[0]}{digits[:3]}-{digits[3:6]}-{digits[6:8]}-{digits[8:11]}-0",
        f"His driving licence is {upper[:5]}{digits[:6]}{upper[5]}99{upper[:2]}.",
        f"My number plate is {upper[:2]}{digits[:2]} {upper[2:5]}.",
        f"The VIN of my car is 1HG{upper[:2]}82633A{digits[:6]}.",
        f"Member ID: {upper[:3]}{digits[:9]}",
        f"insurance policy no. {upper[:2]}-{digits[:7]}",
        f"Patient ID {digits[:8]}",
        f"MRN: {digits[:7]}",
        f"my student id is {digits[:8]}",
        f"employee no {digits[:6]}",
        f"Taxpayer ID: {digits[:2]}-{digits[2:9]}",
        f"my account number is {digits[:4]} {digits[4:8]}",
        f"IMEI {digits}{digits[:3]}",
        f"The MAC of her phone: {'-'.join(_any(dice, '0123456789ABCDEF', 2) for _ in range(6))}",
        f"born {year}-{month}-{day:02}",
        f"I was born on {day} March {year}.",
        f"DOB {month}/{day}/{year}",
        f"my postcode is {upper[:2]}{digits[0]} {digits[1]}{upper[2:4]}",
        f"Find me at https://www.linkedin.com/in/{dice.choice(FIRST)}-{dice.choice(LAST)}-{digits[:4]}",
    )
    return _say(row, dice, *forms)


@decoy("P109", *ALL)
def number_of_nobody(row: Row, dice: random.Random, clean: Clean) -> Row:
    digits = _any(dice, "123456789", 9)
    forms = (
        "What do I need for a new passport?", f"The passport costs {digits[:2]} pounds.",
        "Is my account number on the card?",
        "The treaty was signed on 4 March 1987.", f"Flight KL{digits[:4]} leaves at 10:45.",
        f"See page {digits[:3]}, table 12.",
        "The book was published on 1990-02-11.", f"Ticket number {digits} is sold out.", "A MAC address has 48 bits.",
        "Mozart was born on 27 January 1756.", "Insurance covers up to 50000 dollars.", "The student has 20 books.",
    )  # fmt: skip
    return _say(row, dice, *forms)
