"""What a model folder's small files say about tokens, read without transformers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from tailor.errors import DataError, ModelError
from tailor.records import Example, Request, Source, message
from tailor.render import load
from tailor.render.tokenizer import Files, TextTokenizer

CHAT = (
    "{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SPECIAL = ["<s>", "</s>", "<|end|>", "<|user|>", "<|assistant|>"]
ASK = Request(messages=(message("user", "hi"),))

Folder = Callable[..., Path]


def test_no_second_bos(small_folder: Folder) -> None:
    """A post-processor that would add a BOS, and a template that writes one: one BOS."""
    renderer = load(small_folder(template=CHAT, special=SPECIAL, bos="<s>", eos="</s>", post_bos=True))
    bos = renderer.tokenizer.backend.token_to_id("<s>")
    assert renderer.tokenizer.backend.encode("x").ids[0] == bos  # it would
    assert renderer.prompt_ids(ASK).count(bos) == 1
    (datum,) = renderer.datums(
        Example(kind="chat", source=Source("f", 1), messages=(*ASK.messages, message("assistant", "yo"))), 0
    )
    assert (datum.ids == bos).sum() == 1


def test_a_base_model(small_folder: Folder) -> None:
    folder = small_folder(template=None, special=["<|endoftext|>"], eos=None, config={"n_positions": 512})
    renderer = load(folder)
    assert renderer.max_length == 512
    assert renderer.tokenizer.pad_id == renderer.tokenizer.eos_id
    said = " ".join(renderer.notes)
    assert "no chat template" in said and "no pad token" in said and "<|endoftext|> is taken" in said
    (datum,) = renderer.datums(
        Example(kind="chat", source=Source("f", 1), messages=(*ASK.messages, message("assistant", "yo"))), 0
    )
    assert renderer.tokenizer.decode(datum.ids) == "### User\nhi\n\n### Assistant\nyo<|endoftext|>"
    assert renderer.tokenizer.decode(datum.ids[datum.weights > 0]) == "yo<|endoftext|>"


def test_end_of_text_tokens_of_every_file(small_folder: Folder) -> None:
    folder = small_folder(
        template=CHAT,
        special=SPECIAL,
        eos="</s>",
        config={"eos_token_id": 402, "max_position_embeddings": 64},
        generation={"eos_token_id": [401, 404], "pad_token_id": 400},
    )
    tokenizer = load(folder).tokenizer
    names = {tokenizer.token(i) for i in tokenizer.eos_ids}
    assert names == {tokenizer.token(i) for i in (401, 402, 404)} | {"</s>"}
    assert tokenizer.pad_id == 400
    assert tokenizer.token(tokenizer.eos_id) == "</s>"


def test_a_model_without_an_end(small_folder: Folder) -> None:
    with pytest.raises(ModelError, match="no token that ends a text"):
        load(small_folder(template=CHAT, special=["<|x|>"], eos=None))


def test_folders_that_are_none(tmp_path: Path, small_folder: Folder) -> None:
    with pytest.raises(ModelError, match="no such model folder"):
        load(tmp_path / "nothing")
    with pytest.raises(ModelError, match=r"no tokenizer\.json"):
        load(tmp_path)
    folder = small_folder(template=CHAT, special=SPECIAL)
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelError, match="cannot be read"):
        load(folder)
    (folder / "config.json").write_text("[1]")
    with pytest.raises(ModelError, match="JSON object"):
        load(folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(ModelError, match="not valid JSON"):
        load(folder)


def test_where_templates_stand(small_folder: Folder) -> None:
    folder = small_folder(template=None, special=SPECIAL, eos="</s>")
    path = folder / "tokenizer_config.json"
    settings: dict[str, Any] = json.loads(path.read_text())
    path.write_text(json.dumps({**settings, "chat_template": CHAT}))
    one = load(folder)
    path.write_text(
        json.dumps(
            {**settings, "chat_template": [{"name": "default", "template": CHAT}, {"name": "x", "template": ""}]}
        )
    )
    two = load(folder)
    assert one.prompt_ids(ASK) == two.prompt_ids(ASK)
    assert any("'default'" in note for note in two.notes) and not any("'default'" in note for note in one.notes)
    path.write_text(json.dumps({**settings, "chat_template": [{"name": "x", "template": ""}]}))
    with pytest.raises(ModelError, match="'default'"):
        load(folder)


def test_the_fingerprint_follows_what_decides_ids(small_folder: Folder) -> None:
    folder = small_folder(template=CHAT, special=SPECIAL, eos="</s>")
    first = load(folder)
    assert first.fingerprint == load(folder).fingerprint
    assert first.fingerprint != load(folder, thinking=True).fingerprint
    (folder / "chat_template.jinja").write_text(CHAT + " ")
    assert first.fingerprint != load(folder).fingerprint


def test_tokenizers_that_put_a_space_before_the_first_word(tmp_path: Path) -> None:
    """SentencePiece's dummy prefix (Llama 2): a continuation is tokenised as the continuation that it is."""
    backend = Tokenizer(models.BPE(unk_token="<unk>"))
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    backend.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.Fuse(), decoders.Strip(content=" ", left=1, right=0)]
    )
    alphabet = list("abcdefghijklmnopqrstuvwxyz▁\n.[]/INST")
    trainer = trainers.BpeTrainer(
        vocab_size=80, initial_alphabet=alphabet, special_tokens=["<unk>", "<s>", "</s>"], show_progress=False
    )
    backend.train_from_iterator(["hello world hello there"] * 4, trainer)
    tokenizer = TextTokenizer(backend, Files(tmp_path, {}, {}, {"eos_token": "</s>"}, {}))
    for text in ("hello", " hello", "hello world", "\nhello"):
        together = tokenizer.encode("[/INST]" + text)
        assert tokenizer.encode("[/INST]") + tokenizer.encode_after(text) == together
    assert tokenizer.encode("hello") != tokenizer.encode_after("hello")


def test_no_space_is_put_where_none_is_wanted(small_folder: Folder) -> None:
    tokenizer = load(small_folder(template=CHAT, special=SPECIAL, eos="</s>")).tokenizer
    for text in ("hello", " hello", "\n\nhello", ""):
        assert tokenizer.encode_after(text) == tokenizer.encode(text)


def test_truncation_and_padding_of_the_file_are_off(small_folder: Folder) -> None:
    folder = small_folder(template=CHAT, special=SPECIAL, eos="</s>")
    saved = Tokenizer.from_file(str(folder / "tokenizer.json"))
    saved.enable_truncation(4)
    saved.enable_padding(length=64)
    saved.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    saved.post_processor = processors.ByteLevel(trim_offsets=False)
    saved.save(str(folder / "tokenizer.json"))
    ids = load(folder).tokenizer.encode("a longer text than four tokens")
    assert 4 < len(ids) < 64


def test_errors_of_requests_have_no_place_but_words(small_folder: Folder) -> None:
    renderer = load(
        small_folder(template="{{ raise_exception('no') if messages | length > 3 }}" + CHAT, special=SPECIAL)
    )
    with pytest.raises(DataError, match="refuses this row: no"):
        renderer.prompt_ids(Request(messages=ASK.messages * 4))


def test_rendering_does_not_import_torch(small_folder: Folder) -> None:
    folder = small_folder(template=CHAT, special=SPECIAL, eos="</s>")
    code = (
        "import sys\nfrom pathlib import Path\nfrom tailor.render import load\nfrom tailor.render import pack, show\n"
        f"load(Path({str(folder)!r}))\nprint([m for m in ('torch', 'transformers') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]" and done.stderr == ""
