"""`tailor chat RUN`: talk to a tuned model."""

from __future__ import annotations

from typing import Annotated

import typer

HELP = "/base switches the adapter off, /tuned on again, /new forgets the conversation, /quit ends"


def command(
    run: Annotated[str, typer.Argument(help="The run folder, or its name below runs/.")],
    system: Annotated[str | None, typer.Option("--system", help="A system prompt.")] = None,
    temperature: Annotated[float, typer.Option("--temperature", min=0, help="0 takes the likeliest token.")] = 0.0,
    max_tokens: Annotated[int, typer.Option("--max-tokens", min=1, help="Longest answer.")] = 512,
) -> None:
    """Talk to the tuned model; /base compares it with the model it was made from."""
    from rich.console import Console

    from tailor import worker
    from tailor.errors import ResourceError
    from tailor.records import Message, Request, Sampling, message

    console = Console(highlight=False)
    tuned, base = worker.completers(run)
    console.print(HELP, style="dim")
    voice, name, history = tuned, "tuned", _opening(system)
    while True:
        try:
            said = console.input("[bold]> [/bold]").strip()
        except (EOFError, KeyboardInterrupt):
            console.print()
            return
        if said in ("/quit", "/exit"):
            return
        if said in ("/base", "/tuned"):
            voice, name = (base, "base") if said == "/base" else (tuned, "tuned")
            console.print(f"the {name} model answers now", style="dim")
        elif said == "/new":
            history = _opening(system)
        elif said.startswith("/"):
            console.print(HELP, style="dim")
        elif said:
            history.append(message("user", said))
            request = Request(messages=tuple(history))
            pieces: list[str] = []
            try:
                for piece in voice.stream(request, Sampling(max_tokens=max_tokens, temperature=temperature)):
                    pieces.append(piece)
                    console.out(_visible(piece), end="", highlight=False)
            except ResourceError as error:
                history.pop()
                console.print(str(error), style="red", markup=False)
                continue
            console.print("" if pieces else "[dim](it ends without a word)[/dim]")
            answer: Message = message("assistant", "".join(pieces))
            history.append(answer)


def _opening(system: str | None) -> list:  # type: ignore[type-arg]
    from tailor.records import message

    return [message("system", system)] if system is not None else []


def _visible(text: str) -> str:
    """`text` without the control characters by which a model's output could steer the terminal."""
    return "".join(c if c in "\n\t" or c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
