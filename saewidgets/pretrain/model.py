"""The bundled language model and its tokenizer.

A GPT-2-style transformer is trained on an endless stream of mini-world documents, packed into rows of `n_ctx` tokens.
Hidden matrices are trained by Muon (orthogonalized momentum; Jordan et al. 2024), everything else by AdamW; in trials
on this corpus that reached AdamW's loss in about half of the tokens. The result is an ordinary Hugging Face GPT-2
folder.

The run is seeded, resumable (the same tokens, weights and optimizer state as if it had not been cut) and uses a GPU
where there is one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from saewidgets.files import read_pair, read_tensors, write_json, write_pair, write_tensors
from saewidgets.miniworld import load_tokenizer, train_tokenizer
from saewidgets.miniworld.corpus import write_documents

CHUNK = 10_000  # documents written at once; chunk i of a run has seed `data_seed + i`
MAX_TENSORS = 4096  # of a checkpoint: weights and moments
HELD_OUT_SEED = 1  # `load_corpus`'s default: never a training chunk
TOKENIZER_SEED = 999_983  # the documents that the tokenizer was fitted on


@dataclass(frozen=True)
class PretrainConfig:
    """The shape of the model and of the run."""

    n_layer: int = 6
    n_embd: int = 160
    n_head: int = 5
    n_ctx: int = 256
    vocab_size: int = 2048
    rows: int = 24  # rows of n_ctx tokens in a step
    steps: int = 1600
    lr_matrix: float = 0.02  # Muon
    lr_other: float = 3e-3  # AdamW: embeddings, norms, biases
    weight_decay: float = 0.01
    warmup: int = 100  # steps
    cooldown: float = 0.4  # the last share of steps brings the rate down to zero, linearly
    dropout: float = 0.0  # share of each sublayer's output that is dropped in training
    seed: int = 0
    data_seed: int = 10_000


# The bundled model: a run without dropout, then one with it, which leaves the text as fluent and makes the later layers
# bear larger changes of what they read, such as a clamp's. (A third, with dropout 0.2, made the clamps no better.)
STAGES = (
    PretrainConfig(),
    PretrainConfig(steps=600, lr_matrix=0.01, lr_other=1.5e-3, cooldown=0.8, dropout=0.1, seed=1, data_seed=50_000),
)


class GPT2(nn.Module):
    """GPT-2 (Radford et al. 2019) with tied embeddings; plain torch, so that training needs nothing else.

    logits = LN_f(x_L) W_E^T;  x_{l+1} = x' + MLP(LN_2(x')),  x' = x_l + Attn(LN_1(x_l)).
    """

    def __init__(self, config: PretrainConfig) -> None:
        super().__init__()
        self.config = config
        d, generator = config.n_embd, torch.Generator().manual_seed(config.seed)

        def normal(*shape: int, std: float = 0.02) -> nn.Parameter:
            return nn.Parameter(torch.randn(*shape, generator=generator) * std)

        # Named as in the Hugging Face folder, "." written "/"; matrices are [in, out].
        self.weights = nn.ParameterDict()
        w, out_std = self.weights, 0.02 / math.sqrt(2 * config.n_layer)
        w["wte/weight"], w["wpe/weight"] = normal(config.vocab_size, d), normal(config.n_ctx, d)
        for i in range(config.n_layer):
            for name, n_in, n_out, std in (
                ("attn/c_attn", d, 3 * d, 0.02),
                ("attn/c_proj", d, d, out_std),
                ("mlp/c_fc", d, 4 * d, 0.02),
                ("mlp/c_proj", 4 * d, d, out_std),
            ):
                w[f"h/{i}/{name}/weight"] = normal(n_in, n_out, std=std)
                w[f"h/{i}/{name}/bias"] = nn.Parameter(torch.zeros(n_out))
            for name in ("ln_1", "ln_2"):
                w[f"h/{i}/{name}/weight"] = nn.Parameter(torch.ones(d))
                w[f"h/{i}/{name}/bias"] = nn.Parameter(torch.zeros(d))
        w["ln_f/weight"], w["ln_f/bias"] = nn.Parameter(torch.ones(d)), nn.Parameter(torch.zeros(d))

    def forward(self, tokens: Tensor, dtype: torch.dtype = torch.float32, dropout: float = 0.0) -> Tensor:
        """Logits [batch, pos, vocab] in `dtype` for tokens [batch, pos]."""
        batch, pos = tokens.shape
        config, d = self.config, self.config.n_embd
        w = {name: value.to(dtype) for name, value in self.weights.items()}

        def norm(x: Tensor, name: str) -> Tensor:
            return F.layer_norm(x, (d,), w[f"{name}/weight"], w[f"{name}/bias"])

        def linear(x: Tensor, name: str) -> Tensor:
            return F.linear(x, w[f"{name}/weight"].T, w[f"{name}/bias"])

        mask = torch.full((pos, pos), -1e9, dtype=dtype, device=tokens.device).triu(1)
        x = F.embedding(tokens, w["wte/weight"]) + w["wpe/weight"][:pos]  # [batch, pos, d]
        for i in range(config.n_layer):
            qkv = linear(norm(x, f"h/{i}/ln_1"), f"h/{i}/attn/c_attn")
            q, k, v = qkv.view(batch, pos, 3, config.n_head, -1).permute(2, 0, 3, 1, 4)  # [batch, head, pos, d_head]
            # written out: at this head size twice as fast on a CPU as the fused kernel (14 against 25 ms, batch 16)
            pattern = torch.softmax(
                q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1]) + mask, dim=-1
            )  # [batch, head, pos, pos]
            mixed = (pattern @ v).transpose(1, 2).reshape(batch, pos, d)
            x = x + F.dropout(linear(mixed, f"h/{i}/attn/c_proj"), dropout)
            hidden = F.gelu(linear(norm(x, f"h/{i}/ln_2"), f"h/{i}/mlp/c_fc"), approximate="tanh")
            x = x + F.dropout(linear(hidden, f"h/{i}/mlp/c_proj"), dropout)
        result: Tensor = norm(x, "ln_f") @ w["wte/weight"].T
        return result

    def save(self, folder: Path) -> None:
        """Write config.json and model.safetensors as transformers' GPT2LMHeadModel does."""
        config = self.config
        tensors = {
            f"transformer.{n.replace('/', '.')}": v.detach().float().cpu().numpy() for n, v in self.weights.items()
        }
        write_tensors(folder / "model.safetensors", tensors, {"format": "pt"})
        described = {
            "architectures": ["GPT2LMHeadModel"],
            "model_type": "gpt2",
            "n_layer": config.n_layer,
            "n_embd": config.n_embd,
            "n_head": config.n_head,
            "n_positions": config.n_ctx,
            "n_ctx": config.n_ctx,
            "vocab_size": config.vocab_size,
            "activation_function": "gelu_new",
            "layer_norm_epsilon": 1e-5,
            "tie_word_embeddings": True,
            "bos_token_id": 0,
            "eos_token_id": 0,
            "resid_pdrop": 0.0,
            "embd_pdrop": 0.0,
            "attn_pdrop": 0.0,
            "torch_dtype": "float32",
        }
        write_json(
            folder / "config.json", described
        )  # of one folder always the same: a run of another config is refused


