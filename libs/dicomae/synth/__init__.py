"""A synthetic PACS: real DICOM files of people who do not exist, deterministic by seed."""

from dicomae.synth.patients import CANARY, CANARY_ID_PREFIX

__all__ = ["CANARY", "CANARY_ID_PREFIX"]
