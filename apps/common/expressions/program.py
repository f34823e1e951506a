"""Compiles an expression once and evaluates it as often as needed."""

from __future__ import annotations

import difflib
import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import cel

from .errors import EvaluationFailed, ExpressionRefused, Position
from .functions import BUILT_IN_ARITIES as BUILT_IN
from .functions import FUNCTIONS
from .lexer import Call, TokenizedSource, tokenize
from .values import MAX_INT, plain

MAX_COMPILED = 4_096
"""Compiled programs kept per process, a few kB each."""

PER_ITEM = frozenset({"item", "index"})
"""Variables that change between evaluations in one scope. They are looked up when read: to add a variable makes the
library copy all the others at the next evaluation."""

OURS_INSTEAD = frozenset({"matches", "size"})
"""Functions that the library has, but not as we need them: its ``matches`` may take 10 MB and 50 ms for each pattern,
and its ``size`` counts a text's bytes where the language definition counts characters."""

# A function that raises is reported by the library on stderr as well; the caller gets the error from us.
_library_log = logging.getLogger("cel")
_library_log.addHandler(logging.NullHandler())
_library_log.propagate = False


@dataclass(frozen=True, slots=True)
class Reference:
    """A variable that an expression reads: all of ``name``, or only ``name.field``."""

    name: str
    field: str | None
    position: Position


class Scope:
    """The variables and the time that expressions see, converted for the library once and only where they are read."""

    def __init__(
        self,
        variables: Mapping[str, Any],
        *,
        now: datetime,
        deadline: float | None = None,
        null_if_missing: frozenset[str] = frozenset(),
    ) -> None:
        """``deadline`` is a moment of ``time.monotonic()`` after which no function is called any more.

        A field that isn't there is null instead of an error in the variables of ``null_if_missing``.
        """
        self.variables: dict[str, Any] = dict(variables)
        self.null_if_missing = null_if_missing
        self.now = now
        self.deadline = deadline
        self.failures: list[Exception] = []
        self._per_item: dict[str, Any] = {}
        self._start_anew()

    def assign(self, name: str, value: Any) -> None:
        """Give the variable ``name`` another value."""
        self.variables[name] = value
        if name not in PER_ITEM:
            self._start_anew()
            return
        if not self._per_item:
            self._context.set_variable_resolver(self._per_item.get)
        if name not in self._loaded:
            self._context.add_variable(name, None)  # what is read when the resolver has nothing: an item that is null
            self._loaded.add(name)
        self._per_item[name] = value

    def extend(self, name: str, field: str, value: Any) -> None:
        """Add ``field`` to the map in ``name``. A field that is already there is not given again."""
        self.variables[name] = {**self.variables.get(name, {}), field: value}
        self._loaded.discard(name)

    def _start_anew(self) -> None:
        self._context = cel.Context()
        self._loaded: set[str] = set()
        self._per_item.clear()

    def context_for(self, program: Program) -> cel.Context:
        for bound_name, name, field in program.bindings:
            if bound_name not in self._loaded:
                self._load(bound_name, name, field)
        for name in program.functions:
            if name not in self._loaded:
                self._context.add_function(*_bound(name, self))
                self._loaded.add(name)
        return self._context

    def _load(self, bound_name: str, name: str, field: str | None) -> None:
        if name not in self.variables:
            return
        value = self.variables[name]
        if field is not None:
            if not isinstance(value, dict) or (field not in value and name not in self.null_if_missing):
                return
            value = value.get(field)
        self._context.add_variable(bound_name, value)
        self._loaded.add(bound_name)


