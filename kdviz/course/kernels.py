"""How the kernels that kdviz starts talk to it."""

import zmq
from traitlets.config import Config

# Encrypted where the kernel and pyzmq can: other accounts of a shared machine can reach its loopback
# interface too.
ENCRYPTED = Config({"KernelManager": {"transport_encryption": "auto" if zmq.has("curve") else "disabled"}})
