"""Small made-up copies of data sets, in the layouts in which those are published."""

import numpy as np
from PIL import Image
from scipy.io import savemat

BIRDS = ("001.Black_footed_Albatross", "002.Laysan_Albatross", "017.Cardinal")


def picture(path, seed, size=(48, 40)):
    """A JPEG or PNG of a few random colour patches; size is width, height."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC).save(path)


def cub(folder, per_class=6, size=(48, 40)):
    """CUB-200-2011: every other picture of a class is a training picture."""
    number, lists = 0, {"images": [], "train_test_split": [], "image_class_labels": []}
    for label, bird in enumerate(BIRDS, 1):
        for i in range(per_class):
            number += 1
            name = f"{bird}/{bird[4:]}_{i:04d}_{number}"
            picture(folder / "images" / f"{name}.jpg", number, size)
            lists["images"].append(f"{number} {name}.jpg")
            lists["train_test_split"].append(f"{number} {1 - i % 2}")
            lists["image_class_labels"].append(f"{number} {label}")
            text = folder / "text_c10" / f"{name}.txt"
            text.parent.mkdir(parents=True, exist_ok=True)
            lines = [f"this bird number {number} has  {c} feathers." for c in range(10)]
            text.write_bytes("\n".join(lines).encode() + b"\n\n")
    lists["classes"] = [f"{label} {bird}" for label, bird in enumerate(BIRDS, 1)]
    for name, lines in lists.items():
        (folder / f"{name}.txt").write_text("\n".join(lines) + "\n")
    return folder


def oxford(folder, captions=True):
    """Oxford-102: eight pictures; labels 77 (passion flower), 1 and 60."""
    labels = [77, 77, 1, 1, 60, 60, 77, 1]
    for number, label in enumerate(labels, 1):
        picture(folder / "jpg" / f"image_{number:05d}.jpg", number)
        if captions:
            text = folder / "text_c10" / f"class_{label:05d}" / f"image_{number:05d}.txt"
            text.parent.mkdir(parents=True, exist_ok=True)
            text.write_text("".join(f"flower {number}, caption {c}\n" for c in range(10)))
    savemat(folder / "imagelabels.mat", {"labels": np.array([labels], np.uint8)})
    sets = {"trnid": [[8, 1]], "valid": [[3]], "tstid": [[2, 4, 5, 6, 7]]}
    savemat(folder / "setid.mat", {k: np.array(v, np.uint16) for k, v in sets.items()})
    return folder


def table(folder, count=6, splits=("train", "train", "val", "test")):
    """A folder with ``captions.csv``; the splits are gone through again and again."""
    words = ("red", "blue", "green")
    lines = ["file,split,class_id,class_name,caption"]
    for i in range(count):
        picture(folder / "images" / f"p{i}.png", i, (40, 40))
        word = words[i % 3]
        lines.append(
            f'p{i}.png,{splits[i % len(splits)]},7,{word} rose,"a {word} rose, with many petals"'
        )
    (folder / "captions.csv").write_text("\n".join(lines) + "\n")
    return folder


def boundaries(folder, count=3):
    """BSDS500: pictures and the mean of their annotators' boundaries."""
    for split in ("train", "val"):
        for i in range(count):
            picture(folder / "bsds500" / split / f"{i}.jpg", i, (160, 150))
            edges = np.zeros((150, 160), np.uint8)
            edges[:, 40 + 20 * i] = 255
            Image.fromarray(edges).save(folder / "bsds500" / split / f"{i}.png")
    return folder
