"""The resolution of moving pictures."""

from dynerf_player.session.adaptive_resolution import AdaptiveResolution, full_size


def test_fast_rendering_gives_full_resolution_and_slow_rendering_a_low_one() -> None:
    resolution = AdaptiveResolution()
    for _ in range(30):
        resolution.rendered(100_000, 0.001)
    assert resolution.moving_size(640, 360) == (640, 360)
    for _ in range(30):
        resolution.rendered(100_000, 1.0)
    width, height = resolution.moving_size(640, 360)
    assert width * height <= 0.1 * 100_000
    assert not resolution.fits(640, 360)


def test_sizes_do_not_oscillate_between_two_steps() -> None:
    resolution = AdaptiveResolution(speed=640 * 360 * 0.25 / 0.1)
    sizes = set()
    for share in (0.98, 1.0, 1.02, 0.99, 1.03, 1.0):
        resolution.speed = 640 * 360 * 0.25 / 0.1 * share
        sizes.add(resolution.moving_size(640, 360))
    assert len(sizes) <= 2
    assert resolution.moving_size(640, 360) == resolution.moving_size(640, 360)


def test_long_round_trips_reduce_the_resolution_and_short_ones_raise_it() -> None:
    resolution = AdaptiveResolution(speed=1e12)
    for _ in range(3):
        resolution.acknowledged(1.0)
    small = resolution.moving_size(640, 360)
    assert small[0] < 300
    for _ in range(3):
        resolution.acknowledged(0.01)
    assert resolution.moving_size(640, 360) == (640, 360)


def test_sizes_are_even_and_at_least_16() -> None:
    assert full_size(641, 361) == (640, 360)
    assert full_size(1, 1) == (16, 16)
    width, height = AdaptiveResolution(speed=1.0).moving_size(4096, 2048)
    assert width % 2 == height % 2 == 0
    assert min(width, height) >= 16
