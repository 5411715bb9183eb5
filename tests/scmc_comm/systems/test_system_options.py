"""Options of the codec behind a system's name."""

import pytest

from experiments.figures.rd import codec_label, codec_styles
from experiments.figures.style import styles
from experiments.rd.anchors import Anchors, counterparts
from experiments.rd.codecs import check_codec_names, make_rd_codec
from experiments.sweep.spec import SweepSpec
from experiments.sweep.store import picture_path
from experiments.timed.schemes import Scheme
from scmc_comm.datasets.image_sets import image_set
from scmc_comm.errors import ScmcError
from scmc_comm.registry import LAYERED, check_system, identity, knows, make_system
from scmc_comm.systems.base import Budget


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("jpg", "there is no system 'jpg'"),
        ("jpg:realism=0", "there is no system 'jpg'"),
        ("vvc:realism=0", "takes no options"),
        ("scmc-signal:realism=0", "takes no options"),
        ("scmc:relaism=0", "expected key=value with key one of captioner"),
        ("scmc:realism", "expected key=value"),
        ("scmc:realism=x", "expected realism as a number"),
        ("scmc:realism=2", "realism is 2.0; expected 0"),
        ("scmc:edge_coder=zip", "expected one of vvc, context"),
    ],
)
def test_a_wrong_name_is_one_line(name, says):
    with pytest.raises(ScmcError) as error:
        check_system(name)
    assert says in str(error.value) and "\n" not in str(error.value)
    with pytest.raises(ScmcError):
        make_system(name)


@pytest.mark.parametrize("base", sorted(LAYERED))
def test_every_layered_system_takes_options_and_keeps_what_it_knows(base):
    system = make_system(f"{base}:realism=0")
    assert system.name == f"{base}:realism=0"
    assert system.codec.realism == 0
    assert system.knows == knows(system.name) == knows(base)


def test_a_codec_cannot_be_given_twice():
    with pytest.raises(ScmcError, match="no codec can be given too"):
        make_system("scmc:realism=0", codec=object())


def test_realism_changes_what_is_seen_and_nothing_that_is_sent():
    img = image_set("photos", 1)[0].img[:, 64:192, 64:192].contiguous()
    budget = Budget(rho=1 / 8, design_esno_db=10.0)
    exact, sharp = (
        make_system(f"scmc:realism={realism}").prepare(img, budget) for realism in (0, 1)
    )
    assert [f.bits.tolist() for f in exact.frames] == [f.bits.tolist() for f in sharp.frames]
    tags = frozenset(exact.tags)
    mse = [float((p.reconstruct(tags).img_hat - img).square().mean()) for p in (exact, sharp)]
    assert mse[0] < mse[1]


def test_files_that_a_name_names_are_part_of_its_identity(tmp_path, monkeypatch):
    folder = tmp_path / "net"
    folder.mkdir()
    name = f"scmc:edges={folder}"
    empty = identity(name)
    (folder / "weights.pth").write_bytes(b"1")
    first = identity(name)
    (folder / "weights.pth").write_bytes(b"22")
    assert len({empty, first, identity(name)}) == 3
    (tmp_path / "context").mkdir()
    monkeypatch.chdir(tmp_path)  # the name of a coder is no folder
    (tmp_path / "context" / "file").write_bytes(b"1")
    assert identity("scmc:edge_coder=context") == "scmc:edge_coder=context"
    assert identity("scmc") == "scmc" and identity("vvc") == "vvc"


def test_file_names_hold_no_sign_that_a_file_system_refuses(tmp_path):
    path = picture_path(tmp_path, "a@64", "scmc:generator=models/sd*", 0, 0, 1)
    assert path.parent == tmp_path / "reconstructions"
    assert not set(path.name) & set('\\/:*?"<>|')


def test_a_sweep_lists_them():
    spec = SweepSpec("demo", ("scmc",), ("awgn",), (0.0,), (1 / 24,))
    changed = spec.override(["systems=scmc,scmc:realism=0,beams=1,vvc"])
    assert changed.systems == ("scmc", "scmc:realism=0,beams=1", "vvc")


def test_a_timed_scheme_gives_its_system_what_is_the_codecs():
    scheme = Scheme.parse("scmc:harq=chase,realism=0,beams=1")
    assert (scheme.system, scheme.harq) == ("scmc:realism=0,beams=1", "chase")
    with pytest.raises(ScmcError, match="harq"):
        Scheme.parse("scmc:hark=chase")


def test_rate_distortion_curves_of_several():
    names = ("scmc", "scmc:realism=0", "scmc:realism=1", "vvc")
    check_codec_names(names)
    assert len({codec_label(name) for name in names}) == 4
    looks = codec_styles(names)
    assert len({looks[name].colour for name in names[:3]}) == 1
    assert len(set(looks.values())) == 4
    drawn = styles(["scmc", "scmc:realism=0", "scmc:realism=1", "scmc:protection=equal"])
    assert len({(s.colour, s.marker, s.line) for s in drawn.values()}) == 4
    assert drawn["scmc:realism=0"].colour == drawn["scmc"].colour
    published = "compressai-bmshj2018-hyperprior_mse_cpu"
    assert counterparts(names[1], Anchors("Kodak", {published: {}})) == (published,)
    assert make_rd_codec(names[1]).points == make_rd_codec("scmc").points
    with pytest.raises(ScmcError, match="expected key=value"):
        check_codec_names(("scmc:real=0",))
