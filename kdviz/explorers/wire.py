"""Arrays on their way into a page: one format, written here and read by ``kit/wire.js``."""

import re
from base64 import b64decode, b64encode

import numpy as np
import traitlets

_KINDS = re.compile(r"(uint|int|float)(\d+)")


class Array(traitlets.TraitType):
    """A trait that is a numpy array in Python and one text on the page; see :func:`pack`."""

    info_text = "an array of numbers"

    def __init__(self, dtype, scale=1.0, **kwargs):
        super().__init__(np.zeros(0), **kwargs)
        self.tag(
            to_json=lambda values, widget: pack(values, dtype, scale), from_json=lambda text, _: unpack(text)
        )

    def validate(self, obj, value):
        try:
            return np.asarray(value, dtype=np.float64)
        except (TypeError, ValueError):
            self.error(obj, value)


def pack(values, dtype, scale=1.0):
    """An array as a text: ``"int16 3,100 1 AAAB..."``, its kind, shape, scale and numbers in base64.

    Parameters
    ----------
    values : numbers of any shape
    dtype : what a page keeps of each number
        ``"float16"``, ``"float32"``, ``"float64"``: the number itself. ``"uint8"``, ``"uint10"``, ...: a
        whole number of so many bits, at most 16, for 0 to ``scale``. ``"int8"``, ``"int16"``: one for
        ``-scale`` to ``scale``, in which 0 stays exactly 0. What lies outside is clipped, NaN becomes 0.
    scale : float
        A number comes back within ``scale / most / 2``, where ``most`` is the largest whole number of that
        kind: 255 for ``"uint8"``, 32767 for ``"int16"``. With ``scale=most`` whole numbers stay themselves.

    >>> pack([0, 0.5, 1], "uint8")
    'uint8 3 1 AID/'
    >>> unpack(pack([0, 0.5, 1], "uint8")).round(3).tolist()
    [0.0, 0.502, 1.0]
    """
    values = np.asarray(values, dtype=np.float64)
    kind, bits = _kind(dtype)
    if kind == "float":
        data = values.astype(f"<f{bits // 8}").tobytes()
    else:
        low, most = _range(kind, bits)
        numbers = np.rint(np.clip(np.nan_to_num(values) / scale, low / most, 1) * most).astype(np.int64) - low
        every_bit = np.unpackbits(numbers.ravel().astype(">u2").view(np.uint8)).reshape(-1, 16)
        data = np.packbits(every_bit[:, 16 - bits :]).tobytes()
    shape = ",".join(map(str, values.shape))
    return f"{dtype} {shape} {float(scale):.17g} {b64encode(data).decode('ascii')}"


def unpack(text):
    """The array that :func:`pack` made a text of, up to its rounding."""
    dtype, shape, scale, data = text.split(" ")
    kind, bits = _kind(dtype)
    shape, data = tuple(map(int, shape.split(","))), b64decode(data)
    if kind == "float":
        return np.frombuffer(data, f"<f{bits // 8}").reshape(shape).astype(np.float64)
    low, most = _range(kind, bits)
    every_bit = np.unpackbits(np.frombuffer(data, np.uint8))[: int(np.prod(shape)) * bits].reshape(-1, bits)
    numbers = every_bit @ (1 << np.arange(bits)[::-1]) + low
    return (numbers * (float(scale) / most)).reshape(shape)


def _kind(dtype):
    found = _KINDS.fullmatch(dtype)
    kind, bits = (found[1], int(found[2])) if found else ("", 0)
    if not (bits in (16, 32, 64) if kind == "float" else kind and 1 <= bits <= 16):
        raise ValueError(
            f"dtype must be float16, float32, float64, or uint or int with 1 to 16 bits; got {dtype!r}"
        )
    return kind, bits


def _range(kind, bits):
    """The least and the largest whole number; as many below 0 as above it."""
    most = 2 ** (bits if kind == "uint" else bits - 1) - 1
    return (0 if kind == "uint" else -most), most
