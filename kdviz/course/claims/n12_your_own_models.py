"""Page 12: one pair of one seed for each kind of data, and eight seeds of the table; all of it live."""

from kdviz.course.claims import Claim


def gap(comparison, baseline, of="accuracy"):
    """Student minus a baseline, in percentage points, from the table that compare prints."""
    return 100 * float(comparison.table[of][comparison.students[0]] - comparison.table[of][baseline])


PLANTED = {"teacher_in_training_mode", "teacher_not_frozen", "reduction", "temperature_squared"}

CLAIMS = [
    Claim(
        "How many different faults does the step first_try have? → four\n"
        "The teacher answers in train mode, gradients flow into it, the mean runs over the classes "
        "as well, and T² is missing.",
        live="set(first.names) == PLANTED and len(PLANTED) == 4",
    ),
    Claim(
        "The students are well ahead of the twins with 100 labels.",
        live='gap(comparison, "100 labels") > 5',
        differs="100 is the arm's name",
    ),
    Claim(
        "Beside those with all labels the difference is null over seeds: the teacher has taken the place of the labels, and no more than that can be shown.",
        live='"over seeds, null; 100 labels" in " ".join(str(comparison).split())',
        differs="null is what compare prints, for three seeds, which is too few for a difference of ours",
    ),
    Claim(
        "The student's is lower than that of its twin, from the same 60 texts.",
        live='written.table.perplexity["student"] < written.table.perplexity["60 texts"] - 1',
        differs="60 is how many texts both read",
    ),
    Claim(
        "The student is ahead of the twin with 4 pictures, and beside the one with 300 the difference is less than one point.",
        live='gap(painted, "4 pictures") > 1 and abs(gap(painted, "300 pictures")) < 1',
        differs="4 and 300 are the arms' names",
    ),
    Claim(
        "The student is far ahead of the twin with 60 labels.",
        live='gap(noises, "60 labels") > 10',
        differs="60 is the arm's name",
    ),
    Claim(
        "The student that saw no label is well ahead of the twins with 2,000.",
        live=['gap(seen, "2,000 labels") > 4 and gap(seen, "2,000 labels, other seed") > 4'],
        differs="2,000 is the arm's name",
    ),
    Claim(
        "Beside the twin that learned all the labels its gain is null: these 2,000 photographs cannot tell the two apart.",
        live='"45,000 labels +1.2 ± 1.9 points, null" in " ".join(str(seen).split()) or abs(gap(seen, "45,000 labels")) < 1.9',
        differs="null is what compare prints: the half width over 2,000 samples is 1.9 points",
    ),
    Claim(
        "It is about twelve points behind the teacher, and not equally far in each class: look for the widest gap.",
        live='abs(gap(seen, "teacher") + 12) < 1 and seen.per_class.gap.max() - seen.per_class.gap.min() > 0.05',
    ),
    Claim(
        "The student saw no label. Where does its accuracy lie? → beside the twin with 45,000\n"
        "On these photographs the difference to that twin is null.",
        live=[
            'abs(gap(seen, "45,000 labels")) < 2 < gap(seen, "2,000 labels") and gap(seen, "teacher") < -2',
            'abs(gap(seen, "45,000 labels")) < 1.9',
        ],
        differs="45,000 is the arm's name; null is what compare prints: the half width over 2,000 samples is 1.9 points",
    ),
    Claim(
        "In the column calibration of the table, the mean distance from the diagonal, the student is nearer to it than both twins with 2,000 labels, and the twin with all labels is nearer than the student.",
        live=[
            'all(gap(seen, f"2,000 labels{other}", "calibration_error") < -2 for other in ("", ", other seed"))',
            'gap(seen, "45,000 labels", "calibration_error") > 2',
        ],
        differs="2,000 is the arm's name",
    ),
    Claim(
        "Student of the forest, minus its twin with 40 labels: test accuracy over 8 seeds? → 1 to 4 "
        "points better\n"
        "About two points better: the student hears what the forest learned from 341 labels.",
        live=[
            '1 < difference(scores["distilled"], scores["40 labels"]).mean < 4 and len(scores["distilled"]) == 8',
            'difference(scores["distilled"], scores["40 labels"]).about(2, within=0.7)',
        ],
        differs="341 labels are those of the table",
    ),
    Claim(
        "The student gains about two points over the twin with 40 labels.",
        live='difference(scores["distilled"], scores["40 labels"]).about(2, within=0.7)',
        differs="40 is the arm's name",
    ),
    Claim(
        "Against the twin with the forest's 341 labels the difference is null: through the forest their knowledge has reached a student who saw none of them, and no more than that can be shown.",
        live='difference(scores["distilled"], scores["341 labels"]).null',
        differs="341 is the arm's name",
    ),
    Claim(
        "Holds: the doctor found the planted faults by name, and passed the mended step.",
        live="set(first.names) == PLANTED and not mended.names",
    ),
    Claim(
        "Holds on these seven little tasks: students who hear a teacher on unlabelled data beat twins that have few labels.",
        live=[
            'gap(comparison, "100 labels") > 2 and gap(seen, "2,000 labels") > 4 and gap(topics, "60 labels") > 10',
            'difference(scores["distilled"], scores["40 labels"]).better',
            'gap(written, "60 texts") > 2 and gap(painted, "4 pictures") > 1 and gap(noises, "60 labels") > 10',
        ],
        differs="seven are the tasks",
    ),
    Claim(
        "Null on the photographs and on the table: a student who heard the teacher on all inputs, against a twin with all their labels.",
        live='abs(gap(seen, "45,000 labels")) < 1.9 and difference(scores["distilled"], scores["341 labels"]).null',
    ),
]

EXEMPT = {
    "Here are two kinds, one with the 100 labels that you have, one with all the labels that the teacher saw; and of students and twins three seeds each.": "what is trained",
    "Where a difference is within its interval, the sentences say null.": "what is printed",
    "One over seeds asks what other starts would give; of three seeds it is wide, and section 6 takes eight.": "what an interval is",
    "The ground alone, most of each picture, makes a high accuracy.": "what the pictures are",
    "Now eight seeds: each has its own split, its own forest and its own 40 labelled rows.": "what is done",
    "The table has eight seeds for it, the digits have three; photographs, texts, pictures and sounds have one, which is an example and no evidence.": "what was done",
    'Does not hold: "nothing was found, so it is right".': "a warning about the doctor",
    "Test: your student is half a point better.": "a question",
    "Test: several seeds in pairs, and an interval that does not contain 0.": "an answer in general",
}
