"""What one GPU does, in under eight minutes: the sparse training step, harvest and text, against what they could be.

    python benchmarks/gpu.py              on a CUDA device; prints tables, and rates for benchmarks/scale.py
    python benchmarks/gpu.py --dry        tiny sizes on the CPU, to see that every part runs; its numbers mean nothing

- The card first: its product in bf16, TF32 and float32, and its memory, as this torch reaches them.
- TopK steps 768/24,576/4,096 and 2,304/65,536/4,096 (d_in/d_sae/batch, k = 32), float32 and bf16, the whole of
  `next(run)`; the plain step is dense autograd of the definition with clipping and fused Adam, float32 as its goal is
  set, and under autocast. The roofline of the sparse step is the encoder's product and Adam's 28 bytes for each
  parameter at the card's measured rates.
- Each way of the sums over bags and of the selection by itself, so that the default can be chosen from measurements.
- Harvest at the middle layer and text of a GPT-2-small-shaped and a 1 B-shaped model of random weights, beside the
  model's own forward pass up to that layer and `generate` of transformers; bf16.

Times are of the device (events around several steps), the least of some rounds. A part that fails says so, and the
others go on. `--seconds` bounds each measurement, `--most` the whole: what would come later is left out, by name.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

K = 32
STEPS = ((768, 24_576, 4096), (2304, 65_536, 4096))
DRY_STEPS = ((16, 2048, 32), (24, 4096, 32))
GIB = 1 << 30


class Clock:
    """Seconds of a call, on the device where there is one."""

    def __init__(self, device: str, seconds: float) -> None:
        self.cuda, self.seconds = device == "cuda", seconds

    def __call__(self, call: Callable[[], Any], each: int = 5) -> float:
        """The least mean of `each` calls, after two, in rounds of `each` for about `seconds`, three at least."""
        call(), call()
        found, end = [], time.perf_counter() + self.seconds
        while len(found) < 3 or (time.perf_counter() < end and len(found) < 50):
            found.append(self._round(call, each))
        return min(found)

    def _round(self, call: Callable[[], Any], each: int) -> float:
        if not self.cuda:
            begun = time.perf_counter()
            for _ in range(each):
                call()
            return (time.perf_counter() - begun) / each
        first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        first.record()
        for _ in range(each):
            call()
        last.record()
        torch.cuda.synchronize()
        return first.elapsed_time(last) / 1e3 / each


# -- the card ----------------------------------------------------------------------------------------------------------


@contextmanager
def tf32(on: bool) -> Iterator[None]:
    """float32 products in TF32, or not."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if on else "highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def card(device: str, clock: Clock, dry: bool) -> dict[str, float]:
    """FLOP/s of products and bytes/s of memory, as torch reaches them."""
    n = 128 if dry else 8192
    found = {}
    for name, dtype, quick in (
        ("bf16", torch.bfloat16, False),
        ("tf32", torch.float32, True),
        ("float32", torch.float32, False),
    ):
        a, b = (torch.randn(n, n, device=device, dtype=dtype) for _ in range(2))
        with tf32(quick):
            found[name] = 2 * n**3 / clock(lambda a=a, b=b: a @ b)
    a = torch.empty((1 << 16) if dry else (GIB // 4), device=device)
    b = torch.empty_like(a)
    found["memory"] = 2 * a.nbytes / clock(lambda: b.copy_(a))
    for name in ("bf16", "tf32", "float32"):
        print(f"  product, {name:8} {found[name] / 1e12:8.1f} TFLOP/s")
    print(f"  memory, copy      {found['memory'] / 1e9:8.0f} GB/s")
    return found


# -- the training step -------------------------------------------------------------------------------------------------


def ours(shape: tuple[int, int, int], device: str, precision: str) -> Callable[[], Any]:
    """`next(run)` on rows that lie on the device."""
    import saewidgets as sw

    d_in, d_sae, n = shape
    generator = torch.Generator(device).manual_seed(0)
    batches = [torch.randn(n, d_in, generator=generator, device=device) for _ in range(4)]
    sae = sw.SAE(sw.SAEConfig(d_in, d_sae, architecture="topk", k=K)).to(device)
    forever = (batches[i % 4] for i in iter(int, 1) for i in range(4))
    run = sw.train(sae, forever, sw.TrainConfig(steps=10**9, precision=precision, lr=1e-4))
    return lambda: next(run)


def plain(shape: tuple[int, int, int], device: str, precision: str) -> Callable[[], Any]:
    """Dense autograd of the definition, clipping, fused Adam."""
    d_in, d_sae, n = shape
    x = torch.randn(n, d_in, device=device)
    W_dec = torch.nn.functional.normalize(torch.randn(d_sae, d_in, device=device), dim=-1)
    weights = [W_dec.T.contiguous(), torch.zeros(d_sae, device=device), W_dec, torch.zeros(d_in, device=device)]
    W_enc, b_enc, W_dec, b_dec = leaves = [torch.nn.Parameter(w) for w in weights]
    adam = torch.optim.Adam(leaves, lr=1e-4, fused=True)

    def step() -> None:
        with torch.autocast(device, torch.bfloat16, enabled=precision == "bf16"):
            pre = (x - b_dec) @ W_enc + b_enc
            values, indices = pre.topk(K, dim=-1)
            a = torch.zeros_like(pre).scatter(-1, indices, values.relu())
            loss = (a @ W_dec + b_dec - x).square().sum(-1).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(leaves, 1.0)
        adam.step()
        adam.zero_grad()

    return step


def steps(device: str, clock: Clock, dry: bool, rates: dict[str, float]) -> None:
    """One table row for each shape and way."""
    print(
        "  d_in/d_sae/batch           way                       ms/step  rows/s     of the roofline  over the plain step"
    )
    for shape in DRY_STEPS if dry else STEPS:
        d_in, d_sae, n = shape
        base: float | None = None
        for way, make, precision in (
            ("plain autograd, float32", plain, "float32"), ("plain autograd, bf16", plain, "bf16"),
            ("ours, float32", ours, "float32"), ("ours, TF32", ours, "float32"), ("ours, bf16", ours, "bf16"),
        ):  # fmt: skip
            product = {"bf16": "bf16", "TF32": "tf32"}.get(way.split(", ")[1], "float32")
            with tf32(product == "tf32"):
                taken = attempt(f"{way} at {shape}", lambda make=make, p=precision, s=shape: clock(make(s, device, p)))
            if taken is None:
                continue
            base = taken if base is None else base
            least = 2 * n * d_in * d_sae / rates[product] + 28 * 2 * d_in * d_sae / rates["memory"]
            share = f"{least / taken:8.0%}" if make is ours else " " * 8
            name = f"{d_in}/{d_sae}/{n}"
            print(f"  {name:26} {way:24} {1e3 * taken:8.2f} {n / taken:10,.0f} {share:>12} {base / taken:16.2f} x")
            free(device)


def parts(device: str, clock: Clock, dry: bool) -> None:
    """The sums over bags and the selection, each way by itself, at the first shape."""
    from saewidgets.kernels import bags, selection

    d, m, n = (DRY_STEPS if dry else STEPS)[0]
    pre = torch.randn(n, m, device=device)
    for dtype in (torch.float32, torch.bfloat16):
        own = pre.to(dtype)
        for name, choose in (
            ("torch.topk", lambda p: p.topk(K, -1)),
            ("in groups", lambda p: selection.grouped_top_k(p, K)),
        ):
            print(f"  selection, {str(dtype)[6:]:9} {name:12} {1e3 * clock(lambda c=choose, p=own: c(p)):8.3f} ms")
    index = selection.grouped_top_k(pre, K)[1].flatten()
    start, row = torch.arange(0, n * K + 1, K, device=device), torch.arange(n * K, device=device) // K
    matrix, left, weight = (
        torch.randn(m, d, device=device),
        torch.randn(n, d, device=device),
        torch.ones(n * K, device=device),
    )
    ways: dict[str, Any] = {"torch": None, "triton": bags.quick_on("cuda") if device == "cuda" else None}
    for name, way in ways.items():
        if name == "triton" and way is None:
            print("  bags by triton: not here")
            continue
        total = bags.plain_bag_sum if way is None else way.bag_sum
        print(f"  bag_sum, {name:12} {1e3 * clock(lambda t=total: t(start, index, weight, matrix)):8.3f} ms")
        if way is None:
            dots = lambda: bags.plain_bag_dots(left, start, index, matrix)  # noqa: E731
        else:
            dots = lambda way=way: way.bag_dots(left, row, index, matrix)  # noqa: E731
        print(f"  bag_dots, {name:11} {1e3 * clock(dots):8.3f} ms")


# -- models ------------------------------------------------------------------------------------------------------------


def shaped(name: str, dry: bool) -> Any:
    """A transformers configuration."""
    import transformers

    if name == "GPT-2 small":
        sizes = {"n_layer": 2, "n_embd": 32, "n_head": 2, "vocab_size": 300} if dry else {}
        return transformers.GPT2Config(**sizes, bos_token_id=0, eos_token_id=0)
    sizes = {
        "hidden_size": 2048, "num_hidden_layers": 16, "num_attention_heads": 32, "num_key_value_heads": 8,
        "intermediate_size": 8192, "vocab_size": 128_256,
    }  # fmt: skip
    if dry:
        sizes = {
            "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
            "intermediate_size": 64, "vocab_size": 300,
        }  # fmt: skip
    return transformers.LlamaConfig(
        **sizes, max_position_embeddings=2048, bos_token_id=0, eos_token_id=0, pad_token_id=0
    )


def model_of(config: Any, device: str, dtype: torch.dtype) -> Any:
    """A transformers model of random weights, those of a fixed seed, made where it is used."""
    import transformers

    torch.manual_seed(0)
    kind = "GPT2LMHeadModel" if config.model_type == "gpt2" else "LlamaForCausalLM"
    with torch.device(device):
        model = getattr(transformers, kind)(config)
    return model.to(dtype).eval()


def models(device: str, clock: Clock, dry: bool) -> None:
    """Harvest and text of both."""
    import numpy as np

    import saewidgets as sw
    from saewidgets.activations import harvest

    dtype = torch.float32 if dry else torch.bfloat16
    for name in ("GPT-2 small", "1 B"):
        config = shaped(name, dry)
        theirs = model_of(config, device, dtype)
        model = sw.Model(model_of(config, device, dtype), name=name)
        with model.lock:
            used = model._decoder() is not None
        print(
            f"  {name}: {sum(p.numel() for p in theirs.parameters()) / 1e6:,.0f} M parameters; our decoder is {'used' if used else 'NOT used'}"
        )
        rows, length = (8, 32) if dry else (128, 512)
        tokens = torch.randint(1, config.vocab_size, (rows, length), generator=torch.Generator().manual_seed(0))
        layer = model.n_layers // 2
        hook, numpy = f"blocks.{layer - 1}.hook_resid_post", tokens.numpy().astype(np.int32)
        body = theirs.transformer if config.model_type == "gpt2" else theirs.model
        half = body.h if config.model_type == "gpt2" else body.layers
        kept = torch.nn.ModuleList(list(half)[:layer])

        there = tokens.to(device)

        def forward(body: Any = body, there: Tensor = there) -> None:
            with torch.inference_mode():
                for part in there.split(32):
                    body(part, use_cache=False)

        def ours_reads(model: Any = model, hook: str = hook, rows: Any = numpy) -> None:
            with torch.inference_mode():
                for _ in harvest(model, hook, rows, rows >= 0):
                    pass

        reading = attempt("harvest", lambda: clock(ours_reads, 1))
        setattr(body, "h" if config.model_type == "gpt2" else "layers", kept)
        passing = attempt("forward pass", lambda: clock(forward, 1))
        setattr(body, "h" if config.model_type == "gpt2" else "layers", half)
        if reading and passing:
            n = tokens.numel()
            print(
                f"    harvest at layer {layer}: {n / reading:,.0f} tokens/s, {passing / reading:.0%} of transformers' forward pass up to it ({n / passing:,.0f})"
            )
        texts(model, theirs, tokens[0, :64], device, clock, dry)
        del model, theirs, body, half, kept
        free(device)


def texts(model: Any, theirs: Any, prompt: Tensor, device: str, clock: Clock, dry: bool) -> None:
    """Greedy text of one row, with and without graphs."""
    n = 4 if dry else 64
    prompt = prompt.to(device)
    mask = torch.ones_like(prompt[None])

    def generate() -> None:
        with torch.inference_mode():
            theirs.generate(
                prompt[None], attention_mask=mask, max_new_tokens=n, min_new_tokens=n, do_sample=False, pad_token_id=0
            )

    def stream() -> None:
        for _ in model.stream(prompt, n_tokens=n, temperature=0):
            pass

    base = attempt("transformers' generate", lambda: clock(generate, 1))
    ends, model.eos_token_id = model.eos_token_id, None  # a text of full length
    for name, graphs in (("as it is", False), ("CUDA graphs", True)):
        if graphs and device != "cuda":
            continue
        with graphs_on(graphs):
            taken = attempt(f"text, {name}", lambda: clock(stream, 1))
        if base and taken:
            print(
                f"    text, {name:12} {1e3 * taken / n:8.2f} ms/token, {base / taken:.2f} x transformers' generate ({1e3 * base / n:.2f})"
            )
    model.eos_token_id = ends


@contextmanager
def graphs_on(on: bool) -> Iterator[None]:
    """Texts written by captured graphs, or not."""
    before = os.environ.get("SAEWIDGETS_GRAPHS")
    os.environ["SAEWIDGETS_GRAPHS"] = "1" if on else "0"
    try:
        yield
    finally:
        os.environ.pop("SAEWIDGETS_GRAPHS") if before is None else os.environ.update(SAEWIDGETS_GRAPHS=before)


# -- all of it ---------------------------------------------------------------------------------------------------------


def attempt(what: str, call: Callable[[], Any]) -> Any:
    """What a part gives; None, with the reason printed, where it fails."""
    try:
        return call()
    except Exception as error:
        print(f"  {what} FAILED: {type(error).__name__}: {str(error)[:300]}")
        traceback.print_exc(limit=-3)
        return None


def free(device: str) -> None:
    """Give what is no longer used back to the card."""
    if device == "cuda":
        torch.cuda.empty_cache()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dry", action="store_true", help="tiny sizes on the CPU")
    parser.add_argument("--seconds", type=float, default=4.0, help="for each measurement")
    parser.add_argument("--most", type=float, default=450.0, help="seconds after which no further part begins")
    given = parser.parse_args()
    if not given.dry and not torch.cuda.is_available():
        print("there is no CUDA device; --dry runs every part on the CPU")
        return 1
    device, begun = ("cpu" if given.dry else "cuda"), time.perf_counter()
    name = (
        torch.cuda.get_device_name()
        if device == "cuda"
        else f"{platform.processor() or 'a CPU'} (dry: numbers mean nothing)"
    )
    print(f"{name}, torch {torch.__version__}, {time.strftime('%Y-%m-%d')}")
    clock = Clock(device, 0.0 if given.dry else given.seconds)
    rates: dict[str, float] = {}
    failed = 0
    for title, part in (
        ("The card", lambda: rates.update(card(device, clock, given.dry))),
        ("The training step", lambda: steps(device, clock, given.dry, rates)),
        ("Its parts", lambda: parts(device, clock, given.dry)),
        ("Models", lambda: models(device, clock, given.dry)),
    ):
        if time.perf_counter() - begun > given.most:
            print(f"\n{title}: left out, {given.most:.0f} s are over")
            continue
        print(f"\n{title}")
        failed += attempt(title, lambda part=part: [part()]) is None
    if rates:
        print(f"\nfor benchmarks/scale.py: --rates encoder={rates['bf16']:.3g},memory={rates['memory']:.3g}")
    print(f"{time.perf_counter() - begun:.0f} s in all")
    return failed


if __name__ == "__main__":
    sys.exit(main())
