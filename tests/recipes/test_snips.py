"""The SNIPS converter against the published counts and against the sentences it reads."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

SNIPS = Path(__file__).parents[2].parent / "shared" / "data" / "snips"
INSTRUCTIONS = Path(__file__).parents[2] / "recipes" / "snips" / "instructions.md"
INTENTS = {
    "AddToPlaylist", "BookRestaurant", "GetWeather", "PlayMusic", "RateBook", "SearchCreativeWork",
    "SearchScreeningEvent",
}  # fmt: skip


@pytest.fixture(scope="module")
def converter(script: Callable[[str], ModuleType]) -> ModuleType:
    return script("snips/convert.py")


def pieces(*marked: tuple[str, str]) -> list[dict[str, str]]:
    return [{"text": text, "entity": entity} if entity else {"text": text} for text, entity in marked]


def write(folder: Path, name: str, intent: str, rows: list[list[dict[str, str]]], encoding: str = "utf-8") -> None:
    body = json.dumps({intent: [{"data": row} for row in rows]}, ensure_ascii=False)
    (folder / name).write_bytes(body.encode(encoding, "surrogatepass"))


def test_a_repeated_slot_becomes_a_list_in_the_order_of_the_sentence(converter: ModuleType) -> None:
    row = pieces(
        ("near", "spatial_relation"),
        (" ", ""),
        ("bougatsa ", "cuisine"),
        (" close to ", ""),
        ("close", "spatial_relation"),
    )
    assert list(converter.slots(row).items()) == [("spatial_relation", ["near", "close"]), ("cuisine", "bougatsa")]


def test_rows_are_chat_with_strict_json_and_accents_survive(converter: ModuleType, tmp_path: Path) -> None:
    for prefix in ("train", "validate"):
        sentence = pieces(("Play ", ""), ("raíces", "album"), (" by ", ""), ("Dave Pybus", "artist"), (" ", ""))
        write(tmp_path, f"{prefix}_PlayMusic.json", "PlayMusic", [sentence])
    assert converter.convert(tmp_path, tmp_path / "out") == {"train": 1, "validation": 1}
    [user, assistant] = json.loads((tmp_path / "out" / "train.jsonl").read_text(encoding="utf-8"))["messages"]
    assert user == {"role": "user", "content": "Play raíces by Dave Pybus"}
    assert assistant["content"] == '{"intent": "PlayMusic", "slots": {"album": "raíces", "artist": "Dave Pybus"}}'


def test_surrogates_written_as_utf8_become_the_character_they_stand_for(converter: ModuleType) -> None:
    assert converter.decode("pizza \ud83c\udf55".encode("utf-8", "surrogatepass")) == "pizza 🍕"


def test_a_folder_without_snips_files_is_refused(converter: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"no train_\*\.json here"):
        converter.convert(tmp_path, tmp_path / "out")


@pytest.mark.skipif(not SNIPS.exists(), reason=f"{SNIPS} is not there")
def test_the_published_files_give_13784_and_700_rows_with_every_value_in_its_sentence(
    converter: ModuleType, tmp_path: Path
) -> None:
    assert converter.convert(SNIPS, tmp_path) == {"train": 13_784, "validation": 700}
    told: defaultdict[str, set[str]] = defaultdict(set)
    for name, each_at_least in (("train", 1_800), ("validation", 100)):
        intents: Counter[str] = Counter()
        text = (tmp_path / f"{name}.jsonl").read_text(encoding="utf-8")
        assert "Ã" not in text  # the mark of UTF-8 read as latin-1
        for line in text.splitlines():
            sentence, answer = (turn["content"] for turn in json.loads(line)["messages"])
            wanted = json.loads(answer)
            assert list(wanted) == ["intent", "slots"]
            intents[wanted["intent"]] += 1
            for value in wanted["slots"].values():
                assert all(part in sentence for part in ([value] if isinstance(value, str) else value))
            told[wanted["intent"]] |= wanted["slots"].keys()
        assert intents.keys() == INTENTS
        assert min(intents.values()) >= each_at_least
    rules = dict(re.findall(r"^(\w+): (.*)$", INSTRUCTIONS.read_text(encoding="utf-8"), re.MULTILINE))
    assert {intent: ", ".join(sorted(names, key=str.lower)) for intent, names in told.items()} == rules
