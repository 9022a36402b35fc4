#!/usr/bin/env python3
"""FERPlus Tuner: hyperparameter search for facial-expression models on FER+.

The commands by name. Each has a file in search/commands; what a command does is in the folder it imports, and it imports
nothing heavy before it must.
"""

from __future__ import annotations

import sys

from search import __version__
from search.commands import (
    check,
    command_line,
    completion,
    dashboard,
    demo,
    enqueue,
    evaluate,
    export,
    predict,
    prepare,
    report,
    retrain,
    search,
    status,
    worker,
)
from search.commands.command_line import Command
from search.commands.study_options import Reports

ABOUT = """Hyperparameter search for facial-expression models on FER+.

Without a command: search. Without any argument: a search on generated faces, in a few minutes on two CPU cores."""


def reports() -> Reports:
    """Return what writes reports. They are above the search, which therefore is handed them, and take seconds to import."""
    from reports.reporting import StudyReports

    return StudyReports()


def commands() -> dict[str, Command]:
    """Return all of them, for the command that completes them."""
    return COMMANDS


COMMANDS = {
    "search": Command(search.SearchOptions, search.run, search.EXAMPLES, reports),
    "worker": Command(worker.WorkerOptions, worker.run, worker.EXAMPLES),
    "enqueue": Command(enqueue.EnqueueOptions, enqueue.run, enqueue.EXAMPLES),
    "retrain": Command(retrain.RetrainOptions, retrain.run, retrain.EXAMPLES, reports),
    "report": Command(report.ReportOptions, report.run, report.EXAMPLES, reports),
    "export": Command(export.ExportOptions, export.run, export.EXAMPLES),
    "evaluate": Command(evaluate.EvaluateOptions, evaluate.run, evaluate.EXAMPLES),
    "predict": Command(predict.PredictOptions, predict.run, predict.EXAMPLES),
    "demo": Command(demo.DemoOptions, demo.run, demo.EXAMPLES),
    "status": Command(status.StatusOptions, status.run, status.EXAMPLES),
    "check": Command(check.SearchOptions, check.run, check.EXAMPLES),
    "prepare": Command(prepare.PrepareOptions, prepare.run, prepare.EXAMPLES),
    "dashboard": Command(dashboard.DashboardOptions, dashboard.run, dashboard.EXAMPLES),
    "completion": Command(completion.CompletionOptions, completion.run, completion.EXAMPLES, commands),
}


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    return command_line.main(COMMANDS, ABOUT, __version__, sys.argv[1:] if arguments is None else arguments)


if __name__ == "__main__":
    sys.exit(main())
