"""The structure layer: its payload, its fusion network and the switches of the ablations."""

from dataclasses import asdict

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from experiments.training.fusion import ABLATIONS, FusionRecipe
from experiments.training.lower import coded_maps
from experiments.training.views import random_crop
from scmc_comm.codec import structure
from scmc_comm.codec.edge_coder import decode_edges, encode_edges
from scmc_comm.codec.edges import EdgeConfig, EdgeDetector
from scmc_comm.codec.fusion_net import ChannelAlignment, FusionConfig, FusionNet
from scmc_comm.codec.structure import SketchLevel, StructureCodec, colour_maps, edge_maps
from scmc_comm.errors import ScmcError
from scmc_comm.images import load_photo
from scmc_comm.types import FINEST, STRUCTURE_LEVELS

TINY = FusionConfig(widths=(8, 8, 8, 8), half_width=8)


@pytest.fixture(scope="module")
def codec():
    torch.manual_seed(0)
    return StructureCodec(EdgeDetector.load(), FusionNet(TINY))


@pytest.fixture(scope="module")
def photo():
    return load_photo("chelsea", 128)


def test_sketch_is_what_was_drawn_but_for_quantisation(codec, photo, monkeypatch):
    # The bounds are for these steps, whichever ship.
    monkeypatch.setattr(structure, "LEVELS", (SketchLevel(57), SketchLevel(51, edge_qp=63)))
    edges, colours = edge_maps(codec.detector, photo[None]), colour_maps(photo[None])
    maps = codec.sketch(codec.encode(photo), (128, 128))
    assert maps.edges.shape == (1, 64, 64) and maps.colours.shape == (3, 64, 64)
    drawn = torch.from_numpy(edges).float() / 255
    assert np.corrcoef(drawn.flatten(), maps.edges.flatten())[0, 1] > 0.5  # at the coarsest QP
    finer = decode_edges(encode_edges(edges[0], 59), (64, 64))
    assert np.corrcoef(drawn.flatten(), finer.flatten())[0, 1] > 0.7
    wanted = torch.from_numpy(colours).permute(0, 3, 1, 2).float()[0] / 255
    assert (wanted - maps.colours).abs().mean() < 0.065
    coarsely = F.avg_pool2d(wanted, 4) - F.avg_pool2d(maps.colours, 4)
    assert coarsely.abs().mean() < 0.04


def test_the_finest_level_is_nearer_to_what_was_drawn(codec, photo):
    colours = colour_maps(photo[None])
    wanted = torch.from_numpy(colours[0]).permute(2, 0, 1).float() / 255
    errors = [
        (codec.sketch(codec.encode(photo, level), (128, 128)).colours - wanted).abs().mean()
        for level in range(STRUCTURE_LEVELS)
    ]
    assert errors == sorted(errors, reverse=True)


def test_the_coarsest_level_has_no_edges_and_takes_fewer_bytes(codec, photo):
    coarse, fine = (codec.encode(photo, level) for level in range(STRUCTURE_LEVELS))
    assert len(coarse) < 0.6 * len(fine) and fine == codec.encode(photo)
    low, high = codec.sketch(coarse, (128, 128)), codec.sketch(fine, (128, 128))
    assert not low.edges.any() and high.edges.any()
    wanted = F.avg_pool2d(photo, 2)
    errors = [(wanted - maps.colours).square().mean() for maps in (low, high)]
    assert errors[1] < errors[0] < 0.01
    with pytest.raises(ScmcError, match="structure level is 2; expected 0 to 1"):
        codec.encode(photo, STRUCTURE_LEVELS)


def test_decodes_with_and_without_the_caption(codec, photo):
    payload = codec.encode(photo)
    alone = codec.decode(payload, (128, 128), None)
    fused = codec.decode(payload, (128, 128), photo)
    assert alone.shape == fused.shape == (3, 128, 128)
    assert not torch.equal(alone, fused)


def test_without_semantics_the_generated_picture_is_ignored(photo):
    torch.manual_seed(1)
    net = FusionNet(FusionConfig(TINY.widths, 8, semantics=False)).eval()
    edges, colours = torch.rand(1, 1, 64, 64), torch.rand(1, 3, 16, 16)
    one = torch.ones(1)
    with torch.no_grad():
        assert torch.equal(
            net(photo[None], one, edges, colours), net(photo[None].flip(3), one, edges, colours)
        )


def test_colours_alone_are_painted_as_with_a_lost_caption_and_no_edge():
    torch.manual_seed(3)
    net = FusionNet(TINY).eval()
    colours = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        whole = net(torch.rand(2, 3, 64, 64), torch.zeros(2), torch.zeros(2, 1, 32, 32), colours)
        kept = net.from_colours(colours, net.blank_branch(64, 64))
        assert torch.allclose(net.from_colours(colours), whole, atol=1e-5)
        assert torch.equal(kept, net.from_colours(colours))
        assert not torch.allclose(kept[0], kept[1])


