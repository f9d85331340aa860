"""Plugins are found by their file's name, or as entry points."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from tailor import plugins
from tailor.errors import ConfigError
from tailor.metrics import exact


def test_names_are_file_names_without_the_rooms_own_files() -> None:
    names = plugins.names("metrics")
    assert {"exact", "exact-normalised", "json-schema"} <= set(names)
    assert not [name for name in names if name.startswith("-") or name == "base"]
    assert plugins.load("metrics", "exact") is exact


def test_an_unknown_name_gets_the_closest_one() -> None:
    with pytest.raises(ConfigError, match="no metric called 'exakt'\n  did you mean 'exact'"):
        plugins.load("metrics", "exakt")


def test_third_parties_come_by_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("mine", "tailor.metrics.exact", "tailor.metrics")
    monkeypatch.setattr(plugins.metadata, "entry_points", lambda group: [point] if group == point.group else [])
    assert "mine" in plugins.names("metrics")
    assert plugins.load("metrics", "mine") is exact
