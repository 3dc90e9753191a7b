"""A server for the tests of fetching: it can go on in the middle, break off, or err."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Files:
    """What the server gives, and what it was asked for."""

    def __init__(self, content):
        self.content = content
        self.ranges = True
        self.break_after = []  # how many bytes the next answers hold before the connection ends
        self.asked = []
        self.headers = {}
        self.pause = 0  # seconds between the pieces of an answer
        self.address = None


@contextmanager
def served(content):
    files = Files(content)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"files": files}))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    files.address = f"http://127.0.0.1:{server.server_port}/"
    try:
        yield files
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    files = None

    def do_GET(self):
        files, name = self.files, self.path[1:]
        wanted = self.headers.get("Range")
        files.asked.append((name, wanted))
        if name not in files.content:
            return self.send_error(404)
        content, start = files.content[name], 0
        if wanted and files.ranges:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                return self.send_error(416)
        self.send_response(206 if start else 200)
        for header in ({"Content-Length": str(len(content) - start)} | files.headers).items():
            self.send_header(*header)
        self.end_headers()
        end = start + files.break_after.pop(0) if files.break_after else len(content)
        size = 50_000 if files.pause else len(content) + 1
        try:
            for piece in range(start, end, size):
                self.wfile.write(content[piece : min(piece + size, end)])
                threading.Event().wait(files.pause)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def log_message(self, *arguments):
        pass
