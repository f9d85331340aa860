"""A secret: a private key, an access key, a token or a password.

Keys of AWS, Google, GitHub, GitLab, OpenAI, Anthropic, Hugging Face, Slack, Stripe, Twilio, SendGrid, npm and PyPI in
their published formats, private keys in PEM, JSON web tokens, and values of high entropy that are given as a password,
key or token. Models give back what they were trained on word for word (Carlini et al. 2021, "Extracting Training Data
from Large Language Models"), so a secret in the data has to count as published. Placeholders (`<your key>`, `xxxx`,
the example keys of the vendors' manuals) are left alone.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator

from tailor.curate.personal import digits, searching

CODE = "P101"
SEVERITY = "block"
COST = "the model can be made to say it, and whoever reads the data has it"
FIX = "revoke it, and take it out of the data"

_KINDS = r"""
private key             private key  -----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----[^-]*(?:-----END [A-Z ]+-----)?
AWS access key          akia         \bAKIA[A-Z2-7]{16}\b
AWS access key          asia         \bASIA[A-Z2-7]{16}\b
Google API key          aiza         \bAIza[\w-]{35}(?![\w-])
Google client secret    gocspx       \bGOCSPX-[\w-]{28}
GitHub token            gh           \b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{22,})
GitLab token            glpat        \bglpat-[\w-]{20,}
API key                 sk-          \bsk-(?:ant-|proj-|svcacct-|admin-|or-)?[A-Za-z0-9_-]{28,}
Hugging Face token      hf_          \bhf_[A-Za-z]{30,}\b
Slack token             xox          \bxox[abeprs]-[\w-]{10,}
Slack address           hooks.slack  hooks\.slack\.com/services/T\w+/B\w+/\w+
Stripe key              k_           \b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}
Twilio key              sk           \bSK[0-9a-f]{32}\b
SendGrid key            sg.          \bSG\.[\w-]{16,}\.[\w-]{16,}
npm token               npm_         \bnpm_[A-Za-z0-9]{36}\b
PyPI token              pypi-        \bpypi-AgE[\w-]{50,}
JSON web token          eyj          \beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}
password in an address  ://          \b[a-z][a-z+]{2,12}://[^\s:/@]{1,40}:(?P<value>[^\s:/@]{3,80})@[\w.-]+
"""  # what it is, what a text in lower case must hold for it, how it is written; many vendors begin keys with sk-
_GIVEN = re.compile(  # a value that somebody calls a password or key
    r"(?i:(?:pass(?:word|wd|phrase)|secret(?:[_ -]?key)?"
    r"|api[_ -]?key|access[_ -]?key|auth[_ -]?token|private[_ -]?key|token)"
    r"['\"]?\s{0,2}(?:[:=]|is)\s{0,2}['\"`]?)(?P<value>[\w+/=.!?@#$%^&*~-]{8,128})"
)
_CALLED = ("passw", "passph", "secret", "key", "token")
_PATTERNS = [
    (what, hint, re.compile(pattern))
    for what, hint, pattern in (re.split(" {2,}", line) for line in _KINDS.strip().splitlines())
]
_DUMMY = re.compile(
    r"(?i)example|your|x{4}|\*{3}|\.{3}|1234567890?ab|<|abcdef|redacted|placeholder|dummy|REPLACE|0{8}|_here|^(?:password|passwd|pass|secret|pwd)\d*$"
)
_ONLY_CALLED = "something called a password, key or token"
_BITS = 3.0  # of entropy a character from which a given value is random: words of a language have below 3


def find(text: str) -> Iterator[tuple[str, str]]:
    """(what, value) of every secret in the text, those of a published format first."""
    lower = text.lower()
    for what, hint, pattern in _PATTERNS:
        if hint in lower:
            for match in pattern.finditer(text):
                value = match["value"] if pattern.groups else match[0]
                if not _DUMMY.search(value):
                    yield what, value
    if any(hint in lower for hint in _CALLED):
        for match in _GIVEN.finditer(text):
            value = match["value"].rstrip(".!?")
            if _random(value) and not _DUMMY.search(value):
                yield _ONLY_CALLED, value


def _random(value: str) -> bool:
    """Whether nobody would write this as a word: letters with digits or signs inside, and many different ones."""
    kinds = [any(map(test, value)) for test in (str.islower, str.isupper, str.isdigit)]
    signs = any(not mark.isalnum() for mark in value)
    if sum(kinds) + signs < 3 and not (len(value) >= 20 and kinds[2] and sum(kinds) == 2):
        return False
    if value.rstrip(".!").isalpha() or re.fullmatch(r"[\w]+\.[\w.]+(?:\(.*)?", value):
        return False  # a word, or code: os.environ.KEY
    counts = Counter(value)
    return -sum(n / len(value) * math.log2(n / len(value)) for n in counts.values()) >= min(
        _BITS, math.log2(len(value)) - 0.6
    )


def _pseudonym(value: str) -> str:
    return f"REDACTED-{digits(value, 8)}"


look, mend = searching(find, _pseudonym, where=lambda row: True, doubtful=[_ONLY_CALLED])
