"""Choosing an engine and proving it, with engines of numpy in place of the libraries."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from minedisc_core.detection import engines, openvino_runtime
from minedisc_core.detection.cards import ModelCard
from minedisc_core.detection.engines import engines_for, first_that_agrees
from minedisc_core.detection.models import Model, load_model, save_model
from minedisc_core.detection.networks import tensor_shapes
from minedisc_core.detection.openvino_runtime import Threads
from minedisc_core.detection.probe import Answers, compared, probe_pixels
from minedisc_core.detection.refine import Doubt
from minedisc_core.domain import ProductLevel
from minedisc_core.engine_record import EngineRecord
from minedisc_core.errors import ModelError, RunError, UsageError
from minedisc_core.settings import load_settings

BANDS = ("B2", "B3", "B4")


def card(net: str, version: str = "1") -> ModelCard:
    classes = {"classes": ("high", "low", "no_ore")} if net == "impact" else {}
    return ModelCard("t", version, net, ProductLevel.L1C, BANDS, (1000.0,) * 3, (500.0,) * 3, **classes)


def tensors(net: str) -> dict[str, np.ndarray]:
    random = np.random.default_rng(3)
    return {name: random.normal(0, 0.05, shape).astype("f4") for name, shape in tensor_shapes(net, 3).items()}


@pytest.fixture
def model(tmp_path: Path) -> Model:
    folder = tmp_path / "model"
    save_model(folder, (card("discovery"), tensors("discovery")), (card("impact"), tensors("impact")))
    return load_model(folder, load_settings({}, tmp_path / "home"))


class BrightNet:
    """Scores follow the brightness of the 27 px blocks, over the whole of 0..1; off by `wrong`."""

    def __init__(self, wrong: Callable[[np.ndarray], np.ndarray]) -> None:
        self.wrong = wrong

    def trunk(self, dn: np.ndarray, _no_data: np.ndarray | None) -> np.ndarray:
        rows, cols = dn.shape[0] // 27, dn.shape[1] // 27
        blocks = dn[: rows * 27, : cols * 27].reshape(rows, 27, cols, 27, -1).mean(axis=(1, 3, 4))
        return blocks[..., None].astype(np.float32)

    def head(self, features: np.ndarray) -> np.ndarray:
        plain = 1 / (1 + np.exp(-(features[3:-3, 3:-3, 0] - 1000) / 80))
        return self.wrong(plain).astype(np.float32)


class EvenImpact:
    def __init__(self, shift: float = 0.0) -> None:
        self.shift = shift

    def probabilities(self, patches: np.ndarray) -> np.ndarray:
        return np.tile(np.array([0.2 + self.shift, 0.3, 0.5 - self.shift], np.float32), (len(patches), 1))


@dataclasses.dataclass
class Made:
    """An engine of numpy; counts how often its discovery net is made."""

    name: str = "made"
    allowed: float = 5e-3
    wrong: Callable[[np.ndarray], np.ndarray] = lambda scores: scores
    shift: float = 0.0
    exact: Made | None = None
    version: str = "1"
    breaks: bool = False
    made: int = 0

    @property
    def identity(self) -> tuple[str, ...]:
        return self.name, self.version, "a processor"

    def discovery(self, _card: ModelCard, _tensors: object) -> BrightNet:
        self.made += 1
        if self.breaks:
            raise RuntimeError("no memory")
        return BrightNet(self.wrong)

    def impact(self, _card: ModelCard, _tensors: object) -> EvenImpact:
        return EvenImpact(self.shift)


def reference() -> Made:
    return Made("tensorflow")


def logits_off(by: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda scores: 1 / (1 + (1 / scores - 1) * np.exp(-by))


def test_an_engine_that_agrees_is_used_and_its_difference_recorded(model: Model, tmp_path: Path) -> None:
    found = first_that_agrees(model, [Made(wrong=lambda s: s + 0.001)], reference(), tmp_path / "cache")
    assert (found.engine.name, found.engine.version, found.engine.refused) == ("made", "1", ())
    assert found.engine.largest_difference == pytest.approx(0.001, abs=1e-5)
    assert found.exact is None


@pytest.mark.parametrize(
    ("wrong", "shift"),
    [(lambda s: s + 0.01, 0.0), (lambda s: s * np.nan, 0.0), (lambda s: s[1:], 0.0), (lambda s: s, 0.1)],
)
def test_an_engine_that_was_tampered_with_is_refused_and_the_reference_used(
    wrong: Callable[[np.ndarray], np.ndarray], shift: float, model: Model, tmp_path: Path
) -> None:
    found = first_that_agrees(model, [Made(wrong=wrong, shift=shift)], reference(), tmp_path / "cache")
    assert (found.engine.name, found.engine.largest_difference) == ("tensorflow", None)
    assert "made was refused: its scores differ from TensorFlow's by up to" in found.engine.refused[0]


def test_the_next_engine_is_tried_after_one_that_is_refused_or_fails(model: Model, tmp_path: Path) -> None:
    candidates = [Made("broken", breaks=True), Made("off", wrong=lambda s: s + 0.1), Made("good")]
    found = first_that_agrees(model, candidates, reference(), tmp_path / "cache")
    assert found.engine.name == "good"
    assert [reason.split()[0] for reason in found.engine.refused] == ["broken", "off"]
    assert "no memory" in found.engine.refused[0]


def test_a_proof_is_kept_and_the_reference_is_not_needed_again(model: Model, tmp_path: Path) -> None:
    first_that_agrees(model, [Made()], reference(), tmp_path / "cache")
    again = reference()
    assert first_that_agrees(model, [Made()], again, tmp_path / "cache").engine.name == "made"
    assert again.made == 0


def test_a_refusal_is_kept_too_and_a_failure_is_not(model: Model, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first_that_agrees(model, [Made(wrong=lambda s: s + 0.1)], reference(), cache)
    found = first_that_agrees(model, [Made()], reference(), cache)
    assert found.engine.name == "tensorflow", "the name, version and processor are those that were refused"
    first_that_agrees(model, [Made("flaky", breaks=True)], reference(), cache)
    assert first_that_agrees(model, [Made("flaky")], reference(), cache).engine.name == "flaky"


def test_another_version_other_weights_or_another_reference_need_a_new_proof(model: Model, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first_that_agrees(model, [Made()], reference(), cache)
    save_model(tmp_path / "other", (card("discovery", version="2"), tensors("discovery")))
    other = load_model(tmp_path / "other", load_settings({}, tmp_path / "home"))
    for changed in ((model, Made(version="2"), reference()), (other, Made(), reference())):
        first_that_agrees(changed[0], [changed[1]], changed[2], cache)
        assert changed[2].made == 1
    newer = Made("tensorflow", version="2.99")
    first_that_agrees(model, [Made()], newer, cache)
    assert newer.made == 1


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"null", b'{"key": "x"}', b"\xff\xfe", None])
def test_a_damaged_cache_is_proved_anew_and_mended(damage: bytes | None, model: Model, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first_that_agrees(model, [Made()], reference(), cache)
    (kept,) = cache.glob("*.json")
    whole = json.loads(kept.read_text())
    if damage is None:
        kept.unlink()
        kept.mkdir()  # nothing can be kept there: the proof holds for this process only
    else:
        kept.write_bytes(damage)
    again = reference()
    assert first_that_agrees(model, [Made()], again, cache).engine.name == "made"
    assert again.made == 1
    assert damage is None or json.loads(kept.read_text()) == whole


def test_a_proof_under_a_wrong_name_is_no_proof(model: Model, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first_that_agrees(model, [Made(version="1")], reference(), cache)
    (kept,) = cache.glob("*.json")
    bad = Made(version="2", wrong=lambda s: s + 0.5)
    first_that_agrees(model, [bad], reference(), cache)
    (other,) = (path for path in cache.glob("*.json") if path != kept)
    other.write_bytes(kept.read_bytes())
    assert first_that_agrees(model, [bad], reference(), cache).engine.name == "tensorflow"


def test_a_rounding_engine_is_used_with_an_exact_one_for_cells_near_the_threshold(model: Model, tmp_path: Path) -> None:
    rounding = Made("rounding", wrong=logits_off(0.01), exact=Made("exact"))
    found = first_that_agrees(model, [rounding], reference(), tmp_path / "cache")
    assert found.engine.name == "rounding"
    assert 0 < found.engine.largest_difference <= 5e-3
    assert found.exact is not None
    assert found.exact.doubt == Doubt(0.01)
    again = first_that_agrees(model, [rounding], reference(), tmp_path / "cache")
    assert again.exact is not None
    assert again.exact.doubt == found.exact.doubt


def test_where_rounding_shows_the_next_engine_scores(model: Model, tmp_path: Path) -> None:
    candidates = [Made("rounding", wrong=logits_off(0.1), exact=Made("exact")), Made("exact")]
    found = first_that_agrees(model, candidates, reference(), tmp_path / "cache")
    assert (found.engine.name, found.exact) == ("exact", None)
    assert found.engine.refused[0].startswith(
        "rounding was refused: its scores differ from TensorFlow's by up to 0.025"
    )


def test_broken_weights_are_no_reason_to_fall_back(model: Model, tmp_path: Path) -> None:
    path = model.folder / "discovery.safetensors"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ModelError, match=r"discovery\.safetensors"):
        first_that_agrees(model, [Made()], reference(), tmp_path / "cache")


def test_a_hit_that_changes_outside_the_margin_counts_and_one_inside_it_does_not() -> None:
    reference = Answers(np.array([[0.605, 0.597]], "f4"), np.zeros((0, 3), "f4"))
    found = Answers(np.array([[0.599, 0.601]], "f4"), np.zeros((0, 3), "f4"))
    assert compared(found, reference, 0.6, 0.0045).changed_hits == 1
    inside = compared(found, reference, 0.6, 0.0065)
    assert (inside.changed_hits, inside.holds) == (0, True)


def test_doubt_covers_scores_on_both_sides_of_the_threshold() -> None:
    scores = np.array([np.nan, 0, 0.594, 0.596, 0.604, 0.606, 1], "f4")
    assert Doubt(0.005).of(scores, 0.6).tolist() == [False, False, False, True, True, False, False]


def test_the_probe_is_always_the_same_and_has_gaps_for_any_number_of_bands() -> None:
    for bands in (3, 12):
        given = dataclasses.replace(
            card("discovery"), bands=tuple(f"b{k}" for k in range(bands)), mean=(900.0,) * bands, std=(300.0,) * bands
        )
        first, second = probe_pixels(given), probe_pixels(given)
        assert (first == second).all()
        assert first.shape == (675, 735, bands)
        assert 0.01 < (first.min(axis=-1) == 0).mean() < 0.1


def test_without_openvino_the_reference_scores_and_the_reason_is_recorded(
    monkeypatch: pytest.MonkeyPatch, model: Model, tmp_path: Path
) -> None:
    monkeypatch.setattr(openvino_runtime, "is_installed", lambda: False)
    candidates, refused = engines_for("auto", Threads())
    assert (candidates, refused) == ([], ("OpenVINO is not installed",))
    found = first_that_agrees(model, candidates, reference(), tmp_path, refused=refused)
    assert found.engine == EngineRecord("tensorflow", "1", "a processor", None, refused)


@pytest.mark.parametrize(
    ("asked", "has_bf16", "names"),
    [
        ("auto", True, ["openvino-bf16", "openvino"]),
        ("auto", False, ["openvino"]),
        ("openvino", True, ["openvino"]),
        ("openvino-bf16", True, ["openvino-bf16"]),
        ("openvino-bf16", False, []),
        ("tensorflow", True, []),
    ],
)
def test_what_is_tried_follows_from_the_setting_and_the_processor(
    asked: str, has_bf16: bool, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openvino_runtime, "is_installed", lambda: True)
    monkeypatch.setattr(openvino_runtime, "has_bf16", lambda: has_bf16)
    candidates, refused = engines_for(asked, Threads())
    assert [engine.name for engine in candidates] == names
    assert refused == (
        ("this processor does not multiply in bfloat16",) if asked == "openvino-bf16" and not names else ()
    )


def test_an_openvino_that_does_not_start_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> bool:
        raise RuntimeError("no such plug-in")

    monkeypatch.setattr(openvino_runtime, "is_installed", lambda: True)
    monkeypatch.setattr(openvino_runtime, "has_bf16", fails)
    assert engines_for("auto", Threads()) == ([], ("OpenVINO does not work here: no such plug-in",))


def test_an_unknown_engine_is_refused_by_the_settings(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the engine is 'onnx'"):
        load_settings({"MINEDISC_ENGINE": "onnx"}, tmp_path)
    assert load_settings({"MINEDISC_ENGINE": " openvino "}, tmp_path).engine == "openvino"
    assert load_settings({"MINEDISC_ENGINE": ""}, tmp_path).engine == "auto"


def test_openvino_is_imported_without_the_module_that_reports_it(tmp_path: Path) -> None:
    code = (
        "import sys; from minedisc_core.detection.openvino_runtime import openvino; openvino();"
        "print([name for name in sys.modules if name.split('.')[0] in ('openvino_telemetry', 'tensorflow', 'keras')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env={"HOME": str(tmp_path), "PATH": "", "PYTHONPATH": str(Path(engines.__file__).parents[2])},
    )  # fmt: skip
    assert done.stdout.strip() == "[]"
    assert list(tmp_path.iterdir()) == [], "its import leaves an identity behind in the home folder"


def test_a_run_says_which_engine_scored_it_and_older_runs_say_tensorflow(
    write_run: Callable[..., Path],
) -> None:
    from minedisc_core.runs import RESULT, read_summary

    record = EngineRecord("openvino", "2026.4", "cpu", 1e-7, ("openvino-bf16 was refused",), 7)
    folder = write_run([], engine=record)
    assert read_summary(folder).engine == record
    content = json.loads((folder / RESULT).read_text())
    del content["engine"]
    (folder / RESULT).write_text(json.dumps(content))
    assert read_summary(folder).engine == EngineRecord()
    (folder / RESULT).write_text(json.dumps({**content, "engine": {"nonsense": 1}}))
    with pytest.raises(RunError, match="not a run's summary"):
        read_summary(folder)
