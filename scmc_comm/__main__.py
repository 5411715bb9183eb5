"""``python -m scmc_comm`` is ``scmc-comm``, which lives above this package."""

import runpy

if __name__ == "__main__":
    runpy.run_module("experiments.commands", run_name="__main__", alter_sys=True)
