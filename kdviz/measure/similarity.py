"""How alike two representations of the same samples are, and how one is laid upon the other.

All take features of shape (N, D), or maps of shape (N, C, H, W), which are flattened to one vector a
sample; as tensors or arrays. Row n of both must belong to the same sample; widths may differ. They are
computed in double precision.
"""

import numpy as np
import torch
from scipy.linalg import orthogonal_procrustes

KERNELS = ("linear", "rbf")


def hsic(features, other, kernel: str = "linear", unbiased: bool = True, width: float = 1.0) -> float:
    r"""The Hilbert-Schmidt independence criterion: how much two representations of samples vary together.

    K and L hold the kernel of every two samples: :math:`x_i \cdot x_j` for ``"linear"``, and for ``"rbf"``
    :math:`\exp(-\lVert x_i - x_j \rVert^2 / 2\sigma^2)`, where σ² is the square of ``width`` times the
    median squared distance of two different samples.

    With :math:`H = I - \frac{1}{N} 1 1^\top`, the biased estimate is
    :math:`\mathrm{HSIC} = \mathrm{tr}(KHLH) / (N-1)^2`; for the linear kernel that is
    :math:`\lVert \mathrm{cov}(x, y) \rVert_F^2`, with covariances divided by N - 1. It is above 0 for
    unrelated features too. The unbiased one, with :math:`\tilde K` and :math:`\tilde L` of zero diagonal, is

    .. math:: \frac{1}{N(N-3)} \left[ \mathrm{tr}(\tilde K \tilde L)
              + \frac{1^\top \tilde K 1 \; 1^\top \tilde L 1}{(N-1)(N-2)}
              - \frac{2}{N-2} 1^\top \tilde K \tilde L 1 \right]

    In squared features of both for the linear kernel; biased 0 or more, unbiased about 0 for unrelated
    features and there also a little below. 0 where one is the same for all samples. Blind to a shift and a
    rotation of either.

    Source: Gretton et al. 2005, *Measuring Statistical Dependence with Hilbert-Schmidt Norms*, section 3; the
    unbiased estimate Song et al. 2012, *Feature Selection via Dependence Maximization*, equation 5.

    Memory: N × N. Errors: ValueError for other samples, fewer than 4 of them, an unknown kernel or values
    that are not finite.

    >>> import kdviz as kd
    >>> kd.measure.hsic([[0], [0], [2], [2]], [[0], [0], [1], [1]], unbiased=False)  # the covariance is 2 / 3
    0.4444444444444444
    """
    _check_settings(kernel, width)
    kernels = [_centred_kernel(x, kernel, unbiased, width) for x in _enough(as_samples(features, other))]
    return float(_hsic(*kernels, unbiased))


def cka(features, other, kernel: str = "linear", unbiased: bool = True, width: float = 1.0) -> float:
    r"""Centred kernel alignment: how alike two representations arrange the samples.

    .. math:: \mathrm{CKA} = \frac{\mathrm{HSIC}(K, L)}{\sqrt{\mathrm{HSIC}(K, K)\,\mathrm{HSIC}(L, L)}}

    with the estimate of :func:`hsic`, biased or unbiased, and its kernels. The biased one calls random
    features alike where they are many and the samples are few.

    Biased, it is from 0 to 1. Unbiased, at most 1, near 0 for unrelated features, and there also a little
    below. 1 for features that are equal up to rotation, shift and one scale; it sees other linear maps.

    Source: Kornblith et al. 2019, *Similarity of Neural Network Representations Revisited*, section 3; the
    unbiased estimate Song et al. 2012, *Feature Selection via Dependence Maximization*, equation 5, used
    so by Nguyen et al. 2021, *Do Wide and Deep Networks Learn the Same Things?*, section 2.

    Memory: N × N. Errors: ValueError for other samples, fewer than 4 of them, values that are not finite,
    or features that are the same for all samples, whose CKA is not defined.
    """
    found = float(cka_map([features], [other], kernel, unbiased, width)[0, 0])
    if np.isnan(found):
        raise ValueError(
            "CKA is not defined where one of the two representations hardly differs between samples; are "
            "all units of a layer dead?"
        )
    return found


def cka_map(features, others, kernel="linear", unbiased=True, width=1.0):
    """The :func:`cka` of each layer of one network with each layer of another, on the same samples.

    Parameters
    ----------
    features, others : lists of (N, D) or (N, C, H, W)
        The layers that become the rows, and those that become the columns.
    kernel : {"linear", "rbf"}
    unbiased : which estimate of HSIC
    width : of the RBF kernel, in median distances

    Returns
    -------
    array (rows, columns)
        Not a number where a layer is the same for all samples.
    """
    _check_settings(kernel, width)
    if not len(features) or not len(others):
        raise ValueError("a map needs at least one layer of each network; got an empty list")
    samples = _enough(as_samples(*features, *others))
    # One column at a time, so that there may be many.
    kernels = (_centred_kernel(layer, kernel, unbiased, width) for layer in samples)
    rows = [next(kernels) for _ in features]
    return np.array([[_alignment(row, column, unbiased) for row in rows] for column in kernels]).T


