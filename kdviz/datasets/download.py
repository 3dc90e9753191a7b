"""Fetching real data: only when asked to, checked against published checksums, whole or not at all."""

import os
import shutil
import time
from functools import lru_cache
from pathlib import Path

import platformdirs

from kdviz.datasets.sources import SOURCES

CHUNK = 1 << 16
TIMEOUT = 30
RETRIES = 2
# The slowest line that is waited for, in bytes a second, and how long any file may take at least, in seconds.
SLOWEST, PATIENCE = 20_000, 120


def data_folder(name):
    """Where a data set's files lie: in ``$KDVIZ_DATA``, else in the user's own cache folder."""
    own = Path(platformdirs.user_cache_dir("kdviz", False)) / "data"
    return Path(os.environ.get("KDVIZ_DATA") or own) / name


def fetch(name: str, folder: Path | str | None = None) -> Path:
    """Bring the files of a data set to this machine, and check them.

    Files that are here already, with the right checksums, are not fetched again. A download that broke
    goes on where it stopped.

    Parameters
    ----------
    name : of a data set: ``kdviz data`` prints those that can be fetched
    folder : path, optional
        A folder that holds the files already, under the names they have at their source (on a shared drive
        or a stick, for rooms without network). They are copied from there instead of downloaded.

    Returns
    -------
    pathlib.Path
        The folder in which the files now are: one of its own in ``$KDVIZ_DATA``, else in the user's cache.
    """
    import pooch
    from filelock import FileLock

    source, home = _known(name), data_folder(name)
    # It tells of downloads, copies too; progress is shown without it.
    pooch.get_logger().setLevel("WARNING")
    keeper = pooch.create(
        home,
        base_url="",
        registry={file: f"sha256:{checksum}" for file, checksum in source.checksums.items()},
        urls=source.urls,
        retry_if_failed=0 if folder else RETRIES,
    )
    bring = _resumed if folder is None else _copied_from(Path(folder), name)
    if not all(_is_here(home / file, checksum) for file, checksum in source.checksums.items()):
        home.mkdir(parents=True, exist_ok=True)
        # Kernels that share a folder wait for the first of them, and then find the files there.
        with FileLock(home.parent / f".{name}.lock"):
            for file in source.checksums:
                _fetch_file(keeper, file, bring, source, folder)
    return home


def fetched(name, file):
    """The path of a fetched file, checked when it is first read; says how to get it if it is not here.

    A file of your own making in the published format is taken too, if the file ``NAME.sha256`` beside it
    holds its checksum.
    """
    path = data_folder(name) / file
    if path.is_file():
        _check(path, name, file)
        return path
    raise FileNotFoundError(
        f"{path} is not there. kdviz downloads nothing by itself: run 'kdviz data fetch {name}' "
        f"({_known(name).megabytes} MB), or set KDVIZ_DATA to a folder that holds {name}/{file}"
    )


def _check(path, name, file):
    declared, known = path.with_name(f"{file}.sha256"), path.stat()
    wanted = declared.read_text(encoding="utf-8").split()[:1] if declared.is_file() else []
    checksum = wanted[0] if wanted else _known(name).checksums[file]
    if _checksum(path, known.st_size, known.st_mtime_ns) != checksum:
        raise ValueError(
            f"{path} is not the published file, or is damaged: its SHA-256 checksum is not {checksum}. "
            f"Run 'kdviz data fetch {name}' to fetch it again"
        )


@lru_cache
def _checksum(path, size, changed):
    """Of a file as it was when it had this size and time of change."""
    import pooch

    return pooch.file_hash(path)


def _is_here(path, checksum):
    import pooch

    return path.is_file() and pooch.file_hash(path) == checksum


class _Refused(OSError):
    """An answer that is not what was asked for, in plain words."""


