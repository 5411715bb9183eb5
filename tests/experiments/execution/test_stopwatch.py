"""Wall and CPU time, of child processes too."""

import subprocess
import sys
import time

from experiments.computing.measure import measure_picture
from experiments.computing.times import Coding
from experiments.execution.stopwatch import Stopwatch, repeated

BURN = "import time\nwhile time.process_time() < 0.3: pass"


def test_waiting_takes_wall_time_and_children_take_cpu_time():
    watch = Stopwatch()
    time.sleep(0.1)
    idle = watch.lap()
    assert idle.wall_s >= 0.1 > 0.05 > idle.cpu_s
    subprocess.run([sys.executable, "-c", BURN], check=True)
    busy = watch.lap()
    assert busy.cpu_s >= 0.3 and busy.wall_s >= 0.2


def test_the_median_leaves_out_a_slow_run():
    naps = iter((0.0, 0.0, 0.2))
    order = []
    found = repeated(lambda: time.sleep(next(naps)), 3, lambda: order.append("forget"))
    assert found.wall_s < 0.1 and len(order) == 3


def test_each_run_of_a_picture_starts_from_nothing(toy_spec):
    from fakes import make_toy, toy_image

    from scmc_comm.link.budget import Budget

    order, system = [], make_toy("toy")

    class Watched(type(system)):
        def forget(self):
            order.append("forget")

        def reconstruct(self, prepared, delivered):
            order.append("+".join(sorted(delivered)))
            return super().reconstruct(prepared, delivered)

    watched = Watched("toy")

    def prepare():
        order.append("prepare")
        return watched.prepare(toy_image(0), Budget(1 / 24, 10.0))

    coding = Coding("toy", "img0", (64, 64), 1 / 24, 10.0, "toy", "1f")
    found = measure_picture(watched, prepare, coding, count=2)
    every, two, one = "semantic+signal+structure", "semantic+structure", "semantic"
    expected = ["prepare", every, *["forget", "prepare"] * 2]
    for tags in (one, two, every):
        expected += ["forget", tags] * 2
    assert order == expected and list(found.decode) == ["semantic", "structure", "signal"]
