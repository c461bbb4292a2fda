"""The one door for model files, in Python: in by file or address, out as any format."""

import pytest
import torch

from napari_colorgan import export_model, import_model, load, open_model
from napari_colorgan.checkpoints import zoo
from napari_colorgan.checkpoints.store import save
from napari_colorgan.errors import BadSetting, ColorganError


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The user's folder of models, which does not exist yet."""
    monkeypatch.setattr(zoo, "user_folder", lambda: tmp_path / "models")
    return tmp_path / "models"


def test_a_model_goes_out_and_comes_back(tmp_path, make_checkpoint):
    made = make_checkpoint("unet", description="Odd colours.", license="MIT")
    out = export_model(made, tmp_path / "mine.pth")
    model = import_model(out, "again", context="whole", license="MIT")
    assert (model.origin, model.metadata.context) == ("imported", "whole")
    assert model.picture and model.card.startswith("# again\n")
    weights = open_model("again").weights
    assert all(torch.equal(weights[k], v) for k, v in made.weights.items())
    copy = export_model("again", str(tmp_path / "copy.safetensors"))
    assert load(copy).digest == open_model("again").digest


def test_nothing_is_replaced_unasked(tmp_path, make_checkpoint):
    save(make_checkpoint(), tmp_path / "mine.safetensors")
    import_model(tmp_path / "mine.safetensors")
    with pytest.raises(zoo.NameTaken):
        import_model(str(tmp_path / "mine.safetensors"))
    import_model(tmp_path / "mine.safetensors", replace=True)
    with pytest.raises(BadSetting, match="give replace=True as well"):
        export_model("mine", tmp_path / "mine.safetensors")


@pytest.mark.parametrize(
    ("sha256", "message"),
    [("0" * 64, "is not the file that was meant"), ("abc", "64 hexadecimal digits")],
)
def test_a_digest_is_checked_for_files_too(tmp_path, make_checkpoint, sha256, message):
    save(make_checkpoint(), tmp_path / "mine.safetensors")
    with pytest.raises(ColorganError, match=message):
        import_model(tmp_path / "mine.safetensors", sha256=sha256)


def test_a_name_given_to_load_leads_to_open_model():
    with pytest.raises(ColorganError, match=r"open_model\('natural'\)"):
        load("natural")
    assert open_model("natural").metadata.name == "natural"
