"""Page 20: three stored tables; the teacher always at the temperature that is best on validation."""

from kdviz import datasets
from kdviz.algorithms.quantised import stored_bytes
from kdviz.course.claims import Claim, gain, table
from kdviz.course.experiments import n20_small_in_other_ways as experiments
from kdviz.models import mlp

STRENGTHS = {name: family for family, names in experiments.FAMILIES.items() for name in names}
NARROW = list(experiments.FAMILIES["narrow"])


def rows(name, **where):
    """A stored table with the teacher as it was chosen."""
    return table(experiments.chosen(table(name)), **where)


def mended(strength):
    """What training on by labels brings back."""
    return gain(rows("compressed"), "labels", minus="as cut", network=strength)


def lost(strength):
    """What rounding loses before anything learns again."""
    own = rows("compressed", student="quantise")
    return gain(own, {"network": "all of it"}, minus={"network": strength, "arm": "as cut"})


def taught(network):
    """What the teacher adds to a strength, or to an order."""
    name = "orders" if network in experiments.ORDERS else "compressed"
    return gain(rows(name), "teacher", minus="labels", network=network)


def warm(strength):
    """The teacher at temperature 4 minus the same at 1."""
    both = table("compressed", arm="teacher", network=strength)
    return gain(both, {"temperature": 4}, minus={"temperature": 1})


def over(strength):
    """The network with 2 bits minus that of another strength, both mended by labels."""
    return gain(rows("compressed", arm="labels"), {"network": "2 bits"}, minus={"network": strength})


def bytes_of(strength=None):
    """Of the network cut so, counted here and now; without a strength, of all of it."""
    full = mlp(64, experiments.WIDTH, 10)
    if strength is None:
        return stored_bytes(full)
    return stored_bytes(
        experiments.small(STRENGTHS[strength], strength, [full], [datasets.digits(seed=0)])[0]
    )


def order(one, other):
    return gain(rows("orders", arm="labels"), {"network": one}, minus={"network": other})


def few(arm, minus):
    return gain(rows("few_bits"), arm, minus=minus)


RIVALS = {"quantised distillation": "labels, anew", "Apprentice": "labels", "QKD": "labels"}

