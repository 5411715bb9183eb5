"""Verbs of the command line, a module each with ``add(verb)``; they may see all three packages."""

COMMANDS = (
    "encode", "decode", "transmit", "plan", "sweep", "compare", "report", "stream", "rd", "anchors",
    "systems", "channels", "components", "train", "weights", "cache", "bler", "bench", "reproduce",
    "info",
)  # fmt: skip
