"""The platform on a cluster of the drill: prepared, filled, and asked whether it works."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from config.env import ROOT
from config.services import Program
from config.services.accounts import make_folder
from config.services.programs import find_redis, make_reachable
from config.services.redis import Redis
from config.supervisor.settings import LaunchSettings, make_encryption_key, make_environment, read_settings
from config.supervisor.units import describe_programs

from .errors import DrillFailed, require
from .place import Cluster, Place

SECONDS_TO_ANSWER = 60.0
#: Of whoever started the drill; a drill's platform has its own.
NOT_INHERITED = ("DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL", "REDIS_KEY_PREFIX", "DJANGO_SETTINGS_MODULE")


@dataclass
class Platform:
    """Its secrets are in a folder of their own, as they have to be: a restored database is worth nothing without."""

    place: Place
    redis_url: str
    port: int

    @property
    def data_dir(self) -> Path:
        return self.place.folder / "platform"

    @property
    def settings(self) -> LaunchSettings:
        """Those of `make run`, with one web process."""
        return read_settings({"PORT": str(self.port), "DATA_DIR": str(self.data_dir), "WEB_WORKERS": "1"})

    def environment(self, cluster: Cluster) -> dict[str, str]:
        """What the platform is started with, on that cluster."""
        made = make_environment(self.settings, database_url=cluster.url(), redis_url=self.redis_url)
        inherited = {name: value for name, value in made.items() if name not in NOT_INHERITED}
        return inherited | {
            "DATABASE_URL": cluster.url(),
            "REDIS_URL": self.redis_url,
            "DJANGO_SETTINGS_MODULE": "config.settings.local",
            "SLOT_POOL_SIZE": "3",
        }

    def run(self, cluster: Cluster, *arguments: str, **environment: str) -> str:
        """Runs Python with the platform's environment. Raises DrillFailed with the last line that it said."""
        done = subprocess.run(  # noqa: S603
            [sys.executable, *arguments],
            cwd=ROOT,
            env=self.environment(cluster) | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        require(done.returncode == 0, f"{' '.join(arguments[:2])} failed: {said[-1] if said else done.returncode}")
        return done.stdout

    def require_working(self, cluster: Cluster) -> str:
        """Starts the web server on the cluster: it is ready, every schema is at this release, a published app is shown.

        Returns the app's address. Raises DrillFailed.
        """
        program = describe_programs(self.settings, self.environment(cluster))["web"]
        web = self.place.processes.start(
            Program("web", program.command, self.place.folder / "web.log", ROOT, program.environment)
        )
        try:
            fleet = self.run(cluster, "manage.py", "migrate_workspaces", "--plan")
            require("Every schema is at this release." in fleet, f"schemas are behind: {fleet[:200]}")
            ready = json.loads(self._get("/readyz"))
            require(ready["status"] == "ready", f"/readyz says {ready}")
            demo = json.loads((self.data_dir / "demo.json").read_text())
            path = demo["workspaces"][0]["apps"][0]["url"].removeprefix(demo["base_url"])
            require("<form" in self._get(path), f"{path} doesn't show its form")
        finally:
            self.place.processes.stop([web])
        return str(path)

    def require_sealed_values_open(self, cluster: Cluster) -> str:
        """What is sealed in the cluster needs the keys from outside it. Raises DrillFailed."""
        said = self.run(cluster, "manage.py", "rotate_secrets", "--check")
        count = re.search(r"seals; (\d+) values are under it", said)
        require(count is not None and int(count[1]) > 0, f"no sealed value was found: {said[-200:]}")
        another = make_encryption_key().replace("generated:", "another:")
        try:
            self.run(cluster, "manage.py", "rotate_secrets", "--check", SECRETS_KEYS=another)
        except DrillFailed as refused:
            require("key" in str(refused), str(refused))
            return "sealed values open with the keys kept outside, not with others"
        raise DrillFailed("sealed values are said to open with another key")

    def _get(self, path: str) -> str:
        give_up_at = time.monotonic() + SECONDS_TO_ANSWER
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                    return str(answer.read().decode())
            except (urllib.error.URLError, OSError) as error:
                if time.monotonic() > give_up_at:
                    raise DrillFailed(f"{path}: {error}") from None
                time.sleep(0.2)


def start_platform(place: Place) -> Platform:
    """A platform with a Redis of its own, empty: nothing in it is backed up, nothing in it has to be."""
    server = Redis(
        program=make_reachable(find_redis(), account=place.account, folder=place.folder / "programs"),
        folder=place.own / "redis",
        account=place.account,
        password=place.password,
        log=place.folder / "redis.log",
        throwaway=True,
    )
    make_folder(path=server.folder, account=place.account)
    port = place.pick_port()
    server.wait(server.start(place.processes, port), port)
    platform = Platform(place, server.url(port), place.pick_port())
    platform.data_dir.mkdir(mode=0o700)
    return platform
