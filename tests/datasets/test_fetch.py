"""Fetching from a server of our own: whole and right, or not at all; and on where it stopped."""

import contextlib
import hashlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from serving import served

from kdviz import cli
from kdviz.datasets import download, fetch
from kdviz.datasets.download import CHUNK
from kdviz.datasets.sources import SOURCES, Source

CONTENT = {
    "images.gz": np.random.default_rng(0).bytes(300_000),
    "labels.gz": np.random.default_rng(1).bytes(5_000),
}
IMAGES = CONTENT["images.gz"]


@pytest.fixture
def files(monkeypatch, tmp_path):
    monkeypatch.setenv("KDVIZ_DATA", str(tmp_path / "data"))
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)
    with served(dict(CONTENT)) as files:
        urls = {name: files.address + name for name in CONTENT}
        sums = {name: hashlib.sha256(content).hexdigest() for name, content in CONTENT.items()}
        monkeypatch.setitem(SOURCES, "made", Source("made", urls, sums, 1))
        yield files


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_all_files_arrive_and_are_not_fetched_twice(files, tmp_path, capsys):
    folder = fetch("made")
    assert folder == tmp_path / "data" / "made"
    assert {name: (folder / name).read_bytes() for name in names(folder)} == CONTENT
    assert "images.gz" in capsys.readouterr().err  # progress
    fetch("made")
    assert len(files.asked) == 2


def test_kernels_that_fetch_at_once_download_once(files):
    with ThreadPoolExecutor(4) as kernels:
        for folder in kernels.map(fetch, ["made"] * 4):
            assert {name: (folder / name).read_bytes() for name in names(folder)} == CONTENT
    assert len(files.asked) == 2


def test_a_folder_that_cannot_be_written_is_read(files, monkeypatch):
    folder = fetch("made")
    monkeypatch.setattr("filelock.FileLock.acquire", lambda self: pytest.fail("writes"))
    assert fetch("made") == folder


def test_an_answer_that_breaks_off_is_gone_on_with(files):
    files.break_after = [2 * CHUNK, CHUNK]
    folder = fetch("made")
    assert (folder / "images.gz").read_bytes() == IMAGES
    ranges = [wanted for name, wanted in files.asked if name == "images.gz"]
    assert ranges == [None, f"bytes={2 * CHUNK}-", f"bytes={3 * CHUNK}-"]
    assert names(folder) == ["images.gz", "labels.gz"]


def test_what_arrived_before_all_broke_is_gone_on_with_next_time(files, tmp_path):
    files.break_after = [2 * CHUNK, CHUNK, CHUNK]
    with pytest.raises(OSError, match="'kdviz data fetch made' goes on from there"):
        fetch("made")
    # Half a file never bears the file's name.
    assert names(tmp_path / "data" / "made") == ["images.gz.part"]
    folder = fetch("made")
    assert ("images.gz", f"bytes={4 * CHUNK}-") in files.asked
    assert (folder / "images.gz").read_bytes() == IMAGES


def test_a_server_that_cannot_go_on_in_the_middle_starts_again(files):
    files.ranges, files.break_after = False, [2 * CHUNK]
    folder = fetch("made")
    assert (folder / "images.gz").read_bytes() == IMAGES
    assert len([name for name, _ in files.asked if name == "images.gz"]) == 2


@pytest.mark.parametrize("part", [b"something else", IMAGES + b"more", IMAGES])
def test_a_part_of_something_else_is_thrown_away(files, tmp_path, part):
    folder = tmp_path / "data" / "made"
    folder.mkdir(parents=True)
    (folder / "images.gz.part").write_bytes(part)
    assert (fetch("made") / "images.gz").read_bytes() == IMAGES
    assert names(folder) == ["images.gz", "labels.gz"]


def test_a_wrong_file_is_refused_and_not_kept(files, tmp_path):
    files.content["images.gz"] = b"not what was published"
    with pytest.raises(ValueError, match="is not the published file: its SHA-256"):
        fetch("made")
    assert names(tmp_path / "data" / "made") == []


