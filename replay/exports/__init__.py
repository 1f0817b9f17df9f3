"""A tape in the forms of other tools: CSV, hftbacktest's arrays, nautilus_trader's catalog (docs/EXPORTS.md)."""
