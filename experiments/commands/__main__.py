"""``python -m experiments.commands`` is ``scmc-comm``."""

from experiments.commands.main import main

if __name__ == "__main__":
    main()