CLAIMS = [
    Claim(
        "The dotted line breaks off, and the other two lie on each other.",
        stored='mended("2 bits").better and mended("95 % cut").better and all(abs(taught(one).mean) < 0.2 for one in STRENGTHS)',
    ),
    Claim(
        "Two bits take 760 bytes, a thirteenth of all, and beat every other way at up to about three times as many: 8 units, 80 % cut, rank 2.",
        stored=[
            'bytes_of("2 bits") == 760 and round(bytes_of() / 760) == 13',
            'all(over(one).better for one in ("8 units", "80 % cut", "rank 2"))',
            'all(over(one).better for one in STRENGTHS if "bits" not in one and bytes_of(one) < 3.3 * 760)',
        ],
        differs="the other numbers name the ways",
    ),
    Claim(
        "So 80 % fewer weights are not 80 % fewer bytes.",
        stored='1 - bytes_of("80 % cut") / bytes_of() < 0.8 - 0.04',
        differs="80 % is the name of the cut",
    ),
    Claim(
        "Rounded to 2 bits, the network loses about eighteen points. It is trained on with 2 bits. What "
        "brings most of them back? → the labels; a teacher adds little\n"
        "Training on with labels brings back nearly seventeen points of the eighteen.",
        stored=[
            'lost("2 bits").about(18, within=0.5) and mended("2 bits").about(17, within=0.3)',
            'taught("2 bits").null',
        ],
        differs="2 are the bits; that a teacher adds little is the null of the next sentence",
    ),
    Claim(
        "With the teacher in place of most of the labels it is as many: the difference is null.",
        stored='taught("2 bits").null',
    ),
    Claim(
        "Twelve cuts, twelve times null.",
        stored="len(STRENGTHS) == 12 and all(taught(one).null for one in STRENGTHS)",
    ),
    Claim(
        "Even the narrow network gains nothing from this teacher.",
        stored="not any(taught(one).better for one in NARROW)",
    ),
    Claim(
        "Of the two temperatures, validation takes 1 every time, and at 1 a teacher that has learned these images by heart says what the labels say.",
        stored='set(rows("compressed", arm="teacher").temperature) == {1}',
        live="float(kd.teacher(digits)(digits.transfer.inputs).softmax(1)[range(len(digits.transfer.labels)), digits.transfer.labels].mean()) > 0.99",
    ),
    Claim(
        "At 4 it says more, and eleven of the twelve cuts are worse for it.",
        stored="sum(warm(one).worse for one in STRENGTHS) == 11 and len(STRENGTHS) == 12",
        differs="4 is the temperature",
    ),
    Claim(
        "The control that should fail is training with the cut and without any teacher; here it does not fail.",
        stored="not any(taught(one).better for one in STRENGTHS)",
    ),
    Claim(
        "All six end at 598 bytes, a sixteenth.",
        stored='len(experiments.ORDERS) == 6 and stored_bytes(experiments.cut_by("P-Q-", [mlp(64, experiments.WIDTH, 10)])[0]) == 598 and round(bytes_of() / 598) == 16',
    ),
    Claim(
        "Pruning after the training loses about thirty points, for nobody mends it any more.",
        stored='all(order(late, early).about(-30, within=1.5) for late, early in (("K-P-Q", "P-Q-K"), ("Q-K-P", "Q-P-K")))',
    ),
    Claim(
        "Rounding to 3 bits after it costs one point.",
        stored='order("P-K-Q", "P-Q-K").about(-1, within=0.1)',
        differs="3 are the bits",
    ),
    Claim(
        "Between P and Q the order is of no account at all: a weight of 0 is rounded to 0, and which weights are smallest is asked of the full ones, so the two cuts give the very same network.",
        stored='all((order(one, other).low, order(one, other).high) == (0, 0) for one, other in (("P-Q-K", "Q-P-K"), ("K-P-Q", "K-Q-P")))',
        differs="0 is the weight",
    ),
    Claim(
        "The teacher is null in all six orders.",
        stored="len(experiments.ORDERS) == 6 and all(taught(one).null for one in experiments.ORDERS)",
    ),
    Claim(
        "All three come near the network with all bits, and none gains over its own rival.",
        stored=[
            'len(RIVALS) == 3 and all(few(method, "all bits").mean > -2 for method in RIVALS)',
            "not any(few(method, rival).better for method, rival in RIVALS.items())",
        ],
    ),
    Claim(
        "Apprentice is surely more accurate than quantised distillation, but so is its rival: where one begins matters, and the teacher does not.",
        stored=[
            'few("Apprentice", "quantised distillation").better and few("labels", "labels, anew").better',
            'few("labels", "quantised distillation").better and few("Apprentice", "labels").null',
        ],
        differs="that the teacher does not matter is a null",
    ),
    Claim(
        "Holds: a cut network that is trained on by labels gains, by nearly seventeen points with 2 bits.",
        stored='all(mended(one).better for one in STRENGTHS) and mended("2 bits").about(17, within=0.3)',
        differs="2 are the bits",
    ),
    Claim(
        "Holds: prune before the last training. After it, pruning loses about thirty points.",
        stored='all(order(late, early).about(-30, within=1.5) for late, early in (("K-P-Q", "P-Q-K"), ("Q-K-P", "Q-P-K")))',
    ),
    Claim(
        "Null: a teacher instead of most labels, in twelve cuts, six orders and three methods with a name.",
        stored=[
            "len(STRENGTHS) == 12 and all(taught(one).null for one in STRENGTHS)",
            "len(experiments.ORDERS) == 6 and all(taught(one).null for one in experiments.ORDERS)",
            "len(RIVALS) == 3 and all(few(method, rival).null for method, rival in RIVALS.items())",
        ],
    ),
    Claim(
        'Does not hold here: "small means narrow". The 2-bit network beats each narrow one, also that with three times its 760 bytes.',
        stored=[
            'bytes_of("2 bits") == 760 and all(over(one).better for one in NARROW)',
            "max(bytes_of(one) for one in NARROW) > 3 * 760",
        ],
    ),
    Claim(
        "There the teacher knows what the labels do not say, and all five gain.",
        stored='table("kinds").student.nunique() == 5 and all(gain("kinds", "soft targets", minus="hard labels", student=one).better for one in set(table("kinds").student))',
    ),
    Claim(
        "02, section 4: with all labels no temperature and no weight gains there either.",
        stored='not any(gain("landscape", {"temperature": t, "soft_weight": w}, minus={"temperature": 1, "soft_weight": 0}, regime="all labels").better for t, w in set(zip(table("landscape").temperature, table("landscape").soft_weight)) if w)',
        differs="4 is a section",
    ),
]

EXEMPT = {
    "The rival is a teacher with 256 hidden units, heard at temperature 1 or 4, whichever is better on the validation images.": "how the experiment is made",
    "Quantising rounds each weight to a few values, which fit into a few bits.": "a definition",
    "All weights of both layers together, by size; the smallest 80 % become 0. kdviz calls torch's own torch.nn.utils.prune for that and keeps what is cut at 0 while the rest learns.": "what is done; the cell asserts it",
    "A cut weight still has a place, and the file must say where: one bit for each weight, whether it is there.": "how bytes are counted",
    "Join two cuts: prune 85 % (P), quantise to 3 bits (Q), and train once more (K).": "what is done",
    "Quantised distillation (Polino et al.) teaches a student with few bits from scratch.": "a definition",
    "Apprentice (Mishra and Marr, their scheme C) trains it with all bits first, and then with few under a teacher.": "a definition",
    "Each takes 300 steps with 2 bits, QKD 100 in each phase, and so do its rivals without a teacher.": "how the experiment is made",
}