def test_a_damaged_file_that_is_here_is_fetched_again(files):
    folder = fetch("made")
    (folder / "labels.gz").write_bytes(b"damaged")
    fetch("made")
    assert (folder / "labels.gz").read_bytes() == CONTENT["labels.gz"]


def test_a_missing_file_names_its_address(files):
    del files.content["images.gz"]
    with pytest.raises(OSError, match="127.0.0.1.*404"):
        fetch("made")


def test_a_folder_serves_rooms_without_network(files, tmp_path, capsys):
    stick = tmp_path / "stick"
    stick.mkdir()
    for name, content in CONTENT.items():
        (stick / name).write_bytes(content)
    folder = fetch("made", stick)
    assert (folder / "images.gz").read_bytes() == IMAGES
    assert files.asked == [] and "Downloading" not in capsys.readouterr().err


def test_a_folder_with_a_wrong_or_missing_file_says_so(files, tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no images.gz"):
        fetch("made", tmp_path)
    (tmp_path / "images.gz").write_bytes(b"wrong")
    with pytest.raises(ValueError, match=f"{tmp_path / 'images.gz'} is not the published file"):
        fetch("made", tmp_path)
    assert names(tmp_path / "data" / "made") == []


def test_the_users_cache_is_used_without_kdviz_data(monkeypatch, tmp_path):
    monkeypatch.delenv("KDVIZ_DATA", raising=False)
    monkeypatch.setattr(download.platformdirs, "user_cache_dir", lambda *names: str(tmp_path))
    assert download.data_folder("made") == tmp_path / "data" / "made"


def test_the_command_fetches(files, monkeypatch, capsys):
    monkeypatch.setattr(cli, "_must_set_up", lambda command: False)
    assert cli.main(["data", "fetch", "made"]) == 0
    assert "made is in" in capsys.readouterr().out
    assert cli.main(["data", "fetch", "mnist"]) == 1
    assert "cifar10, cifar100, fashion-mnist, made, spoken-digits" in capsys.readouterr().err


def test_every_source_has_a_published_sha256():
    for source in SOURCES.values():
        assert source.urls.keys() == source.checksums.keys()
        assert all(len(bytes.fromhex(checksum)) == 32 for checksum in source.checksums.values())


def test_more_than_is_published_is_not_written(files, tmp_path):
    files.content["images.gz"] = bytes(30_000_000)
    with pytest.raises(OSError, match="images.gz sends more than the 1 MB that are published"):
        fetch("made")
    assert len(files.asked) == 1, "what cannot be right is not tried again"
    assert names(tmp_path / "data" / "made") == []


def test_an_answer_that_drips_is_given_up(files, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "PATIENCE", 0.1)
    monkeypatch.setattr(download, "SLOWEST", 1e9)
    files.pause = 0.1
    with pytest.raises(OSError, match="images.gz sends too slowly.*goes on from there"):
        fetch("made")
    assert 0 < (tmp_path / "data" / "made" / "images.gz.part").stat().st_size < len(IMAGES)


def test_a_page_to_sign_in_is_told_from_a_file(files, tmp_path):
    files.content["images.gz"] = b"<html>Welcome to our hotel</html>"
    files.headers = {"Content-Type": "text/html; charset=utf-8"}
    with pytest.raises(OSError, match="web page instead of the file.*sign in"):
        fetch("made")
    assert names(tmp_path / "data" / "made") == []


@pytest.mark.parametrize("length", ["lots", "-5", ""])
def test_a_length_that_is_no_number_does_not_matter(files, length):
    files.headers = {"Content-Length": length, "Connection": "close"}
    with contextlib.suppress(OSError):
        # Some of them the library for requests takes for a broken connection.
        assert (fetch("made") / "images.gz").read_bytes() == IMAGES


def test_a_part_that_is_a_link_is_not_written_through(files, tmp_path):
    folder, other = tmp_path / "data" / "made", tmp_path / "thesis"
    folder.mkdir(parents=True)
    other.write_bytes(b"years")
    (folder / "images.gz.part").symlink_to(other)
    assert (fetch("made") / "images.gz").read_bytes() == IMAGES
    assert other.read_bytes() == b"years"
