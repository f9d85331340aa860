"""One measurement of TRL: SFTTrainer or DPOTrainer with its own defaults, or tuned.

python bench/drive_trl.py JOB
"""

from __future__ import annotations

from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig, get_peft_model

from meter import Meter, read_job
from works import read_rows

job = read_job()

# The same work for everybody: rows in their order, LoRA, AdamW, precision. Everything else is TRL's default.
SAME: dict[str, Any] = {
    "output_dir": f"{job['scratch']}/trl",
    "max_steps": job["warmup"] + job["timed"],
    "learning_rate": job["learning_rate"],
    "lr_scheduler_type": "constant",
    "weight_decay": 0.0,
    "train_sampling_strategy": "sequential",
    "bf16": job["dtype"] == "bf16",
    "use_cpu": not torch.cuda.is_available(),
    "seed": job["seed"],
    "logging_steps": 1,
    "save_strategy": "no",
    "report_to": "none",
    "disable_tqdm": True,
}
# TRL's own batch a device is 8; a step of fewer rows takes them at once, a step of more accumulates.
DEFAULT: dict[str, Any] = {"per_device_train_batch_size": min(8, job["batch"])}


# The fastest of 1, 2, 4 and 8 rows at once on two cores, (pairs?, a large model?): less padding and smaller blocks of
# memory against larger products. Four pairs of the large shape without checkpointing do not fit 24 GB.
MICRO_BATCH = {(False, False): 2, (False, True): 2, (True, False): 4, (True, True): 1}


def tuned() -> dict[str, Any]:
    """What someone who knows TRL sets; bench/README.md has the reason for each."""
    settings: dict[str, Any] = {"gradient_checkpointing": False}
    short = job["work"] == "sft-short"
    if job["pairs"]:
        settings |= {"precompute_ref_log_probs": True}
    else:
        settings |= {"loss_type": "chunked_nll"}
    if short or (torch.cuda.is_available() and not job["pairs"]):
        settings |= {"padding_free": True, "max_length": None}
    if torch.cuda.is_available():
        settings |= {"model_init_kwargs": {"attn_implementation": "flash_attention_2"}}
        settings |= {"per_device_train_batch_size": job["batch"] if short else 8}
    else:
        settings |= {"per_device_train_batch_size": job["batch"] if short else MICRO_BATCH[job["pairs"], job["large"]]}
    return settings | job["more"]


def model(settings: dict[str, Any]) -> Any:
    """The folder's name, as TRL takes it; a model of our loading where the base is quantised or the start matters."""
    if not job["quantised"] and not job["same_adapter"]:
        return job["model"]
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    options = settings.pop("model_init_kwargs", {})
    if job["quantised"]:
        double = {"bnb_4bit_use_double_quant": True, "bnb_4bit_compute_dtype": torch.bfloat16}
        options["quantization_config"] = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", **double)
    return AutoModelForCausalLM.from_pretrained(job["model"], dtype="auto", **options)


def main() -> None:
    """Trains once and reports."""
    from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

    meter = Meter(job)
    settings = SAME | (DEFAULT if job["mode"] == "default" else tuned())
    settings["gradient_accumulation_steps"] = job["batch"] // settings["per_device_train_batch_size"]
    adapter = LoraConfig(r=job["rank"], lora_alpha=2 * job["rank"], target_modules="all-linear", task_type="CAUSAL_LM")
    base, given = model(settings), {"peft_config": adapter}
    if job["same_adapter"]:  # drawn as tailor draws it
        torch.manual_seed(job["seed"])
        base, given = get_peft_model(base, adapter), {}
    rows = Dataset.from_list(read_rows(job["rows"]))
    if job["pairs"]:
        trainer = DPOTrainer(base, args=DPOConfig(**settings), train_dataset=rows, **given)
    else:
        arguments = SFTConfig(assistant_only_loss=True, **settings)
        trainer = SFTTrainer(base, args=arguments, train_dataset=rows, **given)
    trainer.train()
    named = {name: str(value) for name, value in settings.items() if name not in SAME}
    meter.finish([line["loss"] for line in trainer.state.log_history if "loss" in line], settings=named)


if __name__ == "__main__":
    main()
