"""The units and the image: what they start exists, they take no rights, and systemd reads them without a word."""

import configparser
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from campaigns.cli import Commands
from campaigns.cli.running import SENDER_PATIENCE

DEPLOY = Path(__file__).parents[2] / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
HARD = {
    "NoNewPrivileges": "yes",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "CapabilityBoundingSet": "",
    "RestrictSUIDSGID": "yes",
    "UMask": "0077",
    "StateDirectoryMode": "0700",
    "User": "postroom",
}


def unit(path):
    """A unit's last word on each setting, by section."""
    parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    parser.optionxform = str
    parser.read(path)
    return parser


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_each_unit_starts_a_command_of_ours_without_rights(path):
    service = unit(path)["Service"]
    assert service["ExecStart"].split()[1] in Commands.places
    assert {name: service[name] for name in HARD} == HARD


@pytest.mark.parametrize(
    "path", [path for path in UNITS if "migrate" not in path.name], ids=lambda path: path.stem
)
def test_each_process_is_started_again_and_has_time_to_end(path):
    service = unit(path)["Service"]
    assert service["Restart"] == "always"
    assert service["KillSignal"] == "SIGTERM"
    assert float(service["TimeoutStopSec"]) >= 2 * SENDER_PATIENCE


def test_the_target_wants_every_process():
    wanted = unit(DEPLOY / "systemd" / "postroom.target")["Unit"]["Wants"].split()
    assert sorted(re.sub("@.*[.]", "@.", name) for name in wanted) == [
        path.name for path in UNITS if "migrate" not in path.name
    ]


@pytest.mark.parametrize("broker", ["", "amqp://mq.example.com//"])
def test_of_senders_and_celery_workers_those_start_that_fit(broker):
    started = []
    for name in ("postroom-sender@.service", "postroom-celery-worker@.service"):
        service = unit(DEPLOY / "systemd" / name)["Service"]
        words = shlex.split(service["ExecCondition"].replace("$$", "$"))
        if subprocess.run(words, env={"POSTROOM_BROKER_URL": broker}, check=False).returncode == 0:
            started.append(service["ExecStart"].split()[1])
    assert started == (["celery-worker"] if broker else ["sender"])


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_systemd_reads_the_units_without_a_word(tmp_path):
    for path in (DEPLOY / "systemd").iterdir():
        text = path.read_text().replace("/opt/postroom/.venv/bin/postroom", "/bin/true")
        (tmp_path / path.name).write_text(text)
    words = ["systemd-analyze", "verify", "--man=no", *map(str, tmp_path.iterdir())]
    found = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    said = [line for line in found.stderr.splitlines() if "postroom" in line]
    assert (found.returncode, said) == (0, [])


def test_the_image_runs_unprivileged_with_what_the_lock_names():
    text = (DEPLOY / "Dockerfile").read_text()
    assert "--require-hashes" in text
    assert text.index("USER postroom") < text.index("ENTRYPOINT")
    assert re.search(r"^HEALTHCHECK .*\n.*healthz", text, re.MULTILINE)
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE)
    root = DEPLOY.parent
    assert all((root / name).exists() for line in copied for name in line.split())
    for name in ("run", "cluster"):
        assert (root / "requirements" / f"{name}.txt").exists()
