"""The command line: ``kdviz COMMAND``, or ``python -m kdviz COMMAND``.

Only the standard library is imported here, so that a fresh clone can set itself up with
``python -m kdviz``.
"""

import argparse
import importlib.metadata
import os
import shutil
import subprocess
import sys
from pathlib import Path

import kdviz
from kdviz.commands import setup
from kdviz.course.paths import CLONE, course_folder


def main(arguments=None):
    """Run one command; returns the exit status."""
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    if rest and options.command != "test":
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    options.rest = rest
    try:
        if CLONE and _must_set_up(options.command):
            python = setup.ensure(CLONE)
            if options.command != "setup" and Path(sys.prefix) != setup.environment(CLONE):
                given = sys.argv[1:] if arguments is None else arguments
                return subprocess.run([python, "-m", "kdviz", *given], cwd=Path.cwd()).returncode
        return options.run(options) or 0
    except KeyboardInterrupt:
        return 130
    except (setup.SetupError, OSError, ValueError) as problem:
        print(f"kdviz: {problem}", file=sys.stderr)
        return 1


def _must_set_up(command):
    """A clone prepares its own environment, unless kdviz is installed where we run already."""
    if command in ("setup", "test") or Path(sys.prefix) == setup.environment(CLONE):
        return True
    try:
        importlib.metadata.distribution("kdviz")
    except importlib.metadata.PackageNotFoundError:
        return True
    return False


def _parser():
    about = "Open the course, build its static site, fetch data, or set a machine up."
    parser = argparse.ArgumentParser(prog="kdviz", description=about)
    parser.add_argument("--version", action="version", version=f"kdviz {kdviz.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")

    def command(name, run, what):
        added = commands.add_parser(name, help=what, description=what)
        added.set_defaults(run=run)
        return added

    lab = command("lab", _lab, "open the course in JupyterLab")
    lab.add_argument("--no-browser", action="store_true", help="only print the address")
    lab.add_argument("--port", type=_port, help="the port to serve on")
    lab.add_argument(
        "--originals", action="store_true", help="in a clone: edit its own notebooks, not your copy of them"
    )
    site = command("site", _site, "build the static course: pages that need no kernel and no network")
    site.add_argument("--output", type=Path, default=Path("site"), help="the folder to write (default: site)")
    slides = command("slides", _slides, "write a page of the course as slides, for a room without network")
    slides.add_argument("page", help="its name, or how that begins: 01")
    slides.add_argument("--output", type=Path, default=Path("slides"), help="the folder (default: slides)")
    data = command("data", _data, "describe the data sets, or fetch one")
    data.add_argument("fetch", nargs="?", choices=["fetch"], help="bring a data set to this machine")
    data.add_argument("name", nargs="?", metavar="NAME", help="the data set to fetch")
    data.add_argument("--from", dest="folder", type=Path, help="a folder that has its files already")
    data.format_help = lambda: _help_on_data(data)
    command("doctor", _doctor, "say what is missing on this machine and how to fix it")
    cache = command("cache", _cache, "show the store of trained models and sweeps, or empty it")
    cache.add_argument("--clear", action="store_true", help="remove all that kdviz keeps there")
    wheels = command("wheels", _wheels, "fill a folder from which other machines set up without network")
    wheels.add_argument("folder", type=Path, nargs="?", default=Path("wheels"), help="(default: wheels)")
    concepts = command("concepts", _concepts, "say what a class learned by the concept test")
    concepts.add_argument("answers", type=Path, help="a file with a line of letters for each learner")
    grade = command("grade", _grade, "judge the exercises in a folder of notebooks that were handed in")
    grade.add_argument("folder", type=Path, help="with a folder for each learner, or a file for each")
    grade.add_argument("--table", type=Path, default=Path("grades.csv"), help="(default: grades.csv)")
    results = command("results", _results, "compute the stored tables whose code has changed")
    results.add_argument(
        "names", nargs="*", metavar="NAME", help="only these tables, or those of these pages"
    )
    results.add_argument(
        "--verify", action="store_true", help="keep a table whose first seed comes out as it is stored"
    )
    if CLONE:
        command("setup", lambda options: 0, "prepare the environment in .venv")
        test = command("test", _test, "run the tests; pytest's options are passed on")
        test.add_argument("--complete", action="store_true", help="run those that take long instead")
        command("pages", _pages, "write how long each page takes, the table in README.md, and the drawings")
        command("benchmark", _benchmark, "measure, side by side in one run")
        command("soak", _soak, "train for ten minutes in the training theatre, under 2,000 slider moves")
        command("lint", _lint, "check the code's style")
        gpu = command("gpu", _gpu, "run every check that needs an accelerator; without one, say so")
        gpu.add_argument("--device", default="cuda", help="(default: cuda); cpu tries the checks themselves")
    return parser


def _lab(options):
    from kdviz.commands.lab import open_lab

    return open_lab(browser=not options.no_browser, port=options.port, originals=options.originals)


