"""Headers that others have extracted become the same rows: column maps, Arrow and JSON values as texts."""
