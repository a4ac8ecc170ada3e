"""Colours: one for a modality everywhere, chosen to be told apart by colour-blind eyes.

References
----------
Okabe & Ito, Color Universal Design (2008): the eight colours, less black, which is the text's, and
less yellow, which white paper swallows.
"""

BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"
CATEGORIES = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY)
OTHER = "#8a8f98"

# Colours that follow the reader's theme, as CSS variables: a drawing is made with the stand-in.
THEME = {"ink": "#000001", "muted": "#000002", "grid": "#000003", "accent": "#000004"}

_MODALITY = {"CT": BLUE, "MR": VERMILION, "CR": GREEN, "XA": PURPLE, "NM": ORANGE, "RF": SKY}


def of_modality(modality: str) -> str:
    """Colour of a modality; those outside the experiment share a grey."""
    return _MODALITY.get(modality, OTHER)
