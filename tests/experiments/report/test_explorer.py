"""The explorer: the store's numbers, all pictures, one file, and nothing that a name can run."""

import base64
import dataclasses
import html
import io
import json
import re
import shutil
import subprocess
from functools import partial
from html.parser import HTMLParser
from urllib.parse import quote

import numpy as np
import pytest
from fakes import TOYS, toy_image
from PIL import Image

from experiments.commands.main import main
from experiments.report.build import ReportSpec, write_report
from experiments.report.explorer import explorer_page
from experiments.report.explorer_data import explorer_data, places
from experiments.sweep import store
from experiments.sweep.pictures import Pictures
from experiments.sweep.runner import run_sweep
from scmc_comm.errors import ScmcError

SYSTEMS = ("toy", "toy-too-big", "toy-tuned", "toy-analog")
HOSTILE = ('</script><script>document.title="broken"</script>', "\"'><img src=x onerror=alert(1)>")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def sweep(toy_spec, tmp_path_factory, cache):
    spec = dataclasses.replace(
        toy_spec, systems=SYSTEMS, metrics=("psnr_db",), num_images=3, num_trials=6,
        analog_trials=5,
    )  # fmt: skip
    out = tmp_path_factory.mktemp("sweep") / "run"
    return run_sweep(spec, out, components=TOYS, cache_dir=cache, progress=False)


@pytest.fixture(scope="module")
def ds(sweep):
    return store.load(sweep)


@pytest.fixture(scope="module")
def page(ds, sweep, cache):
    return explorer_page(Pictures(ds, sweep, cache, TOYS), 2, progress=False)


def embedded(page, name):
    return json.loads(re.search(rf'id="{name}">(.*?)</script>', page, re.S)[1])


@pytest.fixture(scope="module")
def data(page):
    return embedded(page, "data")


def pixels(url):
    kind, _, code = url.partition(",")
    assert kind == "data:image/webp;base64"
    with Image.open(io.BytesIO(base64.b64decode(code))) as opened:
        return np.asarray(opened.convert("RGB")) / 255


def test_the_numbers_are_those_of_the_store(data, ds):
    psnr, means = ds.psnr_db_of_set, store.trial_means(ds, "psnr_db")
    seen = 0
    for key, point in data["points"].items():
        s, c, e, r, i = map(int, key.split("."))
        cell = data["cells"][f"{s}.{r}.{i}.{point['design']}"]
        at = {"system": s, "rho": r, "image": i}
        assert point["means"] == [float(means.isel(at | {"channel": c, "esno_db": e}))]
        design = at | {"design": point["design"]}
        if not data["systems"][s]["analog"]:
            assert cell["ledger"] == ds.ledger_uses.isel(design).values.tolist()
            assert sum(share for _, share in point["sets"]) == pytest.approx(1)
        for k, share in point["sets"]:
            shown = cell["sets"][str(k)]
            same = [
                int(n) for n, other in cell["sets"].items() if other["arrived"] == shown["arrived"]
            ]
            count = ds["count"].isel(at | {"channel": c, "esno_db": e, "set": same}).sum()
            assert share == pytest.approx(int(count) / point["trials"])
            assert shown["metrics"] == [float(psnr.isel(design | {"set": k}))]
            assert shown["caption"] == str(ds.caption.isel(design | {"set": k}).values)
            seen += 1
    assert seen > 100 and len(data["images"]) == 2


def test_each_picture_has_the_error_that_the_store_says(page, data, ds):
    pictures = [pixels(url) for url in embedded(page, "pictures")]
    for key, cell in data["cells"].items():
        s, r, i, d = map(int, key.split("."))
        original = pictures[data["originals"][i]["picture"]]
        np.testing.assert_allclose(original, toy_image(i).permute(1, 2, 0), atol=0.5 / 255 + 1e-6)
        for k, shown in cell["sets"].items():
            at = {"system": s, "rho": r, "image": i, "design": d, "set": int(k)}
            mse = ((pictures[shown["picture"]] - original) ** 2).mean()
            assert mse == pytest.approx(float(ds.mse_of_set.isel(at)), rel=0.02, abs=1e-5)


