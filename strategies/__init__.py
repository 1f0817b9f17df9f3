"""Strategies: decisions only. They see views and return commands; they touch no clock, dice, thread, file or socket."""
