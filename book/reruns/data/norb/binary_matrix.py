"""Files in the binary-matrix format of NORB, packed by gzip or not, read a few rows at a time.

The format, all of it little-endian: an int32 that names the element type, an int32 with the number of dimensions, the
dimensions as int32, at least three of them (a vector of n writes n, 1, 1), and the elements in row-major order. The
types are those of Lush, the program that the format comes from.
"""

import contextlib
import gzip
import io
import math
import struct
import sys
import zlib
from collections.abc import Iterator
from os import PathLike
from pathlib import Path

import numpy as np

DTYPES = {
    0x1E3D4C51: "<f4",
    0x1E3D4C53: "<f8",
    0x1E3D4C54: "<i4",
    0x1E3D4C55: "u1",
    0x1E3D4C56: "<i2",
    0x1E3D4C57: "i1",
}
PACKED = 0x1E3D4C52
MAX_DIMENSIONS = 32  # as many as every NumPy can hold
BLOCK_BYTES = 1 << 22


class BinaryMatrix:
    """A matrix in a file: its `dtype` and `shape` are read at once, its elements only on demand.

    A file that is not exactly one matrix is refused with a `ValueError`: a wrong header at once, too few or too many
    elements when they are read.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = Path(path)
        with self._opened() as file:
            self.dtype = self._read_dtype(file)
            self.shape = self._read_shape(file)
            self._start = file.tell()

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield the matrix in runs of whole rows, about `BLOCK_BYTES` each; check at the end that nothing follows."""
        what = f"{self.dtype.name} elements of shape {self.shape}"
        row = math.prod(self.shape[1:]) * self.dtype.itemsize
        most = max(1, BLOCK_BYTES // row)
        with self._opened() as file:
            file.seek(self._start)
            for start in range(0, self.shape[0], most):
                rows = min(most, self.shape[0] - start)
                data = self._read(file, rows * row, what)
                yield np.frombuffer(data, self.dtype).reshape(rows, *self.shape[1:])
            if file.read(1):
                raise self._refusal(f"{what} and no more", "a longer file")

    def read(self) -> np.ndarray:
        """Return the whole matrix."""
        return np.concatenate(list(self.blocks()))

    @contextlib.contextmanager
    def _opened(self) -> Iterator[io.BufferedIOBase]:
        try:
            with open(self.path, "rb") as file:
                # Told by the contents: some browsers unpack a download and leave it its name.
                if file.peek(2)[:2] == b"\x1f\x8b":
                    with gzip.GzipFile(fileobj=file) as unpacked:
                        yield unpacked
                else:
                    yield file
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise self._refusal("a whole and undamaged gzip file", str(error)) from error

    def _read_dtype(self, file: io.BufferedIOBase) -> np.dtype:
        magic = self._read(file, 4, "a header")
        little, big = int.from_bytes(magic, "little"), int.from_bytes(magic, "big")
        if little in DTYPES:
            return np.dtype(DTYPES[little])
        received = f"0x{little:08X}"
        if little == PACKED:
            received += ", a packed matrix"
        elif big in DTYPES or big == PACKED:
            received += ", the big-endian form"
        raise self._refusal(f"a little-endian magic number among {', '.join(f'0x{m:X}' for m in DTYPES)}", received)

    def _read_shape(self, file: io.BufferedIOBase) -> tuple[int, ...]:
        (count,) = struct.unpack("<i", self._read(file, 4, "a header"))
        if not 1 <= count <= MAX_DIMENSIONS:
            raise self._refusal(f"from 1 to {MAX_DIMENSIONS} dimensions", str(count))
        stored = max(3, count)
        dimensions = struct.unpack(f"<{stored}i", self._read(file, 4 * stored, "a header"))
        shape, padding = dimensions[:count], dimensions[count:]
        if min(shape) < 1 or set(padding) - {1}:
            raise self._refusal(f"{count} positive dimensions, made up to three by ones", str(dimensions))
        if math.prod(shape) * self.dtype.itemsize > sys.maxsize:
            raise self._refusal("no more elements than a file can hold", f"shape {shape}")
        return shape

    def _read(self, file: io.BufferedIOBase, size: int, what: str) -> bytearray:
        data = bytearray()
        # In pieces: a row that a broken header made up must not be allocated before it is found missing.
        while piece := file.read(min(size - len(data), BLOCK_BYTES)):
            data += piece
        if len(data) < size:
            raise self._refusal(what, "a shorter file, as a broken-off download leaves")
        return data

    def _refusal(self, expected: str, received: str) -> ValueError:
        remedy = "Replace the file by a fresh copy of the official one."
        return ValueError(f"{self.path}: expected {expected}. Received: {received}. {remedy}")
