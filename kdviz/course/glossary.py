"""The words of the course, each with one meaning."""

import re
from dataclasses import dataclass
from html import escape

DEFINITIONS = {
    "accuracy": "The fraction of images whose label the network names.",
    "adversarial example": "An input changed a little, on purpose, so that a network misreads it.",
    "agreement": "The fraction of images on which student and teacher give the same answer, right or wrong.",
    "baseline": "The same student, trained on hard labels only. What distillation must beat.",
    "calibration": (
        "How well confidence fits accuracy: of the answers given with 80 % confidence, 80 % should be right."
    ),
    "capacity gap": (
        "The idea that a teacher may be too large for its student: what it says is then too hard to imitate."
    ),
    "catastrophic forgetting": (
        "What a network loses of an old task while it learns a new one on the new task's samples alone."
    ),
    "cross-entropy": (
        "−Σ q log p: the cost of answering p when q is the target. With a hard label it is −log p of the "
        "label. It equals the entropy of q plus the KL divergence."
    ),
    "cross-modal distillation": (
        "Teacher and student read different modalities of the same pairs: one sees the image, the other "
        "hears the sound. The pairs need no labels."
    ),
    "dark knowledge": (
        "What the teacher's probabilities of the wrong classes tell: which class resembles which."
    ),
    "data-free": (
        "Of a distillation: without the images that the teacher learned from. What was kept of them all the "
        "same, if only means, has to be counted."
    ),
    "differential privacy": (
        "A promise that an answer would be about as likely without any one person's data: within a factor of "
        "e to the power of ε, but for a chance δ."
    ),
    "discriminator": (
        "A network that learns to tell whose an answer is, while another one learns to be mistaken for it."
    ),
    "embedding": "What the last hidden layer makes of an image: of these numbers the logits are computed.",
    "entropy": (
        "−Σ p log p: how spread out probabilities are. 0 when one class has everything, log C when all C "
        "classes have the same. In bits with log₂, in nats with ln."
    ),
    "federated learning": (
        "Learning where the data stay in the places where they are: weights or answers travel instead."
    ),
    "fidelity": (
        "How closely the student's answers follow the teacher's: agreement, or a small KL divergence. "
        "Not the same as accuracy."
    ),
    "gradient masking": (
        "A network with no gradient to climb seems strong against attacks that climb one, and is only silent."
    ),
    "hard label": "The name of the right class and nothing else: probability 1 for it, 0 for all others.",
    "intersection over union": (
        "Of the pixels that are, or are called, a class, the share that is both: 1 where the two agree, 0 "
        "where they never meet."
    ),
    "KL divergence": (
        "KL(q ‖ p) = Σ q log(q/p): how far p is from q. 0 only when they are equal; not symmetric. Here q is "
        "the teacher's, p the student's."
    ),
    "knowledge amalgamation": "One student of all classes from teachers that each know some of them.",
    "hallucination": (
        "A network that reads one modality and answers as if it read another one, which is there while "
        "training only."
    ),
    "knowledge distillation": "Training a network, the student, on what another one, the teacher, answers.",
    "label smoothing": (
        "Hard labels of which a small part is spread evenly over all classes. Soft, but the same for "
        "every image, so without dark knowledge."
    ),
    "logits": "The numbers that a network gives before the softmax, one for each class.",
    "logit matching": "A loss that makes the student's logits themselves equal to the teacher's.",
    "modality": "A kind of input, as the senses are: images, sounds, texts.",
    "null": "An effect whose 95 % interval holds zero: these seeds cannot tell it from no effect.",
    "paired difference": (
        "One student minus another of the same seed, which has the same data and the same initial weights: "
        "what the seed does to both falls out."
    ),
    "language model": (
        "A network that gives a probability to each next word, after all that was said before. To let it "
        "speak is to draw one word after the other."
    ),
    "on-policy": (
        "On texts that the student itself has just written, judged word by word by the teacher. Off-policy "
        "are texts of anybody else."
    ),
    "privileged information": (
        "What is known of a sample only while training: a teacher may see it, and the student never does."
    ),
    "reverse KL": (
        "KL(p ‖ q), with the student's p in front: it grows where the student believes in something that the "
        "teacher does not. Soft targets are the forward direction, KL(q ‖ p)."
    ),
    "soft targets": "The teacher's probabilities, softened by a temperature, as targets for the student.",
    "soft_weight": (
        "The weight of the soft-target term in the loss: 1 is teacher only, 0 is hard labels only. Papers "
        "write α or λ for it, or for its opposite."
    ),
    "softmax": "Turns logits into probabilities: exp(z) of each class, divided by their sum.",
    "student": "The network that learns from the teacher. Often smaller.",
    "teacher": "The network that is already trained, and whose answers are the lesson.",
    "temperature": (
        "The number T by which logits are divided before the softmax. Above 1 it makes probabilities softer; "
        "the order of the classes stays."
    ),
    "transfer learning": (
        "Beginning a new task with the weights, or the layers, that another task has left. Nobody teaches."
    ),
    "transfer set": "The images on which the teacher answers and the student learns. They need no labels.",
}


# Looked for without the plural's s, in texts with it or without; the longest first.
_TERMS = {term.lower().removesuffix("s"): term for term in DEFINITIONS}
_WORDS = re.compile(
    r"\b(?:" + "|".join(re.escape(term) for term in sorted(_TERMS, key=len, reverse=True)) + r")s?\b",
    re.IGNORECASE,
)
_TAG = re.compile(r"(<[^>]*>)")
_LEFT_ALONE = re.compile(r"<(/?)(?:a|code|pre|h[1-6]|math|script|style|svg|summary)\b")


def glossary(*terms: str) -> "Glossary":
    """The words of the course as a table; all of them, or those that are named.

    >>> glossary("logits")
    logits: The numbers that a network gives before the softmax, one for each class.
    """
    if unknown := [term for term in terms if term not in DEFINITIONS]:
        raise ValueError(f"the glossary has no {unknown[0]!r}; it has {', '.join(DEFINITIONS)}")
    return Glossary({term: DEFINITIONS[term] for term in terms or DEFINITIONS})


@dataclass(frozen=True, repr=False)
class Glossary:
    """Words and what they mean; a notebook shows them as a table."""

    definitions: dict[str, str]

    def __repr__(self):
        return "\n".join(f"{term}: {meaning}" for term, meaning in self.definitions.items())

    def _repr_markdown_(self):
        rows = "\n".join(f"| **{term}** | {meaning} |" for term, meaning in self.definitions.items())
        return f"| word | meaning |\n|---|---|\n{rows}"


def anchor(term: str) -> str:
    """The name of a word's place on the site's glossary page."""
    return re.sub(r"\W", "-", term.lower())


def with_links(html: str, met: set) -> str:
    """A text in which each word of the glossary leads to its meaning where it is met for the first time.

    ``met`` holds the words that this page has linked already. Links, headings, code and formulas stay as they
    are.
    """
    depth, parts = 0, _TAG.split(html)
    for i, part in enumerate(parts):
        if tag := _LEFT_ALONE.match(part):
            depth += -1 if tag[1] else 1
        elif depth == 0 and not part.startswith("<"):
            parts[i] = _WORDS.sub(lambda word: _linked(word[0], met), part)
    return "".join(parts)


def _linked(word, met):
    term = _TERMS[word.lower().removesuffix("s")]
    if term in met:
        return word
    met.add(term)
    return (
        f'<a class="term" href="glossary.html#{anchor(term)}" title="{escape(DEFINITIONS[term])}">{word}</a>'
    )
