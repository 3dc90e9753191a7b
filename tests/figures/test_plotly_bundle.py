"""The copy of plotly's script that pages without kernel carry."""

import re

from plotly.offline import get_plotlyjs_version

from kdviz.figures import plotly_bundle


def test_it_is_of_the_release_that_the_figures_are_made_for():
    (major,) = re.findall(r"\(cartesian - minified\) v(\d+)\.", plotly_bundle.text()[:200])
    assert major == get_plotlyjs_version().split(".")[0]


def test_it_draws_what_kdviz_draws_and_no_globe():
    assert {"scatter", "bar", "heatmap"} <= plotly_bundle.traces()
    assert not {"surface", "scattergeo", "mesh3d"} & plotly_bundle.traces()
