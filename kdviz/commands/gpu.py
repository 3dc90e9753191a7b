"""Every check that needs an accelerator: the tests in ``tests/gpu``."""

import os
import subprocess
import sys

CHECKED = "losses, distill, sweep, compare, the doctor, precision and speed"


def check(clone, device):
    """Run the checks on a device; without one say so, and that nothing was checked."""
    import torch

    kind = torch.device(device).type
    if kind != "cpu" and not getattr(torch, kind).is_available():
        print(
            f"SKIPPED: torch sees no {kind} device on this machine, so NOTHING WAS CHECKED of {CHECKED} on "
            "an accelerator.\nOn a machine with one, with a build of torch for it: python -m kdviz gpu"
        )
        return 0
    name = "the processor, to try the checks themselves"
    if kind == "cuda":
        name = torch.cuda.get_device_name(device)
    print(f"torch {torch.__version__} on {name}", flush=True)
    call = [sys.executable, "-m", "pytest", "-p", "no:xdist", "-q", "-s", "tests/gpu"]
    return subprocess.run(call, cwd=clone, env={**os.environ, "KDVIZ_ACCELERATOR": device}).returncode