def test_the_usual_picture_is_the_likeliest_and_the_median_of_analog_draws(data):
    for key, point in data["points"].items():
        s, _, _, r, i = key.split(".")
        sets = data["cells"][f"{s}.{r}.{i}.{point['design']}"]["sets"]
        if data["systems"][int(s)]["analog"] and len(point["sets"]) > 1:
            psnr = [sets[str(k)]["metrics"][0] for k, _ in point["sets"]]
            assert psnr == sorted(psnr) and len(psnr) == 3
            assert point["usual"] == point["sets"][1][0]
            continue
        shares = {}
        for k, share in point["sets"]:
            number = sets[str(k)]["picture"]
            shares[number] = shares.get(number, 0) + share
        assert shares[sets[str(point["usual"])]["picture"]] == max(shares.values())


def test_what_was_not_kept_is_made_again_and_is_the_same(ds, sweep, tmp_path, page):
    (tmp_path / "run").mkdir()
    shutil.copy(sweep / "results.nc", tmp_path / "run")
    alone = Pictures(ds, tmp_path / "run", tmp_path / "cache", TOYS)
    assert explorer_page(alone, 2, progress=False) == page


def test_other_code_or_weights_are_noticed(ds, sweep, tmp_path):
    def other(name, count):
        return {f"img{i}": toy_image(3 - i) for i in range(3)}

    changed = dataclasses.replace(TOYS, load_images=other)
    with pytest.raises(ScmcError, match="run it again"):
        explorer_page(Pictures(ds, tmp_path, tmp_path, changed), 1, progress=False)
    gone = dataclasses.replace(TOYS, load_images=lambda *_: {"x": toy_image(0)})
    with pytest.raises(ScmcError, match="are now x; those of the sweep were img0"):
        explorer_page(Pictures(ds, tmp_path, tmp_path, gone), 1, progress=False)


def test_a_small_page_holds_the_likeliest_pictures_and_all_numbers(ds, sweep, cache, data):
    small = explorer_page(Pictures(ds, sweep, cache, TOYS), 2, most_bytes=30_000, progress=False)
    urls, cells = embedded(small, "pictures"), embedded(small, "data")["cells"]
    assert sum(map(len, urls)) < 60_000 and "least likely pictures are left out" in small
    weights = places(ds, 2)
    have = {
        place: cells[f"{place.system}.{place.rho}.{place.image}.{place.design}"]["sets"]
        [str(place.delivered)]["picture"] is not None
        for place in weights
    }  # fmt: skip
    assert min(w for p, w in weights.items() if have[p]) >= max(
        w for p, w in weights.items() if not have[p]
    )
    for key, cell in cells.items():
        for k, shown in cell["sets"].items():
            assert shown["metrics"] == data["cells"][key]["sets"][k]["metrics"]


def test_expectations_are_probabilities(toy_spec, tmp_path):
    spec = dataclasses.replace(
        toy_spec, systems=("toy",), metrics=("psnr_db",), num_images=1, estimator="expected"
    )
    out = run_sweep(spec, tmp_path, components=TOYS, use_cache=False, progress=False)
    ds = store.load(out)
    found = explorer_data(ds, places(ds, 1), {}, 1)
    assert found["exact"]
    point = found["points"]["0.1.2.0.0"]
    wanted = ds.probability.isel(system=0, channel=1, esno_db=2, rho=0, image=0)
    assert dict(point["sets"]) == {k: float(p) for k, p in enumerate(wanted.values) if p > 0}


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.ids = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.ids += [value for name, value in attrs if name == "id"]


@pytest.fixture(scope="module")
def hostile(ds, sweep, cache):
    """A page of a store whose names and captions are attacks."""
    made = ds.assign_attrs(title=HOSTILE[0]).assign_coords(
        image=[HOSTILE[0], HOSTILE[1], "third"],
        system=[f"toy:a={HOSTILE[0]}", *map(str, ds.system.values[1:])],
    )
    made["caption"] = made.caption.where(made.caption == "", HOSTILE[1] + HOSTILE[0])

    class Known(Pictures):
        def original(self, image):
            return Pictures(ds, sweep, cache, TOYS).original(image)

        def shown(self, place):
            return Pictures(ds, sweep, cache, TOYS).shown(place)

    return explorer_page(Known(made, sweep, cache, TOYS), 2, progress=False)


def test_names_and_captions_are_text(page, hostile):
    assert Tags(hostile).tags == Tags(page).tags
    data = embedded(hostile, "data")
    assert data["title"] == HOSTILE[0] and data["images"] == list(HOSTILE)
    code = page[page.rindex("<script>") : page.rindex("</script>")]
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|\bhttps?:", code
    )


