"""From an accent colour to colours that can be read.

An app's author picks one colour. Text on it, and text in it on light and dark paper, must still have the contrast of
WCAG 2.2 level AA (4.5 : 1, success criterion 1.4.3), whatever was picked; so the colours are computed, not hoped for.
"""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_ACCENT = "#2f6fed"

LIGHT_SURFACE = "#ffffff"
DARK_SURFACE = "#161b26"
"""The lightest and darkest paper that coloured text stands on; the same values as in ``static/css/tokens.css``."""

AA_TEXT = 4.5
VISIBLE_FILL = 1.35
"""What a filled button needs to be seen at all; its words carry the contrast that counts."""

_DARK_INK = "#10141d"
_LIGHT_INK = "#ffffff"


@dataclass(frozen=True, slots=True)
class Accent:
    """What the stylesheet needs to know of an accent, for one paper: the fill, ink on it, and ink in its hue."""

    fill: str
    on_fill: str
    ink: str


@dataclass(frozen=True, slots=True)
class Theme:
    """The colours and the mode of a page."""

    light: Accent
    dark: Accent
    mode: str
    width: str

    @property
    def css(self) -> str:
        """The custom properties for this theme: what goes into the one ``<style nonce>`` of a page."""
        forced = "" if self.mode == "auto" else f"color-scheme:{self.mode};"
        return f":root{{{_properties(self.light, 'light')}{_properties(self.dark, 'dark')}{forced}}}"


def build_theme(accent: str = DEFAULT_ACCENT, mode: str = "auto", width: str = "narrow") -> Theme:
    """The theme of a page; ``accent`` is ``#rrggbb``."""
    return Theme(
        light=_accent_on(accent, LIGHT_SURFACE),
        dark=_accent_on(accent, DARK_SURFACE),
        mode=mode,
        width=width,
    )


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, 1 to 21 (WCAG 2.2, definition of contrast ratio)."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _accent_on(accent: str, surface: str) -> Accent:
    fill = _move_until(accent, surface, VISIBLE_FILL)
    on_fill = max((_LIGHT_INK, _DARK_INK), key=lambda ink: contrast(ink, fill))
    if contrast(_LIGHT_INK, fill) >= AA_TEXT:
        on_fill = _LIGHT_INK
    elif contrast(on_fill, fill) < AA_TEXT:
        fill = _move_until(fill, on_fill, AA_TEXT)
    return Accent(fill=fill, on_fill=on_fill, ink=_move_until(accent, surface, AA_TEXT + 0.3))


def _move_until(colour: str, against: str, ratio: float) -> str:
    """``colour``, darkened or lightened in small steps, as little as gives ``ratio`` against the other colour."""
    target = (0, 0, 0) if _luminance(against) > 0.18 else (255, 255, 255)
    start = _rgb(colour)
    for step in range(51):
        share = step / 50
        moved = _hex(tuple(round(a + (b - a) * share) for a, b in zip(start, target, strict=True)))
        if contrast(moved, against) >= ratio:
            return moved
    return _hex(target)


def _properties(accent: Accent, paper: str) -> str:
    return f"--accent-{paper}:{accent.fill};--on-accent-{paper}:{accent.on_fill};--accent-ink-{paper}:{accent.ink};"


def _rgb(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


def _hex(rgb: tuple[int, ...]) -> str:
    return "#" + "".join(f"{part:02x}" for part in rgb)


def _luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (value / 255 for value in _rgb(colour))
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
