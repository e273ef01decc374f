"""The command line of `saewidgets.pretrain`."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import torch

import saewidgets.pretrain
from saewidgets.miniworld import CLAMPS_FILE, MODEL_FOLDER, SAES_FOLDER
from saewidgets.pretrain.chat.command import add_parser


def main(arguments: list[str] | None = None) -> None:
    """Run one of the jobs."""
    parser = argparse.ArgumentParser(
        prog="python -m saewidgets.pretrain",
        description=saewidgets.pretrain.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    jobs = parser.add_subparsers(dest="job", required=True)

    tokenizer = jobs.add_parser("tokenizer", help="fit the tokenizer on mini-world text")
    tokenizer.add_argument("--out", type=Path, default=MODEL_FOLDER)
    model = jobs.add_parser("model", help="train the language model; a run found in --out is resumed")
    model.add_argument("--out", type=Path, required=True)
    model.add_argument("--minutes", type=float, default=math.inf, help="stop after so many minutes, resumable")
    saes = jobs.add_parser("saes", help="train the SAEs on the bundled model")
    saes.add_argument("--out", type=Path, default=SAES_FOLDER)
    saes.add_argument("--only", nargs="+", metavar="NAME", help="train these alone, such as miniworld-512")
    clamps = jobs.add_parser("clamps", help="measure which clamp makes the model speak as each concept")
    clamps.add_argument("--out", type=Path, default=CLAMPS_FILE)
    clamps.add_argument("--saes", nargs="+", default=["miniworld-2048", "miniworld-512", "miniworld-1024-roles"])

    report = jobs.add_parser("report", help="measure all of it and write docs/measured.md")
    report.add_argument("--out", type=Path, default=Path("docs/measured.md"))

    add_parser(jobs)

    chosen = parser.parse_args(arguments)
    torch.set_num_threads(chosen.threads)
    if chosen.job == "chat":
        chosen.run(chosen)
    elif chosen.job == "tokenizer":
        from saewidgets.pretrain.model import make_tokenizer

        make_tokenizer(chosen.out)
    elif chosen.job == "model":
        from saewidgets.pretrain.model import STAGES, held_out_loss, pretrain

        before = None
        for i, stage in enumerate(STAGES):
            folder = chosen.out / f"stage-{i}"
            trained = pretrain(stage, folder, begin_from=before, minutes=chosen.minutes)
            before = folder
        print(f"held-out loss {held_out_loss(trained):.4f} nats per token")
    elif chosen.job == "saes":
        from saewidgets.pretrain.saes import make_saes

        make_saes(chosen.out, chosen.only)
    elif chosen.job == "report":
        from saewidgets.pretrain.report import make_report

        make_report(chosen.out)
    else:
        from saewidgets.pretrain.clamps import make_clamps

        make_clamps(chosen.out, chosen.saes)


if __name__ == "__main__":
    main()
