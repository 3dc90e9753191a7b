"""The data that the schemes are tried on."""

import pytest

from kdviz.datasets import digits


@pytest.fixture(scope="module")
def data():
    return digits(labels=50, transfer="labelled")
