"""Formulas as MathML, which browsers draw by themselves."""

import re

import latex2mathml.converter


def mathml(tex, display=False):
    """A formula in LaTeX as MathML.

    Raises
    ------
    ValueError
        A formula that the converter does not know whole.
    """
    try:
        # The converter knows the same alignment by its other name.
        known = tex.replace("{aligned}", "{split}")
        drawn = latex2mathml.converter.convert(known, display="block" if display else "inline")
    except Exception as problem:
        raise ValueError(f"this formula cannot be drawn: {tex!r} ({problem})") from problem
    # What the converter does not know it passes through as letters.
    if unknown := re.search(r"<m[iot]>(\\\w+|&)</m[iot]>", drawn):
        raise ValueError(f"{unknown[1]!r} cannot be drawn in the formula {tex!r}")
    # A plain norm bar is as high as a letter; only \left and \right ask for a taller one.
    return drawn.replace("<mo>&#x02016;</mo>", '<mo stretchy="false">&#x02016;</mo>')
