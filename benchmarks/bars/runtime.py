"""Bar 4: a published page, open to everyone, warm: policy checked, session and event recorded."""

from __future__ import annotations

import os
from contextlib import ExitStack

import django

from benchmarks.bars import tell
from benchmarks.load import Request, requests_per_second
from benchmarks.measure import alternate
from benchmarks.places import database, own_name
from benchmarks.references import prepare_reference
from benchmarks.report import Result
from benchmarks.servers import granian, serving

OURS, PLAIN, STOCK = 21520, 21521, 21522
STOCK_SCHEMAS = 20


def main() -> None:
    django.setup()
    from benchmarks import platform

    platform.prepare_database(slots=4)
    place = platform.make_place()
    platform.publish_loan_schedule(place)
    server = os.environ["BENCH_SERVER"]
    with ExitStack() as stack:
        plain_url = stack.enter_context(database(server, own_name("plain")))
        stock_url = stack.enter_context(database(server, own_name("stock")))
        references = {"PLAIN_DATABASE_URL": plain_url, "STOCK_DATABASE_URL": stock_url}
        for name, count in (("plain", 1), ("stock", STOCK_SCHEMAS)):
            prepare_reference(name, count, "unused", references)
        ours = {"DATABASE_URL": os.environ["DATABASE_URL"]}
        stack.enter_context(
            serving(granian("config.wsgi:application", OURS), port=OURS, environment=ours, ready_path="/healthz")
        )
        for name, port in (("plain", PLAIN), ("stock", STOCK)):
            command = granian(f"benchmarks.references.{name}.wsgi:application", port)
            stack.enter_context(serving(command, port=port, environment=references, ready_path="/page"))
        page = Request(OURS, "/runtime/bench/loan")
        requests_per_second(page, seconds=1)
        for name, other, wanted in (
            ("a plain Django JSON view", Request(PLAIN, "/page"), 0.7),
            ("stock django-tenants with a query", Request(STOCK, "/page"), 12.0),
        ):
            compared = alternate(lambda: requests_per_second(page), lambda other=other: requests_per_second(other))
            tell(
                Result(
                    bar="4",
                    what=f"published runtime page, warm, against {name}",
                    ours=f"{compared.ours:,.0f}/s",
                    reference=f"{compared.reference:,.0f}/s",
                    ratio=compared.ratio,
                    wanted=f"≥ {wanted:g}",
                    holds=compared.ratio >= wanted,
                )
            )


if __name__ == "__main__":
    main()
