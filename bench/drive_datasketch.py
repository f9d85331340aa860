"""Near duplicates by datasketch as its manual shows it: MinHash of five-byte pieces, MinHashLSH at 0.8."""

import json
import sys
import time
from importlib import metadata
from pathlib import Path

from datasketch import MinHash, MinHashLSH


def main() -> None:
    """Prints the pairs and the processor seconds they took."""
    texts = json.loads(Path(sys.argv[1]).read_text())
    permutations = int(sys.argv[2])
    before = time.process_time()
    index = MinHashLSH(threshold=0.8, num_perm=permutations)
    pairs = []
    for number, text in enumerate(texts):
        raw = text.encode()
        signature = MinHash(num_perm=permutations)
        signature.update_batch({raw[at : at + 5] for at in range(len(raw) - 4)})
        pairs += [(other, number) for other in index.query(signature)]
        index.insert(number, signature)
    seconds = time.process_time() - before
    print(json.dumps({"pairs": pairs, "processor_seconds": seconds, "version": metadata.version("datasketch")}))


if __name__ == "__main__":
    main()
