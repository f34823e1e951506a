"""The endpoints: the page, its schema, its actions, and the progress and result of a visitor's own run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.hashers import check_password
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from apps.common.errors import AppRunError, InvalidActionInput
from apps.common.ids import parse_id
from apps.common.rates import counted_as
from apps.runtime.errors import (
    AppOverAllowance,
    DatabaseDown,
    ForgedRequest,
    NoSuchAction,
    NoSuchRun,
    PasswordRequired,
    TooManyRequests,
    WrongPassword,
)
from apps.runtime.pages.compiled import CompiledForm, PageState, Progress
from apps.runtime.pages.submissions import Submission, read_submission, show_values
from apps.runtime.services import execution, visits
from apps.runtime.services.counting import rate_limits
from apps.runtime.services.execution import Outcome
from apps.runtime.services.metering import count_request
from apps.runtime.views import answers, headers
from apps.runtime.views.exchange import Exchange
from apps.runtime.views.requests import Sent, read_body, read_runs

PASSWORD_TRIES = 10
"""Tries at an app's password that one address has in a minute."""

Handler = Callable[[Exchange], HttpResponse]


def endpoint(kind: str, **methods: Handler) -> Callable[..., HttpResponse]:
    """A view at an app's address: ``methods`` by name. Every error becomes an answer, every answer an event."""

    @csrf_exempt  # each visit has a token of its own; see Exchange.check_form_token
    def view(request: HttpRequest, workspace: str, app: str, **arguments: str) -> HttpResponse:
        method = "GET" if request.method == "HEAD" else request.method or ""
        handler = methods.get(method)
        if handler is None:
            return HttpResponse(status=405, headers={"Allow": ", ".join((*methods, "HEAD"))})
        exchange = Exchange(request, workspace, app, kind="execute" if method == "POST" else kind)
        exchange.arguments = arguments
        try:
            return exchange.finish(handler(exchange))
        except (OperationalError, InterfaceError):
            return _refuse(exchange, DatabaseDown())
        except AppRunError as error:
            return _refuse(exchange, error)

    return view


def _refuse(exchange: Exchange, error: AppRunError) -> HttpResponse:
    response = answers.answer_error(exchange, error)
    kind = "denied" if response.status_code in {401, 402, 403, 429} else "error"
    if isinstance(error, InvalidActionInput):
        kind = exchange.kind
    return exchange.finish(response, kind=kind)


# --- Looking --------------------------------------------------------------------------------------------------------


def show_page(exchange: Exchange) -> HttpResponse:
    """The page: as it is at first, or with the results of the visitor's own runs (``?run=``)."""
    query = exchange.request.GET
    if "preview" in query:
        return _show_preview(exchange, query["preview"])
    if "link" in query:
        return _follow_link(exchange, query["link"])
    exchange.open()
    count_request(exchange.app)
    if exchange.wants_json:
        return answers.answer_description(exchange)
    named = read_runs(query.getlist("run"))
    if not named and "HX-Request" not in exchange.request.headers:
        return answers.answer_first_view(exchange)
    found = [outcome for run in named if (outcome := _read_own_run(exchange, run)) is not None]
    state = _state(exchange, found, latest=found[0].action if found else None)
    return answers.answer_page(exchange, state, status=200 if len(found) == len(named) else 404)


def show_schema(exchange: Exchange) -> HttpResponse:
    """The page and its actions for programs."""
    exchange.request.META["HTTP_ACCEPT"] = "application/json"
    exchange.open()
    count_request(exchange.app)
    return answers.answer_description(exchange)


def show_run(exchange: Exchange) -> HttpResponse:
    """Progress and result of a run, for the visitor whose it is. A browser is sent to the page that shows it."""
    exchange.open()
    run_id = parse_id(exchange.arguments["run"])
    outcome = _read_own_run(exchange, run_id) if run_id else None
    if outcome is None:
        raise NoSuchRun
    if not exchange.wants_json and "text/html" in exchange.request.headers.get("Accept", ""):
        return _see_other(f"{exchange.url}?{urlencode({'run': outcome.run})}")
    return answers.answer_json(_describe(exchange, outcome))


# --- Doing ----------------------------------------------------------------------------------------------------------


