"""Adapters of published schemes, with small stand-ins of the interfaces that their clones have."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch

from channels.fading.models import make_channel
from channels.phy.names import make_phy
from scmc_comm.errors import ScmcError
from scmc_comm.link.budget import Budget
from scmc_comm.registry import make_system
from scmc_comm.systems import side_bits
from scmc_comm.systems.clones import on_chosen_device
from scmc_comm.systems.swin_clones import SwinJscc, Witt
from scmc_comm.testing import checks
from scmc_comm.transmission import prepare, transmit

# An encoder takes the means of 16 x 16 pixels apart into features; a decoder keeps what it is given.
SWIN_ENCODER = """
import torch

class Encoder(torch.nn.Module):
    def __init__(self, C, depths, **kwargs):
        super().__init__()
        print("Encoder", depths)
        self.C, self.gain = C, torch.nn.Parameter(torch.tensor(7.0))

    def update_resolution(self, H, W):
        self.size = (H, W)

    def _features(self, x, C):
        assert tuple(x.shape[2:]) == self.size and x.get_device() == torch.device("cpu")
        small = torch.nn.functional.avg_pool2d(x, 16).flatten(2).transpose(1, 2).cuda()
        waves = torch.cos(torch.arange(C) * 2.1)
        return (self.gain * small.mean(2, keepdim=True) * waves + waves.roll(1)).contiguous()
"""
WITT_ENCODER = (
    SWIN_ENCODER
    + """
    def forward(self, x, snr, model):
        return self._features(x, self.C)

def create_encoder(**kwargs):
    return Encoder(**kwargs)
"""
)
SWINJSCC_ENCODER = (
    SWIN_ENCODER
    + """
    def forward(self, x, snr, rate, model):
        if model in ("SwinJSCC_w/o_SAandRA", "SwinJSCC_w/_SA"):
            return self._features(x, self.C)
        mask = torch.zeros(320)
        mask[torch.randperm(320, generator=torch.Generator().manual_seed(rate))[:rate]] = 1
        features = self._features(x, 320) * mask
        return features, mask.expand(features.shape)

def create_encoder(model, **kwargs):
    return Encoder(**kwargs)
"""
)
DECODER = """
import torch
from net.encoder import Encoder

class Decoder(torch.nn.Module):
    def __init__(self, **kwargs):
        super().__init__()
        self.gain = torch.nn.Parameter(torch.tensor(7.0))

    def update_resolution(self, H, W):
        self.size = (H, W)

    def forward(self, features, snr, model):
        global seen
        seen = features, snr
        shade = features.mean((1, 2))[:, None, None, None].sigmoid()
        return shade.expand(1, 3, 16 * self.size[0], 16 * self.size[1])

seen = None
def create_decoder({model}**kwargs):
    return Decoder()
"""
DEEPJSCC = """
import torch
import channel

class Transposed(torch.nn.Module):
    def __init__(self, c):
        super().__init__()
        self.transconv = torch.nn.ConvTranspose2d(c, 3, 4, 4)

class Part(torch.nn.Module):
    pass

class DeepJSCC(torch.nn.Module):
    def __init__(self, c):
        super().__init__()
        self.encoder, self.decoder = Encoder(c), Decoder(c)

class Encoder(torch.nn.Module):
    def __init__(self, c):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, c, 4, 4)

    def forward(self, x):
        z = self.conv(x)
        return (z / z.square().mean().sqrt()).squeeze(0)

class Decoder(torch.nn.Module):
    def __init__(self, c):
        super().__init__()
        self.tconv1 = Transposed(c)

    def forward(self, z):
        global seen
        seen = z
        return self.tconv1.transconv(z).sigmoid()

