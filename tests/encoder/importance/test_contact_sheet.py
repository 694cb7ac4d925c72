"""Contact sheets show each training view and its weights; an encode writes them on request."""

from pathlib import Path

import av
import numpy as np

from dynerf_encoder.importance.build import build_isg
from dynerf_encoder.importance.contact_sheet import contact_sheet
from support.encoding import HEIGHT, WIDTH, Notes, scene_store, tiny_encode, tiny_job, write_scene


def test_a_sheet_shows_the_pictures_and_the_weights_of_all_views_on_one_scale(tmp_path: Path) -> None:
    store = scene_store(tmp_path)
    importance = build_isg(store, (1, 2, 3), range(5), 2e-2, tmp_path / "maps")
    sheet = contact_sheet(store, importance, 2)
    assert sheet.shape == (HEIGHT, 3 * 2 * WIDTH, 3)
    tiles = sheet.reshape(HEIGHT, 6, WIDTH, 3)
    weights = importance.weights(2)
    assert weights.max() > 0
    for position, view in enumerate((1, 2, 3)):
        np.testing.assert_array_equal(tiles[:, 2 * position], store.view(view)[2])
        expected = (weights[position] * (255 / weights.max())).round()
        np.testing.assert_array_equal(tiles[:, 2 * position + 1, :, 1], expected)


def test_pictures_larger_than_a_tile_are_averaged_and_rows_filled_up(tmp_path: Path) -> None:
    store = scene_store(tmp_path, cameras=5, frames=2, width=250, height=20)
    importance = build_isg(store, (0, 1, 2, 3, 4), range(2), 2e-2, tmp_path / "maps")
    assert contact_sheet(store, importance, 0).shape == (2 * 10, 4 * 2 * 125, 3)


def test_an_encode_writes_a_sheet_for_each_map_and_frame(tmp_path: Path) -> None:
    notes, folder = Notes(), tmp_path / "sampled"
    job = tiny_job(write_scene(tmp_path / "scene"), tmp_path / "a.dnv", save_importance=folder)
    tiny_encode(job, notes)
    frames = {"keyframes": (0, 3, 4), "isg": range(5), "ist": range(5)}
    expected = {f"{name}_frame{frame:04d}.png" for name in frames for frame in frames[name]}
    assert {path.name for path in folder.iterdir()} == expected
    assert f"{folder}: 13 pictures of the importance maps" in notes.messages
    with av.open(str(folder / "ist_frame0004.png")) as container:
        assert next(container.decode(video=0)).to_ndarray(format="rgb24").shape == (HEIGHT, 6 * WIDTH, 3)
