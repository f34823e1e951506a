"""The example apps, against values that others published."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from apps.applications.definitions.validation import validate_definition
from apps.applications.selectors.examples import IBAN_CHECK, LOAN_SCHEDULE, NAMES, UNIT_PRICE, example_definition
from apps.common.errors import InvalidActionInput
from apps.common.schemas import compile_input_schema
from apps.workflows.definitions import compile_workflow
from apps.workflows.services.execution import execute

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _run(name: str, action: str, inputs: dict[str, Any]) -> dict[str, Any]:
    """The outputs of the action, by way of its input schema. Fails the test when the inputs don't fit it."""
    definition = example_definition(name)["actions"][action]
    fitting = compile_input_schema(definition["input"]).accept(inputs)
    result = execute(compile_workflow(definition["workflow"], inputs=definition["input"]), fitting, now=NOW, budget=5.0)
    assert result.succeeded, result.error
    assert result.outputs is not None
    return result.outputs


def _refusals(name: str, action: str, inputs: dict[str, Any]) -> list[tuple[str, str]]:
    schema = compile_input_schema(example_definition(name)["actions"][action]["input"])
    with pytest.raises(InvalidActionInput) as refusal:
        schema.accept(inputs)
    return [(error.pointer, error.code) for error in refusal.value.errors]


@pytest.mark.parametrize("name", NAMES)
def test_example_is_a_valid_definition(name: str) -> None:
    assert validate_definition(example_definition(name), workflows={}) == []


# --- Loan ---------------------------------------------------------------------------------------------------------

#: (amount, yearly rate in %, months, monthly payment), and where it is published.
LOANS = [
    # "Mortgage calculator", Wikipedia: $200,000 at 6.5 % over 30 years.
    (200_000, 6.5, 360, 1264.14),
    # "PMT function", Microsoft Support: PMT(8%/12, 10, 10000).
    (10_000, 8, 10, 1037.03),
    # "Math 352, Theory of Interest: Amortization Project": $150,000 at 3.625 % over 360 months.
    (150_000, 3.625, 360, 684.08),
    # payment-calc.com: $100,000 over 15 years; the first interest of $375.00 is 4.5 % a year.
    (100_000, 4.5, 180, 764.99),
    # mortgagecalculator.tech: $200,000 at 7 % over 13 years.
    (200_000, 7, 156, 1956.15),
    # krillkits.com: $350,000 at 6.5 % over 15 years.
    (350_000, 6.5, 180, 3048.88),
    # calculatey, "Worked Example": $300,000 at 6.5 % over 30 years.
    (300_000, 6.5, 360, 1896.20),
    # "Amortization schedule", Wikipedia: $100,000 at 7 % over 20 years.
    (100_000, 7, 240, 775.30),
]


@pytest.mark.parametrize(("amount", "rate", "months", "payment"), LOANS)
def test_loan_payment_is_the_published_one(amount: float, rate: float, months: int, payment: float) -> None:
    outputs = _run(LOAN_SCHEDULE, "schedule", {"amount": amount, "rate": rate, "months": months})
    assert outputs["payment"] == pytest.approx(payment, abs=0.005)
    assert len(outputs["rows"]) == months
    assert outputs["rows"][-1]["balance"] == 0


@pytest.mark.parametrize(
    ("month", "interest", "principal", "balance"),
    [
        (1, 453.13, 230.95, 149_769.05),
        (3, 451.73, 232.35, 149_305.05),
        (9, 447.48, 236.59, 147_896.14),
        (10, 446.77, 237.31, 147_658.83),
    ],
)
def test_loan_schedule_is_the_published_one(month: int, interest: float, principal: float, balance: float) -> None:
    """Rows of the Amortization Project of "Math 352, Theory of Interest"."""
    rows = _run(LOAN_SCHEDULE, "schedule", {"amount": 150_000, "rate": 3.625, "months": 360})["rows"]
    row = rows[month - 1]
    assert (row["month"], row["interest"], row["principal"], row["balance"]) == pytest.approx(
        (month, interest, principal, balance), abs=0.011
    )


