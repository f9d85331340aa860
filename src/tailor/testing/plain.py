"""The other side of `tailor verify`: a training loop in plain transformers and PEFT, run as a script of its own.

    python plain.py JOB

It imports nothing of tailor. Rows go through the model one by one, unpadded and unpacked; the loss is the weighted mean
over all tokens of a step, by autograd through the model's own logits; the optimiser is torch's AdamW. The folder JOB
holds `job.json` (see `Job`); what comes out lands beside it:

    losses.json                   the loss of each step from `start`
    start.plain updated.plain     the trained parameters before the steps and after them (safetensors)
    gradients.plain               at `end`: the gradient of the rows `probe`
    logits.plain                  at `end`: logits of each row of `probe`, by its number
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict

import torch
from safetensors.torch import save_file


class Job(TypedDict):
    """`start` and `end` are adapter folders for `base`, or whole models where `base` is empty."""

    base: str
    start: str
    end: str
    dtype: str
    device: str
    threads: int
    ids: list[list[int]]
    weights: list[list[float]]
    probe: list[int]  # rows
    steps: list[list[int]]  # the rows of each; none where only `end` is looked at
    rates: list[float]
    betas: tuple[float, float]
    epsilon: float
    weight_decay: float
    max_grad_norm: float


def model_at(job: Job, folder: str) -> Any:
    """The model with what was trained, as fp32, ready to be trained on."""
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[job["dtype"]]
    if job["base"]:
        from peft import PeftModel

        base = AutoModelForCausalLM.from_pretrained(job["base"], dtype=dtype)
        model = PeftModel.from_pretrained(base, folder, is_trainable=True)
    else:
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    if getattr(model.config.get_text_config(), "attn_logit_softcapping", None):
        model.set_attn_implementation("eager")  # SDPA leaves the cap out
    return model.to(job["device"]).eval()  # evaluation mode: no dropout


def trained(model: Any) -> dict[str, torch.nn.Parameter]:
    """Name -> parameter that is trained."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def logits_of(model: Any, job: Job, row: int) -> torch.Tensor:
    """[tokens, vocabulary] of one row by itself."""
    mixed = job["dtype"] != "fp32"
    with torch.autocast(job["device"].partition(":")[0], dtype=torch.bfloat16, enabled=mixed):
        out: torch.Tensor = model(input_ids=torch.tensor([job["ids"][row]], device=job["device"])).logits[0]
    return out.float()


def loss_of(model: Any, job: Job, rows: Sequence[int]) -> float:
    """Leaves the gradient of the weighted mean in the parameters; returns that mean, in nats a token."""
    total = sum(sum(job["weights"][row][1:]) for row in rows)
    loss = 0.0
    for row in rows:
        ids = torch.tensor(job["ids"][row], device=job["device"])
        weights = torch.tensor(job["weights"][row], device=job["device"])
        logprobs = logits_of(model, job, row)[:-1].log_softmax(-1).gather(1, ids[1:, None])[:, 0]
        part = -(weights[1:] * logprobs).sum() / total
        part.backward()  # type: ignore[no-untyped-call]
        loss += part.item()
    return loss


def train(model: Any, job: Job) -> list[float]:
    """Takes the steps; the loss of each."""
    parameters = list(trained(model).values())
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": job["weight_decay"]},
            {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
        ],
        betas=(job["betas"][0], job["betas"][1]),
        eps=job["epsilon"],
    )
    losses = []
    for rows, rate in zip(job["steps"], job["rates"]):
        optimizer.zero_grad()
        losses.append(loss_of(model, job, rows))
        torch.nn.utils.clip_grad_norm_(parameters, job["max_grad_norm"])
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
    return losses


def plain(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """As safetensors takes them."""
    return {name: tensor.detach().float().cpu().contiguous().clone() for name, tensor in tensors.items()}


def main(folder: Path) -> None:
    """Does the job in `folder`."""
    warnings.simplefilter("ignore")
    job: Job = json.loads((folder / "job.json").read_text())
    torch.set_num_threads(job["threads"])
    if job["steps"]:
        model = model_at(job, job["start"])
        save_file(plain(dict(trained(model))), folder / "start.plain")
        (folder / "losses.json").write_text(json.dumps(train(model, job)))
        save_file(plain(dict(trained(model))), folder / "updated.plain")
        del model
    model = model_at(job, job["end"])
    loss_of(model, job, job["probe"])
    gradients = {name: p.grad for name, p in trained(model).items() if p.grad is not None}
    save_file(plain(gradients), folder / "gradients.plain")
    with torch.no_grad():
        save_file(plain({str(row): logits_of(model, job, row) for row in job["probe"]}), folder / "logits.plain")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
