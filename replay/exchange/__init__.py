"""A local exchange that speaks Kalshi's protocol, over a tape (`serve`) or over a matching engine (`sandbox`)."""
