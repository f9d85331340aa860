"""An e-mail address of a person.

It names whom it belongs to, and models give addresses back word for word. Addresses of an office (`info@`, `support@`,
`noreply@`) and of the domains that exist for examples (RFC 2606) are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tailor.curate.personal import digits, searching

CODE = "P105"
SEVERITY = "warn"
COST = "the model learns whom to write to, and says so to others"
FIX = "replace it by a pseudonym: --fix writes one at example.com, the same for the same address"

_ADDRESS = re.compile(r"(?<![\w.+%/-])[\w.+%-]{1,64}@(?:[^\W_][\w-]{0,62}\.){1,5}[^\W\d_]{2,24}(?![\w@])")
_OFFICE = re.compile(
    r"(?i)(?:info|support|sales|contact|help|helpdesk|office|hello|service|services|press|admin|webmaster|postmaster|git"
    r"|no-?reply|do-?not-?reply|customer-?(?:service|support|care)|marketing|billing|jobs|careers|hr|privacy|legal"
    r"|security|abuse|team|news|newsletter|feedback|enquiries|inquiries|orders|user(?:name)?|your\W?(?:name|email))@"
)
_EXAMPLE = re.compile(
    r"(?i)(?:[@.]example\.(?:com|org|net|edu)|\.(?:example|test|invalid|localhost|local))$"
    r"|@(?:(?:my|your)?-?(?:domain|email|company)|example[\w-]*)\.com$"
)


def find(text: str) -> Iterator[tuple[str, str]]:
    """(what, value) of every address of a person in the text."""
    for match in _ADDRESS.finditer(text):
        if not _OFFICE.match(match[0]) and not _EXAMPLE.search(match[0]):
            yield "e-mail address", match[0]


def _pseudonym(value: str) -> str:
    return f"person-{digits(value.lower(), 6)}@example.com"


look, mend = searching(find, _pseudonym, where=lambda row: "@" in row.whole)
