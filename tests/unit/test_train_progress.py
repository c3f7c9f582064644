"""How far a training is: lines, sentences, time left; its curves."""

import io

from PIL import Image

from minedisc_core.domain import RunState
from minedisc_core.jobs.train_progress import TrainLog, read_train_progress
from minedisc_core.learning.curves import training_curves
from minedisc_core.runs import PROGRESS, write_json

EPOCH = {"loss": 0.5, "accuracy": 0.75, "validation_loss": 0.6, "validation_accuracy": 0.7, "seconds": 30.0}


def begun(folder):
    write_json(folder / "request.json", {"kind": "training"})
    heard = []
    log = TrainLog(folder, heard.append)
    log.start(3, 10)
    return log, heard


def test_progress_counts_epochs_of_all_folds_and_guesses_the_time_that_is_left(tmp_path):
    log, heard = begun(tmp_path)
    log.unit(1, 0)
    log.epoch(1, EPOCH)
    log.epoch(2, EPOCH)
    found = heard[-1]
    assert (found.unit, found.epoch, found.epochs_done, found.units * found.epochs) == (1, 2, 2, 30)
    assert found.seconds_left == 28 * 30
    assert "fold 1 of 3, epoch 2 of 10" in found.sentence
    assert "14 min left" in found.sentence
    log.unit_done(1)  # stopped early: its other epochs count as done
    assert heard[-1].epochs_done == 10
    log.unit(2, 4)
    assert heard[-1].epochs_done == 14


def test_a_folder_nobody_works_on_tells_how_it_ended(tmp_path):
    log, _ = begun(tmp_path)
    log.unit(1, 0)
    log.epoch(1, EPOCH)
    with (tmp_path / PROGRESS).open("a") as file:
        file.write('{"kind": "epo')  # killed in the middle of a line
    found = read_train_progress(tmp_path)
    assert (found.state, found.can_resume, found.epochs_done) == (RunState.FAILED, True, 1)
    assert "interrupted" in found.message
    (tmp_path / "cancel").touch()
    assert read_train_progress(tmp_path).state is RunState.CANCELLED
    (tmp_path / "training.json").write_text("{}")
    assert read_train_progress(tmp_path).state is RunState.COMPLETE


def test_curves_are_a_picture_with_a_red_and_a_blue_line():
    rising = [{"accuracy": 0.5 + 0.04 * n, "validation_accuracy": 0.45 + 0.04 * n} for n in range(12)]
    picture = Image.open(io.BytesIO(training_curves("title", [rising, rising[:5]]))).convert("RGB")
    colours = {colour for _, colour in picture.getcolors(1 << 20)}
    assert any(r > 180 and g < 80 and b < 80 for r, g, b in colours)
    assert any(b > 170 and r < 80 and g < 110 for r, g, b in colours)


def test_curves_of_one_epoch_and_of_none_are_pictures_too():
    assert training_curves("one", [[{"accuracy": 1.0}]])[:4] == b"\x89PNG"
    assert training_curves("none", [[]])[:4] == b"\x89PNG"
