"""Model folders for the tests of this room: a small byte-level tokenizer with the special tokens of a real family."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

CORPUS = [
    "You are a helpful assistant that answers briefly and exactly. What is the weather in Paris today?",
    "The answer is 42, and the question was long: how many roads must a man walk down before you call him?",
    '{"name": "get_weather", "arguments": {"city": "Paris", "unit": "celsius"}}',
    "user assistant system model tool function think final analysis commentary message channel",
] * 8

# (special tokens, tokens that are added but not flagged special, BOS, EOS), as in the tokenizer files of each family
FAMILIES: dict[str, tuple[list[str], list[str], str | None, str]] = {
    "qwen3": (
        ["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        ["<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<think>", "</think>"],
        None,
        "<|im_end|>",
    ),
    "gemma3": (
        ["<pad>", "<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>", "<start_of_image>"],
        ["\n\n", "\t\t"],
        "<bos>",
        "<eos>",
    ),
    "llama3": (
        [
            "<|begin_of_text|>",
            "<|end_of_text|>",
            "<|start_header_id|>",
            "<|end_header_id|>",
            "<|eot_id|>",
            "<|eom_id|>",
        ],
        [],
        "<|begin_of_text|>",
        "<|eot_id|>",
    ),
    "deepseekv3": (
        ["<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"],
        [
            *("<｜User｜>", "<｜Assistant｜>", "<｜tool▁sep｜>", "<think>", "</think>"),
            *(
                f"<｜tool▁{what}▁{end}｜>"
                for what in ("calls", "call", "outputs", "output")
                for end in ("begin", "end")
            ),
        ],
        "<｜begin▁of▁sentence｜>",
        "<｜end▁of▁sentence｜>",
    ),
    "gptoss": (
        [
            f"<|{name}|>"
            for name in "startoftext endoftext return start end message channel call constrain".split()  # noqa: SIM905
        ],
        [],
        "<|startoftext|>",
        "<|return|>",
    ),
}
FAMILIES["llama3_1"] = FAMILIES["llama3"]
FAMILIES["deepseek_r1_distill"] = FAMILIES["deepseekv3"]
FAMILIES["qwen3_5_think"] = FAMILIES["qwen3"]
FAMILIES["qwen3_instruct_2507"] = FAMILIES["qwen3"]


def family_template(name: str) -> str:
    """The family's real template, from the files of the installed `trl` package (which is not imported)."""
    try:
        files = metadata.files("trl") or []
    except metadata.PackageNotFoundError:
        pytest.skip("the package trl, which carries real chat templates, is not installed (pip install --no-deps trl)")
    for file in files:
        if str(file) == f"trl/chat_templates/{name}.jinja":
            return Path(str(file.locate())).read_text(encoding="utf-8")
    pytest.skip(f"this version of trl carries no template {name}")


def build_folder(
    folder: Path,
    *,
    template: str | None,
    special: Sequence[str] = ("<|end|>",),
    structural: Sequence[str] = (),
    bos: str | None = None,
    eos: str | None = "<|end|>",
    post_bos: bool = False,
    config: dict[str, object] | None = None,
    generation: dict[str, object] | None = None,
) -> Path:
    """Writes a model folder without weights."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in special])
    tokenizer.add_tokens([AddedToken(text, special=False, normalized=False) for text in structural])
    if post_bos and bos:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", special_tokens=[(bos, tokenizer.token_to_id(bos))]
        )
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    named = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": bos, "eos_token": eos, "model_max_length": 4096}
    (folder / "tokenizer_config.json").write_text(json.dumps({k: v for k, v in named.items() if v is not None}))
    (folder / "config.json").write_text(json.dumps({"max_position_embeddings": 4096} if config is None else config))
    if generation is not None:
        (folder / "generation_config.json").write_text(json.dumps(generation))
    if template is not None:
        (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def family_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """name of a family -> its model folder."""
    made: dict[str, Path] = {}

    def folder(name: str) -> Path:
        if name == "thimble":
            import tailor

            embedded = Path(tailor.__file__).parent / "weights" / "embedded" / "thimble"
            if not (embedded / "tokenizer.json").exists():
                pytest.skip("thimble is not built")
            return embedded
        if name not in made:
            special, structural, bos, eos = FAMILIES[name]
            made[name] = build_folder(
                tmp_path_factory.mktemp(name),
                template=family_template(name),
                special=special,
                structural=structural,
                bos=bos,
                eos=eos,
            )
        return made[name]

    return folder


@pytest.fixture
def small_folder(tmp_path: Path) -> Callable[..., Path]:
    """Keywords of `build_folder` -> a folder of its own."""
    count = iter(range(100))
    return lambda **settings: build_folder(tmp_path / f"model-{next(count)}", **settings)
