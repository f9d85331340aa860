"""An address of a machine on the internet (IPv4, IPv6).

Under the GDPR an address that leads to a person's line is personal data (CJEU, C-582/14, Breyer). Only addresses that
are routed on the internet count: private, local and documentation ranges (RFC 1918, RFC 5737, RFC 3849) are left alone,
and so are version numbers, numbered clauses and the public name servers everyone quotes.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from tailor.curate.personal import digits, searching

CODE = "P107"
SEVERITY = "warn"
COST = "the model learns an address that leads to somebody's line or server"
FIX = "replace it by a pseudonym: --fix writes one of a range that is kept for documentation"

_FOUR = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w]|\.\d)")
_SIX = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{1,4}:){2,7}(?::|[0-9A-Fa-f]{1,4})(?::?[0-9A-Fa-f]{1,4}){0,6}(?![\w:])")
_NOT_BEFORE = re.compile(r"(?i)(?:v|version|release|section|clause|article|rule|paragraph|part|§)\s*$")
_KNOWN = frozenset(["8.8.8.8", "8.8.4.4", "1.1.1.1", "1.0.0.1", "9.9.9.9"])
_ADDRESS = re.compile(r"\bIP\b|(?i:\bip ?address)")


def find(text: str) -> Iterator[tuple[str, str]]:
    """(what, value) of every public address in the text."""
    for match in _FOUR.finditer(text):
        value = match[0]
        if value in _KNOWN or not _public(value) or _NOT_BEFORE.search(text, max(0, match.start() - 12), match.start()):
            continue
        if len(value) >= 11 or _ADDRESS.search(text):  # a short one may as well number a clause: 4.1.2.3
            yield "IP address", value
    if ":" in text:
        for match in _SIX.finditer(text):
            if _public(match[0]):
                yield "IP address", match[0]


def _public(value: str) -> bool:
    try:
        return ipaddress.ip_address(value).is_global
    except ValueError:
        return False


def _pseudonym(value: str) -> str:
    """An address of one of the ranges for documentation."""
    number = int(digits(value, 9))
    if ":" in value:
        return f"2001:db8::{number % 0xFFFF:x}"
    return f"{('192.0.2', '198.51.100', '203.0.113')[number % 3]}.{number // 3 % 254 + 1}"


look, mend = searching(find, _pseudonym)
