"""How fast things go on a real chat model, SmolLM2-135M-Instruct in bfloat16, against plain transformers and the memory.

    OMP_NUM_THREADS=1 python benchmarks/real_model.py [JOB ...] [--sae FOLDER] [--texts FILE] [--rounds 5]

Jobs: text, first, seeds, harvest, measured, page, quality, probe, families; without one all of them. Both sides of a
comparison run in turns in one process on one thread; what is told is the median, the least, and the median of the
ratios within a round, in processor time. "read" is one thread that adds up the same bytes, a word at a time: no pass
over one token can be under it. "products" are torch's matrix products of such a pass and nothing else. All greedy texts
are checked to be the same, or to part where two tokens are as good as tied.

--sae is a folder that `SAE.load` reads, trained at block 12 of this model; without one a random TopK SAE of 8,192
features stands in, under which a clamp means nothing and costs the same. --texts is a JSON-lines file with "text" in
each line; without one Python's help texts are read. What each call takes in memory: benchmarks/memory.py.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from every_call import documents
from steering import race

import saewidgets as sw

HOOK, LAYER = "blocks.12.hook_resid_post", 12
QUESTION = "What are you, and what do you do?"
N_TOKENS, SEEDS = 24, 20

Run = Callable[[], Any]


def read_bytes(tensors: list[torch.Tensor]) -> Run:
    """One thread adds up everything that lies in some tensors."""
    import numba

    @numba.njit(nogil=True, fastmath=True)
    def total(words):  # type: ignore[no-untyped-def]
        found = 0
        for i in range(len(words)):
            found += words[i]
        return found

    pieces = [t.detach().reshape(-1).view(torch.int64).numpy() for t in tensors]
    return lambda: [total(piece) for piece in pieces]


class Bench:
    """The model in both libraries, an SAE, texts and what is read of them, each made when it is asked for."""

    def __init__(self, args: argparse.Namespace) -> None:
        from transformers import AutoModelForCausalLM

        from saewidgets.models import fetch_smollm2

        self.rounds, self.known = args.rounds, dict[str, Any]()
        self.model = sw.load_model("smollm2", dtype="bfloat16")
        self.theirs = AutoModelForCausalLM.from_pretrained(fetch_smollm2(), dtype=torch.bfloat16).eval()
        site = sw.site(self.model, HOOK)
        self.sae = (
            sw.SAE.load(args.sae)
            if args.sae
            else sw.SAE(sw.SAEConfig(self.model.d_model, 8192, "topk", k=32, site=site))
        ).requires_grad_(False)
        self.texts = texts(args.texts)
        self.prompt = self.model.chat(QUESTION)
        self.ids = self.model.tokens(self.prompt)
        self.steer = sw.Steerer(self.model, self.sae)

    def get(self, name: str, make: Callable[[], Any]) -> Any:
        if name not in self.known:
            self.known[name] = make()
        return self.known[name]

    @property
    def acts(self) -> Any:
        return self.get("acts", lambda: sw.feature_activations(self.model, self.sae, self.texts[:60]))

    @property
    def alive(self) -> list[int]:
        """Eight live features, the first of them the one that is clamped."""
        return self.get(
            "alive", lambda: list(dict.fromkeys(sw.steering.random_live_feature(self.acts, s) for s in range(40)))[:8]
        )

    def data(self) -> Any:
        return sw.dashboard_data(self.model, self.sae, self.acts, features=self.alive)

    def clamp(self, share: float = 1.0) -> list[sw.Clamp]:
        maximum = self.get("maximum", lambda: self.data()[self.alive[0]].maximum)
        return [sw.Clamp(self.alive[0], share * maximum)]


def texts(path: str | None) -> list[str]:
    if path:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
        return [json.loads(line)["text"] for line in lines]
    return documents()


def text(bench: Bench) -> None:
    """One text, without and with a clamp, beside transformers' and what the memory allows."""
    ids = bench.ids[None]

    def transformers() -> list[int]:
        with torch.no_grad():
            out = bench.theirs.generate(
                ids, attention_mask=torch.ones_like(ids), max_new_tokens=N_TOKENS, min_new_tokens=N_TOKENS,
                do_sample=False, pad_token_id=0,
            )  # fmt: skip
        return out[0, ids.shape[1] :].tolist()

    def ours(clamps: list[Any], kl: bool) -> list[int]:
        return [t.id for t in bench.steer(bench.prompt, clamps, n_tokens=N_TOKENS, temperature=0, kl=kl)]

    matrices = [p for p in bench.theirs.parameters() if p.ndim == 2]
    inputs = {n: torch.randn(1, n).bfloat16() for n in {m.shape[1] for m in matrices}}

    def products() -> None:
        for _ in range(N_TOKENS):
            for m in matrices:
                F.linear(inputs[m.shape[1]], m)

    found, expected = ours([], False), transformers()
    same = next((i for i, (a, b) in enumerate(zip(found, expected, strict=False)) if a != b), N_TOKENS)
    print(f"\nprompt of {ids.shape[1]} tokens; the first {same} of {N_TOKENS} greedy tokens are transformers'")
    read = read_bytes(matrices)
    clamp = bench.clamp()
    race("text", {
        "plain": lambda: ours([], False),
        "clamped": lambda: ours(clamp, False),
        "clamped, with KL": lambda: ours(clamp, True),
        "transformers' generate": transformers,
        "products by torch": products,
        "read": lambda: [read() for _ in range(N_TOKENS)],
    }, bench.rounds, unit=(N_TOKENS, "tok/s"))  # fmt: skip


