"""``landit``: every command and where it lives."""

from __future__ import annotations

from experiments.cli.console import Commands

landit = Commands(
    "landit",
    help="Choose landing pages, learn what works, and prove it.",
    homes={
        "serve": "dashboard.web_cli:serve_command",
        "user": "dashboard.web_cli:user_group",
        "key": "dashboard.web_cli:key_group",
        "bench": "dashboard.web_cli:bench_group",
        "demo": "dashboard.demo.command:demo",
        "migrate": "experiments.cli.experiments:migrate_command",
        "experiment": "experiments.cli.experiments:experiment_group",
        "relearn": "experiments.cli.experiments:relearn_command",
        "recount": "experiments.cli.experiments:recount_command",
        "plan": "experiments.cli.plan:plan_command",
        "evaluate": "experiments.cli.offline:evaluate_command",
        "replay": "experiments.cli.offline:replay_command",
        "simulate": "experiments.cli.offline:simulate_command",
        "export": "experiments.cli.offline:export_command",
    },
)
