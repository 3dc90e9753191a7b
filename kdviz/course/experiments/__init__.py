"""The experiments behind the course's claims: a file for each page, named after its notebook.

An experiment takes seeds and returns rows, a dictionary for each student that it measures. Within a seed all
arms share the split, the initial weights and the order of the batches unless their names say otherwise, so
that their differences are paired. All seeds of an arm train as one stack. What experiments have in common is
in :mod:`.arms`; one that takes too long for a cell is kept as a table, see :mod:`kdviz.course.results`.
"""

SETTINGS = {
    # which student
    "seed": "of the split, the initial weights and the order of the batches",
    "regime": "what there is to learn from",
    "start": "of a language model: warm, after true texts, or cold",
    "arm": "what is compared: how the student learned, or from whom",
    "base": "what the arm's loss was added to",
    "pairs": "whose features the teacher's are",
    "student": "the kind of student",
    "network": "the student that was chosen among several, or how it was made small",
    "units": "whether hidden units learn",
    "generation": "of a born-again network, from 0; 'all' is their ensemble",
    "exit": "where the network was left",
    "copy": "an order of the batches",
    "stopped": "whether each student stopped at its best validation accuracy",
    "method": "of attribution",
    # settings
    "leaves": "that a tree may have at most",
    "steps": "of the whole training",
    "step": "of the training, when the student was measured",
    "labels": "how many labelled images",
    "images": "how many images of the teacher's answers",
    "keep": "how many images of the rare digit are left",
    "noise": "fraction of wrong training labels",
    "width": "hidden units of the student",
    "teacher_width": "hidden units of the teacher; 0 where there is none",
    "teacher_steps": "of the teacher's training; 0 where there is none",
    "bits": "of each weight",
    "temperature": "of the soft targets; 0 where there is no teacher",
    "soft_weight": "weight of the soft term, from 0 to 1",
    "weight": "of the arm's loss beside its base",
    "penalty": "of the squared length of a linear student's weights",
    "cost": "of the slacks of an SVM",
    "gamma": "of SVM+: of the squared length of what corrects the slacks",
    "student_layer": "the hidden layer of the student that is taught, from 1",
    "teacher_layer": "the hidden layer of the teacher that it learns from, from 1",
    "target_weight": "of DKD's first half, TCKD",
    "other_weight": "of DKD's second half, NCKD",
}
MEASURES = {
    # in percent where they are fractions of images, on the test images if nothing else is said
    "validation_accuracy": "on the validation images",
    "accuracy": "of the student, or the mean of two peers",
    "teacher_validation": "the teacher's, on the validation images",
    "teacher_accuracy": "of what the student listens to",
    "ensemble_accuracy": "of two peers together",
    "average_accuracy": "of the average of the student's weights",
    "vote_accuracy": "of the vote of the 5 nearest among all training images",
    "both_views_accuracy": "on images that show both views",
    "views": "views of a class that are recognised in most images",
    "accuracy_on_others": "on all digits but the rare one",
    "recall": "of the rare digit's images, those that are found",
    "confidence": "mean probability of the first choice",
    "calibration_error": "mean distance of confidence and accuracy, over bins of confidence",
    "negative_log_likelihood": "of the labels, in nats",
    "rank_correlation": "of two networks' attributions of the same image, times 100",
    "agreement_with_poor": "the same class as the poor teacher",
    "agreement": "with the teacher, the other peer or the generation before: the same class is most likely",
    "same_mistake": "both peers give the same wrong answer",
    "kl": "KL(teacher ‖ student) in nats; between peers the mean of both directions",
    "kl_temperature": "of both softmaxes of kl",
    "right": "of a language model: the probability of a right text, drawn at temperature 1",
    "right_at_half": "the same, drawn at temperature 0.5",
    "right_greedy": "the same, the likeliest word each time",
    "text_kl": "KL(truth ‖ language model) of whole texts, in nats",
    "styles": "exp of the entropy of the right texts that it says, from 1 to 3",
    "choice": "different right texts among six draws",
    "edge_overlap": "of the neighbour graph with the teacher layer's: edges shared, times 100",
    "cka": "linear CKA of the embeddings with the teacher's layer, times 100",
    "stability": "of a tree's first three questions: pixels shared with a second tree, times 100",
    "believed": "of the wrong training labels, those that the student finds likelier than the right digit",
    "teacher_believed": "the same of its teacher",
    "doubted": "training labels that are not the teacher's first choice",
    "parameters": "of the student",
    "bytes": "that the student takes",
    "macs": "multiply-accumulates of an image",
}
COLUMNS = SETTINGS | MEASURES
"""What a column of the stored tables means; the same quantity has one name in all of them."""
