"""A Jupyter kernel of its own, to which a test sends cells as a learner's notebook does."""

import os
from contextlib import contextmanager

from jupyter_client import KernelManager

from kdviz.course.kernels import ENCRYPTED


class LiveKernel:
    def __init__(self, client):
        self._client = client

    def run(self, cell):
        """Run a cell; gives what it wrote. An error in it is an error here."""
        written = []

        def hear(message):
            content = message["content"]
            if message["msg_type"] == "stream":
                written.append(content["text"])
            elif message["msg_type"] == "error":
                written.append(f"{content['ename']}: {content['evalue']}")

        reply = self._client.execute_interactive(cell, output_hook=hear, timeout=120)
        assert reply["content"]["status"] == "ok", f"{cell}\n{''.join(written)}"
        return "".join(written)


@contextmanager
def live_kernel(folder, **environment):
    """A kernel in this folder, and with these settings of its environment."""
    manager = KernelManager(kernel_name="python3", config=ENCRYPTED)
    manager.start_kernel(
        cwd=str(folder),
        env={
            **os.environ,
            "OMP_NUM_THREADS": "1",
            **{name: str(value) for name, value in environment.items()},
        },
    )
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=120)
        yield LiveKernel(client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
