"""What a person sees after a mistake: one sentence that says what to do, no traceback, and an exit status."""

from __future__ import annotations

import json
import resource
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from btard import cli
from btard.training import TASKS
from tests.swarm.commands import TIMEOUT_S, start, wait_for_line

NOBODY = f"127.0.0.1:1/{'5e' * 32}"
RUN_ID = "5e" * 32
TASK = "tests.tasks:quadratic"
LEDGER_BYTES = 40_000
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Said:
    """What a command said before it ended."""

    status: int
    out: str
    err: str

    def complaint(self, status: int = 1) -> str:
        """The one sentence of a command that failed."""
        assert self.status == status, self.out + self.err
        assert "Traceback" not in self.out + self.err
        assert self.err.startswith("btard: ")
        assert self.err.count("\n") == 1, self.err
        return self.err


Run = Callable[..., Said]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command line in `tmp_path`, in this process, which has imported torch already."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("btard.training.registry.TASKS", dict(TASKS))

    def command(*arguments: str | Path) -> Said:
        monkeypatch.setattr(sys, "argv", ["btard", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        assert isinstance(stop.value.code, int)
        return Said(stop.value.code, *capsys.readouterr())

    return command


@pytest.fixture
def taken() -> Iterator[str]:
    """A port at which somebody listens."""
    with socket.socket() as listening:
        listening.bind(("0.0.0.0", 0))
        listening.listen()
        yield str(listening.getsockname()[1])


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("peer --join my.host:4000", "paste the whole line"),
        (f"peer --join {NOBODY} --announce nonsense", "write host:port"),
        (f"peer --join {NOBODY} --host 300.1.1.1", "not an IP address"),
        (f"peer --join {NOBODY} --host 192.0.2.77", "choose another address"),
        (f"peer --join {NOBODY} --device banana", "banana"),
        (f"peer --join {NOBODY} --config there-is-none.json", "there-is-none.json"),
        (f"peer --join {NOBODY} --profile there-is-none", "there-is-none"),
        (f"peer --join {NOBODY} --task sys:path", "is not a recipe"),
        (f"peer --join {NOBODY} --wait -5", "use 0 or more"),
        (f"peer --join {NOBODY} --out precious/run --key me.key", "precious/run"),
        (f"peer --join {NOBODY} --invite nonsense", "paste all of what `btard invite` printed"),
        ("bootstrap --invite-only --per-address 3", "exclude each other"),
        ("bootstrap --config plan.json --invite-only", "the plan of --config says who may take seats"),
        ("bootstrap --allow nowhere.txt", "a file with one a line"),
        (f"bootstrap --peers 2 --allow {RUN_ID}", "2 seats for 1 allowed keys"),
        ("bootstrap --port 4000 --dht-port 4000", "use two ports"),
        ("invite --run 5e1f", "64 hexadecimal digits"),
        (f"invite --run {RUN_ID} --days 1e9", "--days is 1e+09: use 0 to 3650"),
        (f"invite --run {RUN_ID} --days nan", "--days is nan: use 0 to 3650"),
        (f"invite --run {RUN_ID} --key none.key", "create one with `btard keygen"),
        ("bootstrap --peers 100", "peers is 100: input should be less than or equal to 64"),
        ("bootstrap --peers 1", "peers is 1: use at least 2"),
        ("bootstrap --steps 0", "steps is 0"),
        ("swarm --in-process --byzantine nonsense", "choose of"),
        ("swarm --in-process --byzantine ipm*0", "ipm*2"),
        ("swarm --in-process --peers 4 --byzantine ipm*2", "use at most 1"),
        ("swarm --in-process --task albert-huge", "choose one of"),
        ("swarm --in-process --option learning_rate", "write it as key=value"),
        ("swarm --in-process --option depth=3", "its options are learning_rate (float)"),
        ("swarm --in-process --option learning_rate=fast", "use a finite number"),
        ("bootstrap --option steps=3", "use --steps"),
        ("swarm --in-process --tau -1", "must be positive"),
        ("swarm --in-process --track mlflow", "use tensorboard, tensorboard:DIR, wandb or wandb:PROJECT"),
        (f"peer --join {NOBODY} --track nothing", "there is no tracker 'nothing'"),
        ("swarm --in-process --peers 4 --validators 3", "use at most 2"),
        ("swarm --in-process --steps 5 --attack-start 5", "5 steps"),
        ("swarm --in-process --out .", "choose another"),
        ("audit . --task sys:path", "is not a recipe"),
    ],
)
def test_options_that_cannot_be_are_refused_before_anything_is_done(
    command: str, words: str, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "precious").touch()
    done = run(*command.split())
    assert words in done.complaint()
    assert "looking for" not in done.out
    assert (tmp_path / "precious").exists()


