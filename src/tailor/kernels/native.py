"""The passes written in C, compiled once a machine by whatever C compiler is at hand; None where there is none.

A second of compiling buys passes that read and write memory once instead of five times; nothing needs it, because
`elementwise.py` holds the same passes in PyTorch. The library links against the OpenMP runtime that PyTorch brought, so
that both share one pool of threads.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import torch

SOURCES = [Path(__file__).with_name(name) for name in ("native.c", "tile_attention.c", "low_rank.c")]
INCLUDED = [Path(__file__).with_name(name) for name in ("vectors.h", "tiles.h")]
FLAGS = ["-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math", "-fPIC", "-std=gnu11", "-w"]
if platform.machine() == "x86_64":
    FLAGS.append("-mprefer-vector-width=512")  # by itself GCC halves the vectors of processors that have long ones
SECONDS = 120  # after which a compiler is taken to be stuck


def library() -> ctypes.CDLL | None:
    """The compiled passes; None without a compiler or OpenMP, or where `TAILOR_NATIVE=0` asks to go without."""
    return _found()[0]


def why_not() -> str:
    """Why there are none; empty where there are."""
    return _found()[1]


@functools.cache
def _found() -> tuple[ctypes.CDLL | None, str]:
    compiler = next(filter(None, map(shutil.which, (os.environ.get("CC", "cc"), "gcc", "clang"))), None)
    openmp = next(iter(sorted((Path(torch.__file__).parent / "lib").glob("libgomp*.so*"))), None)
    if os.environ.get("TAILOR_NATIVE") == "0":
        return None, "TAILOR_NATIVE=0 asks for it"
    if compiler is None:
        return None, "there is no C compiler (gcc or clang)"
    if openmp is None:
        return None, "PyTorch came without the GNU OpenMP library"
    try:
        target = _cache() / f"native-{_fingerprint(compiler)}.so"
        if not target.exists():
            _compile(compiler, openmp, target)
        return ctypes.CDLL(str(target)), ""
    except subprocess.CalledProcessError as error:
        said = next(
            (line for line in (error.stderr or b"").decode(errors="replace").splitlines() if "error" in line), ""
        )
        return None, f"{compiler} does not compile them: {said or error}"
    except (OSError, subprocess.SubprocessError) as error:
        return None, f"they cannot be compiled or loaded: {error}"


def _cache() -> Path:
    base = os.environ.get("TAILOR_CACHE") or Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "tailor"
    return Path(base) / "native"


def _fingerprint(compiler: str) -> str:
    """Everything the machine code depends on: source, flags, compiler, PyTorch's build, and the processor."""
    processor = platform.processor() or platform.machine()
    with open("/proc/cpuinfo", encoding="utf-8") as lines:  # a home folder may be shared by different machines
        processor += "".join(sorted({line for line in lines if line.startswith(("model name", "flags", "Features"))}))
    version = subprocess.run([compiler, "--version"], capture_output=True, check=True, timeout=SECONDS).stdout
    sources = [path.read_bytes() for path in (*SOURCES, *INCLUDED)]
    parts = [*sources, " ".join(FLAGS).encode(), version, torch.__version__.encode(), processor.encode()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def _compile(compiler: str, openmp: Path, target: Path) -> None:
    """Compiles beside the target and moves it there whole, as another process may be doing the same."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        made, linked = [Path(folder) / f"{path.stem}.o" for path in SOURCES], Path(folder) / "native.so"
        # OpenMP at compiling only: at linking it would bring a runtime of the compiler's own
        commands = [[*FLAGS, "-fopenmp", "-c", str(path), "-o", str(out)] for path, out in zip(SOURCES, made)]
        for command in [*commands, ["-shared", *map(str, made), str(openmp), "-lm", "-o", str(linked)]]:
            subprocess.run([compiler, *command], capture_output=True, check=True, timeout=SECONDS)
        linked.replace(target)


def call(name: str, *arguments: torch.Tensor | ctypes.Array[Any] | int | float | None) -> None:
    """Runs a pass: tensors and arrays as pointers, floats as floats, whole numbers as 64-bit ones, threads added at the
    end."""
    lib = library()
    assert lib is not None
    getattr(lib, name)(*map(_passed, arguments), ctypes.c_int(torch.get_num_threads()))


def _passed(argument: Any) -> Any:
    if isinstance(argument, torch.Tensor):
        return ctypes.c_void_p(argument.data_ptr())
    if isinstance(argument, float):
        return ctypes.c_float(argument)
    return ctypes.c_int64(argument) if isinstance(argument, int) else argument


def count(name: str, *arguments: int) -> int:
    """Asks a pass how large something has to be."""
    function = getattr(library(), name)
    function.restype = ctypes.c_int64
    return int(function(*map(ctypes.c_int64, arguments)))
