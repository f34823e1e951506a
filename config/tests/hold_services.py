"""Run by the tests as a process: holds the services of DATA_DIR and tells their addresses, until it is ended."""

import json
import os
import signal
import sys
from pathlib import Path

from config.services import ServicesError, services


def main() -> int:
    """Prints one line of JSON when both services answer."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        with services(Path(os.environ["DATA_DIR"])) as running:
            pids = {server.name: server.child.pid for server in running.servers}
            print(json.dumps({"database_url": running.database_url, "redis_url": running.redis_url, "pids": pids}))
            while True:
                signal.pause()
    except ServicesError as error:
        print(f"refused: {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
