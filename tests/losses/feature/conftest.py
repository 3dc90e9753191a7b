"""What the golden tests share: random features, and the comparison with a loss worked in plain numpy."""

import numpy as np
import pytest
import torch


@pytest.fixture(scope="session")
def random():
    """Random features of a shape, in double precision."""

    def draw(*shape, seed=0, scale=1.0):
        generator = torch.Generator().manual_seed(seed)
        return scale * torch.randn(*shape, generator=generator, dtype=torch.float64)

    return draw


@pytest.fixture(scope="session")
def agrees():
    """Whether a loss has the value that numpy finds, and the gradient that its differences show.

    ``inputs`` are the tensors that the loss depends on; the first is the student's.
    """

    def check(loss, by_hand, *inputs, step=1e-6, rtol=1e-6):
        inputs = [tensor.detach().clone().requires_grad_() for tensor in inputs]
        value = loss(*inputs)
        arrays = [tensor.detach().numpy().copy() for tensor in inputs]
        assert value.item() == pytest.approx(by_hand(*arrays), rel=1e-10)
        for place, array in enumerate(arrays):
            found = torch.autograd.grad(value, inputs[place], retain_graph=True, allow_unused=True)[0]
            if found is None:
                continue
            assert found.abs().max() > 0
            slopes = np.empty_like(array)
            for index in np.ndindex(array.shape):
                kept = array[index]
                array[index] = kept + step
                above = by_hand(*arrays)
                array[index] = kept - step
                below = by_hand(*arrays)
                array[index] = kept
                slopes[index] = (above - below) / (2 * step)
            scale = np.abs(slopes).max()
            np.testing.assert_allclose(found.numpy(), slopes, rtol=rtol, atol=rtol * scale)

    return check
