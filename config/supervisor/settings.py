"""What `make run` reads from its environment, checked before anything is started."""

from __future__ import annotations

import base64
import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from config.services import read_secret
from config.services.ports import LOOPBACK, is_free
from config.workers import WORKER_QUEUES, name_setting

PROJECT = Path(__file__).resolve().parents[2]


class LaunchError(Exception):
    """`make run` can't go on; the text is one line that says why and what to do."""


@dataclass(frozen=True)
class LaunchSettings:
    """PORT, DATA_DIR and DEMO, and how many processes to start."""

    port: int
    data_dir: Path
    demo: bool
    verbose: bool
    web_workers: int
    web_threads: int
    worker_processes: Mapping[str, int]

    @property
    def base_url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def logs(self) -> Path:
        return self.data_dir / "logs"


def read_settings(environ: Mapping[str, str]) -> LaunchSettings:
    """The settings, or a LaunchError that names the wrong one. Relative folders are relative to the project."""
    return LaunchSettings(
        port=read_number(environ, "PORT", default=8000, last=65535),
        data_dir=(PROJECT / (environ.get("DATA_DIR") or ".local")).resolve(),
        demo=environ.get("DEMO", "1") != "0",
        verbose=environ.get("VERBOSE", "0") not in {"", "0"},
        web_workers=read_number(environ, "WEB_WORKERS", default=2),
        web_threads=read_number(environ, "WEB_THREADS", default=8),
        worker_processes={
            queue: read_number(environ, name_setting(queue), default=processes)
            for queue, processes in WORKER_QUEUES.items()
        },
    )


def read_number(environ: Mapping[str, str], name: str, *, default: int, last: int = 256) -> int:
    """A whole number between 1 and `last`."""
    text = environ.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= last):
        raise LaunchError(f"{name} is {text!r}: expected a number from 1 to {last}.")
    return int(text)


def refuse_taken_port(settings: LaunchSettings) -> None:
    """Raises LaunchError when nothing of ours could listen on PORT."""
    if not is_free(settings.port):
        what = "is in use" if settings.port >= 1024 else "is in use, or reserved for root"
        raise LaunchError(f"Port {settings.port} {what}. Choose another: make run PORT={settings.port + 1}")


def make_environment(settings: LaunchSettings, *, database_url: str, redis_url: str) -> dict[str, str]:
    """The environment of every program of the platform. Secrets that aren't given are kept in the data folder."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    environment |= {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "DATA_DIR": str(settings.data_dir),
        "PORT": str(settings.port),
        "DEMO": "1" if settings.demo else "0",
        "PYTHONUNBUFFERED": "1",
    }
    environment.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")
    environment.setdefault("BASE_URL", settings.base_url)
    environment.setdefault("LOG_FORMAT", "console")
    environment.setdefault("WORKER_STOP_GRACE", "2")  # within SECONDS_TO_STOP: who presses Ctrl-C doesn't wait
    # Where the web processes add their metrics up (prometheus_client); counts begin anew with each start.
    metrics = settings.data_dir / "metrics"
    shutil.rmtree(metrics, ignore_errors=True)
    metrics.mkdir(mode=0o700)
    environment.setdefault("PROMETHEUS_MULTIPROC_DIR", str(metrics))
    if not environment.get("SECRET_KEY"):
        environment["SECRET_KEY"] = read_secret(settings.data_dir / "django-secret.key")
    if not environment.get("SECRETS_KEYS"):
        environment["SECRETS_KEYS"] = read_secret(settings.data_dir / "encryption.key", make=make_encryption_key)
    return environment


def make_encryption_key() -> str:
    """A new key-encryption key for AES-256-GCM, in the form of SECRETS_KEYS."""
    return "generated:" + base64.b64encode(secrets.token_bytes(32)).decode()
