"""Colours that a user gives: hints at places, and palettes without."""

import pickle

import dask.array
import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from napari_colorgan import Colorizer, Hints, Palette, colorize, suggest
from napari_colorgan.checkpoints.store import Checkpoint
from napari_colorgan.color import rgb_to_lab
from napari_colorgan.errors import BadImageFile, BadSetting
from napari_colorgan.inference.colorize import colorize_region
from napari_colorgan.inference.hints import MOST_HINTS, read_hints
from napari_colorgan.inference.kriging import Field, Kriging, Places
from napari_colorgan.inference.palettes import read_palette
from napari_colorgan.inference.settings import ColorizerSettings
from napari_colorgan.inference.source import Source
from napari_colorgan.inference.suggestions import colors_at

RED = (200, 60, 40)
BROWN = (90, 50, 42)
TINY = {"widths": [8, 8, 8, 8], "alternatives": True, "attention": 1}


@pytest.fixture(scope="module")
def listening(make_listening):
    return make_listening(options={"attention": 1})


@pytest.fixture
def gray():
    return np.random.default_rng(4).integers(0, 256, (96, 128), np.uint8)


def difference(a, b):
    return np.abs(a.astype(int) - b).max(-1)


def ab_of(rgb):
    return rgb_to_lab(torch.from_numpy(rgb).movedim(-1, 0)[None] / 255)[0, 1:]


# -- hints


def test_a_hint_is_a_square_around_its_point():
    told = Hints([[10, 20], [30, 40]], [RED, (0, 0, 255)], 3.0)
    first, second = told.squares(range(64), range(64), (64, 64))
    assert first == (slice(7, 14), slice(17, 24))
    assert second == (slice(27, 34), slice(37, 44))


def test_a_part_of_a_plane_sees_its_hints_at_its_own_size():
    told = Hints([[100, 60]], [RED], 8.0)
    ((rows, columns),) = told.squares(range(80, 120), range(40, 80), (20, 20))
    for at in (rows, columns):
        assert (at.start + at.stop) / 2 == pytest.approx(20.5 / 2, abs=0.5)
        assert at.stop - at.start == 8
    ((rows, columns),) = told.squares(range(4000), range(4000), (40, 40))
    assert rows.stop - rows.start == columns.stop - columns.start == 1  # never lost
    corner = Hints([[0, 63]], [RED], 8.0)
    ((rows, columns),) = corner.squares(range(64), range(64), (32, 32))
    assert (rows.start, columns.stop) == (0, 32) and rows.stop > 0


def test_hints_of_stacks_belong_to_their_plane():
    told = Hints([[0, 5, 5], [2, 6, 6]], [RED, RED])
    assert told.of_plane((1,)) is None
    assert told.of_plane((2,)).points.tolist() == [[6, 6]]
    everywhere = Hints([[5, 5]], [RED])
    assert len(everywhere.of_plane((1,))) == 1
    told.check((3, 20, 20))
    with pytest.raises(BadSetting, match="3 coordinates"):
        told.check((20, 20))
    with pytest.raises(BadSetting, match=r"plane 2, row 6.*2 x 20 x 20 px"):
        told.check((2, 20, 20))


@pytest.mark.parametrize(
    ("points", "colors", "radius", "message"),
    [
        ([[1, np.nan]], [RED], 4, "points is 'not finite'"),
        ([[1, 2]], [(np.nan, 0, 0)], 4, "colors is 'not finite"),
        ([[1, 2]], [(300, 0, 0)], 4, "from 0 to 255"),
        ([[1, 2]], [RED, RED], 4, r"\(1, 3\), one for each point"),
        ([[1, 2]], [RED], -1, "radius is -1"),
        ([1, 2, 3][:1], [RED], 4, "of shape"),
        ([[1, 2], [1.2, 2]], [RED, (0, 0, 9)], 4, "of one colour: take one"),
        (np.zeros((MOST_HINTS + 1, 2)), [RED] * (MOST_HINTS + 1), 4, "at most 1000"),
    ],
)
def test_bad_hints_are_refused_in_a_sentence(points, colors, radius, message):
    with pytest.raises(BadSetting, match=message):
        Hints(points, colors, radius)


def test_a_hint_outside_the_picture_is_named(gray, listening):
    with pytest.raises(BadSetting, match=r"row 96, column 5.*96 x 128 px"):
        colorize(gray, listening, hints=Hints([[96, 5]], [RED]))


def test_models_that_take_nothing_say_so(gray, make_checkpoint):
    deaf = make_checkpoint("unet", {"depth": 5, "width": 4})
    with pytest.raises(BadSetting, match="takes none"):
        colorize(gray, deaf, hints=Hints([[5, 5]], [RED]))
    with pytest.raises(BadSetting, match="takes none"):
        colorize(gray, deaf, palette=Palette.tinted(10, 0))
    with pytest.raises(BadSetting, match="how likely colours are"):
        suggest(gray, (5, 5), deaf)


