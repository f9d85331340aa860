"""The peers' own environments under `.bench/`; their pins exclude each other.

    python bench/environments.py      # make what is missing, print the versions

TRL and tailor share torch, transformers and PEFT (constraints.txt). ms-swift asks for older ones of its own; only torch
is held for it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HOME = ROOT / ".bench"
PEERS = {"trl": ["trl==1.16.0", "peft"], "swift": ["ms-swift==4.6.0"]}
BARE = {"datasketch": ["datasketch==2.0.0"]}  # peers without torch
SHOWN = ("torch", "transformers", "peft", "accelerate", "trl", "ms-swift")
LIST = (
    "import sys; from importlib import metadata as m; print(*(f'{p} {m.version(p)}' for p in sys.argv[1:]), sep=', ')"
)


def python(system: str) -> Path:
    """The interpreter that `system` runs in."""
    return Path(sys.executable) if system == "tailor" else HOME / system / "bin" / "python"


def make(system: str) -> str:
    """Makes the environment of a peer, unless it is there; returns why it cannot be made, or nothing."""
    ready = HOME / system / ".ready"
    if system == "tailor" or ready.exists():
        return ""
    constraints = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line]
    if system == "swift":
        constraints = [line for line in constraints if line.startswith("torch==")]
    held = HOME / f"constraints-{system}.txt"
    HOME.mkdir(exist_ok=True)
    held.write_text("\n".join(constraints) + "\n")
    pip = [str(python(system)), "-m", "pip", "install", "--quiet", "--constraint", str(held)]
    # torch first and by itself: so the resolver meets the pinned build and never looks for another
    packages = [BARE[system]] if system in BARE else [["torch"], PEERS[system]]
    for command in ([sys.executable, "-m", "venv", str(HOME / system)], *([*pip, *some] for some in packages)):
        print(f"{system}: {' '.join(command[-3:])}", flush=True)
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            return "; ".join(done.stderr.strip().splitlines()[-3:])
    ready.touch()
    return ""


def versions(system: str) -> str:
    """What is installed, in one line."""
    shown = [package for package in SHOWN if package != {"trl": "ms-swift"}.get(system)]
    shown = [package for package in shown if system != "tailor" or package not in ("trl", "ms-swift", "accelerate")]
    done = subprocess.run([str(python(system)), "-c", LIST, *shown], capture_output=True, text=True)
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


if __name__ == "__main__":
    for name in ("tailor", *PEERS):
        print(f"{name}: {make(name) or versions(name)}")