def first(bench: Bench) -> None:
    """The first token after a slider moved: the prompt is known, the value is new each time."""
    shares = iter(range(1, 10_000))

    def ours(kl: bool) -> None:
        for _ in bench.steer(bench.prompt, bench.clamp(0.5 + next(shares) / 1000), n_tokens=1, temperature=0, kl=kl):
            pass

    def transformers() -> None:
        feature, value, sae = bench.alive[0], bench.clamp()[0].value, bench.sae

        def hook(module: Any, inputs: Any, output: Any) -> Any:
            x = output[0] if isinstance(output, tuple) else output
            a = sae.encode(x.float())
            error = x.float() - sae.decode(a)
            a[..., feature] = value
            edited = (sae.decode(a) + error).to(x.dtype)
            return (edited, *output[1:]) if isinstance(output, tuple) else edited

        handle = bench.theirs.model.layers[LAYER].register_forward_hook(hook)
        try:
            with torch.no_grad():
                bench.theirs(bench.ids[None])
        finally:
            handle.remove()

    race(f"first token after a slider move, prompt of {len(bench.ids)} tokens", {
        "with KL": lambda: ours(True), "without": lambda: ours(False), "transformers, one pass": transformers,
    }, 3 * bench.rounds)  # fmt: skip


def seeds(bench: Bench) -> None:
    """Twenty texts at once."""
    n = 2 * N_TOKENS

    def ours() -> None:
        bench.model.sample(bench.ids, n_tokens=n, temperature=0.7, seeds=range(SEEDS))

    def transformers() -> None:
        with torch.no_grad():
            bench.theirs.generate(
                bench.ids[None], attention_mask=torch.ones_like(bench.ids[None]), max_new_tokens=n, min_new_tokens=n,
                do_sample=True, temperature=0.7, num_return_sequences=SEEDS, pad_token_id=0,
            )  # fmt: skip

    made = sum(map(len, bench.model.sample(bench.ids, n_tokens=n, temperature=0.7, seeds=range(SEEDS))))
    print(f"\n{SEEDS} seeds write {made} tokens of {SEEDS * n} (some end their turn)")
    race(
        f"{SEEDS} seeds at once",
        {"ours": ours, "transformers' generate": transformers},
        bench.rounds,
        unit=(made, "tok/s"),
    )


def harvest(bench: Bench) -> None:
    """Activations of texts at block 12, sixteen rows of 128 tokens at a time."""
    ids = torch.cat([bench.model.tokens(t) for t in bench.texts[:60]])[: 2 * 16 * 128].view(-1, 16, 128)
    from transformers import AutoModel

    short = AutoModel.from_pretrained(
        bench.theirs.name_or_path, dtype=torch.bfloat16, num_hidden_layers=LAYER + 1
    ).eval()
    short.norm = torch.nn.Identity()

    def ours() -> torch.Tensor:
        for batch in ids:
            found = bench.model.fast_activations(batch, HOOK)
            found = bench.model.activations(batch, HOOK) if found is None else found
        return found

    def transformers() -> torch.Tensor:
        with torch.no_grad():
            for batch in ids:
                found = short(batch, use_cache=False).last_hidden_state
        return found

    found, expected = ours().float(), transformers().float()
    error = float(((found - expected).norm(dim=-1) / expected.norm(dim=-1)).median())
    print(f"\nharvest: the median token differs by {error:.1e} of its norm from transformers'")
    race(
        "harvest at block 12",
        {"ours": ours, "transformers' first 13 layers": transformers},
        bench.rounds,
        unit=(ids.numel(), "tok/s"),
    )