def _port(text):
    if text.isdecimal() and 0 < int(text) < 65536:
        return int(text)
    raise argparse.ArgumentTypeError(f"give a whole number from 1 to 65535; got {text!r}")


def _site(options):
    from kdviz.course.site import build

    build(course_folder() / "notebooks", options.output)
    print(f"Open {options.output / 'index.html'} in a browser.")


def _slides(options):
    from kdviz.course.slides import page_meant, written

    file = written(page_meant(options.page), course_folder() / "notebooks", options.output)
    print(f"Open {file} in a browser. N shows the speaker's notes, S opens them in a window of their own.")


def _concepts(options):
    from kdviz.course.concept_test import read, told

    print(told(*read(options.answers)))


def _grade(options):
    from kdviz.course.hand_in import grade, summary
    from kdviz.files import write_whole

    table = grade(options.folder)
    write_whole(options.table, table.to_csv(index=False).encode())
    print(f"{summary(table)}\n\nThe verdict on each exercise is in {options.table}")


def _results(options):
    from kdviz.course import pages, results

    tables = {page.name: page.results for page in pages.pages()}
    names = [table for name in options.names for table in tables.get(name, (name,))]
    if options.names and not names:
        raise ValueError(f"no table belongs to {' '.join(options.names)}")
    different = results.main(names, options.verify)
    if different:
        raise ValueError(f"these tables must be computed again: kdviz results {' '.join(different)}")


def _help_on_data(parser):
    """The help names the data sets that can be fetched; a fresh clone cannot import them yet."""
    try:
        from kdviz.datasets.sources import SOURCES

        parser.epilog = f"NAME is one of {', '.join(SOURCES)}."
    except ImportError:
        parser.epilog = "Without a NAME, 'kdviz data fetch' says which there are."
    return argparse.ArgumentParser.format_help(parser)


def _data(options):
    from kdviz.datasets import cards, fetch

    if options.fetch:
        print(f"{options.name} is in {fetch(options.name or '', options.folder)}")
        return
    print("\n\n".join(str(card) for card in cards()))


def _doctor(options):
    from kdviz.commands.doctor import examine

    return examine()


def _cache(options):
    from kdviz.training.store import Store

    store = Store()
    print(f"{store.folder} holds {len(store.files())} files of kdviz, {store.size() / 1e6:,.1f} MB")
    if options.clear:
        store.clear()
        print("They are removed. What is asked for again is trained again.")


def _wheels(options):
    from kdviz.commands.wheels import prepare

    prepare(options.folder)


def _test(options):
    # Side by side, a file in one process, so that what it prepares is prepared once. One more than there are
    # cores, for tests of pages wait for their browser.
    processes = min(4, (os.cpu_count() or 1) + 1)
    arguments = options.rest or ["-n", processes, "--dist", "loadfile", "--no-loadscope-reorder"]
    return _python("-m", "pytest", *arguments, *(["-m", "complete"] if options.complete else []))


def _pages(options):
    from kdviz.course import drawings
    from kdviz.course.minutes import with_heading, with_minutes
    from kdviz.course.pages import _declared, pages, with_table

    def rewrite(path, change, *given):
        path.write_text(change(path.read_text(encoding="utf-8"), *given), encoding="utf-8")

    drawings.write(CLONE / "notebooks" / "pictures")
    for page in pages():
        rewrite(CLONE / "notebooks" / page.notebook, with_heading, page)
        rewrite(CLONE / "kdviz" / "course" / "pages.toml", with_minutes, page)
    _declared.cache_clear()
    rewrite(CLONE / "README.md", with_table)


def _benchmark(options):
    scripts = sorted((CLONE / "tests" / "benchmarks").glob("*.py"))
    return max(_python(script) for script in scripts)


def _soak(options):
    return _python("tests/benchmarks/theatre_soak.py", "--seconds", 600, "--moves", 2000)


def _lint(options):
    status = _python("-m", "ruff", "check", ".")
    npm = shutil.which("npm")
    if npm is None and not os.environ.get("CI"):
        print("SKIPPED: the JavaScript and CSS of the explorers, for which Node.js with npm is needed")
        return status
    if npm is None:
        raise ValueError("to check JavaScript and CSS, Node.js with npm is needed: https://nodejs.org")
    commands = [["run", "--silent", "check"]]
    wanted = CLONE / "tools" / "package-lock.json"
    installed = wanted.parent / "node_modules" / f".{wanted.name}"
    if not installed.exists() or installed.stat().st_mtime < wanted.stat().st_mtime:
        commands.insert(0, ["ci", "--silent", "--no-audit", "--no-fund"])
    for command in commands:
        status = subprocess.run([npm, *command], cwd=CLONE / "tools").returncode or status
    return status


def _gpu(options):
    from kdviz.commands.gpu import check

    return check(CLONE, options.device)


def _python(*arguments):
    return subprocess.run([sys.executable, *map(str, arguments)], cwd=CLONE).returncode