def test_loan_total_is_the_published_one() -> None:
    """krillkits.com: $350,000 at 6.5 % over 15 years: $548,798 in total, $198,798 of it interest."""
    outputs = _run(LOAN_SCHEDULE, "schedule", {"amount": 350_000, "rate": 6.5, "months": 180})
    assert (outputs["total"], outputs["interest"]) == pytest.approx((548_798, 198_798), abs=0.5)


@pytest.mark.parametrize(
    ("inputs", "error"),
    [
        ({"amount": 0, "rate": 5, "months": 12}, ("/amount", "too_small")),
        ({"amount": 1000, "rate": 0, "months": 12}, ("/rate", "too_small")),
        ({"amount": 1000, "rate": 5, "months": 481}, ("/months", "too_large")),
        ({"amount": 1000, "rate": 5, "months": 12.5}, ("/months", "wrong_type")),
        ({"amount": "much", "rate": 5, "months": 12}, ("/amount", "wrong_type")),
        ({"amount": 1000, "rate": 5, "months": 12, "fees": 1}, ("/fees", "unknown_field")),
    ],
)
def test_loan_refuses_wrong_inputs(inputs: dict[str, Any], error: tuple[str, str]) -> None:
    assert error in _refusals(LOAN_SCHEDULE, "schedule", inputs)


# --- IBAN ---------------------------------------------------------------------------------------------------------

#: The examples of the IBAN Registry (SWIFT, registration authority of ISO 13616), release 71, November 2016.
REGISTRY_EXAMPLES = [
    "AD1200012030200359100100",
    "AE070331234567890123456",
    "AL47212110090000000235698741",
    "AT611904300234573201",
    "BE68539007547034",
    "CH9300762011623852957",
    "CZ6508000000192000145399",
    "DE89370400440532013000",
    "DK5000400440116243",
    "EE382200221020145685",
    "ES9121000418450200051332",
    "FI2112345600000785",
    "FR1420041010050500013M02606",
    "GB29NWBK60161331926819",
    "GR1601101250000000012300695",
    "HU42117730161111101800000000",
    "IE29AIBK93115212345678",
    "IT60X0542811101000000123456",
    "LV80BANK0000435195001",
    "MT84MALT011000012345MTLCAST001S",
    "NL91ABNA0417164300",
    "NO9386011117947",
    "PL61109010140000071219812874",
    "SE4550000000058398257466",
]


@pytest.mark.parametrize("iban", REGISTRY_EXAMPLES)
def test_iban_of_the_registry_is_valid(iban: str) -> None:
    outputs = _run(IBAN_CHECK, "check", {"iban": iban})
    assert outputs["valid"] is True, outputs["message"]
    assert outputs["printed"].replace(" ", "") == iban


def test_iban_is_read_as_people_write_it() -> None:
    """The printed form of the standard: groups of four."""
    outputs = _run(IBAN_CHECK, "check", {"iban": " gb29 nwbk 6016-1331 9268 19 "})
    assert outputs["valid"] is True
    assert outputs["printed"] == "GB29 NWBK 6016 1331 9268 19"
    assert (outputs["country"], outputs["check_digits"], outputs["bban"]) == (
        "United Kingdom",
        "29",
        "NWBK60161331926819",
    )


@pytest.mark.parametrize(
    ("iban", "reason"),
    [
        ("GB29NWBK60161331926818", "check digits"),
        ("GB29NWBK60161331926891", "check digits"),
        ("DE8937040044053201300", "has 22 characters; this one has 21"),
        ("DE893704004405320130000", "has 22 characters; this one has 23"),
        ("ZZ68539007547034", "No country"),
        ("68539007547034", "begins with two letters"),
        ("B", "begins with two letters"),
        ("DE89 3704 0044 0532 0130 0!", "begins with two letters"),
        ("ＤＥ89370400440532013000", "begins with two letters"),
        ("' OR 1=1 --", "begins with two letters"),
    ],
)
def test_iban_that_is_wrong_is_refused_with_the_reason(iban: str, reason: str) -> None:
    outputs = _run(IBAN_CHECK, "check", {"iban": iban})
    assert outputs["valid"] is False
    assert reason in outputs["message"]


