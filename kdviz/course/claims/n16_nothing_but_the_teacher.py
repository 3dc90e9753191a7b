"""Page 16: four stored tables, and the film of the images that are made."""

import pandas as pd

from kdviz.course.claims import Claim, gain, table

SHOWN = ("drawn_images", "inverted_images", "generators")


def taught(arm, minus):
    """An arm of any of the three tables in which a teacher answers, over another arm."""
    rows = pd.concat([table(name) for name in SHOWN])
    return gain(rows, arm, minus=minus)


def mean(arm, of="accuracy"):
    rows = pd.concat([table(name, arm=arm) for name in SHOWN if arm in set(table(name).arm)])
    return float(rows[of].mean())


def kept(arm):
    return mean(arm, "kept")


def ten(arm, minus, reader):
    return gain("ten_images", arm, minus=minus, student=reader)


def alone(arm, reader):
    return float(table("ten_images", arm=arm, student=reader).accuracy.mean())


CLAIMS = [
    Claim(
        "The Gaussian gains 37 points over ten real images, which take more bytes, and nearly two over fifty.",
        stored=[
            'taught("a Gaussian a pixel", "10 images").about(37, within=0.5)',
            'taught("a Gaussian a pixel", "50 images").about(1.7, within=0.25)',
            'kept("a Gaussian a pixel") < kept("10 images")',
        ],
        differs="the numbers of images are names of arms",
    ),
    Claim(
        "To all 1,200 images, 76,800 bytes, it loses two points.",
        stored=[
            'taught("a Gaussian a pixel", "all images").about(-2, within=0.2)',
            'kept("all images") == 76800 == 64 * 1200',
        ],
    ),
    Claim(
        "The control fails: the same numbers at the wrong pixels lose fifteen points to uniform noise.",
        stored='taught("the same, shuffled", "uniform noise").about(-15, within=0.5)',
    ),
    Claim(
        "And mixing pairs of the fifty images (mixup, Zhang et al.), as is often done, costs a point.",
        stored='taught("50 images, mixed", "50 images").about(-1.2, within=0.3)',
        differs="fifty is the name of the arm, and a point is no whole number",
    ),
]

EXEMPT = {}
