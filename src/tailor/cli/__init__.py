"""The command line: one verb a file. `tailor --help` imports neither torch nor any room of the house.

Exit codes: 0 done, 1 a negative finding, 2 unusable input or settings, 130 stopped by the user with the work saved.
"""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from tailor import __version__, plugins
from tailor.errors import TailorError

app = typer.Typer(
    name="tailor",
    help="Fits language models to your data and proves whether it was worth it. Measure twice, train once.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tailor {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Read by typer for the options that stand before a verb."""


ORDER = (
    *("fit", "documents", "check", "curate", "split", "show", "plan", "train", "eval", "compare", "chat"),
    *("verify", "merge", "report", "runs"),
)
"""The order of the verbs in the help; a verb that is not named here follows behind."""

EXTRA = ("torch", "transformers", "peft")
"""What the extra `train` brings; everything else is there."""

for _name in sorted(plugins.names("cli"), key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER)):
    app.command(_name)(plugins.load("cli", _name).command)


def main() -> None:
    """The entry point: runs a verb and turns every error that tailor raises into a message and an exit code."""
    try:
        app()
    except TailorError as error:
        if "--json" in sys.argv:
            document = {"error": {"what": error.what, "where": error.where, "fix": error.fix}}
            sys.stdout.write(json.dumps(document) + "\n")
        _complain(str(error))
        sys.exit(error.exit_code)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in EXTRA:
            raise
        _complain(f"this needs {error.name}, which is not installed\n  pip install 'tailor[train]'")
        sys.exit(2)
    except KeyboardInterrupt:
        _complain("stopped")
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)


def _complain(text: str) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True, soft_wrap=True, highlight=False)
    console.print(Text.assemble(("error: ", "bold red"), text))
