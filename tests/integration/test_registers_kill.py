"""A load that is killed leaves whole snapshots or none."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from minedisc_core.domain import RegisterKind
from minedisc_core.registers.active import load_active
from minedisc_core.registers.snapshots import add_snapshot, list_snapshots, problems, read_rows
from minedisc_core.settings import PROJECT_ROOT, Settings

LOADER = """
import sys
from pathlib import Path
from minedisc_core.domain import RegisterKind
from minedisc_core.registers.snapshots import add_snapshot
from minedisc_core.settings import load_settings
home, number = Path(sys.argv[1]), int(sys.argv[2])
settings = load_settings({}, home)
print("ready", flush=True)
while True:
    number += 1
    path = home / "dams.csv"
    rows = [f"dam {number} {i};MG;{-20 - i / 1e5};-43" for i in range(3000)]
    path.write_text("\\n".join(["Nome;UF;lat;lon", *rows]))
    add_snapshot(settings, RegisterKind.SIGBM, path)
    print(number, flush=True)
"""


def test_a_load_killed_at_any_moment_leaves_no_half_snapshot(settings: Settings) -> None:
    acknowledged = 0
    for round_number in range(5):
        command = [sys.executable, "-c", LOADER, str(settings.home), str(round_number * 1000)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=PROJECT_ROOT) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            assert process.stdout.readline().strip().isdecimal()
            time.sleep(0.017 * round_number)
            os.kill(process.pid, signal.SIGKILL)
            acknowledged += 1 + len(process.stdout.read().split())
        found = list_snapshots(settings)
        assert len(found) >= acknowledged
        for snapshot in found:
            assert len(read_rows(settings, snapshot)) == snapshot.rows == 3000
            assert problems(settings, snapshot.snapshot_id) == ()
    assert len(load_active(settings).points) == 3000 * len(found)


def test_a_load_after_a_kill_works(tmp_path: Path, settings: Settings) -> None:
    settings.registers.mkdir()
    (settings.registers / "sigbm-0123456789abcdef.parquet").write_bytes(b"half")
    (settings.registers / ".sigbm-0123456789abcdef.json.x1").write_bytes(b"half")
    path = tmp_path / "d.csv"
    path.write_text("Nome;UF;lat;lon\nA;MG;-20;-43\n")
    snapshot, _ = add_snapshot(settings, RegisterKind.SIGBM, path)
    assert list_snapshots(settings) == [snapshot]
