"""What computes a generator: the same colours, whatever a measurement chooses."""

import json
import threading

import numpy as np
import pytest
import torch
from skimage import data

from napari_colorgan import ColorganError, Colorizer, Hints, Palette, colorize
from napari_colorgan.inference import engines
from napari_colorgan.inference.colorize import colorizer_job
from napari_colorgan.inference.events import EnginesTried, ModelLoaded

pytest.importorskip("openvino")
HINT = Hints([(20, 30)], [(200, 40, 40)], 9)


@pytest.fixture
def any_engine(monkeypatch, tmp_path):
    """Engines as a user has them, whose folder is empty at first."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(
        engines, "possible_engines", lambda device: ["torch", "openvino"]
    )
    return tmp_path / "napari-colorgan" / "engines"


@pytest.fixture(scope="module")
def listening(make_listening):
    return make_listening(context="local", vividness=0.5)


@pytest.fixture(scope="module")
def quick(make_checkpoint):
    """A model that is converted in no time."""
    return make_checkpoint("unet", {"norm": "none"}, context="local")


def apart(one, other):
    """Share of pixels that are more than one grey level apart in any channel."""
    return (np.abs(one.astype(int) - other) > 1).any(-1).mean()


def test_colours_are_those_of_torch(any_engine, listening):
    gray = data.camera()[:300, :333]
    palette = Palette.of(data.astronaut())
    for options in ({}, {"palette": palette}):
        expected = colorize(gray, listening, engine="torch", hints=HINT, **options)
        told = colorize(gray, listening, engine="openvino", hints=HINT, **options)
        assert apart(told, expected) <= 1e-3
        assert np.ptp(told.astype(int), axis=-1).mean() > 5


def test_nothing_tells_the_maker_of_openvino(any_engine, quick, monkeypatch):
    telemetry = pytest.importorskip("openvino_telemetry").Telemetry
    sent = []
    monkeypatch.setattr(telemetry, "send_event", lambda _, *words: sent.append(words))
    colorize(np.eye(64), quick, engine="openvino")
    assert list(any_engine.glob("*.xml")) and sent == []


@pytest.mark.parametrize("generator", ["unet", "resnet"])
def test_other_generators_can_be_used(any_engine, make_checkpoint, generator):
    checkpoint = make_checkpoint(generator, {"norm": "none"}, context="local")
    gray = data.camera()[:200, :140]
    expected = colorize(gray, checkpoint, engine="torch")
    assert apart(colorize(gray, checkpoint, engine="openvino"), expected) <= 1e-3


def test_the_fastest_is_found_once(any_engine, quick, monkeypatch):
    pace = {"torch": 2.0, "openvino": 1.0}
    monkeypatch.setattr(engines, "_seconds", lambda engine, _: pace[engine.name])
    first = list(colorizer_job(quick))
    assert [type(event) for event in first] == [EnginesTried, ModelLoaded]
    colorizer = Colorizer(quick)
    assert colorizer.settings.engine == colorizer.used()["engine"] == "openvino"
    assert "50%" in colorizer.why_engine

    monkeypatch.delattr(engines, "_measured")  # nothing is timed again
    assert [type(event) for event in colorizer_job(quick)] == [ModelLoaded]
    assert Colorizer(quick).settings.engine == "openvino"
    # `whole` context sees little at once
    assert Colorizer(quick, context="whole").settings.engine == "torch"


def test_a_faster_one_with_other_colours_is_not_taken(any_engine, quick, monkeypatch):
    pace = {"torch": 2.0, "openvino": 1.0}
    monkeypatch.setattr(engines, "_seconds", lambda engine, _: pace[engine.name])
    look = engines.OpenVinoEngine.look

    def elsewhere(self, source, palette):
        prediction, features = look(self, source, palette)
        return prediction + 0.1, features

    monkeypatch.setattr(engines.OpenVinoEngine, "look", elsewhere)
    assert Colorizer(quick).settings.engine == "torch"


def test_an_engine_that_fails_is_left_out_and_named(any_engine, quick, monkeypatch):
    def fail(*_):
        raise RuntimeError("no such instruction\nat 0x1")

    monkeypatch.setattr(engines, "_convert", fail)
    for _ in range(2):
        colorizer = Colorizer(quick)
        assert colorizer.settings.engine == "torch"
        assert "openvino fails on this machine (no such instruc" in colorizer.why_engine
    (kept,) = any_engine.glob("*.json")
    assert json.loads(kept.read_text())["engine"] == "torch"


def test_damaged_files_are_made_anew(any_engine, quick, monkeypatch):
    monkeypatch.setattr(
        engines, "_seconds", lambda engine, _: 1.0 + (engine.name == "torch")
    )
    assert Colorizer(quick).settings.engine == "openvino"
    for path in any_engine.iterdir():
        if path.suffix in (".json", ".xml"):
            path.write_text("{")
    colorizer = Colorizer(quick)
    assert colorizer.settings.engine == "openvino"


def test_what_is_not_possible_is_refused(
    any_engine, quick, make_checkpoint, monkeypatch
):
    monkeypatch.setattr(engines, "possible_engines", lambda _: ["torch"])
    monkeypatch.setattr(type(engines.FAST), "installed", False)
    with pytest.raises(ColorganError, match=r"auto, torch here; .*\[fast\]"):
        Colorizer(quick, engine="openvino")
    with pytest.raises(ColorganError, match=r"engine is 'tensorrt'; .*openvino"):
        Colorizer(quick, engine="tensorrt")
    measured = make_checkpoint("unet", context="local", statistics="picture")
    with pytest.raises(ColorganError, match="normalises by each picture"):
        Colorizer(measured, engine="openvino")


def test_threads_do_not_disturb_each_other(any_engine, quick):
    colorizer = Colorizer(quick, engine="openvino")
    pictures = [torch.rand(1, 1, side, 64) for side in (64, 96, 128, 160)]
    expected = [colorizer.predict(picture, None) for picture in pictures]
    said = [None] * len(pictures)

    def predict(number):
        for _ in range(20):
            said[number] = colorizer.predict(pictures[number], None)

    threads = [threading.Thread(target=predict, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for here, there in zip(said, expected, strict=True):
        assert torch.equal(here, there)
