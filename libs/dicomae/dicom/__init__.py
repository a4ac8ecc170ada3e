"""DICOM bytes to Arrow: headers, keys, sources, body parts."""
