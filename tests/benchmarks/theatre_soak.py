"""A long training in the theatre of a real kernel, while its sliders are moved: memory, updates, errors.

    python tests/benchmarks/theatre_soak.py --seconds 600 --moves 2000

A student 64-16-10 learns in the background. The moves are sent as JupyterLab sends them, evenly over the
time, to the temperature and to both weights. It fails if the kernel's memory grows by more than LIMIT
between the first quarter and the end, if a move is missing from the records of the run or is recorded
with another value, or if the kernel reports an error.
"""

import argparse
import ast
import json
import random
import statistics
import sys
import time

import psutil
from jupyter_client.manager import start_new_kernel

LIMIT = 25e6  # bytes
STOPS = {
    "cross_entropy.weight": (0.0, 0.1, 0.25, 0.5, 1.0),
    "soft_targets.weight": (0.0, 0.3, 0.6, 0.9, 1.0),
    "soft_targets.temperature": (1.0, 2.0, 4.0, 8.0, 20.0),
}
SETUP = """
import json
import kdviz as kd
data = kd.datasets.digits(labels=50)
teacher = kd.teacher(data)
objective = 0.1 * kd.CrossEntropy() + 0.9 * kd.SoftTargets(temperature=4)
show = kd.explorers.theatre(
    lambda: kd.distill(teacher, kd.models.mlp(64, 16, 10), data, objective, steps=10**8, record_every=200),
    data, teacher, seconds=0,
)
show.play()
"""
RESULT = """json.dumps({
    "changes": [change for record in show.run.records for change in record.changes],
    "steps": show.run.step, "records": len(show.run.records), "frames": len(show.frames),
    "state": show.state, "message": show.message,
})"""


class Kernel:
    """A kernel with one theatre in it, talked to as a page does."""

    def __init__(self):
        self._manager, self._client = start_new_kernel()
        self.errors, self.redraws = [], 0
        self._process = psutil.Process(self._manager.provisioner.process.pid)

    def run(self, code, expression="None"):
        """Execute code, and evaluate an expression after it."""
        request = self._client.execute(code, user_expressions={"value": expression})
        while True:
            reply = self._client.get_shell_msg(timeout=120)
            if reply["parent_header"].get("msg_id") == request:
                break
        if reply["content"]["status"] != "ok":
            raise SystemExit(f"the kernel: {reply['content']['evalue']}")
        return reply["content"]["user_expressions"]["value"]["data"]["text/plain"]

    def update(self, comm, state, seconds=30):
        """Send new values of the widget's traits; the seconds until the kernel has taken them in."""
        content = {"comm_id": comm, "data": {"method": "update", "state": state, "buffer_paths": []}}
        message = self._client.session.msg("comm_msg", content)
        start = time.perf_counter()
        self._client.shell_channel.send(message)
        while time.perf_counter() < start + seconds:
            heard = self._hear(1)
            idle = heard and heard["content"].get("execution_state") == "idle"
            if idle and heard["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                return time.perf_counter() - start
        raise SystemExit("the kernel does not answer")

    def rest(self, seconds):
        """Listen for a while to what the kernel draws."""
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            self._hear(left)

    def _hear(self, seconds):
        if not self._client.iopub_channel.socket.poll(1000 * seconds):
            return None
        heard = self._client.get_iopub_msg(timeout=1)
        kind, content = heard["msg_type"], heard["content"]
        if kind == "error" or (kind == "stream" and content["name"] == "stderr"):
            self.errors.append(content.get("evalue") or content["text"])
        self.redraws += kind == "comm_msg" and "latest" in content["data"].get("state", {})
        return heard

    @property
    def memory(self):
        return self._process.memory_info().rss

    def close(self):
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)


def soak(kernel, seconds, moves):
    """Move sliders while the run trains; gives what was sent, the answering times, and the memory."""
    kernel.run(SETUP)
    comm = kernel.run("", "show.comm.comm_id").strip("'")
    drawn = random.Random(0)
    settings = {"cross_entropy.weight": 0.1, "soft_targets.weight": 0.9, "soft_targets.temperature": 4.0}
    sent, answered, memory = [], [], []
    start = time.perf_counter()
    for move in range(moves):
        address = drawn.choice(list(STOPS))
        old = settings[address]
        settings[address] = drawn.choice([stop for stop in STOPS[address] if stop != old])
        sent.append([address, old, settings[address]])
        answered.append(kernel.update(comm, {"settings": settings}))
        memory.append(kernel.memory)
        kernel.rest(start + seconds * (move + 1) / moves - time.perf_counter())
    return sent, answered, memory


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--moves", type=int, default=200)
    options = parser.parse_args()
    kernel = Kernel()
    try:
        sent, answered, memory = soak(kernel, options.seconds, options.moves)
        # One step more, so that the last move is in a record too.
        said = kernel.run("show.pause(); show.step(); show.wait()", RESULT)
        result = json.loads(ast.literal_eval(said))
        kernel.rest(0.5)
    finally:
        kernel.close()
    recorded = [change[1:] for change in result["changes"]]
    at = [change[0] for change in result["changes"]]
    growth = memory[-1] - memory[len(memory) // 4]
    times = sorted(1000 * seconds for seconds in answered)
    print(f"steps       {result['steps']:,} in {options.seconds:.0f} s, {result['records']} records")
    print(f"redraws     {kernel.redraws / options.seconds:.1f} a second; {result['frames']} frames kept")
    print(f"moves       {len(sent)} sent, {len(recorded)} in the records")
    print(f"answer      median {statistics.median(times):.0f} ms, p95 {times[int(0.95 * len(times))]:.0f} ms")
    print(f"memory      {memory[-1] / 1e6:.0f} MB, {growth / 1e6:+.1f} MB since the first quarter")
    problems = [
        *kernel.errors,
        *([f"state {result['state']}: {result['message']}"] if result["state"] != "paused" else []),
        *(["a move was lost or recorded otherwise"] if recorded != sent else []),
        *(["the steps of the changes go back"] if at != sorted(at) else []),
        *([f"memory grew by {growth / 1e6:.1f} MB"] if growth > LIMIT else []),
    ]
    print("\n".join(problems) or "no error, no lost move")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
