"""Systems written as text: what is accepted, what is refused, and what a cache key holds."""

import math
import os
import pickle
import re
import sys
import typing
from dataclasses import replace

import numpy as np
import pytest
import torch
from compressai.models import FactorizedPrior

from channels import plugins
from channels.plugins import PluginError, new_run
from channels.specs import option_types
from experiments.figures.style import styles
from experiments.rd.anchors import Anchors, counterparts
from experiments.rd.codecs import check_codec_names, make_rd_codec
from experiments.sweep.labels import system_label
from experiments.sweep.spec import SweepSpec
from experiments.sweep.store import picture_path
from experiments.timed.schemes import Scheme
from scmc_comm.baselines.codec_curves import CodecCurves
from scmc_comm.baselines.deepjscc_net import DeepJsccConfig, DeepJsccNet
from scmc_comm.codec.options import CodecOptions
from scmc_comm.datasets.image_sets import image_set
from scmc_comm.errors import ScmcError
from scmc_comm.link.budget import Budget
from scmc_comm.models import FOLDER
from scmc_comm.registry import SYSTEMS, make_system
from scmc_comm.systems.deepjscc import DeepJscc
from scmc_comm.systems.scmc import Scmc
from scmc_comm.systems.separate import Separate


@pytest.mark.parametrize("kind", ["system", "image_codec"])
def test_the_alias_of_a_codec_is_no_name_for_a_plugin(monkeypatch, kind):
    monkeypatch.setattr(plugins, "_state", plugins._State({}, {}, None, "run", plugins.changes()))
    plugins.register(kind, "bpg", Separate)
    with pytest.raises(PluginError, match="'bpg' of .* has the name of a built-in one"):
        make_system("bpg")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("jpg", "there is no system 'jpg'; did you mean jpeg?"),
        ("jpg:realism=0", "there is no system 'jpg'"),
        ("vvc-envelope", "there is no system 'vvc-envelope'"),
        ("vvc:realism=0", "there are headers, mcs, law, scale, utility"),
        ("vvc:mcs=best", "expected mcs as one of fixed, range, adaptive"),
        ("vvc:law=awgn,utility=lpips", "leave law out"),
        ("vvc:mcs=adaptive,utility=beauty", "'beauty'; expected"),
        ("cheng2020-attn:mcs=adaptive", "has no validation curves"),
        ("scmc-signal:headers=file", "no constant headers"),
        ("scmc:relaism=0", "did you mean realism? There are captioner"),
        ("scmc:realism", "expected key=value"),
        ("scmc:realism=x", "expected realism as a number, 0 to 1"),
        ("scmc:realism=2", "'realism=2'; expected realism as a number, 0 to 1"),
        ("scmc:edge_coder=zip", "expected one of vvc, context"),
        ("scmc:protection=none", "there are unequal, equal, optimised, range"),
        ("scmc:utility=lpips", "use protection=optimised"),
        ("deepjscc:fixed=perhaps", "expected fixed as true or false"),
        ("JPEG", "did you mean jpeg?"),
        ("VVC", "did you mean vvc?"),
        ("jpeg:headers=file,headers=slim", "got headers twice"),
        ("jpeg:,,,", "expected key=value"),
        ("scmc:captioner=", "'captioner='; expected key=value"),
        ("hyperprior:weights=", "'weights='; expected key=value"),
        ("scmc:beams=\u0663", "expected beams as a whole number"),
        ("scmc:seed=1_0", "expected seed as a whole number"),
        ("scmc:seed=-1", "expected seed as a whole number, 0 to 2**32 - 1"),
        ("deepjscc:peak_db=inf", "expected peak_db as a number, above 0 up to 100"),
        (None, "system is None; expected its name as text"),
        ("deepjscc:peak_db=-1", "expected peak_db as a number, above 0 up to 100"),
    ],
)
def test_a_wrong_name_is_one_line(name, says):
    with pytest.raises(ScmcError) as error:
        make_system(name)
    assert says in str(error.value) and "\n" not in str(error.value)