seen = None
"""


def write(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def clones(tmp_path):
    """A stand-in of each clone, and a checkpoint of it."""
    gains = {"encoder.gain": torch.tensor(2.0), "decoder.gain": torch.tensor(2.0)}
    torch.save(gains, tmp_path / "swin.pt")
    witt = {"net/encoder.py": WITT_ENCODER, "net/decoder.py": DECODER.format(model="")}
    swin = {"net/encoder.py": SWINJSCC_ENCODER, "net/decoder.py": DECODER.format(model="model, ")}
    deep = {"model.py": DEEPJSCC, "channel.py": ""}
    torch.manual_seed(0)
    sys.path.insert(0, str(write(tmp_path / "deepjscc-clone", deep)))
    import model

    torch.save(model.DeepJSCC(8).state_dict(), tmp_path / "deep.pkl")
    sys.path.pop(0)
    for name in ("model", "channel"):
        del sys.modules[name]
    return {
        "witt": (write(tmp_path / "witt", witt), tmp_path / "swin.pt"),
        "swinjscc": (write(tmp_path / "swinjscc", swin), tmp_path / "swin.pt"),
        "deepjscc-clone": (tmp_path / "deepjscc-clone", tmp_path / "deep.pkl"),
    }


def named(clones, name, options=""):
    repo, weights = clones[name]
    return f"{name}:repo={repo},weights={weights},trust=true{options}"


NAMES = [
    ("witt", ""), ("witt", ",adaptive=false"), ("swinjscc", ""), ("swinjscc", ",adaptive=none"),
    ("swinjscc", ",adaptive=snr,channels=64"), ("swinjscc", ",adaptive=rate"),
    ("deepjscc-clone", ""),
]  # fmt: skip


@pytest.mark.parametrize(("name", "options"), NAMES)
def test_every_adapter_keeps_the_contract(clones, name, options):
    whole = named(clones, name, options)
    checks.check_system_sends(whole)
    checks.check_system_shows(whole)
    checks.check_system_on_links(whole)
    checks.check_system_identity(whole)


def received(system, img, esno_db, rho=1 / 4, num_trials=40):
    """Values that the decoder of a stand-in is given over AWGN, and those that were sent."""
    sent = transmit(
        system, img, Budget(rho, esno_db), make_channel("awgn"), esno_db, range(num_trials),
        make_phy(),
    )  # fmt: skip
    module = sys.modules  # the clone's modules are nobody else's
    assert "net" not in module and "model" not in module
    network = system.network()
    part = network[1] if isinstance(network, tuple) else network.decoder
    seen = part.forward.__globals__
    found = []
    for trial in range(num_trials):
        sent.reconstruction(trial)
        values = seen["seen"][0] if isinstance(seen["seen"], tuple) else seen["seen"]
        found.append(values.flatten().clone())
    return sent.prepared, torch.stack(found)


@pytest.mark.parametrize("name", ["witt", "swinjscc", "deepjscc-clone"])
@pytest.mark.parametrize("snr_db", [4.0, 10.0])
def test_their_snr_is_our_esno(clones, name, snr_db):
    """The noise of each real value is their mean square over the SNR, as in their own channels."""
    options = ",adaptive=none" if name == "swinjscc" else ""
    system = make_system(named(clones, name, options))
    img = checks.picture((128, 128))
    _, quiet = received(system, img, 60.0, num_trials=1)
    _, noisy = received(system, img, snr_db)
    power, error = float(quiet.square().mean()), float((noisy - quiet).square().mean())
    assert 10 * np.log10(power / error) == pytest.approx(snr_db, abs=0.15)
    if name == "deepjscc-clone":
        assert power == pytest.approx(1.0, rel=0.02)  # which its decoder was trained with


def test_their_rate_is_ours_or_half_of_theirs(clones):
    """WITT's CBR counts complex symbols; the ratio of Deep-JSCC-PyTorch real values."""
    img = checks.picture((256, 256))
    values = 3 * 256 * 256
    front = side_bits.num_uses(side_bits.POWER_BITS)
    witt = prepare(make_system(named(clones, "witt", ",channels=96")), img, Budget(1 / 8, 10.0))
    cbr = (16 * 16 * 96) / 2 / values
    assert cbr == 1 / 16 and witt.ledger.used - front == values / 16
    deep = prepare(make_system(named(clones, "deepjscc-clone")), img, Budget(1 / 2, 10.0))
    ratio = 64 * 64 * 8 / values  # what a checkpoint is called by: 0.17
    assert (deep.ledger.used - front) / values == ratio / 2


