"""What holds for all rules together, and the page that is made of them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tailor import plugins
from tailor.curate.rulebook import page
from tailor.curate.rules.base import chosen, rules
from tailor.errors import ConfigError

PAGE = Path(__file__).parents[2] / "docs" / "rules.md"


def test_every_code_is_used_once() -> None:
    codes = Counter(plugins.load("curate.rules", name).CODE for name in plugins.names("curate.rules"))
    assert not [code for code, count in codes.items() if count > 1]
    assert list(rules()) == [rule.code for rule in chosen()]


def test_the_page_is_what_the_rules_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "make docs"


def test_every_rule_has_a_test_that_inherits_the_contract() -> None:
    tests = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_rules_*.py"))
    assert not [rule.name for rule in rules().values() if f'name = "{rule.name}"' not in tests]


def test_rules_are_chosen_by_code_family_and_name() -> None:
    assert [rule.code for rule in chosen(["D101"])] == ["D101"]
    assert [rule.code for rule in chosen(["exact-duplicates"])] == ["D101"]
    assert {rule.code[0] for rule in chosen(["d", "F"])} == {"D", "F"}
    assert "D101" not in [rule.code for rule in chosen([], ["D1"])]
    with pytest.raises(ConfigError, match="no rule 'exact-duplicate'") as error:
        chosen(["exact-duplicate"])
    assert error.value.fix == "did you mean 'exact-duplicates'?"