def test_iban_refuses_wrong_inputs() -> None:
    assert ("/iban", "required") in _refusals(IBAN_CHECK, "check", {})
    assert ("/iban", "too_long") in _refusals(IBAN_CHECK, "check", {"iban": "D" * 61})


# --- Unit price ---------------------------------------------------------------------------------------------------


def _offers(per: str, *offers: tuple[float, float, str]) -> dict[str, Any]:
    inputs: dict[str, Any] = {"per": per}
    for letter, (price, amount, unit) in zip("abc", offers, strict=False):
        inputs |= {f"{letter}_price": price, f"{letter}_amount": amount, f"{letter}_unit": unit}
    return inputs


#: (per, offers as (price, amount, unit), their unit prices as printed, which is best), and where it is published.
COMPARISONS = [
    # "How Does Unit Pricing Work?", Small Business, Chron: dog food, 69.75 and 71.27 cents a pound.
    ("lb", [(13.95, 20, "lb"), (10.69, 15, "lb")], [0.6975, 0.7127], 0),
    # "Best Buy: Unit Prices", HSC Science, Year 8, worked example: pasta, $3.60 and $3.20 a kilogram.
    ("kg", [(1.80, 500, "g"), (3.20, 1, "kg")], [3.60, 3.20], 1),
    # "Unit price", slideplayer 1635786: mouthwash, $0.24 and $0.21 an ounce.
    ("fl oz", [(2.89, 12, "fl oz"), (3.39, 16, "fl oz")], [0.24, 0.21], 1),
    # The same: soft drinks, a litre being 33.8 ounces: $0.038 an ounce.
    ("fl oz", [(2.99, 72, "fl oz"), (1.29, 1, "l")], [0.0415, 0.038], 1),
    # "Brown sugar", slideserve: coffee, .307 and .520 (cut) an ounce.
    ("oz", [(7.99, 26, "oz"), (6.25, 12, "oz")], [0.307, 0.5208], 0),
    # The same: cereal, .16 an ounce; soup, .157, .159 and .148.
    ("oz", [(2.99, 19, "oz"), (2.99, 18.8, "oz"), (2.79, 18.8, "oz")], [0.157, 0.159, 0.148], 2),
    # US Metric Association's list, 26 December 2014: milk at $2.99 a gallon is 74.8 cents a quart and 79 cents a litre.
    ("qt", [(2.99, 1, "gal"), (2.99, 4, "qt")], [0.748, 0.748], 0),
    ("l", [(2.99, 1, "gal"), (0.80, 1, "l")], [0.79, 0.80], 0),
]


@pytest.mark.parametrize(("per", "offers", "unit_prices", "best"), COMPARISONS)
def test_unit_prices_are_the_published_ones(
    per: str, offers: list[tuple[float, float, str]], unit_prices: list[float], best: int
) -> None:
    outputs = _run(UNIT_PRICE, "compare", _offers(per, *offers))
    assert outputs["comparable"] is True
    for row, published in zip(outputs["offers"], unit_prices, strict=True):
        decimals = len(str(published).partition(".")[2])
        assert row["unit_price"] == pytest.approx(published, abs=0.51 * 10**-decimals)
    assert outputs["best"] == f"Offer {'ABC'[best]}"
    assert outputs["offers"][best]["dearer"] == 0


def test_unit_price_says_that_weight_and_volume_do_not_compare() -> None:
    outputs = _run(UNIT_PRICE, "compare", _offers("kg", (1.0, 500, "g"), (1.0, 500, "ml")))
    assert outputs["comparable"] is False
    assert "do not mix" in outputs["message"]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"a_price": 0}, ("/a_price", "too_small")),
        ({"a_amount": -1}, ("/a_amount", "too_small")),
        ({"a_unit": "stone"}, ("/a_unit", "not_in_enum")),
        ({"per": "bushel"}, ("/per", "not_in_enum")),
        ({"b_price": "cheap"}, ("/b_price", "wrong_type")),
    ],
)
def test_unit_price_refuses_wrong_inputs(change: dict[str, Any], error: tuple[str, str]) -> None:
    inputs = _offers("kg", (1.0, 500, "g"), (1.0, 500, "g")) | change
    assert error in _refusals(UNIT_PRICE, "compare", inputs)
