"""A class with bad Wi-Fi: fill one folder with everything, once; set laptops up from it without network.

The laptops must have the same system, processor kind and Python version as the machine that fills the
folder, for wheels are built for one of each.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from kdviz.commands.setup import SetupError, torch_requirement
from kdviz.course.paths import CLONE

INSTALL = '''"""Set up kdviz from this folder, without network: python install.py [where]"""

import os
import subprocess
import sys
from pathlib import Path

here = Path(__file__).resolve().parent
made_for = "{version}"
if "%d.%d" % sys.version_info[:2] != made_for:
    raise SystemExit(f"This folder was made for Python {{made_for}}; this is {{sys.version.split()[0]}}.")
home = Path(sys.argv[1] if len(sys.argv) > 1 else "kdviz").resolve()
subprocess.run([sys.executable, "-m", "venv", home / ".venv"], check=True)
programs = home / ".venv" / ("Scripts" if os.name == "nt" else "bin")
pip = [programs / "python", "-m", "pip", "install", "-q", "--no-index", "--find-links", here]
subprocess.run([*pip, "kdviz"], check=True)
print("Done. Open the course:")
print(f'  cd "{{home}}"')
print(f'  "{{programs / "kdviz"}}" lab')
'''


def prepare(folder):
    """Fill ``folder`` with wheels of kdviz and all it needs, and with ``install.py``."""
    if not CLONE:
        raise SetupError("'kdviz wheels' works in a clone of the repository; clone it and run it there")
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("kdviz-*.whl"):
        old.unlink()
    _wheel(folder, "--no-deps", str(CLONE))
    constraints = ["-c", str(CLONE / "constraints.txt"), "--find-links", str(folder)]
    _wheel(folder, *constraints, torch_requirement(CLONE))
    _wheel(folder, *constraints, str(next(folder.glob("kdviz-*.whl"))))
    version = "{}.{}".format(*sys.version_info)
    (folder / "install.py").write_text(INSTALL.format(version=version))
    size = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
    print(f"{folder} holds {size:,.0f} MB. Copy it to a USB stick; on each laptop: python install.py")


def _wheel(folder, *arguments):
    command = [sys.executable, "-m", "pip", "wheel", "-q", "-w", str(folder), *arguments]
    if subprocess.run(command).returncode:
        raise SetupError("pip could not bring all wheels; its message is above. Run the command again")
    shutil.rmtree(Path(folder) / "__pycache__", ignore_errors=True)
