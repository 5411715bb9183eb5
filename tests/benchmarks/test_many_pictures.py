from benchmarks.many_pictures import sweep, write_pictures
from experiments.sweep import store
from scmc_comm.datasets.image_sets import LazyImages


def test_every_picture_is_another_and_is_swept(tmp_path):
    write_pictures(tmp_path / "pictures", 3)
    images = LazyImages(str(tmp_path / "pictures"))
    shown = [images[name] for name in images]
    assert [tuple(img.shape) for img in shown] == [(3, 512, 768)] * 3
    assert len({float(img.mean()) for img in shown}) == 3
    sweep(tmp_path / "pictures", tmp_path, jobs=1, dask=None)
    ds = store.load(tmp_path / "run")
    assert ds.sizes["image"] == 3
    assert (store.weights(ds).sum("set") > 0.999).all()
