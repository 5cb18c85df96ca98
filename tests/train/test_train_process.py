import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from penstock.train.environment.capture import THREAD_VARIABLES, host
from penstock.train.process import child_variables, is_gone, run_child, signal_name


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that `python -m child` runs."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path / "child.py"


def started(module: Path, text: str, **options: object) -> tuple[int, str]:
    module.write_text(text)
    log = module.with_name("log")
    code = run_child("child", module.with_name("job"), directory=module.parent, log=log, threads=1, **options)  # type: ignore[arg-type]
    return code, log.read_text()


def test_hash_seed_and_thread_counts_are_fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHASHSEED", "5")
    monkeypatch.setenv("OMP_NUM_THREADS", "9")
    monkeypatch.setenv("PYTHONPATH", "src")
    variables = child_variables(3)
    assert variables["PYTHONHASHSEED"] == "0"
    assert {variables[name] for name in THREAD_VARIABLES} == {"3"}
    assert all(Path(entry).is_absolute() for entry in variables["PYTHONPATH"].split(os.pathsep))
    assert variables["PATH"] == os.environ["PATH"]


def test_output_exit_code_and_arguments(module: Path) -> None:
    code, log = started(module, "import sys; print(sys.argv[1:]); print('oops', file=sys.stderr); sys.exit(7)")
    assert code == 7
    assert log == f"['{module.with_name('job')}']\noops\n"


def test_a_file_beside_the_code_does_not_shadow_the_standard_library(module: Path) -> None:
    work = module.parent / "work"
    work.mkdir()
    (work / "decimal.py").write_text("raise SystemExit('shadowed')")
    module.write_text("import decimal; print('fine')")
    assert run_child("child", module, directory=work, log=module.with_name("log"), threads=1) == 0


def test_lines_are_shown_as_they_are_printed(module: Path) -> None:
    lines: list[str] = []
    started(module, "print('one'); print('two'); print('three', end='')", progress=lines.append)
    assert lines == ["one", "two", "three"]


def test_a_signal_is_a_negative_code_with_a_name(module: Path) -> None:
    code, _ = started(module, "import os; os.kill(os.getpid(), 9)")
    assert (code, signal_name(code)) == (-9, "SIGKILL")


def test_a_crash_leaves_a_traceback(module: Path) -> None:
    code, log = started(module, "import faulthandler; faulthandler._sigsegv()")
    assert signal_name(code) == "SIGSEGV"
    assert 'child.py", line 1' in log


def test_an_interrupted_parent_kills_the_child_and_what_it_started(module: Path) -> None:
    def interrupt(line: str) -> None:
        pids.extend(int(each) for each in line.split())
        raise KeyboardInterrupt

    pids: list[int] = []
    text = """
import os, subprocess, sys, time
other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(os.getpid(), other.pid)
time.sleep(60)
"""
    with pytest.raises(KeyboardInterrupt):
        started(module, text, progress=interrupt)
    assert len(pids) == 2
    assert all(ends(pid) for pid in pids)


@pytest.mark.parametrize("ignored", ["pass;", "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);"])
def test_what_the_child_started_ends_with_it(module: Path, ignored: str) -> None:
    text = f"""
import subprocess, sys
script = "{ignored} print(flush=True); import time; time.sleep(60)"
other = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
other.stdout.readline()
print(other.pid)
"""
    code, log = started(module, text)
    assert code == 0
    assert ends(int(log))


def test_what_cleans_up_behind_the_child_may_finish(module: Path) -> None:
    text = """
import os
from multiprocessing.shared_memory import SharedMemory
print(SharedMemory(create=True, size=8).name, flush=True)
os._exit(0)
"""
    _, log = started(module, text)
    assert not Path("/dev/shm", log.split()[0]).exists()


def test_a_child_dies_with_its_parent(tmp_path: Path) -> None:
    child = """
import os, sys, time
from penstock.train.process import die_with
die_with(int(sys.argv[1]))
print(os.getpid(), flush=True)
time.sleep(60)
"""
    parent = f"import os, subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}, str(os.getpid())])"
    process = subprocess.Popen([sys.executable, "-c", parent], env=child_variables(1), stdout=subprocess.PIPE)
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    process.kill()
    process.wait()
    assert ends(pid)


def test_a_process_is_known_by_id_start_and_machine() -> None:
    here = host()
    assert not is_gone(os.getpid(), here)
    assert is_gone(os.getpid(), {**here, "created": here["created"] - 60})  # the id was given out again
    assert is_gone(os.getpid(), {**here, "boot": "another"}) == bool(here["machine"])  # it was started again


@pytest.mark.parametrize("differs", ["name", "machine", "pid_namespace"])
def test_in_doubt_a_process_lives(differs: str) -> None:
    """Two containers of one host's name, or two hosts, on one ledger: this one's process ids say nothing there."""
    where = {**host(), differs: "another", "created": 0}
    assert not is_gone(os.getpid(), where)
    assert not is_gone(os.getpid(), {**where, "boot": "another"})


def test_a_killed_process_is_gone_even_before_it_is_waited_for() -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    process.send_signal(signal.SIGKILL)
    assert ends(process.pid)
    process.wait()


def ends(pid: int) -> bool:
    import psutil

    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False
