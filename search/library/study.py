"""A study to look at and to go on with, as the commands do it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ferplus_data.console import say
from search.commands.study_options import StorageOptions, progress_of, start
from search.study.run_directory import RunDirectory

if TYPE_CHECKING:
    import keras
    import keras_tuner
    import pandas as pd

    from models.serving.export import Exported
    from models.serving.prediction import Prediction
    from reports.notebook import Figures, Report
    from search.study.view import StudyView, TrialRecord

FORMATS = ("keras", "onnx", "saved_model", "litert")
"""What `Study.export` writes, if nothing else is asked for."""


class Study:
    """A study, finished or running. Everything is read when it is asked for.

    Attributes:
        run: Its directory.
        storage: Its URL, None for the SQLite file in the directory.

    Example:
        >>> study = Study.open("runs/first")
        >>> study.name, len(study.view.trials)
        ('first', 2)
    """

    def __init__(self, run: RunDirectory, storage: str | None = None) -> None:
        self.run, self.storage = run, storage

    @classmethod
    def open(cls, folder: str | Path, storage: str | None = None) -> Study:
        """Return the study in `folder`, such as runs/demo.

        Args:
            folder: The run directory.
            storage: The study's URL, if it is not the SQLite file there; by default what FERPLUS_STORAGE says.

        Raises:
            InputError: There is no study.

        Example:
            >>> Study.open("runs/first").metrics["trial"] in (0, 1)
            True
        """
        path = Path(folder)
        options = StorageOptions(study=path.resolve().name, runs_dir=path.resolve().parent, storage=storage)
        run = RunDirectory(path)
        run.read_config()
        return cls(run, options.storage)

    def __repr__(self) -> str:
        return f"Study.open({str(self.run.path)!r})"

    @property
    def name(self) -> str:
        """The study's name."""
        return self.run.study

    @property
    def view(self) -> StudyView:
        """All that is known of the study now, as the report reads it.

        >>> study.view.finished, study.view.objective_name
        (True, 'accuracy')
        """
        from search.study.view import read_study

        return read_study(self.run, self.storage)

    @property
    def metrics(self) -> dict[str, Any] | None:
        """The content of best/metrics.json; None before the retraining.

        >>> 0 <= study.metrics["val_accuracy"] <= 1
        True
        """
        return self.view.metrics

    @property
    def figures(self) -> Figures:
        """The report's figures by name, each drawn when it is asked for.

        >>> study.figures["learning_curves"].layout.yaxis.title.text
        'validation accuracy'
        """
        from reports.notebook import Figures

        return Figures(self.view)

    @property
    def model(self) -> keras.Model:
        """The retrained best model, which takes raw faces, uint8 [B, 48, 48, 1], and gives float32 probabilities [B, 8].

        >>> study.model.output_shape
        (None, 8)
        """
        from models.serving.model_files import load_model

        return load_model(self.run.best_model)

    def results_summary(self, num_trials: int = 10) -> None:
        """Print the study's state and its best trials.

        >>> study.results_summary(num_trials=1)
        study first: 2 of 2 trials...
        """
        from search.console.status import status_table
        from search.console.tables import show

        show(status_table(self.view, top=num_trials))

    def get_best_trials(self, num_trials: int = 1) -> list[TrialRecord]:
        """Return the trials with the best scores, the best first: complete and resting ones, then those that were stopped.

        >>> [trial.number for trial in study.get_best_trials(2)] in ([0, 1], [1, 0])
        True
        """
        from search.study.view import by_merit

        return by_merit(self.view.trials)[:num_trials]

    def get_best_hyperparameters(self, num_trials: int = 1) -> list[keras_tuner.HyperParameters]:
        """Return the hyperparameters of the best trials, with the space they are from.

        >>> study.get_best_hyperparameters()[0].get("backbone")
        'small_vgg'
        """
        from search.oracles.space.search_space import declared
        from search.setup import space_model
        from search.study.config import read_arguments

        space = declared(space_model(read_arguments(self.run)))
        found = []
        for trial in self.get_best_trials(num_trials):
            hyperparameters = space.copy()
            hyperparameters.values = dict(trial.hyperparameters)
            found.append(hyperparameters)
        return found

    def get_best_models(self, num_models: int = 1) -> list[keras.Model]:
        """Return the networks of the best trials with the weights of their best epochs. `model` is the retrained one.

        Raises:
            InputError: A trial's weights are not here.

        Example:
            >>> study.get_best_models()[0].input_shape
            (None, 48, 48, 1)
        """
        from search.results.trial_models import load_trial_model
        from search.study.config import read_arguments

        arguments = read_arguments(self.run)
        return [load_trial_model(trial, arguments) for trial in self.get_best_trials(num_models)]

    def trials_dataframe(self) -> pd.DataFrame:
        """Return a row for each trial: number, state, score, epochs, started, ended, seconds, worker, error, and a column for
        each hyperparameter.

        >>> study.trials_dataframe()["number"].tolist()
        [0, 1]
        """
        import pandas as pd

        from reports.writers.tables import TRIAL_COLUMNS, trial_row

        trials = self.view.trials
        rows = [trial_row(trial) | trial.hyperparameters for trial in trials]
        names = dict.fromkeys(name for trial in trials for name in trial.hyperparameters)
        return pd.DataFrame(rows, columns=[*TRIAL_COLUMNS, *names])

    def report(self, format: str = "html") -> Report:
        """Write the report now, in a format of `report --format`, and return it; a notebook shows the page.

        >>> study.report().path.name
        'report.html'
        """
        from reports.notebook import Report
        from reports.reporting import StudyReports

        return Report(StudyReports().write(self.run, self.storage, format))

    def retrain(
        self,
        *,
        trial: int | None = None,
        finalists: int | None = None,
        epochs: int | None = None,
        seeds: int | None = None,
        test: bool = False,
    ) -> dict[str, Any]:
        """Retrain the best trials, or number `trial` alone; return best/metrics.json. `test` has the test labels looked at.

        >>> metrics = study.retrain(trial=1, epochs=1)
        retraining trial 1 on the whole training split, up to 1 epochs...
        >>> metrics["trial"], metrics["test_accuracy"]
        (1, None)
        """
        from search.launch import retrain_again

        options = StorageOptions()
        start(options)
        with progress_of(options) as progress:
            return retrain_again(
                self.run,
                storage=self.storage,
                trial=trial,
                finalists=finalists,
                epochs=epochs,
                seeds=seeds,
                test=test,
                progress=progress,
            )

    def export(
        self,
        formats: Iterable[str] = FORMATS,
        *,
        folder: str | Path | None = None,
        precision: str = "float32",
        data: str | None = None,
    ) -> Exported:
        """Export the best model as the command `export` does, each format proven equal to it.

        >>> [path.name for path in study.export(["keras"]).paths][0]
        'model.keras'
        """
        from search.results.export import export_study

        place = self.run.path / "export" if folder is None else Path(folder)
        return export_study(self.run, list(formats), place, precision=precision, data=data, say=say)

    def predict(self, images: str | Path | Iterable[str | Path]) -> list[Prediction]:
        """Return what the best model says of pictures, or folders of them, of one face each.

        >>> [prediction.path.name for prediction in study.predict("FACE.png")]
        ['FACE.png']
        """
        from models.serving.prediction import find_images, predict, read_face
        from models.serving.runtimes import open_classifier

        paths = [images] if isinstance(images, str | Path) else images
        faces = [read_face(path) for path in find_images(map(Path, paths))]
        return list(predict(open_classifier(self.run.best_model), faces))

    def enqueue(self, values: Mapping[str, Any]) -> int:
        """Queue the configuration with `values`, the next that a worker begins; return its trial's number.

        >>> study.enqueue({"dropout": 0.4})
        2
        """
        from search.queueing import enqueue

        return enqueue(self.run, values, storage=self.storage)
