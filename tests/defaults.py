"""The defaults of `conf/default.toml`, for the tests."""

from conftest import HOME

from dicomae import config
from dicomae.sources.read_settings import ReadSettings

SETTINGS = ReadSettings.of(config.load(HOME / "conf" / "default.toml").ingest)
TIMEOUT = SETTINGS.read_timeout_seconds
