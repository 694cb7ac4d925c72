"""Settings by name: every one can be set, nothing else can, and invalid values are refused."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from dynerf_encoder.config.overrides import apply_assignments, apply_file, known_keys
from dynerf_encoder.config.presets import preset
from dynerf_encoder.config.schema import Config
from dynerf_format.errors import ConfigError

_CONFIG = preset("preview")


_LIST = "whole numbers that are not negative, such as 96,192 or [96,192]"
_OTHER_WORD = {"fixed": "auto", "isg+ist": "uniform", "latent": "time"}


def _flat(config: Config) -> dict[str, Any]:
    return {
        f"{section}.{name}": value
        for section, values in dataclasses.asdict(config).items()
        if isinstance(values, dict)
        for name, value in values.items()
    }


def _other(value: object) -> tuple[str, object]:
    """A text that sets a setting to another value than it has, and that value."""
    if isinstance(value, bool):
        return ("false", False) if value else ("true", True)
    if isinstance(value, tuple):
        return "3,5,7", (3, 5, 7)
    if isinstance(value, str):
        return _OTHER_WORD[value], _OTHER_WORD[value]
    if isinstance(value, int):
        return str(value + 1), value + 1
    assert isinstance(value, float)
    return str(value + 0.5), value + 0.5


def _toml(folder: Path, text: str) -> Path:
    path = folder / "settings.toml"
    path.write_text(text, encoding="utf-8")
    return path


class TestKeys:
    def test_all_settings_of_all_sections_are_known(self) -> None:
        assert known_keys() == sorted(_flat(_CONFIG))
        assert {key.split(".")[0] for key in known_keys()} == {
            field.name for field in dataclasses.fields(Config)
        } - {"preset", "field"}

    @pytest.mark.parametrize("key", sorted(_flat(_CONFIG)))
    def test_each_can_be_set_and_changes_nothing_else(self, key: str) -> None:
        before = _flat(_CONFIG)
        text, value = _other(before[key])
        after = _flat(apply_assignments(_CONFIG, [f"{key}={text}"]))
        assert after == before | {key: value}
        assert type(after[key]) is type(before[key])

    @pytest.mark.parametrize(
        ("key", "nearest"),
        [
            ("schedule.scal", "schedule.scale"),
            ("planes.scale", "planes.scales"),
            ("optimizer.beta2", "optimiser.beta2"),
            ("mlp.widht", "mlp.width"),
            ("schedule.scale.x", "schedule.scale"),
        ],
    )
    def test_an_unknown_one_is_refused_with_the_nearest_known_one(self, key: str, nearest: str) -> None:
        with pytest.raises(ConfigError) as caught:
            apply_assignments(_CONFIG, [f"{key}=1"])
        assert (
            str(caught.value) == f"--set {key}=1: unknown setting {key}, the nearest known one is {nearest}"
        )

    @pytest.mark.parametrize("key", ["preset", "field", "schedule", "", "preset.name", "field.kind", "."])
    def test_preset_field_and_whole_sections_cannot_be_set(self, key: str) -> None:
        with pytest.raises(ConfigError, match="unknown setting"):
            apply_assignments(_CONFIG, [f"{key}=1"])


class TestAssignments:
    def test_are_applied_in_order(self) -> None:
        changed = apply_assignments(_CONFIG, ["schedule.rays=7", "planes.latent=3", "schedule.rays=9"])
        assert (changed.schedule.rays, changed.planes.latent) == (9, 3)

    def test_do_not_change_the_configuration_passed_in(self) -> None:
        before = _flat(_CONFIG)
        apply_assignments(_CONFIG, ["schedule.rays=7"])
        assert _flat(_CONFIG) == before

    def test_spaces_around_names_and_values_do_not_matter(self) -> None:
        changed = apply_assignments(_CONFIG, [" schedule.rays = 7 ", "planes.scales= 8, 12"])
        assert (changed.schedule.rays, changed.planes.scales) == (7, (8, 12))

    @pytest.mark.parametrize("text", ["schedule.rays", "schedule.rays:7", ""])
    def test_without_an_equals_sign_are_refused(self, text: str) -> None:
        with pytest.raises(ConfigError, match=r"expected section\.key=value"):
            apply_assignments(_CONFIG, [text])

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("schedule.rays=many", "a whole number"),
            ("schedule.rays=1.5", "a whole number"),
            ("schedule.rays=1.0", "a whole number"),
            ("schedule.rays=", "a whole number"),
            ("schedule.rays=true", "a whole number"),
            ("schedule.scale=fast", "a number"),
            ("schedule.scale=1,5", "a number"),
            ("schedule.scale=true", "a number"),
            ("sampling.union=1", "true or false"),
            ("sampling.union=yes", "true or false"),
            ("planes.scales=", _LIST),
            ("planes.scales=8,", _LIST),
            ("planes.scales=8;12", _LIST),
            ("planes.scales=8,12.5", _LIST),
            ("schedule.rays=-1", "a whole number that is not negative"),
            ("schedule.scale=-0.5", "a number that is not negative"),
            ("schedule.scale=nan", "a number that is not negative"),
            ("schedule.scale=inf", "a number that is not negative"),
            ("schedule.scale=-inf", "a number that is not negative"),
            ("schedule.scale=1e999", "a number that is not negative"),
            ("planes.basis=2,-1", _LIST),
        ],
    )
    def test_a_value_of_the_wrong_type_is_refused_with_the_expected_one(
        self, text: str, expected: str
    ) -> None:
        with pytest.raises(ConfigError) as caught:
            apply_assignments(_CONFIG, [text])
        assert str(caught.value).startswith(f"--set {text}: found ")
        assert str(caught.value).endswith(f", expected {expected}")

    @pytest.mark.parametrize("digits", [400, 5000])
    def test_a_number_with_too_many_digits_is_refused(self, digits: int) -> None:
        for key in ("schedule.rays", "schedule.scale"):
            with pytest.raises(ConfigError, match="expected a"):
                apply_assignments(_CONFIG, [f"{key}={'9' * digits}"])

    @pytest.mark.parametrize("text", ["96,192", "[96,192]", "[96, 192]", " [ 96 ,192 ] ", "(96, 192)"])
    def test_a_list_may_be_written_with_and_without_brackets(self, text: str) -> None:
        assert apply_assignments(_CONFIG, [f"planes.scales={text}"]).planes.scales == (96, 192)

    @pytest.mark.parametrize("text", ["[96,192", "96,192]", "[[96,192]]", "[]", "96 192", "{96,192}"])
    def test_a_malformed_list_is_refused_with_the_expected_syntax(self, text: str) -> None:
        with pytest.raises(ConfigError) as caught:
            apply_assignments(_CONFIG, [f"planes.scales={text}"])
        assert str(caught.value) == f"--set planes.scales={text}: found {text!r}, expected {_LIST}"

    def test_words_may_be_quoted_and_booleans_capitalised(self) -> None:
        changed = apply_assignments(_CONFIG, ['importance.strategy="isg"', "sampling.union=True"])
        assert (changed.importance.strategy, changed.sampling.union) == ("isg", True)

    def test_lists_may_have_one_or_many_numbers(self) -> None:
        assert apply_assignments(_CONFIG, ["planes.scales=8"]).planes.scales == (8,)
        assert apply_assignments(_CONFIG, ["planes.basis=4,0,2,1"]).planes.basis == (4, 0, 2, 1)


class TestFiles:
    def test_sets_the_keys_of_its_tables(self, tmp_path: Path) -> None:
        path = _toml(
            tmp_path,
            "[schedule]\nrays = 7\nscale = 2\n[planes]\nscales = [8, 12]\n[sampling]\nunion = true\n"
            "[optimiser]\nplanes_rate = 1e-3\n",
        )
        changed = _flat(apply_file(_CONFIG, path))
        assert changed == _flat(_CONFIG) | {
            "schedule.rays": 7,
            "schedule.scale": 2.0,
            "planes.scales": (8, 12),
            "sampling.union": True,
            "optimiser.planes_rate": 1e-3,
        }
        assert isinstance(changed["schedule.scale"], float)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("[schedule]\nrays = 1.5", r"schedule\.rays: found 1\.5, expected a whole number"),
            ("[schedule]\nrays = true", r"schedule\.rays: found True, expected a whole number"),
            ("[schedule]\nrays = [1]", r"schedule\.rays: found \[1\], expected a whole number"),
            ("[schedule]\nrays = -3", r"schedule\.rays: found -3, expected a whole number that is not neg"),
            ("[schedule]\nrays = 2024-01-01", r"schedule\.rays: found .*, expected a whole number"),
            ("[schedule.rays]\nx = 1", r"schedule\.rays: found .*, expected a whole number"),
            ("[schedule]\nscale = nan", r"schedule\.scale: found nan, expected a number that is not neg"),
            ("[schedule]\nscale = inf", r"schedule\.scale: found inf, expected a number that is not neg"),
            ("[sampling]\nunion = 1", r"sampling\.union: found 1, expected true or false"),
            (
                "[planes]\nscales = 8",
                r"planes\.scales: found 8, expected whole numbers .*, such as 96,192 or \[96,192\]",
            ),
            ("[planes]\nscales = []", r"planes\.scales: found \[\], expected whole numbers .* as 96,192"),
            ("[planes]\nscales = [8, 1.5]", r"planes\.scales: .*expected whole numbers"),
            ("[planes]\nscales = [[8]]", r"planes\.scales: .*expected whole numbers"),
            (
                "[schedule]\nray = 7",
                r"unknown setting schedule\.ray, the nearest known one is schedule\.rays",
            ),
            ("[schedul]\nrays = 7", r"unknown setting schedul\.rays, the nearest.* schedule\.rays"),
            ("rays = 7", r"found the bare key rays, expected \[section\] tables"),
            ("preset = 'fast'", r"found the bare key preset"),
            ("[schedule\n", "not a TOML file"),
        ],
    )
    def test_an_error_names_file_and_key(self, tmp_path: Path, text: str, message: str) -> None:
        path = _toml(tmp_path, text)
        with pytest.raises(ConfigError, match=message) as caught:
            apply_file(_CONFIG, path)
        assert str(caught.value).startswith(f"{path}: ")

    def test_a_file_that_cannot_be_read_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "latin.toml").write_bytes(b"[schedule]\n# \xe4\n")
        for name, message in (
            ("none.toml", "cannot be read: No such file"),
            (".", "cannot be read: Is a directory"),
            ("latin.toml", "not a TOML file"),
        ):
            with pytest.raises(ConfigError, match=message):
                apply_file(_CONFIG, tmp_path / name)