def _fetch_file(keeper, file, bring, source, folder):
    from requests.exceptions import RequestException

    again = f"'kdviz data fetch {source.name}"
    try:
        keeper.fetch(file, downloader=bring)
    except RequestException as problem:
        raise OSError(
            f"{file} could not be downloaded from {source.urls[file]} ({problem}). What arrived is kept: "
            f"{again}' goes on from there. Without network, take the files from a folder: "
            f"{again} --from FOLDER'"
        ) from problem
    except ValueError as problem:
        where = source.urls[file] if folder is None else Path(folder) / file
        raise ValueError(
            f"{where} is not the published file: its SHA-256 checksum is not {source.checksums[file]}. It "
            f"was not kept. Try again later, or {again} --from FOLDER' with a folder that holds the right one"
        ) from problem


def _known(name):
    if name not in SOURCES:
        raise ValueError(f"name a data set that kdviz can fetch: {', '.join(sorted(SOURCES))}; got {name!r}")
    return SOURCES[name]


def _copied_from(folder, name):
    def copy(url, output_file, pooch):
        file = next(file for file, known in SOURCES[name].urls.items() if known == url)
        if not (folder / file).is_file():
            raise FileNotFoundError(f"{folder} holds no {file}; put it there, as it is at {url}")
        shutil.copyfile(folder / file, output_file)

    return copy


def _resumed(url, output_file, pooch):
    """Download into a part that outlives a broken connection; hand it on once it is complete.

    Pooch then checks it, and gives it its name only if it is right.
    """
    import requests

    file = next(file for file, known in pooch.urls.items() if known == url)
    source = next(source for source in SOURCES.values() if source.urls == pooch.urls)
    part = Path(pooch.path) / f"{file}.part"
    if part.is_symlink():
        # In a folder that several share it could lead anywhere.
        part.unlink()
    have = part.stat().st_size if part.exists() else 0
    # As it lies at the source: a packed answer could not be gone on with in the middle.
    wanted = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with requests.get(url, headers=wanted, stream=True, timeout=TIMEOUT) as answer:
        # 416: nothing follows the part. The checksum will say whether it is the whole.
        if not (have and answer.status_code == 416):
            answer.raise_for_status()
            _refuse_web_page(answer, url)
            _write(answer, part, have if answer.status_code == 206 else 0, file, source)
    os.replace(part, output_file)


def _refuse_web_page(answer, url):
    if answer.headers.get("Content-Type", "").partition(";")[0].strip() == "text/html":
        raise _Refused(
            f"{url} was answered with a web page instead of the file. Does this network ask you to sign in? "
            "Open any address in a browser, sign in, and run the same command again"
        )


def _pieces(answer):
    """What has arrived, as soon as it has: an answer that drips must not be waited for unseen."""
    from requests.exceptions import ConnectionError
    from urllib3.exceptions import HTTPError

    read = getattr(answer.raw, "read1", answer.raw.read)
    try:
        while piece := read(CHUNK):
            yield piece
    except HTTPError as problem:
        raise ConnectionError(problem) from problem


def _write(answer, part, start, file, source):
    """Write what arrives, within the size that is published and in bounded time."""
    from tqdm import tqdm

    left = answer.headers.get("Content-Length", "")
    total = start + int(left) if left.isdecimal() else None
    most = (source.megabytes + 1) * 1_000_000
    ends = time.monotonic() + PATIENCE + most / SLOWEST
    progress = tqdm(desc=file, total=total, initial=start, unit="B", unit_scale=True)
    flags = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if start else os.O_TRUNC)
    handle = os.open(part, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0), 0o666)
    with os.fdopen(handle, "ab" if start else "wb") as written, progress:
        for chunk in _pieces(answer):
            start += len(chunk)
            if start > most:
                part.unlink()
                raise _Refused(
                    f"{source.urls[file]} sends more than the {source.megabytes} MB that are published; it "
                    "is not that file, and nothing of it is kept"
                )
            if time.monotonic() > ends:
                raise _Refused(
                    f"{source.urls[file]} sends too slowly. What arrived is kept: 'kdviz data fetch "
                    f"{source.name}' goes on from there"
                )
            written.write(chunk)
            progress.update(len(chunk))