def _check_settings(kernel, width):
    if kernel not in KERNELS:
        raise ValueError(f"kernel must be one of {', '.join(map(repr, KERNELS))}; got {kernel!r}")
    if not width > 0:
        raise ValueError(f"width must be above 0; got {width!r}")


def _enough(samples):
    if len(samples[0]) < 4:
        raise ValueError(f"HSIC and CKA need at least 4 samples; got {len(samples[0])}")
    return samples


def _centred_kernel(samples, kernel, unbiased, width):
    """The kernel, centred so that :func:`_hsic` is a sum of products; None where nothing varies."""
    centred = samples - samples.mean(0)
    if np.abs(centred).max() <= 1e-12 * max(1.0, np.abs(samples).max()):
        return None
    gram = centred @ centred.T
    if kernel == "rbf":
        squares = np.diag(gram)[:, None] + np.diag(gram) - 2 * gram
        median = np.median(squares[np.triu_indices(len(gram), 1)])
        if median <= 0:
            return None
        gram = np.exp(-squares.clip(min=0) / (2 * width**2 * median))
    return _unbiased_centring(gram) if unbiased else _biased_centring(gram)


def _biased_centring(gram):
    return gram - gram.mean(0) - gram.mean(1)[:, None] + gram.mean()


def _unbiased_centring(gram):
    # The sum of products of two such matrices is N (N - 3) times the estimate of Song et al.
    count = len(gram)
    gram = gram.copy()
    np.fill_diagonal(gram, 0)
    means = gram.sum(0) / (count - 2)
    gram = gram - means - means[:, None] + means.sum() / (count - 1)
    np.fill_diagonal(gram, 0)
    return gram


def _hsic(kernel, other, unbiased):
    if kernel is None or other is None:
        return 0.0
    count = len(kernel)
    return (kernel * other).sum() / (count * (count - 3) if unbiased else (count - 1) ** 2)


def _alignment(kernel, other, unbiased):
    if kernel is None or other is None:
        return np.nan
    sizes = _hsic(kernel, kernel, unbiased) * _hsic(other, other, unbiased)
    return _hsic(kernel, other, unbiased) / np.sqrt(sizes)


def procrustes(features, onto):
    r"""Features laid upon others as well as shift, one scale and a rotation allow.

    Both are centred and scaled so that the mean squared distance from the centre is 1: X, Y. Returned are Y
    and :math:`X R`, where R is orthogonal (it turns and mirrors) and :math:`\lVert XR - Y \rVert` is least.
    The narrower of the two is filled up with zeros.

    Source: Schönemann 1966, *A generalized solution of the orthogonal Procrustes problem*; scipy's
    ``orthogonal_procrustes``.

    Returns
    -------
    array (N, D), array (N, D)
        The features laid upon the others, and the others; D is the larger of the two widths. The mean
        squared distance of their rows is :func:`procrustes_distance`.

    Errors: ValueError for other samples, or features that are the same for all samples.
    """
    features, onto = (_standard(samples) for samples in as_samples(features, onto))
    onto = np.pad(onto, ((0, 0), (0, max(0, features.shape[1] - onto.shape[1]))))
    # Where the features are narrower, they can reach only these directions: in them R is square.
    reached, _ = np.linalg.qr(onto.T @ features)
    turned, _ = orthogonal_procrustes(features, onto @ reached)
    return features @ turned @ reached.T, onto


def procrustes_distance(features, other):
    r"""What is left between two representations once they are laid upon each other.

    With :math:`\lVert X \rVert = \lVert Y \rVert = 1` after centring, and :math:`\lVert \cdot \rVert_*` the
    sum of the singular values,

    .. math:: d = 2 - 2\, \lVert X^\top Y \rVert_*

    0 if and only if they are equal up to rotation, shift and one scale; at most 2. It falls where samples
    are few and features many, whatever they mean: compare it with that of an untrained network.

    Source: Ding et al. 2021, *Grounding Representation Similarity Through Statistical Testing*, section 3.
    scipy's ``spatial.procrustes`` also fits the scale: its disparity is :math:`1 - (1 - d/2)^2`.

    Errors: as :func:`procrustes`.
    """
    laid, other = procrustes(features, other)
    return float(np.square(laid - other).sum(1).mean())


def _standard(samples):
    centred = samples - samples.mean(0)
    size = np.sqrt(np.square(centred).sum(1).mean())
    if size <= 1e-12 * max(1.0, np.abs(samples).max()):
        raise ValueError("features that are the same for all samples cannot be laid upon others")
    return centred / size


