"""``landit``: every command and where it lives."""

from __future__ import annotations

from experiments.console import Commands

landit = Commands(
    "landit",
    help="Choose landing pages, learn what works, and prove it.",
    homes={
        "serve": "dashboard.web_cli:serve_command",
        "user": "dashboard.web_cli:user_group",
        "key": "dashboard.web_cli:key_group",
        "bench": "dashboard.web_cli:bench_group",
        "demo": "dashboard.demo.command:demo",
        "migrate": "experiments.cli:migrate_command",
        "experiment": "experiments.cli:experiment_group",
        "relearn": "experiments.cli:relearn_command",
        "evaluate": "experiments.offline_cli:evaluate_command",
        "replay": "experiments.offline_cli:replay_command",
        "simulate": "experiments.offline_cli:simulate_command",
        "export": "experiments.offline_cli:export_command",
    },
)