class Program:
    """A compiled expression.

    The library copies a map each time one of its fields is read, so ``steps.rows[i]`` in a loop over 5,000 rows would
    copy 25 million of them. ``name.field`` is therefore compiled as one variable of its own, which costs nothing to
    read and lets the scope convert only the fields that are used.
    """

    def __init__(self, source: str) -> None:
        tokenized = tokenize(source)
        for call in tokenized.calls:
            _check_call(tokenized, call)
        _compiled(tokenized, source)  # as it was written first, so that an error names a place in it
        self.source = source
        self._tokenized = tokenized
        self.references, self.bindings, replaced = _variables(tokenized)
        called = {f"__{call.name}" if call.name in OURS_INSTEAD else call.name for call in tokenized.calls}
        self.functions = frozenset(name for name in called if name == "now" or name.removeprefix("__") in FUNCTIONS)
        for call in tokenized.calls:
            if call.name in OURS_INSTEAD:
                replaced.append((call.token.start, call.token.end, f"__{call.name}"))
        self._program = _compiled(tokenized, _replace(source, replaced))

    def evaluate(self, variables: Mapping[str, Any], *, now: datetime) -> Any:
        """The value as plain JSON. Raises ``EvaluationFailed``, whatever the expression does."""
        return self.evaluate_in(Scope({name: plain(value) for name, value in variables.items()}, now=now))

    def evaluate_in(self, scope: Scope) -> Any:
        """The same in a scope that is kept for several evaluations; its variables are plain JSON within limits."""
        context = scope.context_for(self)
        try:
            value = self._program.execute(context)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - a panic of the library derives from BaseException
            failures, scope.failures = scope.failures, []
            raise self._explained(error, failures[-1] if failures else None) from None
        if scope.failures:
            scope.failures = []
        return plain(value)

    def reads(self, name: str) -> frozenset[str]:
        """The fields of the variable ``name`` that are read by name."""
        return frozenset(ref.field for ref in self.references if ref.name == name and ref.field is not None)

    def _explained(self, error: BaseException, failure: Exception | None) -> Exception:
        message = str(error)
        function = _function_named_in(message).removeprefix("__")
        if failure is not None and "Python function call failed" in message:
            if not isinstance(failure, EvaluationFailed):
                return failure
            return EvaluationFailed(failure.detail, code=failure.code, position=self._position_of(function))
        if isinstance(error, KeyError):
            name = str(error.args[0]) if error.args else ""
            return EvaluationFailed(
                f"There is no field {name!r} here. Ask has(…) first where it may be missing.",
                code="missing_field",
                position=self._position_of(name),
            )
        if message.startswith("Undefined variable"):
            return self._undefined(message.split("'")[1])
        if function and isinstance(error, RuntimeError):
            reason = message.partition("error: ")[2].removesuffix(". Check function arguments and their types.")
            return EvaluationFailed(
                f"{function}() can't take this value: {reason}.",
                code="bad_argument",
                position=self._position_of(function),
            )
        return _explained_by_type(error, message)

    def _undefined(self, bound_name: str) -> EvaluationFailed:
        for candidate, name, field in self.bindings:
            if candidate == bound_name and field is not None:
                return EvaluationFailed(
                    f"{name} has no field {field!r}. Ask has({name}.{field}) first where it may be missing.",
                    code="missing_field",
                    position=self._position_of(field),
                )
        if any(call.name == bound_name for call in self._tokenized.calls):
            return EvaluationFailed(
                f"{bound_name}() can't take a value of this type.",
                code="bad_argument",
                position=self._position_of(bound_name),
            )
        return EvaluationFailed(
            f"Nothing is called {bound_name!r} here.", code="unknown_name", position=self._position_of(bound_name)
        )

    def _position_of(self, name: str) -> Position | None:
        """Where ``name`` stands, if it stands in one place only."""
        places = [token.start for token in self._tokenized.tokens if token.kind == "name" and token.text == name]
        return self._tokenized.position(places[0]) if len(places) == 1 else None


@lru_cache(maxsize=MAX_COMPILED)
def compile_expression(source: str) -> Program:
    """The program of ``source``, kept by its text. Raises ``ExpressionRefused``, in milliseconds whatever is sent."""
    return Program(source)


def _compiled(tokenized: TokenizedSource, source: str) -> cel.Program:
    try:
        return cel.compile(source)
    except Exception as error:  # noqa: BLE001 - whatever the library says, the source is refused
        raise _explained_syntax(tokenized, str(error)) from None


def _bound(name: str, scope: Scope) -> tuple[str, Callable[..., Any]]:
    if name == "now":
        return name, lambda: scope.now
    function = FUNCTIONS[name.removeprefix("__")].call

    def called(*arguments: Any) -> Any:
        try:
            if scope.deadline is not None and time.monotonic() > scope.deadline:
                raise EvaluationFailed("There was no time left to finish this.", code="run_too_long")
            return function(*arguments)
        except Exception as error:  # the library keeps only its text; the caller gets the error itself
            scope.failures.append(error)
            raise

    return name, called


