"""Capture: everything that writes a tape. `capture.tape` is the tape on disk and imports nothing else of this package."""
