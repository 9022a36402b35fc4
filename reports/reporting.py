"""Reports as the commands ask for them: once, in a format, or again and again while a study runs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from reports import WRITERS, output
from reports.html.live import LiveReport, watch
from reports.html.page import check_place
from search.console.progress import Progress
from search.preflight import has_chief
from search.study.run_directory import RunDirectory
from search.study.view import read_study


class StudyReports:
    """What `search.commands.study_options.Reports` asks for."""

    @contextlib.contextmanager
    def live(self, run: RunDirectory, storage: str | None, progress: Progress) -> Iterator[None]:
        """Have the report written now and then while the block runs, and once more if it ends early. The study of a worker of
        Keras Tuner's chief is the chief's to report."""
        if has_chief():
            yield
            return
        check_place(run.report)
        progress.on_line = report = LiveReport(lambda: read_study(run, storage), run.report)
        try:
            yield
        except BaseException:
            report.end()
            raise

    def write(self, run: RunDirectory, storage: str | None, form: str = "html") -> Path:
        """Write the report of the study in the format `form`, a name in `reports.WRITERS`; return where it is."""
        return WRITERS[form](read_study(run, storage), output(run.report, form))

    def watch(self, run: RunDirectory, storage: str | None, every: float) -> Path:
        """Write the report every `every` seconds until the study is finished; return where it is."""
        watch(lambda: read_study(run, storage), run.report, every=every)
        return run.report
