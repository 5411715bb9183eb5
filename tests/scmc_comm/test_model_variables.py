"""Folders of models: what a variable names is a folder."""

import pytest

from scmc_comm.errors import ScmcError
from scmc_comm.models import MODELS_ENV, folder_of, model_path
from scmc_comm.zoo.sources import WEIGHTS_ENV, weights_dir


@pytest.mark.parametrize(
    ("variable", "use"), [(MODELS_ENV, lambda: model_path("a")), (WEIGHTS_ENV, weights_dir)]
)
def test_a_variable_that_names_no_folder_is_told(tmp_path, monkeypatch, variable, use):
    (tmp_path / "file").touch()
    monkeypatch.setenv(variable, str(tmp_path / "file"))
    with pytest.raises(ScmcError, match=f"{variable} is .*file, which is no folder"):
        use()
    monkeypatch.setenv(variable, str(tmp_path / "later"))  # it may be made
    assert folder_of(variable) == tmp_path / "later"
    monkeypatch.setenv(variable, "")
    assert folder_of(variable) is None