def test_hints_of_a_lazy_stack_reach_their_plane(gray, listening):
    stack = np.stack([gray, gray, gray])
    told = Hints([[1, 40, 50]], [RED], 5.0)
    colored = colorize(dask.array.from_array(stack), listening, axes="TYX", hints=told)
    assert np.array_equal(colored[0], colored[2])
    assert difference(colored[1], colored[0]).max() > 3
    assert np.array_equal(colored, colorize(stack, listening, axes="TYX", hints=told))


@pytest.mark.parametrize("context", ["whole", "local"])
def test_a_hint_has_its_color_and_a_part_stays_part_of_the_whole(
    make_checkpoint, context
):
    gray = data.camera()[100:400, 50:370]
    nearly_gray = make_checkpoint("compact", {"alternatives": True})
    colorizer = Colorizer(nearly_gray, context=context, working_size=96)
    told = Hints([[40, 50]], [BROWN], 5.0)
    plain, hinted = colorize(gray, colorizer), colorize(gray, colorizer, hints=told)

    def ab(rgb):
        part = torch.from_numpy(rgb[36:45, 46:55].copy()).permute(2, 0, 1)[None]
        return rgb_to_lab(part / 255)[0, 1:].mean((1, 2))

    asked = rgb_to_lab(torch.tensor(BROWN).view(1, 3, 1, 1) / 255)[0, 1:, 0, 0]
    before, after = (ab(rgb) - asked for rgb in (plain, hinted))
    assert after.norm() < 0.25 * before.norm()
    region = (slice(20, 60), slice(30, 90))
    part = colorize_region(gray, colorizer, region, hints=told)
    assert difference(part, hinted[region]).max() <= 1


@pytest.mark.parametrize("context", ["whole", "local"])
def test_other_hints_cost_no_other_prediction(gray, listening, context, monkeypatch):
    colorizer = Colorizer(listening, context=context, working_size=96)
    look, seen = colorizer._look, []
    monkeypatch.setattr(colorizer, "_look", lambda x: seen.append(x.shape) or look(x))
    places = [[40, 50], [41, 50], [42, 52]]
    colors = [RED, (0, 0, 255), RED]
    for count in (1, 2, 3):
        colorize(gray, colorizer, hints=Hints(places[:count], colors[:count]))
    assert len(seen) == 1


def test_a_hint_reaches_what_is_like_it_and_many_the_whole_picture():
    torch.manual_seed(1)
    kinds = torch.nn.functional.normalize(torch.rand(2, 8), dim=1)
    of_kind = torch.arange(100) % 2
    position = torch.rand(100, 2)
    everywhere = Places(kinds[of_kind], position, torch.full((100, 1), 0.5))
    some = everywhere.split(1)
    alone = Kriging(some[0], torch.tensor([[0.4, 0.0]]))
    reached = alone.at(everywhere)[:, 0]
    assert reached[0] == pytest.approx(0.4, abs=0.03)
    assert reached[of_kind == 0].mean() > 1.3 * reached[of_kind == 1].mean()
    certain = alone.certainty(everywhere)
    assert certain.argmax() == 0 and 0.9 < certain[0] <= 1
    agreeing = Places.together([some[0], some[2], some[3]])
    agreed = Kriging(agreeing, torch.tensor([[0.4, 0.0]] * 3))
    assert agreed.at(everywhere)[:, 0].mean() > reached.mean()


def test_all_of_a_view_is_told_what_each_of_its_places_is():
    torch.manual_seed(1)
    size = (10, 14)
    rows, columns = (torch.arange(length) / 10 for length in size)
    features = torch.nn.functional.normalize(torch.randn(8, 5, 7), dim=0)
    field = Field(features, torch.rand(size), rows, columns)
    enlarged = torch.nn.functional.interpolate(
        features[None], scale_factor=2, mode="bilinear"
    )
    places = field.places(torch.arange(140))
    torch.testing.assert_close(places.features, enlarged[0].flatten(1).T)
    told = Kriging(field.places(torch.tensor([3, 40, 77, 139])), torch.rand(4, 2))
    expected = told.at(places).T.view(2, *size)
    torch.testing.assert_close(told.over(field), expected, atol=1e-5, rtol=1e-4)


def test_older_checkpoints_with_weights_for_hints_are_as_good(gray, listening):
    more = {"stem_hints.weight": torch.ones(32, 3, 3, 3)}
    older = Checkpoint(listening.metadata, dict(listening.weights) | more)
    assert np.array_equal(colorize(gray, older), colorize(gray, listening))