def run_action(exchange: Exchange) -> HttpResponse:
    """Run an action of the page, or take the app's password."""
    if "preview" in exchange.request.GET:
        return _try_preview(exchange, exchange.request.GET["preview"])
    exchange.resolve()
    exchange.identify()
    exchange.count()
    sent = read_body(exchange.request)
    if sent.password is not None and exchange.app.app.policy.audience == "password":
        return _take_password(exchange, sent)
    exchange.admit()
    form = exchange.app.page.forms.get(sent.action)
    if form is None:
        raise NoSuchAction
    if sent.is_json:
        return _run_for_program(exchange, form, sent)
    return _run_for_browser(exchange, form, sent)


def _run_for_program(exchange: Exchange, form: CompiledForm, sent: Sent) -> HttpResponse:
    exchange.check_origin()
    inputs = form.schema.accept(sent.inputs, at="/inputs")
    outcome = _run(exchange, form, inputs)
    status = 200 if outcome.is_over else 202
    response = answers.answer_json(_describe(exchange, outcome), status=status)
    if not outcome.is_over:
        response.headers["Location"] = f"{exchange.url}/runs/{outcome.run}"
    return response


def _run_for_browser(exchange: Exchange, form: CompiledForm, sent: Sent) -> HttpResponse:
    submission = read_submission(form.fields, sent.form, form.schema.errors)
    try:
        exchange.check_form_token(sent.csrf)
        if submission.errors:
            return _show_again(exchange, form, sent, submission, status=422)
        outcome = _run(exchange, form, form.schema.accept(submission.values))
    except ForgedRequest as error:
        return _show_again(exchange, form, sent, submission, status=403, problem=error.detail)
    except InvalidActionInput as error:
        judged = Submission(submission.values, submission.typed, error.errors)
        return _show_again(exchange, form, sent, judged, status=422)
    except AppOverAllowance as error:
        exchange.kind = "denied"
        problem = " ".join(answers.sentences_for(exchange, error))
        return _show_again(exchange, form, sent, submission, status=402, problem=problem)
    except (OperationalError, InterfaceError):
        return _show_again(exchange, form, sent, submission, status=503, problem=DatabaseDown.detail)
    runs = [outcome.run, *(run for run in sent.runs if run != outcome.run)]
    address = f"{exchange.url}?{urlencode({'run': runs}, doseq=True)}"
    if "HX-Request" not in exchange.request.headers:
        return _see_other(address)
    others = [other for run in sent.runs if (other := _read_own_run(exchange, run)) is not None]
    others = [other for other in others if other.action != outcome.action]
    response = answers.answer_page(exchange, _state(exchange, [outcome, *others], latest=outcome.action))
    response.headers["HX-Push-Url"] = address
    return response


def _run(exchange: Exchange, form: CompiledForm, inputs: dict[str, Any]) -> Outcome:
    assert exchange.visit is not None
    outcome = execution.run_action(
        resolved=exchange.app, action=form.action, inputs=inputs, visit_id=exchange.visit.id, now=exchange.now
    )
    exchange.run_id = outcome.run
    return outcome


def _read_own_run(exchange: Exchange, run_id: Any) -> Outcome | None:
    assert exchange.visit is not None
    return execution.read_outcome(resolved=exchange.app, run_id=run_id, visit_id=exchange.visit.id)


def _describe(exchange: Exchange, outcome: Outcome) -> dict[str, Any]:
    """An outcome for programs, with the fields that the page uses and no others."""
    described: dict[str, Any] = {
        "run": str(outcome.run),
        "status": outcome.status,
        "outputs": None
        if outcome.outputs is None
        else exchange.app.page.visible_outputs(outcome.action, outcome.outputs),
        "error": outcome.error,
        "progress": outcome.progress,
        "message": outcome.message,
    }
    if not outcome.is_over:
        described["url"] = f"{exchange.url}/runs/{outcome.run}"
    return described


# --- The page in a state --------------------------------------------------------------------------------------------


def _state(exchange: Exchange, outcomes: list[Outcome], *, latest: str | None, **more: Any) -> PageState:
    """The page with results. A result of another version isn't shown in this one's page; what was typed is."""
    assert exchange.visit is not None
    page, version = exchange.app.page, exchange.app.app.version_id
    known = {outcome.action: outcome for outcome in reversed(outcomes) if outcome.action in page.forms}
    current = {action: outcome for action, outcome in known.items() if outcome.version_id == version}
    problems = {action: outcome.error["detail"] for action, outcome in current.items() if outcome.error}
    for action in known.keys() - current.keys():
        problems[action] = "This result was made by another version of this page. Run it again."
    return PageState(
        now=exchange.now,
        url=exchange.form_url,
        csrf=exchange.visit.csrf_token,
        nonce=headers.new_nonce(),
        inputs=outcomes[0].inputs if outcomes and outcomes[0].action in current else {},
        results={action: outcome.outputs for action, outcome in current.items() if outcome.outputs is not None},
        runs={action: str(outcome.run) for action, outcome in current.items()},
        submissions={
            action: show_values(page.forms[action].fields, outcome.inputs) for action, outcome in known.items()
        }
        | more.pop("submissions", {}),
        problems=problems | more.pop("problems", {}),
        progress={
            action: Progress(
                run=str(outcome.run),
                url=f"{exchange.url}?{urlencode({'run': outcome.run})}",
                percent=outcome.progress,
                message=outcome.message,
            )
            for action, outcome in current.items()
            if not outcome.is_over
        },
        latest=latest,
        **more,
    )


