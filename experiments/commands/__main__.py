"""``python -m experiments.commands`` is ``scmc-comm``."""

from experiments.commands.entry import main

if __name__ == "__main__":
    main()
