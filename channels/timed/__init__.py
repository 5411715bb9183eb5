"""The timed link: packets of several users wait, are sent, repeated, delivered or dropped."""
