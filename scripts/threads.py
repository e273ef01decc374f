"""A real kernel: a worker writes clamped texts while cells call TransformerLens's own functions, 400 times each.

    python3 scripts/threads.py                      # both backends, 400 calls of each kind
    python3 scripts/threads.py --calls 40 --backend bridge

It prints, for each kind of call, how many of a cell's answers were not what they are when nothing else runs, and how
many of the worker's texts had other bits. All must be 0; otherwise it ends with 1. It takes some minutes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from jupyter_client.manager import start_new_kernel

PREPARE = """
import threading, time, warnings
warnings.simplefilter("ignore")
import torch
import saewidgets as sw

model, sae = sw.load_model(backend={backend!r}), sw.load_sae()
steer, site, N = sw.Steerer(model, sae), sae.config.site.hook_name, {calls}
ids = [model.tokens(p)[None] for p in ("The owl sat in", "El perro corre")]
torch.set_grad_enabled(False)

def written():
    return [(t.id, t.logprob) for t in steer("A ship passes", [sw.Clamp(31, 9.0)], n_tokens=8, seed=2)]

class Writer:
    def __init__(self):
        self.right, self.texts, self.wrong, self.error, self.stop = written(), 0, 0, None, False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
    def run(self):
        try:
            while not self.stop:
                self.wrong += written() != self.right
                self.texts += 1
        except BaseException as error:
            self.error = error

def cached(x):
    logits, cache = model.hooked.run_with_cache(x)
    return [logits, cache[site]]

def hooked(x):
    return [model.hooked.run_with_hooks(x, fwd_hooks=[(site, lambda v, hook: v * 0 + 3.0)])]

def held(x):
    with model.hooked.hooks(fwd_hooks=[(site, lambda v, hook: v * 0 + 3.0)]):
        return [model.hooked(x), model.logits(x)]

def added(x):
    kept = []
    model.hooked.add_hook(site, lambda v, hook: kept.append(v.clone()))
    found = model.hooked(x)
    model.hooked.reset_hooks()
    return [found, *kept]

def plain(x):
    return [model.hooked(x)]

wants = {{call: [call(x) for x in ids] for call in (cached, hooked, held, added, plain)}}
writer = Writer()
"""

CELL = """
wrong, before, end = 0, writer.texts, time.monotonic() + 60
for i in range(N):
    found, want = {call}(ids[i % 2]), wants[{call}][i % 2]
    wrong += len(found) != len(want) or not all(map(torch.equal, found, want))
while writer.texts == before and time.monotonic() < end:
    time.sleep(0.01)
print("{call}", N, wrong, writer.texts - before)
"""

CALLS = ("cached", "hooked", "held", "added", "plain")


def run(backends: Sequence[str], calls: int, patience: float = 1800.0) -> bool:
    """Whether nothing was wrong, either way, with any of these backends, one after the other in one kernel."""
    manager, client = start_new_kernel(kernel_name="python3")

    def printed(source: str) -> str:
        text: list[str] = []

        def hear(message: dict) -> None:
            content = message["content"]
            if message["msg_type"] == "stream" and content["name"] == "stdout":
                text.append(content["text"])
            elif message["msg_type"] == "error":
                raise RuntimeError("\n".join(content["traceback"]))

        client.execute_interactive(source, timeout=patience, output_hook=hear)
        return "".join(text)

    good = True
    try:
        for backend in backends:
            printed(PREPARE.format(backend=backend, calls=calls))
            for call in CALLS:
                name, n, wrong, texts = printed(CELL.format(call=call)).split()
                print(f"{backend:7} {name:7} {wrong} of {n} answers wrong, beside {texts} texts", flush=True)
                good &= wrong == "0" and int(texts) > 0
            texts, wrong, error = printed(
                "writer.stop = True; writer.thread.join(60); print(writer.texts, writer.wrong, writer.error)"
            ).split(maxsplit=2)
            print(f"{backend:7} texts   {wrong} of {texts} with other bits; error: {error.strip()}", flush=True)
            good &= wrong == "0" and int(texts) > 0 and error.strip() == "None"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    return good


def main() -> int:
    """1 where anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=400)
    parser.add_argument("--backend", choices=("hooked", "bridge"), action="append")
    asked = parser.parse_args()
    return 0 if run(asked.backend or ("hooked", "bridge"), asked.calls) else 1


if __name__ == "__main__":
    sys.exit(main())
