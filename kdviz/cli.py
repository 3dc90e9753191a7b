"""The command line: ``kdviz lab | site | results | data | doctor | wheels``, and in a clone ``setup | test``.

Only the standard library is imported here, so that a fresh clone can set itself up with
``python -m kdviz``.
"""

import argparse
import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

from kdviz.commands import setup
from kdviz.course.place import CLONE, course_folder


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
    parser = argparse.ArgumentParser(prog="kdviz", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")

    def command(name, run, what):
        added = commands.add_parser(name, help=what, description=what)
        added.set_defaults(run=run)
        return added

    lab = command("lab", _lab, "open the course in JupyterLab")
    lab.add_argument("--no-browser", action="store_true", help="print the address only")
    lab.add_argument("--port", type=int, help="the port to serve on")
    site = command("site", _site, "build the static course: pages that need no kernel and no network")
    site.add_argument("--output", type=Path, default=Path("site"), help="where to put it (site)")
    results = command("results", _results, "compute the long results again")
    results.add_argument("names", nargs="*", help="only these tables")
    results.add_argument(
        "--verify", action="store_true", help="keep a table whose first seed comes out as it is stored"
    )
    data = command("data", _data, "print the cards of the data sets, or fetch one")
    data.add_argument("fetch", nargs="?", choices=["fetch"], help="bring a data set to this machine")
    data.add_argument("name", nargs="?", help="of a data set; 'kdviz data' prints them all")
    data.add_argument("--from", dest="folder", type=Path, help="take its files from here, not the network")
    command("doctor", _doctor, "say what is missing and how to fix it")
    wheels = command("wheels", _wheels, "fill a folder from which laptops set up without network")
    wheels.add_argument("folder", type=Path, nargs="?", default=Path("wheels"))
    if CLONE:
        command("setup", lambda options: 0, "prepare the environment in .venv")
        test = command("test", _test, "run the tests; what follows is passed on to pytest")
        test.add_argument("--complete", action="store_true", help="run those that take long instead")
        command("benchmark", _benchmark, "measure, side by side in one run")
        command("soak", _soak, "train for ten minutes in the training theatre, under 2,000 slider moves")
        command("lint", _lint, "check the code's style")
    return parser


def _lab(options):
    from kdviz.commands.lab import open_lab

    return open_lab(browser=not options.no_browser, port=options.port)


def _site(options):
    from kdviz.course.site import build

    build(course_folder() / "notebooks", options.output)
    print(f"Open {options.output / 'index.html'} in a browser.")


def _results(options):
    from kdviz.course import results

    different = results.main(options.names, options.verify)
    if different:
        raise ValueError(f"these tables must be made again: kdviz results {' '.join(different)}")


def _data(options):
    from kdviz.datasets import cards, fetch

    if options.fetch:
        print(f"{options.name} is in {fetch(options.name or '', options.folder)}")
        return
    print("\n\n".join(str(card) for card in cards()))


def _doctor(options):
    from kdviz.commands.doctor import examine

    return examine()


def _wheels(options):
    from kdviz.commands.wheels import prepare

    prepare(options.folder)


def _test(options):
    # Side by side, a file in one process, so that what it prepares is prepared once.
    processes = min(4, max(2, (os.cpu_count() or 1) - 1))
    arguments = options.rest or ["-n", processes, "--dist", "loadfile", "--no-loadscope-reorder"]
    return _python("-m", "pytest", *arguments, *(["-m", "complete"] if options.complete else []))


def _benchmark(options):
    scripts = sorted((CLONE / "tests" / "benchmarks").glob("*.py"))
    return max(_python(script) for script in scripts)


def _soak(options):
    return _python("tests/benchmarks/theatre_soak.py", "--seconds", 600, "--moves", 2000)


def _lint(options):
    return _python("-m", "ruff", "check", ".")


def _python(*arguments):
    return subprocess.run([sys.executable, *map(str, arguments)], cwd=CLONE).returncode
