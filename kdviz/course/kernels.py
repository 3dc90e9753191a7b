"""How the kernels that kdviz starts talk to it."""

import zmq
from traitlets.config import Config

# Encrypted and for one another only, where the kernel and pyzmq can: other accounts of a machine that is
# shared can reach its loopback interface too.
ENCRYPTED = Config({"KernelManager": {"transport_encryption": "auto" if zmq.has("curve") else "disabled"}})
