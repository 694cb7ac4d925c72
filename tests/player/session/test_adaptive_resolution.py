"""How many pixels a moving picture gets."""

from dynerf_player.session.adaptive_resolution import AdaptiveResolution, full_size


def test_a_fast_renderer_gives_all_pixels_and_a_slow_one_few() -> None:
    pace = AdaptiveResolution()
    for _ in range(30):
        pace.rendered(100_000, 0.001)
    assert pace.moving_size(640, 360) == (640, 360)
    for _ in range(30):
        pace.rendered(100_000, 1.0)
    width, height = pace.moving_size(640, 360)
    assert width * height <= 0.1 * 100_000
    assert not pace.fits(640, 360)


def test_sizes_do_not_flicker_at_the_edge_of_two_steps() -> None:
    pace = AdaptiveResolution(speed=640 * 360 * 0.25 / 0.1)
    sizes = set()
    for share in (0.98, 1.0, 1.02, 0.99, 1.03, 1.0):
        pace.speed = 640 * 360 * 0.25 / 0.1 * share
        sizes.add(pace.moving_size(640, 360))
    assert len(sizes) <= 2
    assert pace.moving_size(640, 360) == pace.moving_size(640, 360)


def test_a_slow_link_shrinks_pictures_and_a_fast_one_lets_them_grow_again() -> None:
    pace = AdaptiveResolution(speed=1e12)
    for _ in range(3):
        pace.acknowledged(1.0)
    small = pace.moving_size(640, 360)
    assert small[0] < 300
    for _ in range(3):
        pace.acknowledged(0.01)
    assert pace.moving_size(640, 360) == (640, 360)


def test_sizes_are_even_and_never_vanish() -> None:
    assert full_size(641, 361) == (640, 360)
    assert full_size(1, 1) == (16, 16)
    width, height = AdaptiveResolution(speed=1.0).moving_size(4096, 2048)
    assert width % 2 == height % 2 == 0
    assert min(width, height) >= 16
