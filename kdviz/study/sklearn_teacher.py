"""A fitted scikit-learn classifier as a torch module that gives logits."""

import numpy as np
import torch


class SklearnTeacher(torch.nn.Module):
    r"""A fitted scikit-learn classifier as a teacher.

    Its logits are the logarithms of its probabilities, whose softmax gives the probabilities back. A
    probability of 0, as forests give it, has no logarithm: each is mixed with a fraction ``floor`` of even
    ones, :math:`(1 - \varepsilon)\, p + \varepsilon / C`. Nothing in it can learn.

    Parameters
    ----------
    estimator : has ``predict_proba`` and ``classes_`` 0, 1, ... C - 1
    floor : the fraction :math:`\varepsilon`

    >>> import numpy as np
    >>> from sklearn.naive_bayes import GaussianNB
    >>> teacher = SklearnTeacher(GaussianNB().fit(np.array([[0.0], [1.0], [4.0], [5.0]]), [0, 0, 1, 1]))
    >>> teacher(torch.tensor([[0.5], [4.5]])).argmax(1)
    tensor([0, 1])
    """

    def __init__(self, estimator, floor=1e-3):
        super().__init__()
        classes = getattr(estimator, "classes_", None)
        if classes is None:
            raise ValueError(f"{type(estimator).__name__} is not fitted; call its fit first")
        if not np.array_equal(classes, np.arange(len(classes))):
            raise ValueError(
                f"the classes must be numbered 0 to {len(classes) - 1}, as the student's logits are; the "
                f"estimator has {list(classes)[:5]}. Fit it on labels from LabelEncoder"
            )
        self.estimator, self.floor = estimator, floor

    def forward(self, inputs):
        table = inputs.detach().cpu().flatten(1).numpy()
        p = torch.from_numpy(np.asarray(self.estimator.predict_proba(table), np.float64))
        mixed = (1 - self.floor) * p + self.floor / p.shape[1]
        return mixed.log().to(inputs.device, torch.get_default_dtype())

    def extra_repr(self):
        return type(self.estimator).__name__


def as_model(model, who: str) -> torch.nn.Module:
    """A torch module; a fitted scikit-learn classifier is wrapped as one."""
    if isinstance(model, torch.nn.Module):
        return model
    if hasattr(model, "predict_proba"):
        return SklearnTeacher(model)
    raise TypeError(
        f"{who} must be a torch.nn.Module or a fitted scikit-learn classifier; got {type(model).__name__}"
    )
