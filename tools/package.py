"""The package: a wheel that holds the built front end and the compiled translations, and a trial of it.

`python -m tools.package` writes dist/*.whl; `python -m tools.package try` installs it into an empty environment where
there is no Node, runs the demo city until its first page and its SensorThings API answer, and stops it.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "dist"
_SECONDS = 600


def build() -> Path:
    """Build the wheel anew and check what must be in it; its path. Raises SystemExit with what is missing."""
    for old in DIST.glob("mainzdigital-*.whl"):
        old.unlink()
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps",
         "--no-build-isolation", "--wheel-dir", str(DIST), "."], cwd=ROOT, check=True,
    )  # fmt: skip
    wheel = next(DIST.glob("mainzdigital-*.whl"))
    with zipfile.ZipFile(wheel) as file:
        names = set(file.namelist())
    catalogues = sorted((ROOT / "src").rglob("*.po"))
    wanted = {each.relative_to(ROOT / "src").with_suffix(".mo").as_posix() for each in catalogues}
    built = ROOT / "src" / "mainzdigital" / "web" / "static" / "built"
    wanted |= {each.relative_to(ROOT / "src").as_posix() for each in built.rglob("*") if each.is_file()}
    wanted.discard("mainzdigital/web/static/built/.stamp")
    if missing := sorted(wanted - names):
        raise SystemExit(f"package: {wheel.name} lacks {missing[0]} and {len(missing) - 1} more")
    if not any(name.endswith(".js") for name in wanted) or not catalogues:
        raise SystemExit("package: the front end or the translations are not built; run `make setup`")
    print(f"{wheel.relative_to(ROOT)}: {len(names)} files, {wheel.stat().st_size / 1e6:.1f} MB")
    return wheel


def _path_without_node(environment: Path) -> str:
    folders = [each for each in os.environ["PATH"].split(os.pathsep) if each]
    if os.environ.get("VIRTUAL_ENV"):
        folders = [each for each in folders if not each.startswith(os.environ["VIRTUAL_ENV"])]
    kept = [each for each in folders if not any((Path(each) / name).exists() for name in ("node", "npm"))]
    # Programs of the system that stand beside Node are reached by links.
    links = environment / "system"
    links.mkdir()
    for folder in folders:
        for name in ("setpriv", "id", "sh"):
            program = Path(folder) / name
            if program.exists() and not (links / name).exists():
                (links / name).symlink_to(program)
    return os.pathsep.join([str(environment / "bin"), *kept, str(links)])


def _answer(url: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:  # noqa: S310 - our own address
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, b""
    except OSError:
        return 0, b""


def _until(what: Callable[[], bool], process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _SECONDS
    while not what():
        if process.poll() is not None:
            raise SystemExit(f"package: the demo ended with exit code {process.returncode}")
        if time.monotonic() > deadline:
            raise SystemExit(f"package: the demo did not answer in {_SECONDS} s")
        time.sleep(0.5)


def try_out(wheel: Path) -> None:
    """Install and run the wheel as on a machine that has Python only; raises SystemExit where something fails."""
    with tempfile.TemporaryDirectory(prefix="mainzdigital-try-") as folder:
        # As root the database runs as another user, who must reach its programs.
        Path(folder).chmod(0o755)
        environment = Path(folder) / "venv"
        venv.create(environment, with_pip=True)
        pip = [str(environment / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--require-hashes", "-r", str(ROOT / "requirements" / "run.txt")], check=True, cwd=folder)
        subprocess.run([*pip, "--no-deps", str(wheel)], check=True, cwd=folder)
        subprocess.run([str(environment / "bin" / "python"), "-m", "pip", "check"], check=True, cwd=folder)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MAINZDIGITAL_", "PYTHON"))}
        kept.pop("VIRTUAL_ENV", None)
        kept |= {
            "PATH": _path_without_node(environment),
            "MAINZDIGITAL_HOME": str(Path(folder) / "home"),
            "MAINZDIGITAL_PORT": str(port),
        }
        process = subprocess.Popen(
            [str(environment / "bin" / "mainzdigital"), "demo", "--no-backfill"], env=kept, cwd=folder
        )
        try:
            _look(f"http://127.0.0.1:{port}", process)
            process.send_signal(signal.SIGTERM)
            if code := process.wait(60):
                raise SystemExit(f"package: the demo stopped with exit code {code}")
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()
    print("package: the installed demo city answers and stops")


def _look(url: str, process: "subprocess.Popen[bytes]") -> None:
    _until(lambda: _answer(f"{url}/ready")[0] == 200, process)
    status, page = _answer(f"{url}/")
    if status != 200 or b"/static/" not in page:
        raise SystemExit(f"package: the first page answers {status}, without its style sheets and scripts")
    import re

    for path in sorted(set(re.findall(rb'(?:href|src)="(/static/[^"]+)"', page))):
        if (found := _answer(url + path.decode())[0]) != 200:
            raise SystemExit(f"package: {path.decode()} answers {found}")
    status, body = _answer(f"{url}/sensorthings/v1.1/Things?$top=5")
    if status != 200 or not json.loads(body)["value"]:
        raise SystemExit(f"package: SensorThings answers {status}, or has no things")


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["try"]):
        print("usage: python -m tools.package [try]")
        return 2
    wheel = build()
    if arguments:
        try_out(wheel)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
