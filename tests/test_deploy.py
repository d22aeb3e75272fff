"""What deploy/ hands out fits this release: units with least privilege, variables that exist, commands that exist."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import pytest
import yaml

from web.cli import sandeng
from workflow.settings import Settings

DEPLOY = Path(__file__).resolve().parents[1] / "deploy"
SERVICES = sorted((DEPLOY / "systemd").glob("sandeng*.service"))
CLOSED = ("ProtectHome", "PrivateDevices", "ProtectClock", "ProtectHostname", "ProtectKernelTunables", "ProtectKernelModules",
          "ProtectKernelLogs", "ProtectControlGroups", "RestrictNamespaces", "RestrictRealtime", "RestrictSUIDSGID",
          "LockPersonality")  # fmt: skip
NAMES = {f"SANDENG_{name.upper()}" for name in Settings.model_fields}


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_a_unit_has_no_more_rights_than_it_needs(path: Path) -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[method-assign,assignment]
    unit.read(path, encoding="utf-8")
    service = unit["Service"]
    assert service["User"] in ("sandeng", "postgres")
    assert service["NoNewPrivileges"] == "yes"
    assert service["ProtectSystem"] == "strict"
    assert service["CapabilityBoundingSet"] == ""
    assert service["UMask"] == "0077"
    assert {name for name in CLOSED if service.get(name) != "yes"} == set()
    assert service["SystemCallArchitectures"] == "native"
    assert "RemoveIPC" not in service or service["User"] != "postgres"  # it would take the server's shared memory away
    assert all(folder.startswith(("/var/", "-/var/", "/tmp", "/run/")) for folder in service["ReadWritePaths"].split())


@pytest.mark.parametrize("name", ["sandeng.env.example", "compose.yaml", "README.md"])
def test_every_variable_that_is_named_exists(name: str) -> None:
    assert set(re.findall(r"SANDENG_[A-Z_]+", (DEPLOY / name).read_text("utf-8"))) <= NAMES


def test_every_unit_may_write_where_the_example_puts_things_and_ask_the_identity_provider() -> None:
    text = (DEPLOY / "sandeng.env.example").read_text("utf-8")
    places = re.findall(r"^SANDENG_(?:DATA|BACKUP|ARCHIVE|ANCHOR)_DIR=(\S+)$", text, re.MULTILINE)
    assert len(places) == 4
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    held = [volume.partition(":")[2] for volume in compose["x-sandeng"]["volumes"]]
    assert all(any(place.startswith(folder) for folder in held) for place in places)
    for name in ("sandeng", "sandeng-clock", "sandeng-worker@"):
        unit = (DEPLOY / "systemd" / f"{name}.service").read_text("utf-8")
        may = re.findall(r"^ReadWritePaths=(.*)$", unit, re.MULTILINE)[0].split()
        assert all(any(place.startswith(folder) for folder in may) for place in places), name
        assert "IPAddressDeny" not in unit


def test_every_command_of_the_runbook_exists() -> None:
    text = (DEPLOY / "README.md").read_text("utf-8")
    named = re.findall(r"sandeng (backup|db|key) ([a-z]+)", text)
    assert len(named) > 8
    for group, command in named:
        assert command in sandeng.commands[group].commands  # type: ignore[attr-defined]


def test_the_containers_run_without_rights_and_publish_to_this_machine_only() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"]
    for name in ("migrate", "web", "worker", "clock", "wal"):
        assert services[name]["cap_drop"] == ["ALL"]
        assert services[name]["read_only"] is True
    assert [port for service in services.values() for port in service.get("ports", [])] == ["127.0.0.1:8000:8000"]
