"""Fetching real data: only when asked to, checked against published checksums, whole or not at all."""

import os
import shutil
from pathlib import Path

import platformdirs

from kdviz.datasets.sources import SOURCES

CHUNK = 1 << 16
TIMEOUT = 30
RETRIES = 2


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
    """The path of a fetched file; says how to get it if it is not here."""
    path = data_folder(name) / file
    if path.is_file():
        return path
    raise FileNotFoundError(
        f"{path} is not there. kdviz downloads nothing by itself: run 'kdviz data fetch {name}' "
        f"({_known(name).megabytes} MB), or set KDVIZ_DATA to a folder that holds {name}/{file}"
    )


def _is_here(path, checksum):
    import pooch

    return path.is_file() and pooch.file_hash(path) == checksum


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
    part = Path(pooch.path) / f"{file}.part"
    have = part.stat().st_size if part.exists() else 0
    # As it lies at the source: a packed answer could not be gone on with in the middle.
    wanted = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with requests.get(url, headers=wanted, stream=True, timeout=TIMEOUT) as answer:
        # 416: nothing follows the part. The checksum will say whether it is the whole.
        if not (have and answer.status_code == 416):
            answer.raise_for_status()
            _write(answer, part, have if answer.status_code == 206 else 0, file)
    os.replace(part, output_file)


def _write(answer, part, start, file):
    from tqdm import tqdm

    left = answer.headers.get("Content-Length")
    total = start + int(left) if left else None
    progress = tqdm(desc=file, total=total, initial=start, unit="B", unit_scale=True)
    with open(part, "ab" if start else "wb") as written, progress:
        for chunk in answer.iter_content(CHUNK):
            written.write(chunk)
            progress.update(len(chunk))
