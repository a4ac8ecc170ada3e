"""Compile the header kernel into numba's cache: `scripts/compile-kernel.py`, as `scripts/setup` does.

Else the first workers of a fresh checkout compile it, each for itself.
"""

import tempfile

import numpy as np

from dicomae.headers import functional_groups
from dicomae.headers.parse import parse_headers
from dicomae.sources.first_bytes import read_starts

# Explicit VR little endian, PS3.5 7.1.2: (0008,0018) UI "1.2.3", (0028,0010) US 2, and an empty sequence,
# SharedFunctionalGroupsSequence (5200,9229).
HEADER = b"\x08\0\x18\0UI\x06\x001.2.3\0\x28\0\x10\0US\x02\0\x02\0\x00\x52\x29\x92SQ\0\0\0\0\0\0"

if __name__ == "__main__":
    with tempfile.NamedTemporaryFile() as file:
        file.write(HEADER)
        file.flush()
        arena, _ = read_starts([file.name], np.array([1024]))
        parse_headers(arena, [True], (), functional_groups.WINDOW)
