"""Which web server: Granian or Gunicorn, one process each, on the real runtime page and on an API read."""

from __future__ import annotations

import os
from contextlib import ExitStack

import django

from benchmarks.bars import tell
from benchmarks.load import Request, requests_per_second
from benchmarks.measure import alternate
from benchmarks.report import Result
from benchmarks.servers import granian, gunicorn, serving

GRANIAN, GUNICORN = 21530, 21531


def main() -> None:
    django.setup()
    from benchmarks import platform

    platform.prepare_database(slots=4)
    place = platform.make_place()
    platform.publish_loan_schedule(place)
    environment = {"DATABASE_URL": os.environ["DATABASE_URL"]}
    with ExitStack() as stack:
        for command, port in (
            (granian("config.wsgi:application", GRANIAN), GRANIAN),
            (gunicorn("config.wsgi:application", GUNICORN), GUNICORN),
        ):
            stack.enter_context(serving(command, port=port, environment=environment, ready_path="/healthz"))
        key = (("Authorization", f"Api-Key {place.key}"),)
        for what, path, headers in (
            ("runtime page", "/runtime/bench/loan", ()),
            ("API read", "/api/v1/workspaces/bench/apps/loan", key),
        ):
            compared = alternate(
                lambda path=path, headers=headers: requests_per_second(Request(GRANIAN, path, headers)),
                lambda path=path, headers=headers: requests_per_second(Request(GUNICORN, path, headers)),
            )
            tell(
                Result(
                    bar="server",
                    what=f"{what}: Granian (WSGI) against Gunicorn (gthread)",
                    ours=f"{compared.ours:,.0f}/s",
                    reference=f"{compared.reference:,.0f}/s",
                    ratio=compared.ratio,
                    wanted="≥ 1",
                    holds=compared.ratio >= 1,
                )
            )


if __name__ == "__main__":
    main()
