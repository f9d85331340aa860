"""Writes a model folder: the shape's real configuration, random weights, a tokenizer in which a word is a token.

python bench/models.py SHAPE FOLDER DTYPE
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from works import ROLES, SHAPES, SPECIAL, WORDS, Shape

# ChatML without line breaks between turns: nothing follows the token that ends an answer, so that no two systems can
# differ in whether they train on it.
TEMPLATE = """\
{%- for message in messages %}
{{- '<|im_start|>' + message.role + '\\n' }}
{%- if message.role == 'assistant' %}
{%- generation %}{{- message.content + '<|im_end|>' }}{%- endgeneration %}
{%- else %}{{- message.content + '<|im_end|>' }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"""


def write_tokenizer(folder: Path) -> None:
    """A lossless tokenizer: every word with and without a blank before it is a token, and so is a line break."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    words = [f"w{rank}" for rank in range(WORDS + 1)]
    entries = [*SPECIAL, "<|unknown|>", "\n", " ", *ROLES, *words, *(f" {word}" for word in words)]
    tokenizer = Tokenizer(models.WordLevel({entry: rank for rank, entry in enumerate(entries)}, "<|unknown|>"))
    lines, blanks = pre_tokenizers.Split("\n", "isolated"), pre_tokenizers.Split(" ", "merged_with_next")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([lines, blanks])
    tokenizer.decoder = decoders.Fuse()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "pad_token": "<|pad|>",
        "eos_token": "<|im_end|>",
        "unk_token": "<|unknown|>",
        "model_max_length": 40_960,
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2))
    (folder / "chat_template.jinja").write_text(TEMPLATE)


def write_weights(shape: Shape, folder: Path, dtype: str) -> None:
    """Weights drawn with transformers' own initialisation, from seed 0."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.for_model(
        shape.family,
        hidden_size=shape.hidden,
        intermediate_size=shape.inner,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        head_dim=shape.head_dim,
        vocab_size=shape.vocabulary,
        tie_word_embeddings=shape.tied,
        max_position_embeddings=40_960,
        rms_norm_eps=1e-6,
        rope_parameters={"rope_type": "default", "rope_theta": 1e6},
        bos_token_id=None,
        eos_token_id=SPECIAL.index("<|im_end|>"),
        pad_token_id=SPECIAL.index("<|pad|>"),
    )
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float32 if shape.hidden < 2048 else getattr(torch, dtype))  # 8B in fp32 is 33 GB
    model = AutoModelForCausalLM.from_config(config).to(getattr(torch, dtype))
    model.generation_config.do_sample = False
    model.save_pretrained(folder)


if __name__ == "__main__":
    name, target, number_type = sys.argv[1:]
    write_tokenizer(Path(target))
    write_weights(SHAPES[name], Path(target), number_type)
