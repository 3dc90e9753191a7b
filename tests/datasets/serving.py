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
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        end = start + files.break_after.pop(0) if files.break_after else len(content)
        self.wfile.write(content[start:end])

    def log_message(self, *arguments):
        pass
