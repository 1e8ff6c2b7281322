#!/usr/bin/env python3
"""Makes assets/fashion-mini from Fashion-MNIST: the first 1,000 training and 200 test pictures of each class.

Usage: python3 packaging/make_fashion_mini.py FOLDER

FOLDER holds the four IDX files of https://github.com/zalandoresearch/fashion-mnist, compressed or not.
Rows keep their order in the file, and the same input gives the same bytes.
"""

import gzip
import struct
import sys
from pathlib import Path

CLASSES = 10
TARGET = Path(__file__).resolve().parent.parent / "assets" / "fashion-mini"
PARTS = [("train", 1000), ("t10k", 200)]


def read(folder: Path, name: str) -> bytes:
    """The contents of an IDX file, decompressed if need be."""
    for path in (folder / name, folder / f"{name}.gz"):
        if path.exists():
            data = path.read_bytes()
            return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    sys.exit(f"{folder} holds neither {name} nor {name}.gz")


def write(name: str, data: bytes) -> None:
    """Best compression, and no time stamp or file name: the bytes depend on the data only."""
    path = TARGET / f"{name}.gz"
    path.write_bytes(gzip.compress(data, compresslevel=9, mtime=0))
    print(f"{path}: {path.stat().st_size:,} bytes")


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = Path(sys.argv[1])
    TARGET.mkdir(parents=True, exist_ok=True)
    for part, per_class in PARTS:
        pictures = read(folder, f"{part}-images-idx3-ubyte")
        labels = read(folder, f"{part}-labels-idx1-ubyte")
        magic, count, height, width = struct.unpack(">4I", pictures[:16])
        if magic != 0x803 or struct.unpack(">2I", labels[:8]) != (0x801, count):
            sys.exit(f"The {part} files are not IDX pictures with as many labels.")
        area = height * width
        taken = [0] * CLASSES
        kept_pictures, kept_labels = bytearray(), bytearray()
        for row, label in enumerate(labels[8:]):
            if taken[label] < per_class:
                taken[label] += 1
                kept_pictures += pictures[16 + row * area : 16 + (row + 1) * area]
                kept_labels.append(label)
        if taken != [per_class] * CLASSES:
            sys.exit(f"The {part} files hold too few pictures of some class: {taken}")
        kept = len(kept_labels)
        write(f"{part}-images-idx3-ubyte", struct.pack(">4I", 0x803, kept, height, width) + kept_pictures)
        write(f"{part}-labels-idx1-ubyte", struct.pack(">2I", 0x801, kept) + kept_labels)


if __name__ == "__main__":
    main()
