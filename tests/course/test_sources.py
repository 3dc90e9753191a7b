from kdviz.course import experiments, sources
from kdviz.course.sources import PACKAGE, code_hash
from kdviz.losses.response._soft_targets import soft_targets


def names(code):
    return [path.relative_to(PACKAGE).as_posix() for path in sources.sources(code)]


def test_follows_a_name_through_packages_to_its_module():
    found = names(experiments.landscape)
    assert found[0] == "course/experiments.py"
    for needed in (
        "training/loop.py",
        "training/stacked/run.py",
        "losses/response/_soft_targets.py",
        "tracing.py",
    ):
        assert needed in found


def test_leaves_out_what_is_not_needed():
    found = names(experiments.landscape)
    assert not [name for name in found if name.startswith(("explorers", "figures", "losses/relation"))]
    assert "measure/similarity.py" not in found and "__init__.py" not in found
    assert len(names(soft_targets)) < 8


def test_the_hash_changes_with_any_of_the_files(tmp_path, monkeypatch):
    one, other = tmp_path / "one.py", tmp_path / "other.py"
    one.write_text("a = 1")
    other.write_text("b = 2")
    monkeypatch.setattr(sources, "sources", lambda code: [one, other])
    before = code_hash(None)
    assert code_hash(None) == before
    other.write_text("b = 3")
    assert code_hash(None) != before
