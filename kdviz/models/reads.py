"""Networks that read one modality of several."""

from torch import nn


class Reads(nn.Module):
    """A network that reads some of the inputs by name: a teacher that sees, beside a student that hears.

    Samples may hold a dictionary of inputs, ``{"image": ..., "sound": ...}``; all of it is offered to every
    network. Its layers are at ``"network.<path>"``.

    >>> import torch, kdviz as kd
    >>> teacher = Reads(kd.models.mlp(64, 16, 10), "image")
    >>> both = {"image": torch.zeros(5, 1, 8, 8), "sound": torch.zeros(5, 100)}
    >>> kd.trace(teacher, both).logits.shape
    torch.Size([5, 10])

    Parameters
    ----------
    network : torch.nn.Module
        It is not copied.
    names : which inputs it reads, in the order of its arguments
        Of inputs in a tuple: their indices.
    """

    def __init__(self, network: nn.Module, *names: str | int):
        super().__init__()
        if not names:
            raise ValueError("name the inputs that the network reads, for example Reads(network, 'image')")
        self.network, self.names = network, names

    def forward(self, *inputs, **named):
        offered = named or dict(enumerate(inputs))
        missing = [name for name in self.names if name not in offered]
        if missing:
            raise ValueError(
                f"this network reads {missing[0]!r}, but is offered {', '.join(map(str, offered))}"
            )
        return self.network(*(offered[name] for name in self.names))

    def extra_repr(self):
        return f"names={self.names}"
