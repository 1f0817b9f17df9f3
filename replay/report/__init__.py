"""The report of a backtest: one HTML file that needs nothing else, pictures of it, and a summary for a terminal."""