def test_a_port_that_is_taken_is_refused_before_a_peer_contacts_anybody(run: Run, taken: str) -> None:
    for command in (("bootstrap",), ("peer", "--join", NOBODY)):
        done = run(*command, "--port", taken)
        assert f"{taken} (Address already in use): choose another" in done.complaint()
        assert "looking for" not in done.out


def test_a_bootstrap_that_nobody_answers_at_is_waited_for_and_then_reported(run: Run) -> None:
    done = run("peer", "--join", NOBODY, "--wait", "0")
    assert "for up to 0 s" in done.out
    assert "nobody answers at 127.0.0.1:1" in done.complaint()


def test_a_peer_whose_run_has_begun_is_refused_and_nothing_of_it_is_deleted(run: Run, tmp_path: Path) -> None:
    ledger = tmp_path / "runs" / "peer" / "ledger.btard"
    ledger.parent.mkdir(parents=True)
    ledger.write_bytes(b"precious")
    assert "go on with it by --resume" in run("peer", "--join", NOBODY).complaint(status=4)
    assert ledger.read_bytes() == b"precious"


def test_a_key_file_that_is_corrupt_is_named_and_left_as_it_is(run: Run, tmp_path: Path) -> None:
    key = tmp_path / "me.key"
    assert run("keygen", "--key", key).status == 0
    before = key.read_bytes()
    key.write_bytes(before[:-5] + b"beef\n")
    assert "me.key" in run("peer", "--join", NOBODY, "--key", key).complaint()
    assert key.read_bytes() == before[:-5] + b"beef\n"


@pytest.fixture(scope="module")
def bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A bootstrap's address and its directory."""
    home = tmp_path_factory.mktemp("bootstrap")
    run = ("--task", TASK, "--peers", "2", "--steps", "10")
    child = start(["bootstrap", *run, "--host", "127.0.0.1", "--key", home / "bootstrap.key"], ROOT)
    try:
        yield wait_for_line(child, "--join").split()[-1], home
    finally:
        child.terminate()
        child.communicate(timeout=TIMEOUT_S)


def test_a_run_with_another_configuration_lists_the_fields_that_differ(
    bootstrap: tuple[str, Path], run: Run, tmp_path: Path
) -> None:
    other = ("--task", TASK, "--peers", "2", "--steps", "11", "--tau", "3", "--print-config")
    (tmp_path / "other.json").write_text(run("bootstrap", *other).out)
    sentence = run("peer", "--join", bootstrap[0], "--config", "other.json").complaint()
    assert "steps (11 here, 10 there)" in sentence
    assert "protocol.tau (3.0 here, 1.0 there)" in sentence


def test_a_key_that_another_process_uses_is_refused(bootstrap: tuple[str, Path], run: Run) -> None:
    address, home = bootstrap
    done = run("peer", "--join", address, "--key", home / "bootstrap.key")
    assert "in use by another process" in done.complaint()


def test_a_run_that_does_not_begin_in_time_is_reported(bootstrap: tuple[str, Path], run: Run) -> None:
    done = run("peer", "--join", bootstrap[0], "--task", TASK, "--wait", "0", "--json")
    assert "waits for 2 peers" in done.complaint()
    events = [json.loads(line) for line in done.out.splitlines()]
    assert [event["event"] for event in events] == ["noted", "noted", "failed"]
    assert all(event["time"] > 0 for event in events)


def test_a_run_whose_task_is_an_import_string_takes_the_word_of_the_peer_s_user(
    bootstrap: tuple[str, Path], run: Run
) -> None:
    sentence = run("peer", "--join", bootstrap[0]).complaint()
    assert f"the run's task is '{TASK}', code of your own machine: say --task {TASK} if you trust" in sentence


def test_a_disk_that_is_full_ends_the_run_and_loses_no_record(run: Run) -> None:
    """The limit on a file's size stands for the full disk: the writing fails in the same place."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LEDGER_BYTES, before[1]))
    try:
        done = run("swarm", "--in-process", "--task", TASK, "--peers", "3", "--steps", "200")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "File too large" in done.complaint()
    audited = run("audit", "runs/swarm", "--recompute", "1", "--task", TASK)
    assert audited.status == 0, audited.err


def test_a_swarm_that_had_to_ban_its_attacker_and_did_not_ends_with_status_3(run: Run) -> None:
    arguments = ("--in-process", "--task", TASK, "--peers", "3", "--byzantine", "silent", "--steps", "1")
    done = run("swarm", *arguments, "--require-bans")
    assert (done.status, done.err) == (3, "")
    assert "--overwrite" in run("swarm", *arguments).complaint()


@pytest.mark.parametrize("arguments", ["peer --nonsense", "peer --join X --port 70000", "keygin"])
def test_a_command_or_option_that_does_not_exist_ends_with_status_2(arguments: str, run: Run) -> None:
    assert run(*arguments.split()).status == 2
