"""The simulated venue: answers a strategy's commands during a replay as the exchange might have, without moving it."""