def test_what_their_receivers_are_given_is_sent_and_paid(clones):
    """Which channels were chosen, and the features' power; it arrives whole or nothing is shown."""
    system = make_system(named(clones, "swinjscc"))
    img = checks.picture((128, 128))
    sent = transmit(
        system, img, Budget(1 / 4, 10.0), make_channel("awgn"), -20.0, [1, 2, 3], make_phy()
    )
    assert sent.prepared.ledger.entries[0].header == side_bits.num_uses(10 + 320)
    assert all(sent.reconstruction(k).level is None for k in range(3))
    with on_chosen_device():
        chosen = [system.features(img, 64 * rate, 10.0).bits.sum() for rate in (100, 192)]
    assert chosen == [96, 192]


def test_a_budget_too_small_is_infeasible_and_says_what_would_do(clones):
    system = make_system(named(clones, "witt"))
    nothing = prepare(system, checks.picture((128, 128)), Budget(1 / 48, 10.0))
    assert nothing.infeasible == "Witt needs 3137 channel uses, there are 1024"


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("witt", "needs repo=DIR"),
        ("witt:repo=nowhere,weights=w.pt,trust=true", "no folder nowhere"),
        ("swinjscc:repo={repo},weights={weights}", "runs the code in .*trust=true"),
        ("swinjscc:repo={repo},weights=none.pt,trust=true", "there is no file none.pt"),
        ("witt:repo={empty},weights={weights},trust=true", "cannot be used: No module named 'net"),
    ],
)
def test_nothing_is_run_that_was_not_trusted_and_errors_are_one_line(clones, tmp_path, text, match):
    (tmp_path / "empty").mkdir()
    repo, weights = clones["swinjscc"]
    name = text.format(repo=repo, weights=weights, empty=tmp_path / "empty")
    with pytest.raises(ValueError, match=match) as error:
        make_system(name).load()
    assert "\n" not in str(error.value)


def test_a_checkpoint_of_another_network_is_refused(clones, tmp_path):
    torch.save({"encoder.other": torch.ones(2)}, tmp_path / "other.pt")
    with pytest.raises(ScmcError, match="of another network than the options say"):
        Witt(repo=str(clones["witt"][0]), weights=str(tmp_path / "other.pt"), trust=True).load()
    (tmp_path / "code.pt").write_bytes(pickle.dumps(subprocess.run))
    with pytest.raises(ScmcError, match="no checkpoint of tensors"):
        Witt(repo=str(clones["witt"][0]), weights=str(tmp_path / "code.pt"), trust=True).load()


def test_other_weights_or_code_are_another_system(clones):
    repo, weights = clones["witt"]
    name = named(clones, "witt")
    before = make_system(name).identity()
    assert make_system(name).identity() == before
    state = torch.load(weights)
    torch.save({**state, "encoder.gain": torch.tensor(3.0)}, weights)
    changed = make_system(name).identity()
    file = repo / "net" / "decoder.py"
    file.write_text(file.read_text() + "\n# another\n")
    assert len({before, changed, make_system(name).identity()}) == 3


def test_a_clone_at_another_commit_is_told(clones, caplog):
    repo = clones["witt"][0]
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(repo)]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "a"]):
        subprocess.run([*git, *command], check=True)
    make_system(named(clones, "witt")).load()
    assert "its adapter was written for 2460db52264a" in caplog.text


def test_variable_rate_of_small_pictures_is_refused():
    with pytest.raises(ScmcError, match="networks of variable rate are for pictures=large"):
        SwinJscc(pictures="small")