def test_the_mirrored_coarse_sketch_becomes_the_mirrored_picture(photo):
    """What the lattice decides, and not the sketch, is made up: 0.057 before it had a price."""
    shipped = StructureCodec.load()
    maps = shipped.sketch(shipped.encode(photo, level=0), (128, 128))
    shown = (torch.zeros(1, 3, 128, 128), maps.edges[None], maps.colours[None])

    def painted(semantic, edges, colours):
        with torch.no_grad():
            return shipped.fusion(semantic, torch.zeros(1), edges, colours)

    turned = painted(*(x.flip(3) for x in shown)).flip(3)
    assert (painted(*shown) - turned)[:, :, 16:-16, 16:-16].abs().mean() < 0.025


@pytest.mark.parametrize("switch", ["alignment", "self_calibration"])
def test_ablations_change_the_network(switch):
    x = (torch.rand(1, 3, 64, 64), torch.ones(1), torch.rand(1, 1, 32, 32), torch.rand(1, 3, 8, 8))
    outs = []
    for on in (True, False):
        torch.manual_seed(2)
        config = FusionConfig(TINY.widths, 8, **{switch: on})
        with torch.no_grad():
            outs.append(FusionNet(config).eval()(*x))
    assert outs[0].shape == outs[1].shape and not torch.equal(*outs)


def test_each_ablation_leaves_one_part_out():
    whole = flat(asdict(FusionRecipe()))
    changed = {
        name: {k for k, v in flat(asdict(recipe)).items() if v != whole[k]}
        for name, recipe in ABLATIONS.items()
    }
    assert changed == {
        "alignment": {"net.alignment"},
        "self-calibration": {"net.self_calibration"},
        "semantics": {"net.semantics"},
        "gan": {"adversarial_weight"},
        "perceptual": {"adversarial_weight", "perceptual.alex", "perceptual.vgg"},
    }


def flat(tree, prefix=""):
    return {
        path: leaf
        for key, value in tree.items()
        for path, leaf in (
            flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
        ).items()
    }


def test_alignment_weights_are_over_channels_not_places():
    """A permutation of the pixels of all inputs permutes the output and changes nothing else."""
    torch.manual_seed(3)
    align = ChannelAlignment(8, 12, heads=2)
    q, k, v = torch.rand(1, 8, 4, 4), torch.rand(1, 8, 4, 4), torch.rand(1, 12, 4, 4)
    order = torch.randperm(16)

    def shuffle(x):
        return x.flatten(2)[..., order].view_as(x)

    with torch.no_grad():
        out = align(q, k, v)
        assert torch.allclose(align(shuffle(q), shuffle(k), shuffle(v)), shuffle(out), atol=1e-5)


@pytest.mark.parametrize("payload", [b"", b"\x05", b"\x80", b"\x02ab", bytes(40)])
def test_damaged_payloads_raise(codec, payload):
    with pytest.raises(ScmcError):
        codec.decode(payload, (64, 64), None)


def test_missing_weights_name_the_file_and_the_fix(tmp_path):
    with pytest.raises(
        ScmcError, match=r"no weights at .*none\.safetensors.*scmc-comm train fusion"
    ):
        FusionNet.load(tmp_path / "none.safetensors")
    (tmp_path / "text.safetensors").write_text("hello")
    with pytest.raises(ScmcError, match="not a readable safetensors file"):
        FusionNet.load(tmp_path / "text.safetensors")


def test_weights_of_another_network_are_refused(tmp_path):
    from scmc_comm.codec.weights import save_weights

    save_weights(
        "edges",
        {},
        EdgeDetector(EdgeConfig((4,), (1,), (1,), (1,), 2)).state_dict(),
        tmp_path / "w.safetensors",
    )
    with pytest.raises(ScmcError, match="holds 'edges'; expected weights of 'fusion'"):
        FusionNet.load(tmp_path / "w.safetensors")


def test_crops_of_a_picture_and_its_maps_show_the_same_place():
    rng = np.random.default_rng(4)
    img = torch.rand(2, 3, 96, 96)
    small = F.avg_pool2d(img, 2)
    places = set()
    for _ in range(8):
        cut, cut_small = random_crop(rng, 64, img, small)
        assert cut.shape == (2, 3, 64, 64) and cut_small.shape == (2, 3, 32, 32)
        assert torch.allclose(F.avg_pool2d(cut, 2), cut_small)
        places.add(cut[0, 0, 0, 0].item())
    assert len(places) > 1


def test_training_sees_every_level_as_a_receiver_does(codec, photo):
    photos = torch.stack([photo] * 4)
    edges, colours = edge_maps(codec.detector, photos), colour_maps(photos)
    seen_edges, seen_colours = coded_maps(edges, colours)
    assert seen_edges.shape == edges.shape and seen_colours.shape == colours.shape
    for picture, level in ((0, 0), (3, FINEST)):
        maps = codec.sketch(codec.encode(photo, level), (128, 128))
        assert np.array_equal(seen_edges[picture], maps.edges[0].mul(255).round().byte().numpy())
        received = maps.colours.mul(255).round().byte().permute(1, 2, 0).numpy()
        assert np.array_equal(seen_colours[picture], received)