def test_hints_are_read_from_a_table_as_napari_writes_it(tmp_path):
    file = tmp_path / "points.csv"
    file.write_text("index,axis-0,axis-1,color\n0,3,4,#c83c28\n1,5.5,6,0000ff\n")
    told = read_hints(file)
    assert told.points.tolist() == [[3, 4], [5.5, 6]]
    assert told.colors.tolist() == [list(RED), [0, 0, 255]]
    file.write_text("axis-0,axis-1,axis-2,red,green,blue,radius\n1,3,4,9,8,7,2\n")
    told = read_hints(file)
    assert told.points.tolist() == [[1, 3, 4]] and told.radius.tolist() == [2]
    for content, message in {
        "index,axis-0\n0,1\n": "axis-0, axis-1 and color",
        "": "no rows",
        "axis-0,axis-1,color\n1,2,reddish\n": "line 2",
        "axis-0,axis-1,color\n1,x,#000000\n": "line 2",
    }.items():
        file.write_text(content)
        with pytest.raises(BadSetting, match=message):
            read_hints(file)
    with pytest.raises(BadImageFile, match="table of hints"):
        read_hints(tmp_path / "missing.csv")


# -- palettes


def picture(color, side=32):
    return np.full((side, side, 3), color, np.uint8)


def test_a_palette_knows_the_tint_of_its_reference():
    palette = Palette.of(picture(RED), name="red.png")
    lab = rgb_to_lab(torch.tensor(RED).view(1, 3, 1, 1) / 255)[0, :, 0, 0]
    assert palette.tint[:2] == pytest.approx(lab[1:].tolist(), abs=0.01)
    assert sum(palette.colors) == pytest.approx(1, abs=1e-4)
    assert palette == pickle.loads(pickle.dumps(palette))
    assert hash(palette) == hash(Palette.of(picture(RED), name="red.png"))
    assert palette.believed(0.9).strength == 0.9
    assert palette.record()["name"] == "red.png"


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (picture((90, 90, 90)), "one with colour"),
        (picture(RED, side=4), "64 pixels or more"),
        (np.zeros((32, 32), np.uint8), r"\(Y, X, 3\)"),
        (np.zeros((32, 32, 3), np.float32), "uint8"),
    ],
)
def test_references_without_colors_are_refused(reference, message):
    with pytest.raises(BadSetting, match=message):
        Palette.of(reference)


def test_impossible_palettes_are_refused():
    with pytest.raises(BadSetting, match="from 0 to 1"):
        Palette.tinted(3, 4, strength=float("nan"))
    with pytest.raises(BadSetting, match="at most 200"):
        Palette.tinted(float("inf"), 4)
    with pytest.raises(BadSetting, match="colours, a tint, or both"):
        Palette(None, None)
    with pytest.raises(BadSetting, match="252 shares"):
        Palette((0.5, 0.5), None).tensor()


def test_a_palette_changes_colors_and_stands_in_the_record(gray, listening):
    palette = Palette.of(picture(RED), name="red.png")
    settings = ColorizerSettings(model=listening, palette=palette)
    colorizer = Colorizer(settings)
    plain, tinted = colorize(gray, listening), colorize(gray, colorizer)
    assert difference(plain, tinted).max() > 3
    assert np.array_equal(colorize(gray, listening, palette=palette), tinted)
    assert colorizer.used()["palette"]["name"] == "red.png"
    assert "palette" not in Colorizer(listening).used()
    other = Colorizer(listening).asked_for(palette=palette)
    assert other.used() == colorizer.used()
    assert np.array_equal(colorize(gray, other), tinted)
    assert np.array_equal(colorize(gray, other.asked_for(palette=None)), plain)


def test_a_palette_that_fits_for_sure_says_how_vivid_colors_are(gray, make_checkpoint):
    sure = make_checkpoint("compact", {"alternatives": True})
    sure.weights["likelihood.weight"].mul_(1000)

    def colored(vividness, strength):
        palette = Palette.of(picture(RED), strength)
        return colorize(gray, sure, vividness=vividness, palette=palette)

    assert np.array_equal(colored(0.0, 1.0), colored(1.0, 1.0))
    assert difference(colored(0.0, 0.5), colored(1.0, 0.5)).max() > 3


def test_palettes_are_read_from_files(tmp_path):
    Image.fromarray(picture(RED)).save(tmp_path / "red.png")
    palette = read_palette(tmp_path / "red.png", 0.8)
    assert (palette.name, palette.strength) == ("red.png", 0.8)
    with pytest.raises(BadImageFile):
        read_palette(tmp_path / "missing.png")


# -- suggestions


