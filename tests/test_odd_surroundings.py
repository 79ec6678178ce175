"""Starts in odd surroundings: broken streams, no HOME, other users, files that cannot be read.

Whatever happens, the program starts as it would under stock Python, without a traceback and
without a different exit code.
"""

from __future__ import annotations

import os
import subprocess

import pytest
from environments import TIMEOUT, Environment

CODE = "print('ok')"


@pytest.fixture
def refusing(environment: Environment) -> Environment:
    """An environment in which twelve lines are refused."""
    (environment.site_packages / "foo.pth").write_text("import os\n" * 12)
    return environment


def shell(environment: Environment, command: str) -> tuple[int, str]:
    """Run a shell line in which $SAFE starts the program; return its code and output."""
    safe = f"{environment.python} -S -m safesite"
    done = subprocess.run(
        ["/bin/bash", "-o", "pipefail", "-c", command],
        cwd=environment.work,
        env=environment.environ() | {"SAFE": safe, "STOCK": str(environment.python)},
        stdout=subprocess.PIPE,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    return done.returncode, done.stdout


STREAMS = {
    "stderr-closed": "$WHICH -c \"print('ok')\" 2>&-",
    "stderr-full": "$WHICH -c \"print('ok')\" 2>/dev/full",
    "stderr-broken": "{ $WHICH -c \"print('ok')\" 2>&1 1>&3 | true; } 3>&1",
    "all-closed": "$WHICH -c pass 0<&- 1>&- 2>&-; echo $?",
    "stdin-closed": '$WHICH -c "import sys; print(sys.stdin)" 0<&-',
    "stdin-program-closed": "$WHICH - 0<&-; echo $?",
}


@pytest.mark.parametrize("name", STREAMS)
def test_a_program_starts_with_broken_streams(refusing: Environment, name: str) -> None:
    line = STREAMS[name]
    (refusing.site_packages / "foo.pth").unlink()
    stock = shell(refusing, line.replace("$WHICH", "$STOCK"))
    (refusing.site_packages / "foo.pth").write_text("import os\n" * 12)
    assert shell(refusing, line.replace("$WHICH", "$SAFE")) == stock


def test_nothing_is_written_into_a_file_that_has_got_number_two(refusing: Environment) -> None:
    # With stderr closed, the first file a program opens may get its number.
    code = "import os; fd = os.open('victim', os.O_WRONLY | os.O_CREAT); print(fd)"
    (refusing.root / "extra").mkdir()
    (refusing.root / "extra" / "more.pth").write_text("import os\n")
    later = f"; import site; site.addsitedir({str(refusing.root / 'extra')!r})"
    shell(refusing, f'$SAFE -c "{code}{later}" 2>&-')
    assert (refusing.work / "victim").read_bytes() == b""


def test_a_program_that_replaced_stderr_gets_the_report_there(environment: Environment) -> None:
    extra = environment.root / "extra"
    extra.mkdir()
    (extra / "more.pth").write_text("import os\n")
    code = (
        "import io, site, sys; sys.stderr = io.StringIO();"
        f"site.addsitedir({str(extra)!r}); text = sys.stderr.getvalue();"
        "sys.stderr = None;"
        f"site.addsitedir({str(extra)!r});"
        "print(text, end='')"
    )
    outcome = environment.launched("-c", code)
    assert outcome.err == ""
    assert outcome.out.startswith(f"safesite: {extra / 'more.pth'}:1: refused import line: ")


@pytest.mark.parametrize("missing", ["HOME", "PATH", "LANG"])
def test_a_program_starts_without_the_usual_variables(
    environment: Environment, missing: str
) -> None:
    (environment.site_packages / "foo.pth").write_text("import os\n")
    environ = {name: value for name, value in environment.environ().items() if name != missing}
    # Without HOME the user's policy would be that of whoever runs the tests.
    environ["XDG_CONFIG_HOME"] = str(environment.home)
    command = [str(environment.python), "-S", "-m", "safesite", "-c", CODE]
    done = subprocess.run(
        command, cwd=environment.work, env=environ, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "ok\n")
    assert done.stderr.count("refused import line") == 1
    assert "Traceback" not in done.stderr


def test_a_program_starts_in_a_folder_that_is_gone(environment: Environment) -> None:
    gone = environment.root / "gone"
    program = environment.root / "program.py"
    program.write_text("import sys; print(sys.path)")
    outputs = []
    for which in ("$STOCK", "$SAFE"):
        for target in (program, "-c 'import sys; print(sys.path)'", "-m this"):
            gone.mkdir()
            line = f"cd {gone} && rmdir {gone} && PYTHONPATH={environment.work} {which} {target}"
            outputs.append(shell(environment, line))
    assert outputs[:3] == outputs[3:]
    assert [code for code, _ in outputs] == [0] * 6


def test_read_only_folders_change_nothing(environment: Environment) -> None:
    (environment.site_packages / "foo.pth").write_text("entry\nimport os\n")
    (environment.site_packages / "entry").mkdir()
    for folder in (environment.site_packages, environment.home, environment.work):
        folder.chmod(0o555)
    code = "import sys; print(sys.path)"
    assert environment.launched("-c", code).out == environment.stock("-c", code).out


def modes_count() -> list[str]:
    """Return what to put before a command so that file modes count, also for root."""
    if os.geteuid():
        return []
    return ["setpriv", "--inh-caps=-all", "--bounding-set=-dac_override,-dac_read_search", "--"]


def test_an_unreadable_startup_file_is_skipped_with_its_reason(environment: Environment) -> None:
    secret = environment.site_packages / "secret.pth"
    secret.write_text("import os\n")
    secret.chmod(0o000)
    (environment.site_packages / "path.pth").write_text("entry\n")
    (environment.site_packages / "entry").mkdir()
    command = [*modes_count(), str(environment.python), "-S", "-m", "safesite", "-c"]
    outcome = environment.run(*command, "import sys; print(sys.path[-1])")
    assert outcome.out == f"{environment.site_packages / 'entry'}\n", outcome.err
    assert outcome.err == f"safesite: {secret}: skipped: Permission denied (skipped)\n"


def test_an_unlistable_site_directory_stays_on_the_path(environment: Environment) -> None:
    code = "import site, sys; site.addsitedir('/nosuch/folder'); print(sys.path)"
    assert environment.launched("-c", code).out == environment.stock("-c", code).out


def test_a_site_directory_that_comes_later_is_read_then(environment: Environment) -> None:
    code = (
        "import os, site, sys\n"
        "print(site.addsitedir('../extra', set()))\n"
        "os.makedirs('../extra/entry')\n"
        "open('../extra/foo.pth', 'w').write('entry')\n"
        "print(sorted(site.addsitedir('../extra', set())), sys.path)\n"
    )
    stock = environment.stock("-c", code)
    (environment.root / "extra" / "foo.pth").unlink()
    (environment.root / "extra" / "entry").rmdir()
    (environment.root / "extra").rmdir()
    assert environment.launched("-c", code).out == stock.out
    assert "extra/entry" in stock.out


def test_threads_that_add_site_directories_lose_no_refusal(environment: Environment) -> None:
    for n in range(20):
        folder = environment.root / "extra" / str(n)
        folder.mkdir(parents=True)
        (folder / "x.pth").write_text("import os\nentry\n")
        (folder / "entry").mkdir()
    code = (
        "import site, sys, threading, safesite\n"
        "threads = [threading.Thread(target=site.addsitedir, args=(f'../extra/{n}',))"
        " for n in range(20)]\n"
        "[t.start() for t in threads]; [t.join() for t in threads]\n"
        "print(len(safesite.refusals()), sum('extra' in p for p in sys.path))\n"
    )
    outcome = environment.launched("-c", code)
    assert outcome.out == "20 40\n", outcome.err
