"""The page's modules by themselves: turns, clock, cameras, volume, links, pictures, wishes."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from dynerf_decoder.cameras.viewing_volume import ViewingVolume
from support.browser import run_module
from support.fake_pictures import description, message

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.long


def rotations() -> list[np.ndarray]:
    """Rotations at random, and half turns, whose quaternions have a zero where others are largest."""
    generator = np.random.default_rng(0)
    random = [np.linalg.qr(generator.normal(size=(3, 3)))[0] for _ in range(20)]
    halves = [np.diag(signs) for signs in ([1, -1, -1], [-1, 1, -1], [-1, -1, 1], [1, 1, 1])]
    return [matrix * np.sign(np.linalg.det(matrix)) for matrix in random] + halves


def test_poses_survive_as_quaternions(modules: "Page") -> None:
    poses = [np.column_stack([rotation, [1, 2, 3]]).reshape(-1).tolist() for rotation in rotations()]
    back = run_module(modules, "view/vector", "return x.map((rows) => m.rowsOf(m.poseOf(rows)))", poses)
    np.testing.assert_allclose(back, poses, atol=1e-12)


def test_turns_compose_and_rotate(modules: "Page") -> None:
    body = """const right = Math.PI / 2;
    const quarter = m.turnAbout([0, 0, 1], right), other = m.turnAbout([1, 0, 0], right);
    return [m.rotate(quarter, [1, 0, 0]), m.rotate(m.compose(other, quarter), [1, 0, 0])]"""
    np.testing.assert_allclose(run_module(modules, "view/vector", body), [[0, 1, 0], [0, 0, 1]], atol=1e-12)


def test_the_clock_keeps_time(modules: "Page") -> None:
    body = """const clock = new m.Clock({ frames: 30, fps: 30, seconds: 1 }), seen = [];
    const after = (...moments) => { for (const ms of moments) clock.tick(ms); return clock.time; };
    clock.tick(0); seen.push(after(200));                          // paused: nothing
    clock.toggle(); seen.push(after(300, 400));                    // 0.2 s
    clock.speed = 0.5; seen.push(after(600));                      // 0.1 s more
    clock.frozen = true; seen.push(after(800)); clock.frozen = false;
    clock.waiting = true; seen.push(after(1000)); clock.waiting = false;
    clock.speed = 2; seen.push(after(1200, 1400));                 // 0.8 s more, round the end
    seen.push(after(61400));                                       // a minute hidden counts a quarter second
    clock.loop = false; after(61600, 61800); seen.push(clock.time, clock.playing);
    clock.toggle(); seen.push(clock.time);                         // at the end play starts again
    return seen;"""
    expected = [0, 0.2, 0.3, 0.3, 0.3, 0.1, 0.6, 29 / 30, False, 0]
    assert run_module(modules, "net/clock", body) == pytest.approx(expected)


def test_steps_go_to_whole_frames_and_round(modules: "Page") -> None:
    body = """const clock = new m.Clock({ frames: 30, fps: 30, seconds: 1 });
    clock.seek(0.105); clock.playing = true;
    const seen = [[1], [1], [-1], [-1], [-1]].map(([way]) => { clock.step(way); return clock.frame; });
    clock.seek(9); clock.step(1); seen.push(clock.frame); clock.step(-1); seen.push(clock.frame);
    clock.loop = false; clock.step(1); seen.push(clock.frame);
    return [...seen, clock.playing];"""
    assert run_module(modules, "net/clock", body) == pytest.approx([4, 5, 4, 3, 2, 0, 29, 29, False])


def test_orbits_keep_their_distance_and_never_tip_over(modules: "Page") -> None:
    body = """const rig = new m.Cameras(x);
    const { length, subtract, rotate } = await import('/web/view/vector.js');
    rig.volume.resist = () => 1;
    const far = () => length(subtract(rig.camera.position, rig.pivot));
    const before = far();
    for (let i = 0; i < 100; i += 1) rig.orbit(0.3, 0.2);
    const high = rig.camera.position, up = rotate(rig.camera.turn, [0, 1, 0]);
    const view = rotate(rig.camera.turn, [0, 0, -1]);
    const toPivot = subtract(rig.pivot, high).map((value) => value / before);
    return { before, after: far(), up: up[1], high: high[1], view, toPivot };"""
    found = run_module(modules, "view/cameras", body, description())
    assert found["after"] == pytest.approx(found["before"])
    assert found["up"] > 0
    assert found["high"] == pytest.approx(
        0.5 + 4 * np.cos(0.1)
    )  # it stopped a tenth of a radian from the pole
    np.testing.assert_allclose(found["view"], found["toPivot"], atol=1e-9)


def test_cameras_come_close_but_not_through_and_go_home(modules: "Page") -> None:
    body = """const rig = new m.Cameras(x), { length, subtract } = await import('/web/view/vector.js');
    rig.volume.resist = () => 1;
    const far = () => length(subtract(rig.camera.position, rig.pivot)), before = far();
    const left = rig.atHome.name;
    for (let i = 0; i < 50; i += 1) rig.approach(0.8);
    const near = far() / before;
    for (let i = 0; i < 90; i += 1) rig.approach(1.25);
    const away = rig.atHome === undefined;
    const distant = far() / before;
    rig.place(rig.list[3]);
    return [left, near, distant, away, rig.atHome.name];"""
    assert run_module(modules, "view/cameras", body, description()) == [
        "cam00",
        pytest.approx(0.1),
        pytest.approx(8),
        True,
        "cam03",
    ]


def test_the_volume_knows_its_outside_and_resists_on_the_way_out(modules: "Page") -> None:
    body = """const volume = new m.Volume(x);
    const at = (...position) => volume.excess(position);
    return [at(0, 0.5, 4), at(1.1, 0.5, 4), at(2, 0.5, 4), at(3, 0.5, 4), at(0, 0.5, 0.5),
            volume.resist([0, 0.5, 4], [1, 0.5, 4]), volume.resist([3, 0.5, 4], [2, 0.5, 4]),
            volume.resist([2, 0.5, 4], [3, 0.5, 4])];"""
    inside, margin, outside, further, ahead, within, back, out = run_module(
        modules, "view/volume", body, description()
    )
    assert (inside, margin, within, back) == (0, 0, 1, 1)
    assert further > outside > 0
    assert ahead > 0
    assert out < 0.5


@pytest.mark.parametrize(
    ("volume", "distance"),
    [({"points": [[0, 0.5, 4]], "margin": 0}, 3), ({"points": [], "margin": 0}, 0)],
    ids=["one camera", "none declared"],
)
def test_a_volume_that_spans_nothing_has_an_outside_and_one_that_is_not_declared_has_none(
    modules: "Page", volume: dict[str, Any], distance: float
) -> None:
    body = "const v = new m.Volume(x); return [[0, 0.5, 4], [3, 0.5, 4]].map((at) => v.excess(at) * v.extent)"
    found = run_module(modules, "view/volume", body, description() | {"volume": volume})
    assert found == [0, pytest.approx(distance)]


def test_the_page_and_the_decoder_agree_on_what_is_outside(modules: "Page") -> None:
    generator = np.random.default_rng(3)
    clips: list[dict[str, Any]] = []
    expected = []
    for case in range(60):
        corners = generator.normal(size=(1 + case % 20, 3)) * 10.0 ** generator.integers(-2, 4)
        corners[:, 3 - case % 3 :] = 0.5  # every third is flat, every third a line
        volume = ViewingVolume(np.concatenate([corners, corners[:2]]))
        spread = 2 * max(np.abs(corners).max(), 1e-3)
        places = [*(generator.normal(size=(20, 3)) * spread), *corners, corners.mean(axis=0)]
        clips.append(
            {
                "volume": {"points": volume.corners.tolist(), "margin": volume.margin},
                "focus": [0, 0, 0],
                "places": [place.tolist() for place in places],
            }
        )
        expected.append([max(0.0, volume.distance(place) - volume.margin) for place in places])
    body = """return x.map((clip) => {
        const v = new m.Volume(clip);
        return clip.places.map((place) => v.excess(place) * v.extent); })"""
    for clip, found, wanted in zip(
        clips, run_module(modules, "view/volume", body, clips), expected, strict=True
    ):
        size = float(np.abs(clip["places"]).max())
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-6 * size)


def test_links_say_camera_and_time(modules: "Page") -> None:
    body = """const camera = { position: [1.25, -2, 3], turn: [0, 0.6, 0, 0.8], fov: 40 };
    const named = m.toHash(0.4, camera, { name: 'cam & 3' });
    return [m.fromHash(m.toHash(0.4, camera)), m.fromHash(named), camera]"""
    free, named, camera = run_module(modules, "view/share", body)
    assert free == {"time": 0.4, "name": None, "camera": camera}
    assert named == {"time": 0.4, "name": "cam & 3", "camera": None}


def test_links_to_map_coordinates_are_followed(modules: "Page") -> None:
    camera = {"position": [500012.4, 4649776.25, 120.7], "turn": [0, 0.6, 0, 0.8], "fov": 40}
    found = run_module(modules, "view/share", "return m.fromHash(m.toHash(0.4, x))", camera)
    assert found == {"time": 0.4, "name": None, "camera": camera}


@pytest.mark.parametrize(
    "text",
    ["", "#", "#t=", "#t=NaN&at=1,2,3", "#t=1e99", "#at=1,2&turn=0,0,0,1&fov=45",
     "#at=1,2,3&turn=0,0,0,0&fov=45",
     "#at=1,2,3&turn=0,0,0,1&fov=200", "#at=1,2,Infinity&turn=0,0,0,1&fov=45", "#%E0%A4%A&t=x"],
)  # fmt: skip
def test_malformed_links_say_nothing(modules: "Page", text: str) -> None:
    assert run_module(modules, "view/share", "return m.fromHash(x)", text) == {
        "time": None,
        "name": None,
        "camera": None,
    }


def test_heads_of_pictures_are_read(modules: "Page") -> None:
    view: dict[str, Any] = description()["cameras"][1] | {"id": 7, "frame": 2.5}
    data = list(message(view, final=False))
    body = "return [m.readHead(new Uint8Array(x).buffer), m.readHead(new Uint8Array(x.slice(0, 31)).buffer)]"
    head, short = run_module(modules, "net/picture_head", body, data)
    assert short is None
    expected = {
        "codec": 0,
        "key": True,
        "final": False,
        "id": 7,
        "frame": 2.5,
        "width": 64,
        "height": 48,
        "fetched": 99_000,
    }
    assert {key: head[key] for key in expected} == expected
    assert run_module(modules, "net/picture_head", body, [2, *data[1:]])[0] is None


WISHES = """const sent = [], wishes = new m.Wishes((message) => sent.push(message));
const want = (frame, now, playing = false) => wishes.want({ frame }, playing, now);
const answer = (id, now) => wishes.answered({ id, renderMs: 10, codingMs: 1 }, now);
const said = () => sent.map(({ id, frame, moving }) => [id, frame, moving]);"""


def test_a_view_at_rest_is_asked_for_once(modules: "Page") -> None:
    body = WISHES + "for (const now of [0, 16, 500, 900]) want(3, now); return said()"
    assert run_module(modules, "net/view_requests", body) == [[1, 3, False]]


def test_while_moving_the_newest_view_is_asked_for_when_the_last_one_came(modules: "Page") -> None:
    body = (
        WISHES
        + """want(0, 0); answer(1, 20);
    want(1, 100); want(2, 116); want(3, 132);  // 2 is never asked for
    answer(2, 140); want(3, 148); answer(3, 160); want(3, 200); want(3, 400); return said()"""
    )
    expected = [[1, 0, False], [2, 1, True], [3, 3, True], [4, 3, False]]
    assert run_module(modules, "net/view_requests", body) == expected


def test_a_still_view_is_given_up_for_a_newer_one(modules: "Page") -> None:
    body = WISHES + "want(0, 0); want(1, 50); want(2, 60); return [said(), wishes.waitedSince()]"
    assert run_module(modules, "net/view_requests", body) == [[[1, 0, False], [2, 1, True]], 0]


def test_far_servers_get_two_wishes_and_silent_ones_another_after_a_while(modules: "Page") -> None:
    body = (
        WISHES
        + """want(0, 0); answer(1, 200);
    for (let frame = 1; frame < 6; frame += 1) want(frame, 300 + frame, true);
    const far = said().length; want(9, 9000, true); return [far, said().length]"""
    )
    assert run_module(modules, "net/view_requests", body) == [3, 4]


def test_no_picture_is_asked_for_that_servers_refuse(modules: "Page") -> None:
    body = """const canvas = document.createElement('canvas');
    const sizes = x.map(([width, height, share]) => new m.Stage(canvas, { width, height }).size(share));
    return sizes.map(({ width, height }) => [width, height])"""
    clips = [[64, 48, 1], [135, 91, 1], [2704, 2028, 2], [6000, 20, 1], [10, 10, "auto"]]
    small, odd, large, long, tiny = run_module(modules, "video/canvas", body, clips)
    assert small == [64, 48]
    assert odd == [136, 92]
    assert large[0] * large[1] <= 2**23
    assert large[0] / large[1] == pytest.approx(4 / 3, abs=0.01)
    assert long[0] <= 4096
    assert tiny == [16, 16]
