"""How fast clamped text is written, against plain TransformerLens hooks and plain transformers, with the floor under
them all.

All write the same greedy tokens under the same clamp, which is checked. The peers do what their users write: a hook
that encodes, sets the feature, decodes and adds the error back, under `generate` with its key-value cache. Rounds
alternate between the contestants, and what is told is the median and the median of the ratios within a round, since a
shared machine is now fast, now slow. With one thread the time is that of the processor, which an idle machine would
take by the clock; with more it is the clock's. The floor is the matrix products of one forward pass a token and nothing
else: no language model in torch can be under it.

python benchmarks/steering.py [--rounds 15] [--tokens 48] [--prompt 64] [--threads 1] [--gpt2] [--sweep]
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

import saewidgets as sw
from saewidgets.decoder import Decoder, Linear
from saewidgets.miniworld import MODEL_FOLDER
from saewidgets.models.decoders import decoder_of

Contestant = Callable[[int], list[int]]  # number of tokens -> their ids


def full_clamp(sae: Any, feature: int, value: float) -> Callable[[Tensor], Tensor]:
    """The clamp as its equation is first written: decode the changed code and add what the SAE had missed."""

    def edit(x: Tensor) -> Tensor:
        a = sae.encode(x)
        error = x - sae.decode(a)
        a[..., feature] = value
        return sae.decode(a) + error

    return edit


def transformer_lens_generate(
    model: Any, hook_name: str, prompt: Tensor, edit: Callable[[Tensor], Tensor]
) -> Contestant:
    """`HookedTransformer.generate` under a hook."""

    def run(n: int) -> list[int]:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with model.hooked.hooks(fwd_hooks=[(hook_name, lambda x, hook: edit(x))]):
                out = model.hooked.generate(
                    prompt[None],
                    max_new_tokens=n,
                    do_sample=False,
                    stop_at_eos=False,
                    use_past_kv_cache=True,
                    verbose=False,
                    return_type="tokens",
                )
        return out[0, len(prompt) :].tolist()

    return run


def transformers_generate(hf: Any, layer: int, prompt: Tensor, edit: Callable[[Tensor], Tensor]) -> Contestant:
    """`GPT2LMHeadModel.generate` under a PyTorch hook on a block."""

    def hook(module: Any, inputs: Any, output: Any) -> Any:
        return (edit(output[0]), *output[1:]) if isinstance(output, tuple) else edit(output)

    def run(n: int) -> list[int]:
        handle = hf.transformer.h[layer].register_forward_hook(hook)
        try:
            with torch.no_grad():
                mask = torch.ones_like(prompt[None])
                out = hf.generate(
                    prompt[None],
                    attention_mask=mask,
                    max_new_tokens=n,
                    do_sample=False,
                    eos_token_id=None,
                    pad_token_id=0,
                )
        finally:
            handle.remove()
        return out[0, len(prompt) :].tolist()

    return run


def ours(steer: Any, prompt: str, clamps: list[Any], kl: bool) -> Contestant:
    """A `Steerer`, as the clamp panel calls it."""

    def run(n: int) -> list[int]:
        return [t.id for t in steer(prompt, clamps, n_tokens=n, temperature=0, kl=kl)]

    return run


def floor(decoder: Decoder, n: int, rows: int = 1) -> None:
    """The matrix products of `n` forward passes over one token each."""
    for _ in range(n):
        for w in decoder.weights.layers:
            for linear in (*w.qkv, w.out, *w.mlp_in, w.mlp_out):
                multiplied(linear, rows)
        multiplied(decoder.weights.unembedding, rows)


def multiplied(linear: Linear, rows: int) -> None:
    """One product of rows of ones."""
    x = torch.ones(rows, linear.W.shape[0])
    x @ linear.W if linear.b is None else torch.addmm(linear.b, x, linear.W)


def of_length(model: Any, prompt: str, n: int) -> str:
    """A prompt of about `n` tokens that ends as this one does: it says itself again and again, cut at a word."""
    words = prompt.split(" ")
    while len(model.tokens(" ".join(words))) < n:
        words = [*prompt.split(" "), *words]
    while len(model.tokens(" ".join(words))) > n:
        words = words[1:]
    return " ".join(words)


def milliseconds(run: Callable[[], Any]) -> float:
    """Processor time of one run on one thread, wall-clock time on more."""
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    start = clock()
    run()
    return 1e3 * (clock() - start)


def race(
    title: str,
    contestants: dict[str, Callable[[], Any]],
    rounds: int,
    ours_is: str = "",
    unit: tuple[float, str] | None = None,
) -> None:
    """Each once to set itself up, then all in turns; then print each median and the median ratio to ours.

    `ours_is`: which of them is ours; "" for the first. `unit`: what a run makes, and its name.
    """
    for run in contestants.values():
        run()
    times: dict[str, list[float]] = {name: [] for name in contestants}
    names = list(contestants)
    for i in range(rounds):
        for name in names[i % len(names) :] + names[: i % len(names)]:
            times[name].append(milliseconds(contestants[name]))
    print(f"\n{title} ({rounds} rounds)")
    for name, found in times.items():
        ratio = statistics.median(t / o for t, o in zip(found, times[ours_is or names[0]], strict=True))
        middle = statistics.median(found)
        rate = f"{1e3 * unit[0] / middle:9.1f} {unit[1]}  " if unit else ""
        print(f"  {middle:10.2f} ms  best {min(found):9.2f}  {ratio:7.2f} x ours  {rate}{name}", flush=True)


def compare(model: Any, sae: Any, hf: Any, prompt: str, clamp: Any, args: argparse.Namespace) -> None:
    """One model: a whole text, its first token after the slider moved, and eight slider values at once."""
    model.eos_token_id = None
    steer = sw.Steerer(model, sae)
    if args.prompt:
        prompt = of_length(model, prompt, args.prompt)
    tokens, hook_name = model.tokens(prompt), steer.hook_name
    edit = full_clamp(sae, clamp.feature, clamp.value)
    lens = transformer_lens_generate(model, hook_name, tokens, edit)
    plain = transformers_generate(hf, int(hook_name.split(".")[1]), tokens, edit)
    alone, measured = ours(steer, prompt, [clamp], kl=False), ours(steer, prompt, [clamp], kl=True)
    texts = {
        name: run(args.tokens) for name, run in (("TransformerLens", lens), ("transformers", plain), ("KL", measured))
    }
    for name, text in texts.items():
        assert text == alone(args.tokens), f"{name} wrote other tokens"
    print(f"{model.name}: {args.tokens} tokens after {len(tokens)}, the same from all; {args.threads} thread(s)")
    decoder = decoder_of(model.hooked, model.logits, model.read)
    assert decoder is not None

    def moved(n: int) -> Callable[[], Any]:
        """Our text under a clamp that it has not had before: the slider moved."""
        count = iter(range(1, 1_000_000))
        return lambda: ours(steer, prompt, [sw.Clamp(clamp.feature, clamp.value * (1 + 1e-6 * next(count)))], False)(n)

    race(
        f"a whole text of {args.tokens} tokens",
        {
            "TransformerLens generate, hook": lambda: lens(args.tokens),
            "transformers generate, hook": lambda: plain(args.tokens),
            "ours, with the unclamped model beside it (KL)": lambda: measured(args.tokens),
            "ours": lambda: alone(args.tokens),
            "floor: matrix products alone": lambda: floor(decoder, args.tokens),
        },
        args.rounds,
        "ours",
    )
    race(
        "the first token after a slider moved",
        {
            "TransformerLens generate, hook": lambda: lens(1),
            "transformers generate, hook": lambda: plain(1),
            "ours": moved(1),
        },
        args.rounds,
        "ours",
    )
    values = [clamp.value * m / 8 for m in range(8)]

    def eight() -> None:
        from saewidgets.steering import row_edit

        rows = [sw.Clamp(clamp.feature, value) for value in values]
        edit = sw.Edit(hook_name, row_edit(sae, rows, n_prompt=len(tokens)))
        model.sample(tokens, n_tokens=args.tokens, temperature=0.0, seeds=[0] * 8, edit=edit)

    race(
        "eight slider values",
        {
            "TransformerLens generate, one after the other": lambda: [
                transformer_lens_generate(model, hook_name, tokens, full_clamp(sae, clamp.feature, v))(args.tokens)
                for v in values
            ],
            "ours, one value": lambda: alone(args.tokens),
            "ours, all at once": eight,
        },
        max(args.rounds // 3, 3),
        "ours, all at once",
    )


def miniworld(args: argparse.Namespace) -> None:
    """The bundled model with the measured clamp of the bridge."""
    from transformers import GPT2LMHeadModel

    clamps = sw.load_clamps()
    entry = clamps["golden_gate_bridge"]
    hf = GPT2LMHeadModel.from_pretrained(MODEL_FOLDER, attn_implementation="sdpa").eval()
    clamp = entry.clamp()
    with torch.no_grad():
        compare(sw.load_model(), sw.load_sae(entry.sae).requires_grad_(False), hf, clamps.prompt, clamp, args)


def gpt2_sized(args: argparse.Namespace) -> None:
    """GPT-2's size with random weights, since the time does not depend on them: 12 layers, d_model 768, 50,257 tokens."""
    import shutil
    import tempfile
    from pathlib import Path

    from transformers import GPT2Config, GPT2LMHeadModel

    with tempfile.TemporaryDirectory() as folder:
        config = GPT2Config(bos_token_id=0, eos_token_id=0, initializer_range=0.05)
        hf = GPT2LMHeadModel(config).eval()
        hf.save_pretrained(folder)
        shutil.copy(MODEL_FOLDER / "tokenizer.json", Path(folder) / "tokenizer.json")
        model = sw.load_model(folder)
    site = sw.site(model, "blocks.6.hook_resid_post")
    sae = sw.SAE(sw.SAEConfig(d_in=768, d_sae=24576, site=site)).requires_grad_(False)
    prompt = " ".join(["The old bridge over the bay is red and the fog is cold."] * 4)
    compare(model, sae, hf, prompt, sw.Clamp(7, 20.0), args)


