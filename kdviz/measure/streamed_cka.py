"""Linear CKA of all layers of two networks, batch by batch: exact, and in memory that does not grow."""

import numpy as np
import torch


class StreamedCKA:
    r"""The linear CKA of each layer of one network with each layer of another, from sums over the samples.

    Both estimates of :func:`kdviz.measure.cka` follow from moments. With samples :math:`x_i` and
    :math:`y_i`, and :math:`C = \sum_i (x_i - \bar x)(y_i - \bar y)^\top`, the biased HSIC is
    :math:`\lVert C \rVert_F^2` up to a factor. The unbiased one, of kernels with a diagonal of zeros, needs

    .. math:: \mathrm{tr}(\tilde K \tilde L) &= \lVert X^\top Y \rVert_F^2 - \sum_i |x_i|^2 |y_i|^2 \\
              1^\top \tilde K 1 &= |s_x|^2 - \sum_i |x_i|^2 \\
              1^\top \tilde K \tilde L 1 &= s_x^\top X^\top Y s_y - s_x^\top \sum_i x_i |y_i|^2
              - s_y^\top \sum_i y_i |x_i|^2 + \sum_i |x_i|^2 |y_i|^2

    with :math:`s_x = \sum_i x_i`. All samples are shifted by the first one, which changes no estimate and
    saves digits. Memory: the square of the summed widths.
    """

    def __init__(self):
        self.count = 0
        self._shifts, self._pairs, self._largest, self._spread = [], {}, [], []

    def add(self, features, others):
        """Take in a batch: for each layer a tensor (samples, width), all of the same samples."""
        layers = [layer.detach().double().cpu() for layer in (*features, *others)]
        if not self.count:
            self._rows, self._shifts = len(features), [layer[0] for layer in layers]
            self._largest, self._spread = [0.0] * len(layers), [0.0] * len(layers)
        self._check(layers, len(features))
        self.count += len(layers[0])
        moved = [layer - shift for layer, shift in zip(layers, self._shifts, strict=True)]
        for place, (layer, apart) in enumerate(zip(layers, moved, strict=True)):
            self._largest[place] = max(self._largest[place], float(layer.abs().max()))
            self._spread[place] = max(self._spread[place], float(apart.abs().max()))
        squares = [layer.square().sum(1) for layer in moved]
        for a, b in self._wanted(len(layers)):
            x, y, p, q = moved[a], moved[b], squares[a], squares[b]
            found = (x.T @ y, x.sum(0), y.sum(0), q @ x, p @ y, p.sum(), q.sum(), p @ q)
            held = self._pairs.get((a, b))
            self._pairs[a, b] = found if held is None else tuple(map(torch.Tensor.add, held, found))

    def value(self, unbiased=True):
        """The CKA of each layer (rows) with each of the others; NaN where one is constant."""
        found = self.hsic(unbiased)
        layers = range(len(self._shifts))
        sizes = np.array([np.nan if self._constant(a) else self._hsic(a, a, unbiased) for a in layers])
        return found / np.sqrt(np.outer(sizes[: self._rows], sizes[self._rows :]))

    def hsic(self, unbiased=True):
        """The :func:`kdviz.measure.hsic` of each layer (rows) with each of the others."""
        if self.count < 4:
            raise ValueError(f"HSIC and CKA need at least 4 samples; got {self.count}")
        columns = range(self._rows, len(self._shifts))
        return np.array([[self._hsic(a, b, unbiased) for b in columns] for a in range(self._rows)])

    def _hsic(self, a, b, unbiased):
        if unbiased:
            return float(_unbiased(self._pairs[a, b], self.count)) / (self.count * (self.count - 3))
        return float(_biased(self._pairs[a, b], self.count)) / (self.count - 1) ** 2

    def _constant(self, layer):
        return self._spread[layer] <= 1e-12 * max(1.0, self._largest[layer])

    def _wanted(self, count):
        yield from ((a, a) for a in range(count))
        yield from ((a, b) for a in range(self._rows) for b in range(self._rows, count))

    def _check(self, layers, rows):
        if len(layers) != len(self._shifts) or rows != self._rows:
            raise ValueError("every batch must bring the same layers")
        for layer, shift in zip(layers, self._shifts, strict=True):
            if layer.ndim != 2 or len(layer) != len(layers[0]) or layer.shape[1:] != shift.shape:
                raise ValueError(
                    "features must have shape (samples, width), the same samples and widths in each layer "
                    f"of a batch; got {tuple(layer.shape)}. Pool maps over their places first"
                )
            if not layer.isfinite().all():
                raise ValueError("features must be finite; they hold infinity or NaN. Did training diverge?")


def _biased(sums, count):
    product, sum_x, sum_y = sums[:3]
    return (product - torch.outer(sum_x, sum_y) / count).square().sum()


def _unbiased(sums, count):
    product, sum_x, sum_y, x_by_square, y_by_square, p, q, both = sums
    trace = product.square().sum() - both
    totals = (sum_x.square().sum() - p) * (sum_y.square().sum() - q)
    crossed = sum_x @ product @ sum_y - sum_x @ x_by_square - sum_y @ y_by_square + both
    return trace + totals / ((count - 1) * (count - 2)) - 2 * crossed / (count - 2)
