"""The formats in which data sets are published, read without unpickling anything."""

import gzip
import io
import re
import struct
import tarfile
import zlib
from contextlib import contextmanager
from pathlib import Path

import numpy as np

CIFAR_IMAGE = (3, 32, 32)
# No published file that is read here unpacks to more bytes.
MOST = 1 << 30


@contextmanager
def _readable(path):
    """What reading a damaged packed file raises, as an error that names the file and says what to do."""
    try:
        yield
    except (EOFError, tarfile.TarError, gzip.BadGzipFile, zlib.error) as problem:
        raise ValueError(
            f"{path} is damaged ({problem or type(problem).__name__}); fetch it again, by "
            f"'kdviz data fetch {Path(path).parent.name}' if it is a data set of kdviz"
        ) from problem


def _members(path, is_wanted):
    """Name and content of the wanted plain files of a packed archive.

    It is read to its very end: only there gzip says whether all of it was right.
    """
    with _readable(path), tarfile.open(path) as archive:
        for member in archive:
            if member.isfile() and is_wanted(member.name):
                if member.size > MOST:
                    raise ValueError(f"{member.name} of {path} is larger than any published file")
                yield member.name, archive.extractfile(member).read()
        while archive.fileobj.read(1 << 20):
            pass


def read_idx(path):
    """An array of bytes from a gzipped IDX file, the format of MNIST and Fashion-MNIST."""
    with _readable(path), gzip.open(path) as file:
        raw = file.read(MOST + 1)
    if len(raw) > MOST:
        raise ValueError(f"{path} unpacks to more than {MOST:,} bytes, as no published file does")
    # Two zeros, the type (8: unsigned bytes), the number of axes; then each axis in four bytes, high first.
    if raw[:3] != b"\0\0\x08" or len(raw) < 4 or len(raw) < 4 + 4 * raw[3]:
        raise ValueError(f"{path} is not an IDX file of unsigned bytes: it begins with {raw[:4]!r}")
    start = 4 + 4 * raw[3]
    shape = np.frombuffer(raw[4:start], ">u4")
    if len(raw) - start != shape.prod():
        raise ValueError(
            f"{path} says {' × '.join(map(str, shape))} bytes follow, but there are {len(raw) - start:,}"
        )
    return np.frombuffer(raw, np.uint8, offset=start).reshape(shape)


def read_cifar(path, training, testing, label_bytes=1):
    """The two parts of CIFAR's binary version, each as images (n, 3, 32, 32) and labels.

    ``training`` and ``testing`` name their files in the archive. A file is made of records of one length: its
    label bytes (CIFAR-100 has two, of which the last is the fine label), then the image's red, green and blue
    planes, row by row.
    """
    length = label_bytes + int(np.prod(CIFAR_IMAGE))
    records = {}
    # Through the archive once, in its order: going back would unpack it from the start.
    for name, raw in _members(path, {*training, *testing}.__contains__):
        records[name] = _records(raw, length, name, path)
    missing = [name for name in (*training, *testing) if name not in records]
    if missing:
        raise ValueError(f"{path} holds no {' and no '.join(missing)}")
    parts = [np.concatenate([records[name] for name in names]) for names in (training, testing)]
    return [
        (part[:, label_bytes:].reshape(-1, *CIFAR_IMAGE), part[:, label_bytes - 1].astype(np.int64))
        for part in parts
    ]


def _records(raw, length, name, path):
    if not raw or len(raw) % length:
        raise ValueError(f"{name} of {path} is not made of records of {length:,} bytes: it has {len(raw):,}")
    return np.frombuffer(raw, np.uint8).reshape(-1, length)


def read_recordings(path, rate=8000):
    """The recordings ``DIGIT_SPEAKER_INDEX.wav`` of an archive, by name in order: samples from -1 to 1."""
    from scipy.io import wavfile

    found = {}
    pattern = re.compile(r"recordings/(\d)_(\w+)_(\d+)\.wav$")
    for name, raw in _members(path, pattern.search):
        try:
            given, samples = wavfile.read(io.BytesIO(raw))
        except (ValueError, EOFError, struct.error) as problem:
            raise ValueError(f"{name} of {path} is not a WAV file that can be read ({problem})") from problem
        if given != rate or samples.ndim != 1 or samples.dtype != np.int16:
            raise ValueError(
                f"{name} of {path} is not a mono recording of 16 bits at {rate:,} Hz: "
                f"{samples.dtype} {samples.shape} at {given:,} Hz"
            )
        digit, speaker, index = pattern.search(name).groups()
        found[int(digit), speaker, int(index)] = (samples / 32768).astype(np.float32)
    if not found:
        raise ValueError(f"{path} holds no recordings/DIGIT_SPEAKER_INDEX.wav")
    return dict(sorted(found.items()))
