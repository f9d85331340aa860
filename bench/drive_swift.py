"""One measurement of ms-swift: `swift sft` or `swift rlhf --rlhf_type dpo`, with its own defaults, or tuned.

python bench/drive_swift.py JOB
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from meter import Meter, read_job
from works import Row, read_rows, write_rows

job = read_job()


def arguments(rows: Path) -> dict[str, Any]:
    """The command's options. Everything that is not the work itself is ms-swift's default, or tuned."""
    same = {
        "model": job["model"],
        "model_type": job["family"],
        "template": "bench",
        "dataset": str(rows),
        "output_dir": f"{job['scratch']}/swift",
        "tuner_type": "lora",
        "lora_rank": job["rank"],
        "lora_alpha": 2 * job["rank"],
        "lora_dropout": 0,
        "target_modules": "all-linear",
        "torch_dtype": {"bf16": "bfloat16", "fp32": "float32"}[job["dtype"]],
        "use_cpu": str(not torch.cuda.is_available()).lower(),
        "max_steps": job["warmup"] + job["timed"],
        "learning_rate": job["learning_rate"],
        "lr_scheduler_type": "constant",
        "weight_decay": 0,
        "adam_beta2": 0.999,
        "dataset_shuffle": "false",
        "train_dataloader_shuffle": "false",
        "split_dataset_ratio": 0,
        "seed": job["seed"],
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
        "check_model": "false",
    }
    own: dict[str, Any] = {"per_device_train_batch_size": 1}  # its own default
    if job["mode"] == "tuned":  # bench/README.md has the reason for each
        own = {"per_device_train_batch_size": job["batch"], "gradient_checkpointing": "false"}
        own["dataloader_num_workers"] = 0
        if torch.cuda.is_available():  # it takes packed rows with this attention alone
            own |= {"attn_impl": "flash_attn", "padding_free": "true"}
        own |= job["more"]
    if job["pairs"]:
        own |= {"rlhf_type": "dpo", "beta": 0.1}
    if job["quantised"]:
        own |= {"quant_method": "bnb", "quant_bits": 4}
    return same | own | {"gradient_accumulation_steps": job["batch"] // own["per_device_train_batch_size"]}


def converted(row: Row) -> Row:
    """A pair in ms-swift's form; a chat as it is."""
    if not job["pairs"]:
        return row
    return {"messages": row["prompt"] + row["chosen"], "rejected_response": row["rejected"][0]["content"]}


def register_template() -> None:
    """The template of the model's folder (`models.py`) in ms-swift's form."""
    from swift.template import TemplateMeta
    from swift.template import register_template as register

    turns = "<|im_start|>user\n{{QUERY}}<|im_end|><|im_start|>assistant\n"
    register(
        TemplateMeta(
            "bench",
            prefix=[],
            prompt=[turns],
            chat_sep=["<|im_end|>"],
            suffix=["<|im_end|>"],
            system_prefix=["<|im_start|>system\n{{SYSTEM}}<|im_end|>"],
        )
    )


def losses(folder: Path) -> list[float]:
    """The losses that ms-swift logged."""
    logs = sorted(folder.rglob("logging.jsonl"), key=lambda path: path.stat().st_mtime)
    lines = [json.loads(line) for line in logs[-1].read_text().splitlines()] if logs else []
    return [line["loss"] for line in lines if "loss" in line]


def main() -> None:
    """Trains once and reports."""
    register_template()
    from swift.pipelines import rlhf_main, sft_main

    rows = Path(job["scratch"]) / "swift.jsonl"
    write_rows(rows, [converted(row) for row in read_rows(job["rows"])])
    options = arguments(rows)
    meter = Meter(job)
    command = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    (rlhf_main if job["pairs"] else sft_main)(command)
    meter.finish(losses(Path(options["output_dir"])), settings={name: str(value) for name, value in options.items()})


if __name__ == "__main__":
    main()