def tsne_places(features, known, places, perplexity=5, rounds=20):
    r"""Where features belong on a finished t-SNE map of others: (N, 2).

    Each new point is placed by itself, and the map stays as it is. With p the Gaussian similarity of a
    new point to its nearest known ones (of the perplexity given) and q its similarity on the map,

    .. math:: q_j = \frac{(1 + \lVert y - z_j \rVert^2)^{-1}}{\sum_k (1 + \lVert y - z_k \rVert^2)^{-1}}

    it goes where :math:`\mathrm{KL}(p \Vert q)` is least: from the mean of the places of those known ones,
    weighted by p, down the gradient for some rounds. So it shows which known points a new one is near to, and
    not how far it is from all of them.

    Source: van der Maaten and Hinton 2008, *Visualizing Data using t-SNE*, section 3; for new points on a
    map Poličar et al. 2019, *Embedding to Reference t-SNE Space Addresses Batch Effects in Single-Cell
    Classification*, section 2.

    Parameters
    ----------
    features : (N, D), in the same space as those known, for example by :func:`procrustes`
    known : (M, D)
    places : (M, 2), the map of those known
    """
    near = 3 * perplexity
    if np.shape(places) != (len(known), 2) or len(known) < near:
        raise ValueError(
            f"places must have shape (known, 2), with at least {near} known points for perplexity "
            f"{perplexity}; got {np.shape(places)} for {len(known)} known points"
        )
    features, known, places = (
        torch.as_tensor(part, dtype=torch.float32) for part in (features, known, places)
    )
    squares, rows = torch.cdist(features, known).square().topk(near, largest=False)
    p, goals = _similarities(squares, perplexity), places[rows]
    y = (p.unsqueeze(-1) * goals).sum(1)
    for _ in range(rounds):
        closeness = 1 / (1 + torch.cdist(y, places).square())
        pull = p * closeness.gather(1, rows)
        push = closeness.square() / closeness.sum(1, keepdim=True)
        drawn = pull.sum(1, keepdim=True) * y - (pull.unsqueeze(-1) * goals).sum(1)
        # Half of the gradient of KL(p || q).
        y = y - (drawn - (push.sum(1, keepdim=True) * y - push @ places))
    return y.numpy()


def _similarities(squares, perplexity):
    """Gaussian similarities, each row with the width that gives it the perplexity: found by bisection."""
    squares = squares - squares[:, :1]
    low, high = torch.full((len(squares), 1), -20.0), torch.full((len(squares), 1), 20.0)
    for _ in range(30):
        middle = (low + high) / 2
        logs = (-squares * middle.exp()).log_softmax(1)
        too_narrow = -(logs.exp() * logs).sum(1, keepdim=True) < np.log(perplexity)
        low, high = torch.where(too_narrow, low, middle), torch.where(too_narrow, middle, high)
    return logs.exp()


def neighbours(features, count=10):
    """For each sample the rows of its nearest others by Euclidean distance, nearest first: (N, count).

    Computed by scikit-learn's ``NearestNeighbors``. Errors: ValueError where there are not that many others.
    """
    from sklearn.neighbors import NearestNeighbors

    (samples,) = as_samples(features)
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count < len(samples):
        raise ValueError(
            f"count must be a whole number from 1 to {len(samples) - 1}, the number of other samples; got "
            f"{count!r}"
        )
    found = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(samples)
    return found.kneighbors(return_distance=False)


def neighbour_overlap(features, other, count=10):
    """The share of a sample's nearest neighbours that two representations have in common, mean over samples.

    From 0 to 1; about ``count / (N - 1)`` where the two have nothing to do with each other. It sees only
    who is near whom: blind to rotation, shift and one scale, and to all that happens far away. Called mutual
    k-nearest-neighbour alignment by Huh et al. 2024, *The Platonic Representation Hypothesis*, section 2.

    Errors: ValueError for other samples, or where there are not that many others.
    """
    features, other = as_samples(features, other)
    return shared(neighbours(features, count), neighbours(other, count))


def shared(near, other):
    """The share of rows that two tables of :func:`neighbours` have in common, mean over samples."""
    return float((near[:, :, None] == other[:, None]).any(2).mean())


def as_samples(*features):
    """Tensors or arrays as arrays of shape (N, D) in double precision, checked to have the same N."""
    arrays = [_flat(layer) for layer in features]
    counts = [len(array) for array in arrays]
    if len(set(counts)) > 1:
        raise ValueError(
            f"both must be features of the same samples, row for row; they have {counts[0]} and "
            f"{next(count for count in counts if count != counts[0])} samples"
        )
    return arrays


def _flat(features):
    if isinstance(features, torch.Tensor):
        features = features.detach().cpu()
    array = np.asarray(features, dtype=np.float64)
    if array.ndim < 2 or 0 in array.shape:
        raise ValueError(
            "features must have shape (samples, width) or (samples, channels, height, width); got "
            f"{array.shape}"
        )
    if not np.isfinite(array).all():
        raise ValueError("features must be finite; they hold infinity or NaN. Did the training diverge?")
    return array.reshape(len(array), -1)
