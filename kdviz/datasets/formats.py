"""The formats in which data sets are published, read without unpickling anything."""

import gzip
import io
import re
import tarfile

import numpy as np

CIFAR_IMAGE = (3, 32, 32)


def read_idx(path):
    """An array of bytes from a gzipped IDX file, the format of MNIST and Fashion-MNIST."""
    with gzip.open(path) as file:
        raw = file.read()
    # Two zeros, the type (8: unsigned bytes), the number of axes; then each axis in four bytes, high first.
    if raw[:3] != b"\0\0\x08" or len(raw) < 4 + 4 * raw[3]:
        raise ValueError(f"{path} is not an IDX file of unsigned bytes: it begins with {raw[:4]!r}")
    start = 4 + 4 * raw[3]
    shape = np.frombuffer(raw[4:start], ">u4")
    if len(raw) - start != shape.prod():
        raise ValueError(
            f"{path} says {' × '.join(map(str, shape))} bytes follow, but there are {len(raw) - start:,}"
        )
    return np.frombuffer(raw, np.uint8, offset=start).reshape(shape)


def read_cifar(path, members, label_bytes=1):
    """Images (n, 3, 32, 32) and labels from the binary version of CIFAR, an archive of fixed-length records.

    A record is its label bytes (CIFAR-100 has two, of which the last is the fine label), then the image's
    red, green and blue planes, row by row.
    """
    length = label_bytes + int(np.prod(CIFAR_IMAGE))
    records = []
    with tarfile.open(path) as archive:
        for member in members:
            raw = _member(archive, member, path)
            if not raw or len(raw) % length:
                raise ValueError(
                    f"{member} of {path} is not made of records of {length:,} bytes: it has {len(raw):,}"
                )
            records.append(np.frombuffer(raw, np.uint8).reshape(-1, length))
    records = np.concatenate(records)
    return records[:, label_bytes:].reshape(-1, *CIFAR_IMAGE), records[:, label_bytes - 1].astype(np.int64)


def read_recordings(path, rate=8000):
    """The recordings ``DIGIT_SPEAKER_INDEX.wav`` of an archive, by name in order: samples from -1 to 1."""
    from scipy.io import wavfile

    found = {}
    with tarfile.open(path) as archive:
        for member in archive:
            named = re.search(r"recordings/(\d)_(\w+)_(\d+)\.wav$", member.name)
            if not named or not member.isfile():
                continue
            given, samples = wavfile.read(io.BytesIO(archive.extractfile(member).read()))
            if given != rate or samples.ndim != 1 or samples.dtype != np.int16:
                raise ValueError(
                    f"{member.name} of {path} is not a mono recording of 16 bits at {rate:,} Hz: "
                    f"{samples.dtype} {samples.shape} at {given:,} Hz"
                )
            digit, speaker, index = named.groups()
            found[int(digit), speaker, int(index)] = (samples / 32768).astype(np.float32)
    if not found:
        raise ValueError(f"{path} holds no recordings/DIGIT_SPEAKER_INDEX.wav")
    return dict(sorted(found.items()))


def _member(archive, name, path):
    try:
        return archive.extractfile(name).read()
    except KeyError:
        raise ValueError(f"{path} holds no {name}") from None