def test_the_page_needs_and_runs_nothing_but_itself(page):
    assert not re.search(r"(?:href|src)=.(?:https?:|//)|url\(|@import|<link", page)
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)[1]
    assert "default-src 'none'" in policy and "'sha256-" in policy and "unsafe-eval" not in policy
    tags = Tags(page)
    labelled = set(re.findall(r'<label for="(\w+)"', page))
    assert {"image", "channel", "rho", "snr"} <= labelled <= set(tags.ids)
    assert len(tags.ids) == len(set(tags.ids))


def test_the_report_links_the_explorer(sweep, cache, tmp_path):
    out, opened = tmp_path / "page.html", partial(Pictures, cache_dir=cache, components=TOYS)
    write_report(ReportSpec((sweep,), out, explorer=1), progress=False, pictures=opened)
    (link,) = re.findall(r'href="(page_files/[^"]*explorer.html)"', out.read_text())
    assert len(embedded((tmp_path / link).read_text(), "data")["images"]) == 1


def test_images_of_the_explorer_are_one_or_more(sweep, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["report", str(sweep), "--out", str(tmp_path / "page.html"), "--explorer", "-1"])
    assert "expected a whole number, 1 to" in capsys.readouterr().err


def shown(page, folder, address):
    """The text of the page in a browser, card by card, and all of its source."""
    path = folder / "explorer.html"
    path.write_text(page)
    done = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=3000",
         f"--user-data-dir={folder / 'profile'}", "--dump-dom", f"{path.as_uri()}#{address}"],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    cards = {}
    for part in done.stdout.split("<article")[1:]:
        text = html.unescape(re.sub(r"<[^>]*>", " ", "<article" + part.partition("</article>")[0]))
        cards[re.search(r'data-system="(\d)"', part[:200] + 'data-system="0"')[1]] = " ".join(
            text.split()
        )
    return cards, done.stdout


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium (Debian's package of that name)")
class TestInABrowser:
    """Moves the controls through the address."""

    def test_the_slider_changes_what_is_shown(self, page, tmp_path, data, ds):
        for snr in (-3.0, 15.0):
            cards, _ = shown(page, tmp_path, f"snr={snr:g}&image=2&channel=rayleigh_block")
            point = data["points"][f"0.1.{data['esno_db'].index(snr)}.0.1"]
            cell = data["cells"][f"0.0.1.{point['design']}"]
            usual = cell["sets"][str(point["usual"])]
            share = dict(map(tuple, point["sets"]))[point["usual"]]
            assert f"{usual['arrived']}, {round(share * 6)} of 6 draws" in cards["1"]
            assert f"PSNR (dB) {usual['metrics'][0]:.2f} {point['means'][0]:.2f}" in cards["1"]
            assert ("Caption received: “a toy picture”" in cards["1"]) == bool(usual["caption"])
            assert "img1" in cards["0"] and "nothing sent: toy: nothing fits" in cards["2"]
            unused = float(ds.ledger_uses.isel(system=0, rho=0, image=1, design=0)[-1])
            assert f"unused {unused:.1f}" in cards["1"] and "perfect" in cards["1"]
            assert "that of median PSNR" in cards["4"]

    def test_a_delivered_set_can_be_chosen_and_a_system_hidden(self, page, tmp_path, data):
        e = data["esno_db"].index(9.0)
        point = data["points"][f"0.1.{e}.0.0"]
        sets = data["cells"][f"0.0.0.{point['design']}"]["sets"]
        other = next(k for k, _ in point["sets"] if k != point["usual"])
        arrived = quote(sets[str(other)]["arrived"])
        cards, dom = shown(
            page, tmp_path, f"snr=9&image=1&channel=rayleigh_block&s1={arrived}&hide=3"
        )
        assert f"{sets[str(other)]['metrics'][0]:.2f}" in cards["1"]
        assert re.search(r'<article data-system="3" hidden', dom)
        assert not re.search(r'<article data-system="1" hidden', dom)

    def test_attacks_stay_text(self, hostile, tmp_path):
        cards, dom = shown(
            hostile, tmp_path, f"snr=15&s1={HOSTILE[0]}&image=1&channel={HOSTILE[0]}"
        )
        assert HOSTILE[0] in cards["0"] and HOSTILE[1] in cards["1"]
        assert "onerror" not in re.sub(r"(?s)<script.*?</script>", "", dom).replace(
            html.escape(HOSTILE[1], quote=False), ""
        ).replace(html.escape(HOSTILE[1]), "")
        assert "<title>broken" not in dom
