"""Whether a model file has the graph that was measured: tools that change one carry its metadata along."""

import hashlib
from mmap import mmap

PROPERTY = "graph_sha256"
"""What the metadata call the digest."""

_METADATA = 14  # the field of ONNX' ModelProto that holds them


def graph_digest(model: bytes | mmap) -> str:
    """Return the SHA-256 of a serialised ONNX model without its metadata.

    The fields stand one after the other; nothing in them is read but how long each is, so that neither ONNX
    nor Protocol Buffers need be there.

    Raises:
        ValueError: if that is no series of fields.
    """
    done, at = hashlib.sha256(), 0
    with memoryview(model) as whole:
        while at < len(whole):
            key, end = _varint(whole, at)
            match key & 7:  # Protocol Buffers' wire type
                case 0:  # a whole number
                    _, end = _varint(whole, end)
                case 1:
                    end += 8
                case 2:  # bytes
                    length, end = _varint(whole, end)
                    end += length
                case 5:
                    end += 4
                case _:
                    raise ValueError("is no series of fields")
            if end > len(whole):
                raise ValueError("breaks off in a field")
            if key >> 3 != _METADATA:
                done.update(whole[at:end])
            at = end
    return done.hexdigest()


def _varint(whole: memoryview, at: int) -> tuple[int, int]:
    """Return the whole number at a place, and where it ends."""
    value = shift = 0
    while at < len(whole) and shift < 64:
        byte = whole[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise ValueError("breaks off in a number")
