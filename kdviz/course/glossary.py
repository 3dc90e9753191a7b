"""The words of the course, each with one meaning."""

from dataclasses import dataclass

DEFINITIONS = {
    "accuracy": "The share of images whose label the network names.",
    "agreement": "The share of images on which student and teacher give the same answer, right or wrong.",
    "baseline": "The same student, trained on hard labels only. What distillation must beat.",
    "calibration": (
        "How well confidence fits accuracy: of the answers given with 80 % confidence, 80 % should be right."
    ),
    "cross-entropy": (
        "−Σ q log p: the cost of answering p when q is the target. With a hard label it is −log p of the "
        "label. It equals the entropy of q plus the KL divergence."
    ),
    "dark knowledge": (
        "What the teacher's probabilities of the wrong classes tell: which class resembles which."
    ),
    "entropy": (
        "−Σ p log p: how spread out probabilities are. 0 when one class has everything, log C when all C "
        "classes have the same. In bits with log₂, in nats with ln."
    ),
    "fidelity": (
        "How closely the student's answers follow the teacher's: agreement, or a small KL divergence. "
        "Not the same as accuracy."
    ),
    "hard label": "The name of the right class and nothing else: probability 1 for it, 0 for all others.",
    "KL divergence": (
        "KL(q ‖ p) = Σ q log(q/p): how far p is from q. 0 only when they are equal; not symmetric. Here q is "
        "the teacher's, p the student's."
    ),
    "knowledge distillation": "Training a network, the student, on what another one, the teacher, answers.",
    "label smoothing": (
        "Hard labels of which a small share is spread evenly over all classes. Soft, but the same for "
        "every image, so without dark knowledge."
    ),
    "logits": "The numbers that a network gives before the softmax, one for each class.",
    "logit matching": "A loss that makes the student's logits themselves equal to the teacher's.",
    "soft targets": "The teacher's probabilities, softened by a temperature, as targets for the student.",
    "soft_weight": (
        "The share of the soft-target term in the loss: 1 is teacher only, 0 is hard labels only. Papers "
        "write α or λ for it, or for its opposite."
    ),
    "softmax": "Turns logits into probabilities: exp(z) of each class, divided by their sum.",
    "student": "The network that learns from the teacher. Often smaller.",
    "teacher": "The network that is already trained, and whose answers are the lesson.",
    "temperature": (
        "The number T by which logits are divided before the softmax. Above 1 it makes probabilities softer; "
        "the order of the classes stays."
    ),
    "transfer set": "The images on which the teacher answers and the student learns. They need no labels.",
}


def define(term):
    """What one word means."""
    if term not in DEFINITIONS:
        raise ValueError(f"the glossary has no {term!r}; it has {', '.join(DEFINITIONS)}")
    return DEFINITIONS[term]


def glossary(*terms):
    """The words of the course as a table; all of them, or those that are named."""
    return Glossary({term: define(term) for term in terms or DEFINITIONS})


@dataclass(frozen=True, repr=False)
class Glossary:
    """Words and what they mean; a notebook shows them as a table."""

    definitions: dict[str, str]

    def __repr__(self):
        return "\n".join(f"{term}: {meaning}" for term, meaning in self.definitions.items())

    def _repr_markdown_(self):
        rows = "\n".join(f"| **{term}** | {meaning} |" for term, meaning in self.definitions.items())
        return f"| word | meaning |\n|---|---|\n{rows}"
