"""`python -m venv` and its pip, quickly: packages are linked from the environment of the tests instead of downloaded.

Only what a file of requirements names is linked, so what it lacks is missing; the project itself is built and installed
by the real pip.
"""

import re
import subprocess
import sys
import venv
from importlib import metadata
from pathlib import Path

PIP = '#!/bin/sh\nexec {python} {script} pip {folder} "$@"\n'


def write_commands(folder: Path) -> None:
    """`python` and `python3`, for the front of a search path."""
    for name in ("python", "python3"):
        (folder / name).write_text(f'#!/bin/sh\nexec {sys.executable} {__file__} "$@"\n')
        (folder / name).chmod(0o755)


def make_environment(folder: Path) -> None:
    venv.create(folder, with_pip=False, symlinks=True)
    pip = folder / "bin" / "pip"
    pip.write_text(PIP.format(python=sys.executable, script=__file__, folder=folder))
    pip.chmod(0o755)


def packages_of(folder: Path) -> Path:
    (found,) = folder.glob("lib/python3*/site-packages")
    return found


def names_in(requirements: Path) -> list[str]:
    """Those that are for this machine."""
    lines = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^ \\]+)(.*)$", requirements.read_text(), re.MULTILINE)
    return [name for name, _, rest in lines if "win32" not in rest]


def link(folder: Path, name: str) -> None:
    distribution = metadata.distribution(name)
    for top in {file.parts[0] for file in distribution.files or []} - {".."}:
        source, target = Path(str(distribution.locate_file(top))), packages_of(folder) / top
        if source.exists() and not target.exists():
            target.symlink_to(source)


def pip(folder: Path, arguments: list[str]) -> None:
    match arguments:
        case ["install", "--require-hashes", "--requirement", requirements]:
            for name in names_in(Path(requirements)):
                link(folder, name)
        case ["uninstall", "--yes", name]:
            stem = name.replace("-", "_")
            for path in packages_of(folder).glob(f"{stem}*"):
                path.unlink()
        case ["install", "--no-build-isolation", "--no-deps", project]:
            command = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "--quiet", "install"]
            subprocess.run([*command, *arguments[1:3], "--ignore-installed", project], check=True)
        case _:
            raise SystemExit(f"pip is called in a way that this does not know: {arguments}")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["-m", "venv", target]:
            make_environment(Path(target))
        case ["pip", target, *rest]:
            pip(Path(target), rest)
        case rest:
            raise SystemExit(subprocess.run([sys.executable, *rest], check=False).returncode)
