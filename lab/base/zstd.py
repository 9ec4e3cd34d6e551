"""Zstandard (RFC 8878) with the interface of `lzma`.

backports.zstd is the module ``compression.zstd`` of Python 3.14.  It is imported at its first use: few files need it.
"""

from __future__ import annotations

from importlib import import_module
from typing import IO, Any, Final

MAGIC: Final = b"\x28\xb5\x2f\xfd"
LOG_OF_WINDOW: Final = 26  # 64 MiB; dpkg-deb and zstd -19 use 8 MiB


class DamagedFrame(ValueError):
    """Data that is not of this format, or needs more memory than a decompressor may have."""


class Decompressor:
    """A decompressor of one frame, within `LOG_OF_WINDOW`; see `lzma.LZMADecompressor`."""

    def __init__(self) -> None:
        self._zstd: Any = import_module("backports.zstd")
        limit = {self._zstd.DecompressionParameter.window_log_max: LOG_OF_WINDOW}
        self._decompressor = self._zstd.ZstdDecompressor(options=limit)

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        """Return at most ``max_length`` bytes.  Raises DamagedFrame."""
        try:
            result: bytes = self._decompressor.decompress(data, max_length)
        except self._zstd.ZstdError as error:
            raise DamagedFrame(str(error)) from None
        return result

    @property
    def eof(self) -> bool:
        return bool(self._decompressor.eof)

    @property
    def needs_input(self) -> bool:
        return bool(self._decompressor.needs_input)

    @property
    def unused_data(self) -> bytes:
        return bytes(self._decompressor.unused_data)


def writer(out: IO[bytes]) -> Any:
    """Return a file that compresses to another one."""
    return import_module("backports.zstd").ZstdFile(out, "wb")
