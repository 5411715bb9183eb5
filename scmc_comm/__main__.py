"""``python -m scmc_comm`` is ``scmc-comm``."""

from scmc_comm.cli import main

if __name__ == "__main__":
    main()
