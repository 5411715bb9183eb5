"""Numbers of README and docs are those of the files in ``docs/results``."""

import warnings

from experiments.reproduce.pages import differing_pages, differing_pictures, unshown
from experiments.reproduce.provenance import state_of
from experiments.reproduce.spec import list_results


def test_pages_show_what_the_files_say():
    """With other weights than a result's, they have to say so: 'scmc-comm reproduce --render'."""
    found = [path.name for path in differing_pages(list_results())]
    assert not found, "run 'scmc-comm reproduce --render', or make the results again"


def test_pictures_are_those_that_were_drawn():
    assert not differing_pictures(list_results())


def test_every_view_stands_in_a_page():
    assert not unshown(list_results())


def test_stale_results_are_listed():
    for spec in list_results().values():
        for reason in state_of(spec).reasons:
            warnings.warn(f"stale result {spec.name}: {reason}", stacklevel=1)
