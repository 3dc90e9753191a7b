"""Files that appear whole or not at all."""

import os
from pathlib import Path
from uuid import uuid4

UNFINISHED = ".writing-"


def write_whole(path: Path | str, content: bytes):
    """Write a file so that it appears whole or not at all, whatever ends the writing.

    A link in its place is replaced, not followed.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "new" / "file"
    >>> write_whole(path, b"all of it")
    >>> path.read_bytes()
    b'all of it'
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f"{UNFINISHED}{uuid4().hex}"
    # With the permissions of any new file: others may share the folder.
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
