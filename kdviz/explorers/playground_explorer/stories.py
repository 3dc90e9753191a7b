"""What the playground can be set to, and its stories."""

# The fraction of wrong labels, and how long its teacher trains: one that learned wrong labels by heart would
# have nothing better to say than the labels.
TEACHER_STEPS = {0.0: 1000, 0.2: 300, 0.4: 300, 0.6: 300}
# How long one trains that is stopped early though all labels are right.
EARLY_STEPS = 40

# Every control steps through these values.
STOPS = {
    "labels": [10, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000, 1200],
    "temperature": [0.5, 1, 1.5, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20],
    "soft_weight": [twentieth / 20 for twentieth in range(21)],
    "width": [4, 8, 16, 32, 64, 256],
    "unlabelled": [False, True],
    "label_noise": list(TEACHER_STEPS),
    "early_teacher": [False, True],
    "omit": [None, *range(10)],
    "permuted": [False, True],
    "learning_rate": [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05],
}
DEFAULTS = {
    "labels": 20,
    "temperature": 4,
    "soft_weight": 0.9,
    "width": 16,
    "unlabelled": False,
    "label_noise": 0.0,
    "early_teacher": False,
    "omit": None,
    "permuted": False,
    "learning_rate": 0.005,
    "seed": 0,
}
# What a story changes of the defaults, and what its question is about: all test images, or the recall of
# the digit that is left out. `why` is told when it is asked for, after the verdict; it is about thirty seeds.
STORIES = [
    {
        "name": "few-labels",
        "title": "Few labels",
        "question": "Two labelled images of each digit, 20 in all. Both students see only these; the "
        "distilled one also hears what the teacher says about them. Does that help?",
        "settings": {},
        "measure": "accuracy",
        "why": "A label names one digit. The teacher's answer says besides which others the image resembles, "
        "so the same twenty images teach more. If that is the reason, a teacher whose resemblances are "
        "shuffled should not help: “Permuted dark knowledge” tries it.",
    },
    {
        "name": "missing-3",
        "title": "The missing 3",
        "question": "No student ever sees a 3. The distilled one hears only how much the teacher sees of a 3 "
        "in other digits. How will it do on 3s, beside the label-only student?",
        "settings": {"labels": 1200, "omit": 3, "width": 64, "temperature": 8, "soft_weight": 1.0},
        "measure": "recall",
        "why": "The image on the stage is the one in which the teacher saw most of a 3. From many such hints "
        "the distilled student pieces together what a 3 looks like; a label has none to give.",
    },
    {
        "name": "noisy-labels",
        "title": "Noisy labels",
        "question": "60 % of all labels are wrong. The teacher learned from the same wrong labels, but "
        "stopped early, before it knew them by heart. Will its student beat a label-only student that goes "
        "on to the end, and one that stops early too?",
        "settings": {"labels": 1200, "label_noise": 0.6, "width": 64},
        "measure": "accuracy",
        "why": "The teacher's answers hold back the wrong labels because the teacher itself stopped early. "
        "Over 30 seeds, a label-only student stopped at its best validation step ends a little above the "
        "distilled one: what helps here is the stop. (To find it takes 200 rightly labelled images.)",
    },
    {
        "name": "all-labels",
        "title": "All the labels",
        "question": "All 1,200 images have their right labels, the same that the teacher had. What does its "
        "advice add?",
        "settings": {"labels": 1200},
        "measure": "accuracy",
        "why": "The labels already say nearly all that the teacher could add, for it learned from the same "
        "ones. Move “Labelled images” to the left: the gain comes back where labels are few.",
    },
    {
        "name": "permuted",
        "title": "Permuted dark knowledge",
        "question": "As in “Few labels”, but the teacher's logits of the nine other digits are shuffled for "
        "each image. It is as sure as before; only which digits resemble each other is lost. Does "
        "it still help?",
        "settings": {"permuted": True},
        "measure": "accuracy",
        "why": "The answers are as soft as in “Few labels”, and now they harm. So what helped there was not "
        "softness: it was which digits the teacher finds alike.",
    },
    {
        "name": "early-teacher",
        "title": "A teacher stopped early",
        "question": f"Again 20 labels, but the teacher trained for only {EARLY_STEPS} steps and misreads "
        "about 13 images in 100. Its student hears the mistakes as well. Does such a teacher still help?",
        "settings": {"early_teacher": True},
        "measure": "accuracy",
        "why": "It misreads fewer images than a student with 20 labels does, so there is something to learn "
        "from it. Give the students 200 labels and the sign turns: then the label-only student reads "
        "better than this teacher, which holds the other one back.",
    },
    {
        "name": "as-large",
        "title": "As large as its teacher",
        "question": "Students with 256 hidden units, as many as the teacher has, and again 20 labels. "
        "Nothing is made smaller here. Is there still something to gain?",
        "settings": {"width": 256},
        "measure": "accuracy",
        "why": "Distillation is told as a way to make networks small, but size is not what it works on. The "
        "teacher has seen 1,200 labels, the student 20: the answers carry over some of the rest.",
    },
]
