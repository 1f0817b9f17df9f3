"""The deterministic core: records in, changes and commands out.

Knows Kalshi's protocol, the order book, the state store and the tape's schema.
Must not know clocks, dice, threads, files or sockets: time and answers come in as records.
"""
