"""Near duplicates by tailor: signing, buckets and the exact comparison of what met in one."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from tailor.config import CheckConfig
from tailor.curate.check import collected
from tailor.records import Example, Source


def examples(texts: list[str]) -> Iterator[Example]:
    """The texts as rows."""
    for number, text in enumerate(texts):
        yield Example(kind="text", source=Source("texts", number + 1), text=text)


def main() -> None:
    """Prints the pairs and the processor seconds they took."""
    texts = json.loads(Path(sys.argv[1]).read_text())
    with ExitStack() as stack:
        corpus = collected(examples(texts), CheckConfig(), stack)
        before = time.process_time()
        pairs = corpus.near.rows.pairs.tolist()
        seconds = time.process_time() - before
    print(json.dumps({"pairs": pairs, "processor_seconds": seconds}))


if __name__ == "__main__":
    main()