def other_values(kind):
    """Values that are none of this type."""
    words = [b"slim", ["slim"], "no such word"] if typing.get_origin(kind) is typing.Literal else []
    number = {int: ["3", 1.5, True], float: ["3", math.nan, math.inf, True], bool: [0, "true"]}
    plain = next(
        (part for part in (int, float, bool) if re.search(rf"\b{part.__name__}\b", str(kind))), str
    )
    wrong = words or number.get(plain, [3, b"text", ["text"]])
    return wrong if type(None) in typing.get_args(kind) else [*wrong, None]


@pytest.mark.parametrize("name", sorted(SYSTEMS))
def test_python_may_not_say_what_text_could_not(name):
    """Every option of every system, given a value of another type, is refused."""
    system = make_system(name)
    for option, kind in option_types(type(system)).items():
        for value in other_values(kind):
            with pytest.raises(ScmcError, match=f"{option} is .*; expected"):
                replace(system, **{option: value})


@pytest.mark.parametrize("name", sorted(SYSTEMS))
def test_every_system_is_made_without_loading_a_network(name):
    before = set(sys.modules)
    system = make_system(name)
    assert pickle.loads(pickle.dumps(system)) == system
    assert not {"lpips", "diffusers"} & (set(sys.modules) - before)


def test_realism_changes_what_is_seen_and_nothing_that_is_sent():
    img = image_set("photos", 1)[0].img[:, 64:192, 64:192].contiguous()
    budget = Budget(rho=1 / 8, design_esno_db=10.0)
    systems = [make_system(f"scmc:realism={realism}") for realism in (0, 1)]
    exact, sharp = (system.prepare(img, budget) for system in systems)
    assert [f.bits.tolist() for f in exact.frames] == [f.bits.tolist() for f in sharp.frames]
    tags = frozenset(exact.tags)
    shown = [system.reconstruct(exact, tags).img_hat for system in systems]
    mse = [float((img_hat - img).square().mean()) for img_hat in shown]
    assert mse[0] < mse[1]


def test_files_that_a_name_names_are_part_of_its_identity(tmp_path, monkeypatch):
    folder = tmp_path / "net"
    folder.mkdir()
    name = f"scmc:edges={folder}"
    empty = make_system(name).identity()
    (folder / "weights.pth").write_bytes(b"1")
    first = make_system(name).identity()
    (folder / "weights.pth").write_bytes(b"22")
    assert len({empty, first, make_system(name).identity()}) == 3
    (tmp_path / "context").mkdir()
    monkeypatch.chdir(tmp_path)  # the name of a coder is no folder
    coder = make_system("scmc:edge_coder=context").identity()
    (tmp_path / "context" / "file").write_bytes(b"1")
    assert make_system("scmc:edge_coder=context").identity() == coder


def test_a_file_called_like_no_option_changes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    systems = (make_system("scmc"), make_system("hyperprior"), Scmc(captioner=""))
    before = [system.identity() for system in systems]
    (tmp_path / "None").write_bytes(b"1")
    assert [system.identity() for system in systems] == before
    assert CodecOptions(edges="").files_state() == ""


def small_net(seed):
    torch.manual_seed(seed)
    return DeepJsccNet(DeepJsccConfig(16, (4, 4, 8), 8))


def test_objects_in_place_of_names_are_known_by_their_content():
    first, same, other = (DeepJscc(net=small_net(seed)).identity() for seed in (1, 1, 2))
    assert first == same != other
    curves = CodecCurves(np.ones((99, 99)), *np.ones((2, 99, 99, 1)), np.ones((99, 1)))
    middle = curves.bpp.copy()
    middle[50, 50] = 2.0  # which numpy leaves out of its repr
    known = [
        Separate("jpeg", curves=each).identity()
        for each in (curves, replace(curves), replace(curves, bpp=middle))
    ]
    assert known[0] == known[1] != known[2]