def _check_call(tokenized: TokenizedSource, call: Call) -> None:
    position = tokenized.position(call.token.start)
    function = FUNCTIONS.get(call.name)
    if function is not None:
        least, most, signature = function.least, function.most, function.signature
    elif call.name in BUILT_IN:
        (least, most), signature = BUILT_IN[call.name], f"{call.name}()"
    else:
        similar = difflib.get_close_matches(call.name[:40], [*FUNCTIONS, *BUILT_IN], n=1)
        hint = f" Did you mean {similar[0]}()?" if similar else ""
        raise ExpressionRefused(
            f"There is no function {call.name[:40]}().{hint}", code="expression_unknown_function", position=position
        )
    given = call.arguments + call.method
    if not least <= given <= most:
        wanted = str(least) if least == most else f"{least} to {most}"
        raise ExpressionRefused(
            f"{signature} takes {wanted} argument{'s' if wanted != '1' else ''}, not {given}",
            code="expression_wrong_arguments",
            position=position,
        )


def _variables(
    tokenized: TokenizedSource,
) -> tuple[tuple[Reference, ...], tuple[tuple[str, str, str | None], ...], list[tuple[int, int, str]]]:
    """What is read, what the scope binds for it, and where the source is rewritten to read it."""
    references: list[Reference] = []
    bindings: dict[str, tuple[str, str, str | None]] = {}
    replaced: list[tuple[int, int, str]] = []
    for index in tokenized.roots():
        token = tokenized.tokens[index]
        field = tokenized.field_after(index)
        position = tokenized.position(token.start)
        references.append(Reference(token.text, field.text if field else None, position))
        if field is None or token.text in PER_ITEM or tokenized.is_presence_test(index):
            bindings[token.text] = (token.text, token.text, None)
            continue
        bound_name = f"__{len(token.text)}_{token.text}_{field.text}"
        bindings[bound_name] = (bound_name, token.text, field.text)
        replaced.append((token.start, field.end, bound_name))
    return tuple(references), tuple(bindings.values()), replaced


def _replace(source: str, replaced: list[tuple[int, int, str]]) -> str:
    parts, offset = [], 0
    for start, end, text in sorted(replaced):
        parts += [source[offset:start], text]
        offset = end
    return "".join([*parts, source[offset:]])


_LIBRARY_POSITION = re.compile(r"ERROR: <input>:(\d+):(\d+): ")


def _explained_syntax(tokenized: TokenizedSource, message: str) -> ExpressionRefused:
    """The library's parse error, in words for people."""
    if "Recursion limit" in message:
        return ExpressionRefused(
            "The expression nests too deeply. Split it over several steps.", code="expression_too_deep"
        )
    match = _LIBRARY_POSITION.search(message)
    if match is None:
        return ExpressionRefused("This can't be read as an expression.")
    position = Position(int(match[1]), int(match[2]))
    if "int literal" in message or "double literal" in message:
        return ExpressionRefused(f"This number is too large; whole numbers go up to {MAX_INT}.", position=position)
    if "has() macro" in message:
        return ExpressionRefused("has() asks for a field: write has(inputs.name).", position=position)
    token = next((token for token in tokenized.tokens if tokenized.position(token.start) == position), None)
    if token is None:
        return ExpressionRefused("Something is missing here.", position=position)
    return ExpressionRefused(f"{token.text[:40]!r} can't stand here.", position=position)


def _explained_by_type(error: BaseException, message: str) -> EvaluationFailed:
    match error:
        case ZeroDivisionError():
            return EvaluationFailed("This divides by zero.", code="division_by_zero")
        case OverflowError():
            return EvaluationFailed("The result doesn't fit into 64 bits.", code="overflow")
        case IndexError():
            index = message.rpartition(":")[2].strip()
            return EvaluationFailed(f"The list has no item {index}; items count from 0.", code="out_of_range")
        case TypeError() | ValueError():
            return EvaluationFailed(_type_message(message), code="wrong_type")
    return EvaluationFailed("The expression has no value.")


def _type_message(message: str) -> str:
    if message.startswith("Unsupported operation: "):
        operation = message.partition(": ")[2].partition(".")[0]
        return f"{operation} has no meaning. Convert with double(x), int(x) or string(x)."
    if message.startswith("Unexpected type: got 'string', want 'int|uint'"):
        return "A list is read by a whole number, from 0: write list[0]."
    if message.startswith("Unexpected type: got 'double', want 'int|uint'"):
        return "A list is read by a whole number: write list[int(x)]."
    return (
        "An operation doesn't fit the types of its values. Whole numbers and decimals don't mix (write double(x), "
        "or 1.0 instead of 1), and a value may be null."
    )


def _function_named_in(message: str) -> str:
    match = re.match(r"Function '(\w+)' error", message)
    return match[1] if match else ""
