"""The papers that notebooks 00 and 01 stand on."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Reference:
    """A paper and where to read it."""

    authors: str
    year: int
    title: str
    where: str
    link: str

    @property
    def short(self):
        return f"{self.authors} ({self.year})"

    def _repr_markdown_(self):
        return f"{self.authors} ({self.year}). [{self.title}]({self.link}). *{self.where}*."

    def __repr__(self):
        return f"{self.authors} ({self.year}). {self.title}. {self.where}. {self.link}"


REFERENCES = {
    "ba2014": Reference(
        "Ba and Caruana",
        2014,
        "Do Deep Nets Really Need to be Deep?",
        "NeurIPS 2014",
        "https://arxiv.org/abs/1312.6184",
    ),
    "gou2021": Reference(
        "Gou, Yu, Maybank and Tao",
        2021,
        "Knowledge Distillation: A Survey",
        "International Journal of Computer Vision 129",
        "https://doi.org/10.1007/s11263-021-01453-z",
    ),
    "guo2017": Reference(
        "Guo, Pleiss, Sun and Weinberger",
        2017,
        "On Calibration of Modern Neural Networks",
        "ICML 2017",
        "https://arxiv.org/abs/1706.04599",
    ),
    "hinton2015": Reference(
        "Hinton, Vinyals and Dean",
        2015,
        "Distilling the Knowledge in a Neural Network",
        "NeurIPS 2014 Deep Learning Workshop",
        "https://arxiv.org/abs/1503.02531",
    ),
    "stanton2021": Reference(
        "Stanton, Izmailov, Kirichenko, Alemi and Wilson",
        2021,
        "Does Knowledge Distillation Really Work?",
        "NeurIPS 2021",
        "https://arxiv.org/abs/2106.05945",
    ),
    "szegedy2016": Reference(
        "Szegedy, Vanhoucke, Ioffe, Shlens and Wojna",
        2016,
        "Rethinking the Inception Architecture for Computer Vision",
        "CVPR 2016",
        "https://arxiv.org/abs/1512.00567",
    ),
}


def reference(key):
    """The reference of that key; a notebook shows it in full."""
    if key not in REFERENCES:
        raise ValueError(f"no reference is named {key!r}; there are {', '.join(REFERENCES)}")
    return REFERENCES[key]


def cite(key):
    """A citation as Markdown: authors and year, linked to the paper."""
    paper = reference(key)
    return f"[{paper.short}]({paper.link})"