def whole_sweep(seeds: int = 20, n_tokens: int = 40) -> None:
    """The dose-response of one feature with all its controls: six kinds at eight multiples."""
    clamps = sw.load_clamps()
    entry = clamps["golden_gate_bridge"]
    model, sae = sw.load_model(), sw.load_sae(entry.sae)
    sw.load_corpus()
    others = dict.fromkeys(range(100), 5.0)
    start, cpu = time.perf_counter(), time.process_time()
    data = sw.dose_response(
        model,
        sae,
        entry.feature,
        maximum=entry.maximum,
        prompt=clamps.prompt,
        concept="golden_gate_bridge",
        acts=others,
        multiples=(0, 0.5, 1, 1.2, 1.3, 1.4, 2, 3),
        seeds=range(seeds),
        n_tokens=n_tokens,
    )
    n = sum(t.n_tokens for t in data.texts)
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    print(
        f"\nwhole sweep: {len(data.texts)} texts, {n:,} tokens: {wall:.1f} s ({cpu:.1f} s of one core); window {data.window}"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--tokens", type=int, default=48)
    parser.add_argument("--prompt", type=int, default=0, help="tokens of the prompt, about; 0: as it is")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--gpt2", action="store_true", help="a model of GPT-2's size with random weights instead")
    parser.add_argument("--sweep", action="store_true", help="the whole dose-response instead")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    whole_sweep() if args.sweep else gpt2_sized(args) if args.gpt2 else miniworld(args)
