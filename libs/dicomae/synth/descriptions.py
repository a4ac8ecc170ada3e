"""What people type: descriptions in six languages; most of them tell the body part."""

from dicomae.synth.draft import Draft, Values

# {p} and {P} are the body part's word, {m} the modality; a line a language, as in `bodyparts.LANGUAGES`.
STUDY_TEXTS = (
    ("{m} {p}", "{P} {m} WITHOUT CONTRAST", "{P} STUDY", "{m} {p} follow up"),
    ("{m} {P}", "{P} nativ", "Untersuchung {p}", "{m} {P} mit KM"),
    ("{m} {p}", "{P} nativno", "{m} {p} s kontrastom", "Pregled: {p}"),
    ("{m} {p}", "{P} senza mdc", "{m} {P} con contrasto", "Esame {p}"),
    ("{m} {p}", "{P} sans injection", "{m} {P} avec IV", "Examen {p}"),
    ("{m} {p}", "{P} sin contraste", "{m} {P} con civ", "Estudio {p}"),
)
SILENT_TEXTS = (
    ("ROUTINE", "Emergency", "Follow up", "OUTSIDE STUDY", "Portable"),
    ("Kontrolle", "Notfall", "Routine", "Fremdaufnahmen"),
    ("Kontrola", "HITNO", "Nalaz vanjske ustanove", "Rutinski pregled"),
    ("Controllo", "URGENTE", "Esame esterno"),
    ("Urgence", "Examen standard", "Suivi"),
    ("Urgencias", "Control", "Estudio externo"),
)
SERIES_TEXTS = {
    "CT": ("{p} 5.0 B30f", "{p} axial", "Topogram {p}", "{P} 1.25mm BONE", "Recon 2: {P}", "{p} MPR cor"),
    "MR": ("t1_se_tra {p}", "t2_tse_sag {p}", "AX FLAIR {P}", "STIR COR {P}", "{p} dwi", "PD FS {P}"),
    "CR": ("{P} a.p.", "{P} LAT", "{p} PA", "{P} 2 views"),
    "XA": ("{p} DSA", "{P} run 1", "Fluoro {p}", "{P} RAO"),
    "RF": ("{p} fluoro", "{P} Serie", "Single shot {p}"),
    "NM": ("{p} static", "{P} DYNAMIC", "{P} ANT POST", "SPECT {p}"),
}
SILENT_SERIES = ("localizer", "Scout", "Series 1", "AX", "SAG", "MIP", "3-plane loc", "Standard", "Ser. 2")
_ACCENTED = "äöüÄÖÜßčćžšđČĆŽŠĐéèêôóúñíáÉÈÊÔÓÚÑÍÁ"
_PLAIN = "ae oe ue Ae Oe Ue ss c c z s d C C Z S D e e e o o u n i a E E E O O U N I A"
_SPELLED = dict(zip(_ACCENTED, _PLAIN.split(), strict=True))
COMMENTS = (
    "",
    "motion artifacts",
    "Aufnahme im Liegen",
    "nemirna pacijentica",
    "paziente non collaborante",
    "OK",
)


def describe(draft: Draft) -> tuple[Values, str]:
    """Free-text elements, and whether they tell the body part: `tells`, `silent` or `misleads`."""
    how = draft.pick(["tells", "silent", "misleads"], [0.72, 0.25, 0.03])
    language = draft.habit.language if draft.maybe(0.8) else int(draft.rng.integers(6))
    word = draft.part.words[language]
    if how == "misleads":
        word = draft.pick(["femoral access", "mobile unit", "propeller", "hippocampus", "chest clinic"])
    study = draft.pick(STUDY_TEXTS[language] if how != "silent" else SILENT_TEXTS[language])
    series = draft.pick(SERIES_TEXTS.get(draft.study.modality, ("{p}",)))
    if how == "silent" or draft.maybe(0.3):
        series = draft.pick(SILENT_SERIES)
    protocol = draft.pick(["{P}", "{p} routine", "{m}_{P}_Standard"]) if how != "silent" else "Standard"
    texts = {
        "StudyDescription": study if draft.maybe(0.9) else None,
        "SeriesDescription": series,
        "ProtocolName": protocol,
        "RequestedProcedureDescription": study,
        "PerformedProcedureStepDescription": study,
        "ImageComments": draft.pick(COMMENTS),
    }
    return {keyword: _filled(draft, text, word) for keyword, text in texts.items()}, how


def _filled(draft: Draft, text: str | None, word: str) -> str | None:
    if text is None:
        return None
    filled = text.format(m=draft.study.modality, p=word, P=word.upper())
    return _encodable(filled, draft.patient.charset)[:64]


def _encodable(text: str, charset: str) -> str:
    """`text`; letters that the character set lacks are spelt as a typist spells them: ü → ue, č → c."""
    codec = {"latin1": "latin-1", "latin2": "iso8859-2", "utf8": "utf-8"}.get(charset, "ascii")
    try:
        text.encode(codec)
    except UnicodeEncodeError:
        return "".join(_SPELLED.get(letter, letter) for letter in text).encode("ascii", "replace").decode()
    return text
