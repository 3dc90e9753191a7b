"""What the course's JupyterLab saves: read by Jupyter because ``kdviz lab`` names this folder."""

from kdviz.course.kernels import ENCRYPTED

PLOTLY = "application/vnd.plotly.v1+json"


def leave_out_snapshots(model, **_):
    """Lab adds a picture of each plotly figure to the notebook, four times as heavy as all the rest."""
    if model["type"] != "notebook":
        return
    for cell in model["content"]["cells"]:
        for output in cell.get("outputs", []):
            if PLOTLY in output.get("data", {}):
                output["data"].pop("image/png", None)


c.ContentsManager.pre_save_hook = leave_out_snapshots  # noqa: F821
c.merge(ENCRYPTED)  # noqa: F821
