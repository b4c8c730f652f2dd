"""The whole city, `mainzdigital run`: how long until its first page, and how much memory its Python processes take."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil

from bench.http import free_port
from bench.measure import Fact

_PATIENCE = 120.0


def facts(home: Path) -> list[Fact]:
    """Start the city of `home` twice; the first start makes what a new city lacks, the second counts."""
    _start(home)
    seconds, memory = _start(home)
    return [
        Fact("second start of `run` to first page", seconds, "s", "≤ 8 s", 8),
        Fact("memory of all Python processes of `run`", memory / 1e6, "MB", "≤ 500 MB", 500),
    ]


def _start(home: Path) -> tuple[float, int]:
    port = free_port()
    environ = os.environ | {"MAINZDIGITAL_HOME": str(home), "MAINZDIGITAL_PORT": str(port)}
    begin = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "mainzdigital", "run"], env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _first_page(f"http://127.0.0.1:{port}/", process)
        seconds = time.perf_counter() - begin
        time.sleep(3)
        return seconds, _memory(process.pid)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def _first_page(address: str, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        if process.poll() is not None:
            raise SystemExit(f"`mainzdigital run` ended with exit code {process.returncode}")
        try:
            with urllib.request.urlopen(address, timeout=10) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise SystemExit("`mainzdigital run` shows no page")


def _memory(pid: int) -> int:
    """Bytes of our processes, what they share counted once (PSS)."""
    root = psutil.Process(pid)
    found = 0
    for process in (root, *root.children(recursive=True)):
        if "postgres" not in process.name():
            found += process.memory_full_info().pss
    return found