def make_tokenizer(folder: Path, *, documents: int = 60_000) -> None:
    """Fit the tokenizer on documents that no training chunk and no corpus holds, and write `tokenizer.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    train_tokenizer(d.text for d in write_documents(documents, TOKENIZER_SEED)).save(str(folder / "tokenizer.json"))


def packed_rows(n_ctx: int, seed: int) -> Iterator[np.ndarray]:
    """Endless rows [n_ctx] of documents, each begun by the separator, cut where a row is full."""
    tokenizer, rest = load_tokenizer(), np.zeros(0, np.int64)
    while True:
        texts = [d.text for d in write_documents(CHUNK, seed)]
        ids = [i for e in tokenizer.encode_batch(texts) for i in (0, *e.ids)]
        stream = np.concatenate([rest, np.array(ids, np.int64)])
        whole = len(stream) // n_ctx * n_ctx
        rows, rest = stream[:whole].reshape(-1, n_ctx), stream[whole:]
        yield from np.random.default_rng(seed).permutation(rows)
        seed += 1


def learning_rate(step: int, config: PretrainConfig) -> float:
    """Share of the full rate at a step: linear warm-up, constant, linear to zero over the last `cooldown` share."""
    left = (config.steps - step) / max(1, config.cooldown * config.steps)
    return min(1.0, (step + 1) / config.warmup, left)


def optimizers(model: GPT2, config: PretrainConfig) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the layers, AdamW for everything else."""
    matrices = [p for n, p in model.weights.items() if n.startswith("h/") and p.ndim == 2]
    other = [p for n, p in model.weights.items() if not (n.startswith("h/") and p.ndim == 2)]
    return [
        torch.optim.Muon(matrices, lr=config.lr_matrix, weight_decay=config.weight_decay, adjust_lr_fn="original"),
        torch.optim.AdamW(other, lr=config.lr_other, betas=(0.9, 0.95), weight_decay=0.0, fused=True),
    ]