def _show_again(
    exchange: Exchange, form: CompiledForm, sent: Sent, submission: Submission, *, status: int, problem: str = ""
) -> HttpResponse:
    """The page with what was typed, and why it wasn't taken."""
    others: list[Outcome] = []
    if status == 422:
        others = [o for run in sent.runs if (o := _read_own_run(exchange, run)) is not None and o.action != form.action]
    state = _state(
        exchange,
        others,
        latest=form.action,
        submissions={form.action: submission},
        problems={form.action: problem} if problem else {},
    )
    return answers.answer_page(exchange, state, status=status)


# --- Previews -------------------------------------------------------------------------------------------------------


def _show_preview(exchange: Exchange, token: str) -> HttpResponse:
    """The draft, as its next version would be."""
    exchange.open_preview(token)
    return answers.answer_page(exchange, _state(exchange, [], latest=None))


def _try_preview(exchange: Exchange, token: str) -> HttpResponse:
    """Try an action of the draft. The result is shown, and kept nowhere."""
    exchange.open_preview(token)
    sent = read_body(exchange.request)
    form = exchange.app.page.forms.get(sent.action)
    if form is None:
        raise NoSuchAction
    if sent.is_json:
        exchange.check_origin()
        inputs = form.schema.accept(sent.inputs, at="/inputs")
    else:
        submission = read_submission(form.fields, sent.form, form.schema.errors)
        exchange.check_origin()
        if submission.errors:
            return _show_again(exchange, form, replace(sent, runs=()), submission, status=422)
        inputs = form.schema.accept(submission.values)
    outcome = execution.try_action(page=exchange.app.page, action=form.action, inputs=inputs, now=exchange.now)
    if sent.is_json:
        return answers.answer_json(_describe(exchange, outcome))
    return answers.answer_page(exchange, _state(exchange, [outcome], latest=outcome.action))


# --- Doors ----------------------------------------------------------------------------------------------------------


def _follow_link(exchange: Exchange, token: str) -> HttpResponse:
    """The app's link: a cookie remembers it, and the address bar doesn't."""
    exchange.resolve()
    exchange.identify()
    exchange.count()
    policy = exchange.app.app.policy
    if policy.audience == "link":
        if visits.matches_link(policy, token):
            exchange.grant()
        exchange.admit()
    rest = exchange.request.GET.copy()
    rest.pop("link")
    response = _see_other(f"{exchange.url}?{rest.urlencode()}" if rest else exchange.url)
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _take_password(exchange: Exchange, sent: Sent) -> HttpResponse:
    """The app's password: right, and the visit bears it; wrong, and each address has few tries."""
    app, policy = exchange.app.app, exchange.app.app.policy
    tries = rate_limits.take(f"{app.id.hex}:password:{counted_as(exchange.visitor.address)}", PASSWORD_TRIES)
    if not tries.allowed:
        raise TooManyRequests("Too many tries. Wait, then try again.", retry_after=tries.resets_in)
    if sent.is_json:
        exchange.check_origin()
    else:
        exchange.check_form_token(sent.csrf)
    if not policy.password_hash or not check_password(sent.password, policy.password_hash):
        raise WrongPassword if not sent.is_json else PasswordRequired(WrongPassword.detail, code=WrongPassword.code)
    exchange.grant()
    exchange.admit()
    if sent.is_json:
        return answers.answer_json({"admitted": True})
    return _see_other(exchange.url)


def _see_other(address: str) -> HttpResponse:
    return HttpResponse(status=303, headers={"Location": address, "Cache-Control": "private, no-store"})


page = endpoint("view", GET=show_page, POST=run_action)
schema = endpoint("schema", GET=show_schema)
run = endpoint("view", GET=show_run)
