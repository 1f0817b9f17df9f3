"""The tape on disk: hot log, sealed segments, manifest, recovery, reader. The only code that touches tape files."""
