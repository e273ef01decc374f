"""The sparse autoencoder: configuration, encode, decode, save and load. It knows vectors, not transformers."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from saewidgets.files import LoadError, read_json, read_tensors, unknown, write_json, write_tensors
from saewidgets.records import ActivationSite

FORMAT = 1  # of `SAE.save`; raised when an older reader would misread
ARCHITECTURES = ("relu", "topk")
RELU_INIT_NORM = 0.1  # decoder rows of a fresh ReLU SAE (S6)

_BUNDLED = Path(__file__).parent / "miniworld" / "saes"


@dataclass(frozen=True)
class SAEConfig:
    """What fixes an SAE's shape and meaning.

    Raises ValueError on a size, an architecture or a number that cannot be.

    Example:
        >>> SAEConfig(d_in=160, d_sae=2048, architecture="topk", k=12).k
        12
    """

    d_in: int  # width of the activations that it reads
    d_sae: int  # number of features
    architecture: str = "relu"  # "relu" (L1 loss) or "topk" (at most k features active a token)
    k: int = 32  # topk only: active features a token
    l1_coefficient: float = 5.0  # relu only: lambda of the loss, on inputs with mean |x|^2 = d_in
    site: ActivationSite | None = None  # where it reads, and the scale of its inputs; None: bare vectors, scale 1
    seed: int = 0  # of the random initial weights

    def __post_init__(self) -> None:
        for name in ("d_in", "d_sae", "k", "seed"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < (0 if name == "seed" else 1):
                raise ValueError(f"{name} must be a positive whole number, not {value!r}")
        if self.architecture not in ARCHITECTURES:
            raise ValueError(unknown("architecture", str(self.architecture), ARCHITECTURES))
        if self.architecture == "topk" and self.k > self.d_sae:
            raise ValueError(f"k = {self.k} active features do not fit in d_sae = {self.d_sae}")
        if not _number(self.l1_coefficient) or self.l1_coefficient < 0:
            raise ValueError(f"l1_coefficient must be a finite number of 0 or more, not {self.l1_coefficient!r}")
        if self.site is not None and self.site.d_in != self.d_in:
            raise ValueError(f"d_in = {self.d_in}, but the site {self.site.hook_name} is {self.site.d_in} wide")
        if self.site is not None and not (_number(self.site.scale) and self.site.scale > 0):
            raise ValueError(f"the site's scale must be a positive finite number, not {self.site.scale!r}")


class SAE(nn.Module):
    """A sparse autoencoder at one site.

    With x in model units, s the site's scale, and W_enc [d_in, d_sae], W_dec [d_sae, d_in]:

        relu:  a = max(0, s x W_enc + b_enc)                       (Templeton et al. 2024; no pre-encoder bias)
        topk:  a = max(0, TopK_k((s x - b_dec) W_enc + b_enc))     (Gao et al. 2024)
        both:  x_hat = (a W_dec + b_dec) / s

    So `encode` takes model units, activations `a` are in SAE units, and `decode` gives model units back.
    Random initial weights come from `config.seed`; the global random state is not touched.

    Example:
        >>> sae = SAE(SAEConfig(d_in=8, d_sae=32, architecture="topk", k=3))
        >>> int((sae.encode(torch.ones(5, 8)) > 0).sum(-1).max()) <= 3
        True
    """

    def __init__(self, config: SAEConfig, *, name: str = "") -> None:
        super().__init__()
        self.config = config
        self.name = name
        generator = torch.Generator().manual_seed(config.seed)
        norm = RELU_INIT_NORM if config.architecture == "relu" else 1.0
        W_dec = norm * F.normalize(torch.randn(config.d_sae, config.d_in, generator=generator), dim=-1)
        self.W_enc = nn.Parameter(W_dec.T.contiguous())  # [d_in, d_sae]
        self.b_enc = nn.Parameter(torch.zeros(config.d_sae))
        self.W_dec = nn.Parameter(W_dec)  # [d_sae, d_in]
        self.b_dec = nn.Parameter(torch.zeros(config.d_in))

    @property
    def scale(self) -> float:
        """SAE units per model unit (S2): inputs are multiplied by it, reconstructions divided."""
        return self.config.site.scale if self.config.site is not None else 1.0

    @property
    def decoder_directions(self) -> Tensor:
        """[d_sae, d_in]: what one unit of each feature's activation adds to x_hat, in model units."""
        return self.W_dec.detach() / self.scale

    def pre_activations(self, x: Tensor) -> Tensor:
        """[..., d_in] in model units -> [..., d_sae], before the ReLU and before TopK."""
        self._check(x, self.config.d_in, "d_in")
        x = self.scale * x.to(self.W_enc.dtype)
        if self.config.architecture == "topk":
            x = x - self.b_dec
        return F.linear(x, self.W_enc.T, self.b_enc)

    def encode(self, x: Tensor) -> Tensor:
        """[..., d_in] in model units -> activations [..., d_sae]. Raises ValueError on another width."""
        pre = self.pre_activations(x)
        if self.config.architecture == "relu":
            return pre.relu()
        values, indices = pre.topk(self.config.k, dim=-1, sorted=False)
        return torch.zeros_like(pre).scatter(-1, indices, values.relu())

    def encode_sparse(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """[..., d_in] in model units -> (indices [..., k] int64, values [..., k] >= 0), in no stated order.

        TopK only: raises ValueError for another architecture, where the number of active features varies.
        A value of 0 says that fewer than k features are active.
        """
        if self.config.architecture != "topk":
            raise ValueError(f"encode_sparse needs a topk SAE; this one is {self.config.architecture}: use encode")
        values, indices = self.pre_activations(x).topk(self.config.k, dim=-1, sorted=False)
        return indices, values.relu()

    def decode(self, activations: Tensor) -> Tensor:
        """[..., d_sae] -> x_hat [..., d_in] in model units. Raises ValueError on another width."""
        self._check(activations, self.config.d_sae, "d_sae")
        return (activations @ self.W_dec + self.b_dec) / self.scale

    def decode_sparse(self, indices: Tensor, values: Tensor) -> Tensor:
        """The inverse of `encode_sparse`: (indices, values) [..., k] -> x_hat [..., d_in] in model units.

        Reads the k decoder rows that are needed and no others.
        """
        k = indices.shape[-1]
        indices, values, shape = indices.reshape(-1, k), values.reshape(-1, k), indices.shape[:-1]
        total = F.embedding_bag(indices, self.W_dec, per_sample_weights=values, mode="sum")
        return (total.reshape(*shape, self.config.d_in) + self.b_dec) / self.scale

    def activations_of(self, x: Tensor, features: Sequence[int]) -> Tensor:
        """[..., d_in] in model units -> activations of some features, [..., len(features)].

        A ReLU SAE reads those features' encoder columns only; a TopK SAE needs them all to know which features are on.
        Raises IndexError, with the valid range, on a feature that does not exist.
        """
        last = self.config.d_sae - 1
        for feature in features:
            if not 0 <= int(feature) <= last:
                raise IndexError(f"feature {feature} does not exist: this SAE has features 0 to {last}")
        index = torch.as_tensor(list(features), dtype=torch.long, device=self.W_enc.device)
        if self.config.architecture == "topk":
            return self.encode(x)[..., index]
        self._check(x, self.config.d_in, "d_in")
        return (self.scale * x.to(self.W_enc.dtype) @ self.W_enc[:, index] + self.b_enc[index]).relu()

    def forward(self, x: Tensor) -> Tensor:
        """x -> x_hat, both [..., d_in] in model units."""
        if self.config.architecture == "topk":
            return self.decode_sparse(*self.encode_sparse(x))
        return self.decode(self.encode(x))

    @torch.no_grad()
    def fold_W_dec_norm(self) -> SAE:
        """A copy whose decoder rows have norm 1 and whose activations are a_i |W_dec_i|; x_hat is the same (S5).

        Raises ValueError for a TopK SAE with other norms: folding it would change which features survive.
        """
        norm = self.W_dec.norm(dim=-1)
        if self.config.architecture == "topk" and not torch.allclose(norm, torch.ones_like(norm), atol=1e-2):
            raise ValueError("folding decoder norms into a TopK SAE would change which features are on")
        folded = SAE(self.config, name=self.name).to(self.W_dec.device)
        folded.W_enc.copy_(self.W_enc * norm)
        folded.b_enc.copy_(self.b_enc * norm)
        folded.W_dec.copy_(self.W_dec / norm.clamp_min(torch.finfo(norm.dtype).tiny)[:, None])
        folded.b_dec.copy_(self.b_dec)
        return folded

    def save(self, folder: str | os.PathLike[str], dtype: str = "float32") -> None:
        """Write `config.json` and `weights.safetensors` into `folder`, each atomically.

        dtype "float16" halves the file; the loaded SAE works in float32 all the same.
        Raises ValueError, and writes nothing, if a weight is not finite (or would not be, in float16).
        """
        if dtype not in ("float32", "float16"):
            raise ValueError(unknown("dtype", str(dtype), ("float32", "float16")))
        with np.errstate(over="ignore"):  # an overflow is reported below, as a sentence
            weights = {name: p.detach().cpu().numpy().astype(dtype) for name, p in self.named_parameters()}
        bad = [name for name, weight in weights.items() if not np.isfinite(weight).all()]
        if bad:
            raise ValueError(f"not saved: {', '.join(bad)} would hold values that are not finite in {dtype}")
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        write_tensors(folder / "weights.safetensors", weights)
        write_json(folder / "config.json", {"format": FORMAT, "name": self.name, **asdict(self.config)})

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> SAE:
        """Read what `save` wrote, into float32 on the CPU.

        Raises LoadError, and nothing else, on a folder that does not hold a sound SAE.

        Example:
            >>> import tempfile
            >>> sae = SAE(SAEConfig(d_in=4, d_sae=8))
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     sae.save(folder)
            ...     bool(torch.equal(SAE.load(folder).W_enc, sae.W_enc))
            True
        """
        folder = Path(folder)
        path = folder / "config.json"
        data = read_json(path)
        config = _config(path, data)
        path = folder / "weights.safetensors"
        shapes = _shapes(config)
        weights = read_tensors(path, names=set(shapes))
        if set(weights) != set(shapes):
            raise LoadError(path, f"expected the arrays {sorted(shapes)}, found {sorted(weights)}")
        for name, shape in shapes.items():
            found = weights[name]
            if found.shape != shape or found.dtype.kind != "f":
                raise LoadError(path, f"{name} is {found.dtype} {list(found.shape)}, expected floats {list(shape)}")
            with np.errstate(over="ignore"):
                weights[name] = found.astype(np.float32)
            if not np.isfinite(weights[name]).all():
                raise LoadError(path, f"{name} holds values that are not finite")
        sae = cls.__new__(cls)
        nn.Module.__init__(sae)
        sae.config, sae.name = config, str(data.get("name", ""))
        for name in shapes:
            setattr(sae, name, nn.Parameter(torch.from_numpy(weights[name])))
        return sae

    def extra_repr(self) -> str:
        """What `repr` shows between the brackets."""
        c = self.config
        sparsity = f"k={c.k}" if c.architecture == "topk" else f"l1_coefficient={c.l1_coefficient:g}"
        where = f", {c.site.model_name} {c.site.hook_name}, scale={c.site.scale:.4g}" if c.site else ""
        return f"{c.architecture}, d_in={c.d_in}, d_sae={c.d_sae}, {sparsity}{where}"

    def _check(self, x: Tensor, width: int, name: str) -> None:
        if x.shape[-1:] != (width,):
            raise ValueError(f"expected [..., {name} = {width}], not {list(x.shape)}")


def load_sae(name: str | os.PathLike[str] = "miniworld-2048") -> SAE:
    """A bundled SAE by name, or one saved in a folder by `SAE.save`.

    Raises ValueError, with the nearest names, on a name that is neither; LoadError on a folder that holds no sound SAE.

    Example:
        >>> sae = load_sae("miniworld-512")  # doctest: +SKIP
    """
    text = os.fspath(name)
    if isinstance(name, str) and (_BUNDLED / text / "config.json").is_file() and Path(text).name == text:
        sae = SAE.load(_BUNDLED / text)
        sae.name = text
        return sae
    path = Path(text)
    if path.is_file():
        path = path.parent
    if path.is_dir():
        return SAE.load(path)
    bundled = sorted(p.parent.name for p in _BUNDLED.glob("*/config.json"))
    hint = "; or give the folder that SAE.save wrote"
    if isinstance(name, str) and text.count("/") == 1 and not text.startswith((".", "/", "~")):
        hint = "; there is no folder of that name here, and reading 'release/id' from the hub is not built yet"
    raise ValueError(unknown("SAE", text, bundled) + hint)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _shapes(config: SAEConfig) -> dict[str, tuple[int, ...]]:
    return {
        "W_enc": (config.d_in, config.d_sae),
        "b_enc": (config.d_sae,),
        "W_dec": (config.d_sae, config.d_in),
        "b_dec": (config.d_in,),
    }


def _config(path: Path, data: dict[str, Any]) -> SAEConfig:
    """The config in a parsed `config.json`; LoadError names the key that is wrong."""
    if data.get("format") != FORMAT:
        raise LoadError(path, f"SAE format {data.get('format')!r}; this version reads format {FORMAT}")
    known = {f.name for f in fields(SAEConfig)}
    own = {key: value for key, value in data.items() if key in known}
    missing = {"d_in", "d_sae", "architecture"} - set(own)
    if missing:
        raise LoadError(path, f"missing {', '.join(sorted(missing))}")
    strange = sorted(set(data) - known - {"format", "name"})
    if strange:
        warnings.warn(f"{path}: ignored the unknown keys {', '.join(strange[:5])}", stacklevel=3)
    try:
        if own.get("site") is not None:
            own["site"] = _site(own["site"])
        return SAEConfig(**own)
    except (TypeError, ValueError) as error:
        raise LoadError(path, str(error)) from error


def _site(data: Any) -> ActivationSite:
    """ActivationSite from JSON; TypeError or ValueError on anything that is not one."""
    if not isinstance(data, dict):
        raise TypeError("site is not an object")
    site = ActivationSite.from_dict(data)
    kinds = {"model_name": str, "hook_name": str, "d_in": int, "weight_processing": str, "prepend_bos": bool}
    for name, kind in kinds.items():
        if type(getattr(site, name)) is not kind:
            raise ValueError(f"site.{name} must be {kind.__name__}, not {getattr(site, name)!r}")
    if not _number(site.scale):
        raise ValueError(f"site.scale must be a finite number, not {site.scale!r}")
    return site
