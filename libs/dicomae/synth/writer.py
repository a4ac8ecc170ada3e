"""A data set and its frames become the bytes of a file, by pydicom."""

from io import BytesIO

import numpy as np
from PIL import Image
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders.base import RLELosslessEncoder
from pydicom.uid import UID

from dicomae.synth.image import Frames

SYNTAXES = {
    "implicit": "1.2.840.10008.1.2",
    "explicit": "1.2.840.10008.1.2.1",
    "deflated": "1.2.840.10008.1.2.1.99",
    "big": "1.2.840.10008.1.2.2",
    "jpeg": "1.2.840.10008.1.2.4.50",
    "jpeg2000": "1.2.840.10008.1.2.4.90",
    "rle": "1.2.840.10008.1.2.5",
}
IMPLEMENTATION_UID = "2.25.98240319750168214703"


def encode(dataset: Dataset, syntax: str) -> bytes:
    """The bytes of a file; PixelData, if the data set has any, must fit the syntax already."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID", "")
    meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID", "")
    meta.TransferSyntaxUID = UID(SYNTAXES[syntax])
    meta.ImplementationClassUID = UID(IMPLEMENTATION_UID)
    meta.ImplementationVersionName = "DICOMAE_SYNTH"
    dataset.file_meta = meta
    dataset.preamble = b"\0" * 128
    buffer = BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def put_pixels(dataset: Dataset, frames: Frames, syntax: str) -> None:
    """Store the frames as PixelData, compressed when the syntax asks for it.

    Raises
    ------
    ValueError
        The syntax is `jpeg` and the frames have more than 8 bits.
    """
    if syntax in ("jpeg", "jpeg2000", "rle"):
        dataset.PixelData = encapsulate([_compressed(dataset, frame, syntax) for frame in frames])
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = True
        return
    data = frames.astype(frames.dtype.newbyteorder(">")) if syntax == "big" else frames
    raw = data.tobytes()
    dataset.PixelData = raw + b"\0" * (len(raw) % 2)
    dataset["PixelData"].VR = "OW" if frames.itemsize == 2 else "OB"


def _compressed(dataset: Dataset, frame: Frames, syntax: str) -> bytes:
    if syntax == "rle":
        return bytes(
            RLELosslessEncoder.encode(
                frame,
                encoding_plugin="pydicom",
                rows=frame.shape[0],
                columns=frame.shape[1],
                number_of_frames=1,
                samples_per_pixel=1,
                photometric_interpretation=dataset.PhotometricInterpretation,
                bits_allocated=8 * frame.itemsize,
                bits_stored=dataset.BitsStored,
                pixel_representation=dataset.PixelRepresentation,
            )
        )
    if syntax == "jpeg" and frame.dtype != np.uint8:
        raise ValueError("JPEG baseline has 8 bits")
    buffer = BytesIO()
    if syntax == "jpeg":
        Image.fromarray(frame).save(buffer, "JPEG", quality=90)
    else:
        Image.fromarray(frame).save(buffer, "JPEG2000", irreversible=False, no_jp2=True)
    return buffer.getvalue()
