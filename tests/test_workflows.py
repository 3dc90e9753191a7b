"""The workflows call what the repository has. They run on GitHub only."""

from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_read_only_and_calls_targets_that_there_are(path):
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert workflow["permissions"]["contents"] == "read"
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    assert all(step.get("uses") or step.get("run") for step in steps)
    targets = (ROOT / "Makefile").read_text(encoding="utf-8")
    for step in steps:
        if step.get("run", "").startswith("make "):
            assert f" {step['run'].removeprefix('make ')} " in targets