@pytest.mark.parametrize("context", ["whole", "local"])
def test_suggestions_are_colors_of_the_place_in_order(gray, listening, context):
    colorizer = Colorizer(listening, context=context)
    found = suggest(gray, (40, 50), colorizer, count=4)
    likely = [suggestion.likelihood for suggestion in found]
    assert 1 <= len(found) <= 4
    assert likely == sorted(likely, reverse=True) and sum(likely) <= 1 + 1e-5
    lightness = rgb_to_lab(
        torch.tensor([s.rgb for s in found]).view(-1, 3, 1, 1) / 255
    )[:, 0]
    own = rgb_to_lab(torch.full((1, 3, 1, 1), gray[40, 50] / 255))[:, 0]
    assert (lightness - own).abs().max() < 1
    with pytest.raises(BadSetting, match="inside the picture of 96 x 128"):
        suggest(gray, (96, 50), colorizer)


def test_suggestions_listen_to_hints(gray, listening):
    source = Source.of(gray)
    plain = suggest(source, (40, 50), listening)
    told = suggest(source, (40, 50), listening, hints=Hints([[40, 50]], [RED]))
    assert plain != told


def test_saturation_and_warmth_change_all_colours_but_those_of_hints(listening):
    gray = data.camera()[:96, :128]
    colorizer = Colorizer(listening, context="whole", working_size=96)
    strong, pale, warm = (
        ab_of(colorize(gray, colorizer.asked_for(**changes)))
        for changes in (
            {"saturation": 0.2},  # of a wild model: within sRGB
            {"saturation": 0.1},
            {"saturation": 0.1, "warmth": 1.0},
        )
    )
    assert torch.allclose(pale, strong / 2, atol=2)
    assert (warm - pale)[1].median() > 10
    told = Hints([[40, 50]], [BROWN], 6)
    there = [
        ab_of(colorize(gray, colorizer.asked_for(**changes), hints=told))[:, 40, 50]
        for changes in ({"saturation": 0.2}, {"saturation": 0.1, "warmth": 1.0})
    ]
    assert torch.allclose(*there, atol=3)
    with pytest.raises(BadSetting, match="saturation is 3"):
        colorizer.asked_for(saturation=3)


def test_hints_hold_for_planes_and_travel_as_a_table(listening):
    stack = np.stack([data.camera()[:96, :128]] * 4)
    points, colors = [[1, 40, 50], [2, 10, 20.5]], [RED, BROWN]
    planes = [[[1, 2]], [[-np.inf, np.inf]]]
    told = Hints(points, colors, [6, 3], planes)
    again = Hints.from_csv(told.to_csv())
    for hints in (told, again):
        assert [len(hints.of_plane((plane,))) for plane in range(4)] == [1, 2, 2, 1]
    assert again.to_csv() == told.to_csv()
    assert np.array_equal(again.colors, told.colors)
    rgb = colorize(stack, Colorizer(listening, working_size=96), hints=told)
    assert np.array_equal(rgb[0], rgb[3])
    assert np.array_equal(rgb[1], rgb[2])
    assert (rgb[0] != rgb[1]).any()
    with pytest.raises(BadSetting, match="of one colour"):
        Hints([[0, 4, 4], [1, 4, 4]], [RED, BROWN], planes=[[[0, 1]], [[1, 3]]])
    Hints([[0, 4, 4], [1, 4, 4]], [RED, BROWN], planes=[[[0, 0]], [[1, 3]]])


def test_a_table_of_hints_that_cannot_be_read_is_explained(tmp_path):
    file = tmp_path / "points.csv"
    for text, expected in (
        ("axis-0,axis-1\n1,2\n", "the header of 'points.csv' is 'axis-0, axis-1'"),
        ("axis-0,axis-1,color\n1,2,red\n", "line 2 of 'points.csv'"),
        ("axis-0,axis-1,axis-2,color,from-0,to-0\n1,2,3,#ff0000,5,x\n", "line 2"),
    ):
        file.write_text(text)
        with pytest.raises(BadSetting, match=expected):
            read_hints(file)


def test_colours_are_shown_as_they_become_at_a_place():
    gray = np.array([[200, 40]], np.uint8)
    plane = Source.of(gray).plane()
    light, dark = (colors_at(plane, (0, x), [RED, (90, 90, 90)]) for x in (0, 1))
    assert light[1] == (200, 200, 200) and dark[1] == (40, 40, 40)
    levels = torch.tensor([[light[0], dark[0]]]).movedim(-1, 0)[None] / 255
    lightness = rgb_to_lab(levels)[0, 0, 0]
    own = rgb_to_lab(torch.from_numpy(gray)[None, None].expand(1, 3, 1, 2) / 255)
    assert torch.allclose(lightness, own[0, 0, 0], atol=1)
    assert light[0][0] > light[0][2] and dark[0][0] > dark[0][2]  # red
    assert colors_at(plane, (0, 0), []) == []
