"""What pages without kernel carry with them, compressed: MiniSearch and reveal.js, both MIT.

``tools/package.json`` says which releases they are, and ``make lint`` that the files are theirs.
"""

import gzip
from functools import cache
from pathlib import Path


@cache
def text(name: str) -> str:
    """One of the files, for instance "minisearch.js"."""
    packed = Path(__file__).with_name(f"{name}.gz").read_bytes()
    return gzip.decompress(packed).decode().replace("//# sourceMappingURL=", "// ")
