"""Passes written in C: who goes without them is told why."""

from __future__ import annotations

from pathlib import Path

import pytest

from tailor.kernels import native


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TAILOR_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("TAILOR_NATIVE", raising=False)
    return tmp_path


def compiler(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = folder / "cc"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    monkeypatch.setenv("CC", str(path))
    return path


@pytest.mark.usefixtures("cache")
def test_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native.shutil, "which", lambda name: None)
    assert native._found.__wrapped__() == (None, "there is no C compiler (gcc or clang)")


@pytest.mark.usefixtures("cache")
def test_when_asked_to_go_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAILOR_NATIVE", "0")
    assert native._found.__wrapped__() == (None, "TAILOR_NATIVE=0 asks for it")


def test_a_compiler_that_fails_is_quoted(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler(cache, '[ "$1" = --version ] && exit 0; echo "x.c:1: error: no such thing" >&2; exit 1', monkeypatch)
    found, why = native._found.__wrapped__()
    assert found is None
    assert "x.c:1: error: no such thing" in why


def test_what_cannot_be_loaded_is_no_library(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler(cache, 'for last; do :; done; [ "$1" = --version ] || echo nonsense > "$last"', monkeypatch)
    found, why = native._found.__wrapped__()
    assert found is None
    assert "cannot be compiled or loaded" in why