def test_objects_that_cannot_tell_their_content_are_computed_afresh_with_a_notice(caplog):
    one, two = Scmc(codec=object()), Scmc(codec=object())
    assert one.identity() == one.identity() != two.identity()
    assert "computed afresh in each run" in caplog.text and "name it by text" in caplog.text
    before = one.identity()
    new_run()
    assert one.identity() != before


def test_rewritten_weights_are_loaded_anew(tmp_path):
    path = tmp_path / "factorized-1.pth.tar"
    img, shown = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(0)), []
    for seed in (1, 2):
        torch.manual_seed(seed)
        net = FactorizedPrior(8, 12)
        net.update()
        torch.save(net.state_dict(), path)
        system = make_system(f"factorized:law=awgn,weights={path}")
        prepared = system.prepare(img, Budget(4, 20.0))
        shown.append(system.reconstruct(prepared, frozenset(prepared.tags)).img_hat)
    assert not torch.equal(*shown)


def test_rewritten_models_are_loaded_anew(tmp_path, monkeypatch):
    for file in FOLDER.glob("*.safetensors"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    monkeypatch.setenv("SCMC_MODELS", str(tmp_path))
    for load in (
        make_system("scmc").layered_codec,
        make_system("deepjscc").network,
        make_system("scmc-signal").image_codec,
    ):
        first = load()
        assert load() is first
        for file in tmp_path.iterdir():
            os.utime(file, ns=(0, file.stat().st_mtime_ns + 1))
        assert load() is not first


def test_identities_tell_systems_apart_and_aliases_do_not():
    names = (
        "scmc",
        "scmc:realism=0",
        "vvc",
        "vvc:headers=file",
        "vvc:mcs=adaptive",
        "jpeg",
        "deepjscc",
    )
    assert len({make_system(name).identity() for name in names}) == len(names)
    assert make_system("bpg").identity() == make_system("hevc:mcs=fixed").identity()


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
        Scheme.parse("scmc:hark=chase").check(make_system)


def test_rate_distortion_curves_of_several():
    names = ("scmc", "scmc:realism=0", "scmc:realism=1", "vvc")
    check_codec_names(names)
    assert len({system_label(name) for name in names}) == 4
    looks = styles(names)
    assert len({looks[name].colour for name in names[:3]}) == 1
    assert len(set(looks.values())) == 4
    drawn = styles(["scmc", "scmc:realism=0", "scmc:realism=1", "scmc:protection=equal"])
    assert len({(s.colour, s.marker, s.line) for s in drawn.values()}) == 4
    assert drawn["scmc:realism=0"].colour == drawn["scmc"].colour
    published = "compressai-bmshj2018-hyperprior_mse_cpu"
    assert counterparts(names[1], Anchors("Kodak", {published: {}})) == (published,)
    assert make_rd_codec(names[1]).points == make_rd_codec("scmc").points
    with pytest.raises(ScmcError, match=r"no key 'real'; did you mean realism\?"):
        check_codec_names(("scmc:real=0",))


def test_weights_of_the_zoo_are_known_by_their_content(tmp_path, monkeypatch):
    """Keyed by name alone, pictures of other weights were taken from the cache."""
    monkeypatch.setenv("SCMC_WEIGHTS", str(tmp_path))
    none, jpeg = make_system("hyperprior").receiver_identity(), make_system("jpeg").identity()
    file = tmp_path / "compressai" / "bmshj2018-hyperprior-5-f8b614e1.pth.tar"
    file.parent.mkdir()
    found = []
    for content in (b"one", b"two", b"one"):
        file.write_bytes(content)
        os.utime(file, ns=(0, len(found)))
        found.append(make_system("hyperprior").receiver_identity())
    assert found[0] == found[2] and len({none, *found}) == 3
    assert make_system("jpeg").identity() == jpeg
    other = make_system("factorized").identity()
    file.unlink()
    assert make_system("factorized").identity() == other