def cross_entropy(model: GPT2, rows: Tensor, dtype: torch.dtype, dropout: float = 0.0) -> Tensor:
    """Mean next-token loss in nats over rows [batch, pos]."""
    logits = model(rows[:, :-1], dtype, dropout)
    return F.cross_entropy(logits.float().flatten(0, 1), rows[:, 1:].flatten())


@torch.no_grad()
def held_out_loss(model: GPT2, *, n_rows: int = 64, dtype: torch.dtype = torch.float32) -> float:
    """Mean next-token loss in nats on rows that no training chunk holds."""
    source = packed_rows(model.config.n_ctx, HELD_OUT_SEED)
    device = next(model.parameters()).device
    rows = torch.from_numpy(np.stack([next(source) for _ in range(n_rows)])).to(device)
    return float(np.mean([float(cross_entropy(model, part, dtype)) for part in rows.split(16)]))


def pretrain(
    config: PretrainConfig,
    folder: Path,
    *,
    begin_from: Path | None = None,
    save_every: int = 250,
    minutes: float = math.inf,
) -> GPT2:
    """Train, or go on from the last checkpoint in `folder`; writes the Hugging Face folder at each checkpoint.

    A new run begins with the weights of a finished one where `begin_from` names its folder.
    Stops early, resumable, after `minutes`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = GPT2(config).to(device)
    if begin_from is not None:
        with torch.no_grad():
            for name, value in read_tensors(begin_from / "model.safetensors", max_tensors=MAX_TENSORS).items():
                model.weights[name.removeprefix("transformer.").replace(".", "/")].copy_(torch.from_numpy(value))
    optims = optimizers(model, config)
    start = _resume(folder / "checkpoint", config, model, optims)
    source = packed_rows(config.n_ctx, config.data_seed)
    for _ in range(start * config.rows):
        next(source)
    began, losses = time.monotonic(), []
    for step in range(start, config.steps):
        rows = torch.from_numpy(np.stack([next(source) for _ in range(config.rows)])).to(device)
        share = learning_rate(step, config)
        for optimizer, rate in zip(optims, (config.lr_matrix, config.lr_other), strict=True):
            optimizer.param_groups[0]["lr"] = rate * share
        with torch.random.fork_rng():
            torch.manual_seed(config.seed * 1_000_003 + step)  # of dropout: the same at this step, resumed or not
            loss = cross_entropy(model, rows, torch.bfloat16, config.dropout)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optims:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        losses.append(float(loss.detach()))
        done = step + 1
        if done % 50 == 0:
            rate = (done - start) * config.rows * config.n_ctx / (time.monotonic() - began)
            print(f"step {done:>6}/{config.steps}  loss {np.mean(losses[-50:]):.4f}  {rate:,.0f} tokens/s", flush=True)
        out_of_time = (time.monotonic() - began) / 60 > minutes
        if done % save_every == 0 or done == config.steps or out_of_time:
            model.save(folder)
            _checkpoint(folder / "checkpoint", done, config, model, optims)
        if out_of_time:
            break
    return model


def _checkpoint(
    folder: Path, step: int, config: PretrainConfig, model: GPT2, optims: list[torch.optim.Optimizer]
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    state = {f"weight/{n}": v for n, v in model.weights.items()}
    for i, optimizer in enumerate(optims):
        for j, values in optimizer.state_dict()["state"].items():
            state |= {f"optimizer/{i}/{j}/{key}": torch.as_tensor(value) for key, value in values.items()}
    tensors = {name: value.detach().float().cpu().numpy() for name, value in state.items()}
    described = {"step": step, "config": asdict(config)}
    write_pair(folder / "state.json", described, folder / "state.safetensors", tensors)


def _resume(folder: Path, config: PretrainConfig, model: GPT2, optims: list[torch.optim.Optimizer]) -> int:
    """Load a checkpoint into model and optimizers; the step to go on from. Raises ValueError where its config differs."""
    if not (folder / "state.safetensors").exists():
        return 0
    described, arrays = read_pair(
        folder / "state.json", folder / "state.safetensors", max_bytes=1 << 30, max_tensors=MAX_TENSORS
    )
    if described["config"] != asdict(config):
        raise ValueError(
            f"{folder} holds a run with another configuration: {described['config']}; choose another --out"
        )
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    with torch.no_grad():
        for name, value in model.weights.items():
            value.copy_(tensors[f"weight/{name}"])
    for i, optimizer in enumerate(optims):
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            if name.startswith(f"optimizer/{i}/"):
                _, _, j, key = name.split("/", 3)
                state.setdefault(int(j), {})[key] = value
        optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    return int(described["step"])
