"""Capture: everything that writes a tape. `capture.tape`, the tape on disk, imports nothing else of this package."""