def measured(bench: Bench) -> None:
    """One feature's effects."""
    race("data.measured(feature)", {"ours": lambda: bench.data().measured(bench.alive[0])}, max(1, bench.rounds // 2))


def page(bench: Bench) -> None:
    """A page of eight features, with their effects."""

    def ours() -> None:
        with tempfile.TemporaryDirectory() as folder:
            sw.FeatureDashboard(bench.data()).to_html(Path(folder) / "page.html")

    race("page of 8 features", {"ours": ours}, 1)


def quality(bench: Bench) -> None:
    """`quality` on about 5,500 tokens."""
    chosen, n = list[str](), 0
    for own in bench.texts[60:]:
        if n >= 5500:
            break
        chosen.append(own)
        n += len(bench.model.tokens(own))
    race(
        f"quality, {n} tokens",
        {"ours": lambda: sw.quality(bench.model, bench.sae, chosen)},
        max(1, bench.rounds // 2),
        unit=(n, "tok/s"),
    )


def probe(bench: Bench) -> None:
    """A sentence read with the features' effects on a next token."""
    found = sw.prober(bench.model, bench.sae, bench.acts)
    spots = iter(range(10_000))
    race("probe with a target", {
        "ours": lambda: found(f"The old bridge {next(spots)} stands in the fog above the bay.", target=" It", baseline=" The"),
    }, bench.rounds)  # fmt: skip


def families(bench: Any) -> None:
    """Small models of other families with random weights: a greedy text beside transformers'."""
    import transformers as hf

    common = {
        "vocab_size": 8192, "hidden_size": 256, "intermediate_size": 704, "num_hidden_layers": 6, "num_attention_heads": 8,
        "num_key_value_heads": 4, "max_position_embeddings": 256, "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0,
        "head_dim": 32,
    }  # fmt: skip
    for name, config in {
        "llama": hf.LlamaConfig, "qwen2": hf.Qwen2Config, "qwen3": hf.Qwen3Config, "gemma2": hf.Gemma2Config,
        "gemma3": hf.Gemma3TextConfig, "phi3": hf.Phi3Config, "olmo2": hf.Olmo2Config, "neox": hf.GPTNeoXConfig,
    }.items():  # fmt: skip
        own = {k: v for k, v in common.items() if name != "neox" or k not in ("num_key_value_heads", "head_dim")}
        with tempfile.TemporaryDirectory() as folder, torch.random.fork_rng():
            torch.manual_seed(0)
            theirs = hf.AutoModelForCausalLM.from_config(config(**own), dtype=torch.bfloat16).eval()
            theirs.save_pretrained(folder)
            model = sw.load_model(folder, dtype="bfloat16", tokenizer=None)
        prompt = torch.arange(1, 41)

        def transformers(theirs: Any = theirs, prompt: Any = prompt) -> list[int]:
            with torch.no_grad():
                out = theirs.generate(
                    prompt[None], attention_mask=torch.ones_like(prompt[None]), max_new_tokens=N_TOKENS,
                    min_new_tokens=N_TOKENS, do_sample=False, pad_token_id=0,
                )  # fmt: skip
            return out[0, len(prompt) :].tolist()

        def ours(model: Any = model, prompt: Any = prompt) -> list[int]:
            return [token for token, *_ in model.stream(prompt, n_tokens=N_TOKENS, temperature=0)]

        found, expected = ours(), transformers()
        same = next((i for i, (a, b) in enumerate(zip(found, expected, strict=False)) if a != b), len(found))
        print(f"\n{name}: {len(found)} tokens written, the first {same} are transformers'")
        race(
            f"{name}, 6 layers of 256, bfloat16",
            {"ours": ours, "transformers' generate": transformers},
            bench.rounds,
            unit=(len(found), "tok/s"),
        )


JOBS = (text, first, seeds, harvest, measured, page, quality, probe, families)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("jobs", nargs="*", metavar="JOB", help=", ".join(job.__name__ for job in JOBS))
    parser.add_argument("--sae", help="folder of an SAE at block 12")
    parser.add_argument("--texts", help='JSON lines with "text"')
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    known = {job.__name__: job for job in JOBS}
    if wrong := [name for name in args.jobs if name not in known]:
        parser.error(f"no job {', '.join(wrong)}; there are {', '.join(known)}")
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    bench = args if set(args.jobs) == {"families"} else Bench(args)  # these need no more than the number of rounds
    for name in args.jobs or known:
        known[name](bench)


if __name__ == "__main__":
    main()
