"""An image, and beside it a map of it for each of several networks."""

import plotly.graph_objects as go
from plotly.subplots import make_subplots


def maps_beside(image, maps, coloraxis, title):
    """An image and its maps in a row, all maps on one colour axis."""
    picture = make_subplots(1, 1 + len(maps), subplot_titles=["image", *maps], horizontal_spacing=0.03)
    picture.add_trace(go.Heatmap(z=image, colorscale="gray_r", showscale=False, hoverinfo="skip"), 1, 1)
    for column, values in enumerate(maps.values(), start=2):
        picture.add_trace(go.Heatmap(z=values, coloraxis="coloraxis"), 1, column)
    picture.update_xaxes(visible=False, constrain="domain")
    picture.update_yaxes(visible=False, autorange="reversed", constrain="domain")
    for column in range(1, len(maps) + 2):
        picture.update_yaxes(scaleanchor=f"x{'' if column == 1 else column}", row=1, col=column)
    return picture.update_layout(
        template="kdviz",
        title=title,
        height=110 + 760 / (1 + len(maps)),
        margin={"l": 10, "r": 10, "b": 10},
        coloraxis=coloraxis,
    )
