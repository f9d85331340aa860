"""`tailor merge RUN`: one model out of a run's adapter and its base."""

from __future__ import annotations

from typing import Annotated

import typer

from tailor.cli import _options as options
from tailor.errors import ConfigError, did_you_mean

DTYPES = ("fp32", "fp16", "bf16")


def command(
    run: Annotated[str, typer.Argument(help="The run folder, or its name below runs/.")],
    out: Annotated[str | None, typer.Option("--out", help="The new model folder; RUN/merged where not given.")] = None,
    dtype: Annotated[
        str, typer.Option("--dtype", help="How weights are stored: fp32, fp16 or bf16; as in the base where not given.")
    ] = "",
    as_json: options.AsJson = False,
) -> None:
    """Merge the adapter into its base: a stock transformers folder, refused if its logits differ."""
    if dtype and dtype not in DTYPES:
        raise ConfigError(f"--dtype {dtype}: there is no such number type", fix=did_you_mean(dtype, DTYPES))

    from pathlib import Path

    from rich.console import Console
    from rich.text import Text

    from tailor.cli._print import document
    from tailor.cli._screen import Screen
    from tailor.worker.merging import merge

    with Screen() as screen:
        done = merge(run, out, dtype=dtype, screen=screen)
    if as_json:
        document({"model": str(done), "merged": False} if isinstance(done, Path) else {"merged": True, **_plain(done)})
        return
    console = Console(highlight=False)
    if isinstance(done, Path):
        console.print("this run tuned the whole model: there is nothing to merge", soft_wrap=True)
        console.print(Text.assemble("model  ", (str(done), "bold")), soft_wrap=True)
        return
    console.print(
        f"compared with the unmerged model over {done.tokens:,} tokens of {done.rows} rows, in fp32 arithmetic;\n"
        "differences of the logits as a share of their spread:",
        soft_wrap=True,
    )
    console.print(f"  merged, in fp32       {done.merging:8.1g}  (limit {done.merging_limit:g})")
    console.print(f"  stored and read back  {done.stored:8.1g}  (limit {done.stored_limit:g})")
    console.print(f"the largest difference of one logit is {done.largest:.2g}")
    if done.lost >= 0.05:
        console.print(
            f"rounding to {done.dtype} takes back {done.lost:.0%} of what the tuning changed; --dtype fp32 keeps it",
            soft_wrap=True,
        )
    console.print(Text.assemble("model  ", (done.model, "bold"), f"  ({done.dtype}, {done.bytes / 1e6:,.1f} MB)"))


def _plain(value: object) -> dict:  # type: ignore[type-arg]
    import msgspec

    return msgspec.to_builtins(value)  # type: ignore[no-any-return]
