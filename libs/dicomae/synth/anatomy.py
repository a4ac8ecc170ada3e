"""What bodies are made of, as ellipses: tissues, forms, and what tells body parts of one form apart."""

from functools import lru_cache
from typing import NamedTuple


class Shape(NamedTuple):
    """An ellipse of one tissue, in units of half the image; later shapes lie over earlier ones."""

    tissue: str
    x: float
    y: float
    rx: float
    ry: float
    angle: float = 0.0  # degrees


Shapes = tuple[Shape, ...]

# Tissue: CT number HU, X-ray attenuation of a projection, proton density, T1 ms, T2 ms, NM uptake.
TISSUES = {
    "air": (-1000, 0.0, 0.02, 3000, 10, 0.0),
    "lung": (-820, 0.08, 0.15, 1200, 30, 0.15),
    "fat": (-95, 0.35, 0.95, 260, 70, 0.08),
    "soft": (48, 0.5, 0.8, 900, 50, 0.2),
    "organ": (62, 0.6, 0.78, 650, 55, 1.0),
    "white": (30, 0.5, 0.7, 780, 80, 0.7),
    "grey": (38, 0.5, 0.82, 1100, 98, 1.0),
    "fluid": (8, 0.5, 1.0, 3200, 1500, 0.02),
    "blood": (150, 0.65, 0.85, 1500, 180, 0.3),
    "bone": (720, 1.6, 0.12, 500, 15, 0.9),
    "marrow": (160, 0.6, 0.85, 330, 65, 0.35),
}
# Shapes as text: tissue x y rx ry [angle], separated by commas.
FORMS: dict[str, str] = {
    "head": (
        "soft 0 0 .72 .88, bone 0 0 .67 .83, grey 0 0 .6 .76, white -.28 0 .24 .6, white .28 0 .24 .6, "
        "fluid -.1 -.08 .06 .26 12, fluid .1 -.08 .06 .26 -12, grey 0 .28 .16 .1"
    ),
    "neck": (
        "soft 0 0 .62 .6, air 0 -.18 .1 .12, organ -.17 -.16 .09 .16 10, organ .17 -.16 .09 .16 -10, "
        "bone 0 .22 .16 .14, marrow 0 .22 .11 .09, blood -.34 -.02 .06 .06, blood .34 -.02 .06 .06"
    ),
    "torso": (
        "fat 0 0 .92 .7, soft 0 0 .85 .63, lung -.42 -.04 .34 .5 6, lung .42 -.04 .34 .5 -6, "
        "blood .1 -.08 .24 .26 30, blood .05 .32 .07 .07, bone 0 .48 .12 .1, marrow 0 .48 .08 .06, "
        "bone 0 -.6 .1 .03"
    ),
    "heart": (
        "fat 0 0 .92 .76, soft 0 0 .86 .7, lung -.56 0 .26 .52, lung .6 0 .22 .46, "
        "organ .06 -.04 .4 .44 35, blood .12 -.02 .18 .28 35, blood -.14 -.08 .16 .2 20, "
        "bone 0 .54 .1 .09"
    ),
    "abdomen": (
        "fat 0 0 .93 .7, soft 0 .02 .84 .6, organ -.42 -.1 .36 .34 -15, organ .54 -.02 .18 .22 20, "
        "organ -.4 .3 .13 .11 30, organ .4 .3 .13 .11 -30, fluid .12 -.26 .22 .12 -15, air .2 -.34 .1 .05, "
        "blood 0 .2 .06 .06, bone 0 .42 .13 .11, marrow 0 .42 .09 .07"
    ),
    "pelvis": (
        "fat 0 0 .94 .66, soft 0 0 .84 .56, bone -.52 .02 .2 .34 25, bone .52 .02 .2 .34 -25, "
        "marrow -.52 .02 .14 .26 25, marrow .52 .02 .14 .26 -25, fluid 0 -.14 .22 .17, organ 0 .14 .13 .1, "
        "bone 0 .42 .2 .09"
    ),
    "spine": (
        "soft 0 0 .62 .95, bone -.02 -.8 .24 .085, bone -.02 -.57 .24 .085, bone -.02 -.34 .24 .085, "
        "bone -.02 -.11 .24 .085, bone -.02 .12 .24 .085, bone -.02 .35 .24 .085, bone -.02 .58 .24 .085, "
        "bone -.02 .81 .24 .085, marrow -.02 -.8 .2 .06, marrow -.02 -.57 .2 .06, marrow -.02 -.34 .2 .06, "
        "marrow -.02 -.11 .2 .06, marrow -.02 .12 .2 .06, marrow -.02 .35 .2 .06, marrow -.02 .58 .2 .06, "
        "marrow -.02 .81 .2 .06, fluid -.02 -.685 .2 .022, fluid -.02 -.455 .2 .022, "
        "fluid -.02 -.225 .2 .022, fluid -.02 .005 .2 .022, fluid -.02 .235 .2 .022, "
        "fluid -.02 .465 .2 .022, fluid -.02 .695 .2 .022, fluid .27 0 .05 .93, grey .27 -.2 .025 .7"
    ),
    "limb": (
        "fat 0 0 .42 .94, soft 0 0 .36 .92, bone -.06 0 .11 .9, marrow -.06 0 .06 .88, "
        "bone .17 .02 .05 .84, blood .02 0 .02 .85"
    ),
    "joint": (
        "fat 0 0 .52 .92, soft 0 0 .45 .9, bone 0 -.52 .26 .46, bone 0 -.14 .38 .17, bone 0 .52 .24 .46, "
        "bone 0 .16 .36 .13, marrow 0 -.52 .2 .4, marrow 0 -.15 .31 .12, marrow 0 .52 .18 .4, "
        "marrow 0 .17 .29 .09, fluid 0 .01 .32 .025"
    ),
    "hand": (
        "soft 0 .32 .46 .42, soft -.36 -.4 .1 .46 -8, soft -.13 -.4 .1 .46 -3, soft .1 -.4 .1 .46 2, "
        "soft .33 -.4 .1 .46 8, soft .58 .14 .1 .34 42, bone -.37 -.7 .045 .13 -8, "
        "bone -.37 -.42 .045 .13 -8, bone -.37 -.14 .045 .13 -8, bone -.13 -.7 .045 .13 -3, "
        "bone -.13 -.42 .045 .13 -3, bone -.13 -.14 .045 .13 -3, bone .1 -.7 .045 .13 2, "
        "bone .1 -.42 .045 .13 2, bone .1 -.14 .045 .13 2, bone .34 -.7 .045 .13 8, "
        "bone .34 -.42 .045 .13 8, bone .34 -.14 .045 .13 8, bone -.3 .24 .05 .2 -6, "
        "bone -.12 .24 .05 .2 -2, bone .07 .24 .05 .2 2, bone .26 .24 .05 .2 6, bone .56 .16 .05 .24 42, "
        "bone -.24 .58 .09 .08, bone -.06 .58 .09 .08, bone .12 .58 .09 .08, bone -.05 .8 .24 .12"
    ),
    "breast": (
        "fat -.55 0 1.1 .86, soft -.95 0 .4 .98, organ -.2 0 .48 .4, organ -.1 .2 .22 .14 30, "
        "organ .05 -.16 .18 .08 -25"
    ),
    "whole": (
        "soft 0 -.84 .1 .13, soft 0 -.38 .2 .36, soft -.27 -.34 .05 .36 5, soft .27 -.34 .05 .36 -5, "
        "soft -.1 .45 .08 .5 2, soft .1 .45 .08 .5 -2, bone 0 -.86 .07 .09, bone 0 -.36 .03 .34, "
        "bone 0 -.04 .14 .07, bone -.1 .42 .02 .42 2, bone .1 .42 .02 .42 -2, organ 0 .02 .05 .04"
    ),
}
# What tells a body part from others of the same form.
LANDMARKS: dict[str, str] = {
    "SKULL": "air 0 .3 .13 .1, bone 0 .7 .38 .12",
    "ORBIT": "fluid -.28 -.5 .15 .15, fluid .28 -.5 .15 .15, air 0 -.3 .09 .26",
    "SINUS": "air -.3 .05 .18 .2, air .3 .05 .18 .2, air 0 -.35 .16 .12, bone 0 .12 .02 .3",
    "JAW": "soft 0 0 .6 .76, bone 0 .25 .5 .46, soft 0 .12 .4 .42, air 0 -.05 .1 .14",
    "HEAD": "blood 0 -.1 .05 .05, blood -.16 .06 .05 .03, blood .16 .06 .05 .03",
    "THYROID": "organ -.18 -.14 .13 .24 12, organ .18 -.14 .13 .24 -12",
    "CAROTID": "blood -.32 0 .09 .09, blood .32 0 .09 .09",
    "CSPINE": "air -.42 -.3 .06 .5",
    "LSPINE": "fat .44 0 .14 .9, blood -.38 -.1 .06 .8",
    "LIVER": "organ -.3 -.08 .48 .42 -12, blood -.25 -.05 .05 .14 40",
    "KIDNEY": "organ -.4 .2 .19 .24 18, organ .4 .2 .19 .24 -18, fluid -.36 .2 .05 .08, fluid .36 .2 .05 .08",
    "STOMACH": "air .3 -.3 .26 .16 -15",
    "COLON": "air -.6 0 .11 .3, air .62 .02 .11 .32, air 0 -.38 .5 .08",
    "RIB": "soft -.3 0 .3 .46",
    "AORTA": "blood .08 -.2 .13 .13, blood .12 .28 .11 .11",
    "CORONARYARTERY": "blood -.16 -.22 .03 .12 40, blood .28 -.18 .03 .16 -30",
    "BLADDER": "fluid 0 -.12 .34 .26",
    "HIP": "bone -.48 .05 .17 .17, marrow -.48 .05 .12 .12, bone -.66 .26 .09 .26 -20",
    "SHOULDER": "bone -.22 -.34 .24 .24, bone .3 -.5 .34 .05 12, lung .62 .4 .3 .38",
    "ANKLE": "bone -.2 .62 .44 .16 8, soft -.5 .72 .3 .1",
    "ELBOW": "bone .18 .5 .08 .46, bone .24 .02 .1 .14",
    "WRIST": (
        "bone -.26 -.02 .1 .09, bone -.26 .2 .1 .09, bone -.04 -.02 .1 .09, bone -.04 .2 .1 .09, "
        "bone .18 -.02 .1 .09, bone .18 .2 .1 .09"
    ),
    "FOOT": "bone -.02 .66 .3 .22, marrow -.02 .66 .22 .15",
    "THIGH": "bone -.02 -.8 .2 .14",
}


@lru_cache(maxsize=64)
def shapes_of(form: str, part: str) -> Shapes:
    """The shapes of a body part: those of its form, then its own."""
    text = FORMS[form] + (", " + LANDMARKS[part] if part in LANDMARKS else "")
    rows = (row.split() for row in text.split(","))
    return tuple(Shape(tissue, *map(float, numbers)) for tissue, *numbers in rows)
