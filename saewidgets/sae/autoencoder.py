"""The sparse autoencoder: encode, decode, save and load."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from saewidgets.chat import SAES_FOLDER as CHAT_SAES_FOLDER
from saewidgets.elsewhere import SAE as ELSEWHERE
from saewidgets.elsewhere import instead
from saewidgets.files import read_pair, unknown, write_pair
from saewidgets.kernels.selection import top_k
from saewidgets.miniworld import SAES_FOLDER
from saewidgets.records.arguments import expect, require_features
from saewidgets.sae.architectures import ARCHITECTURES, fold_decoder_norms, pre_activations
from saewidgets.sae.config import INT8_FORMAT, SAEConfig, config_from, stored_dtype
from saewidgets.sae.stored import MAX_BYTES, Packed, pack, shapes, unpack
from saewidgets.sae.variance import unexplained

RELU_INIT_NORM = 0.1  # decoder rows of a fresh ReLU SAE
JUMPRELU_INIT_THRESHOLD = 1e-3  # Rajamanoharan et al. 2024
LAYER_NORM_EPS = 1e-5  # beside the standard deviation, as the published SAEs have it


class SAE(nn.Module):
    """A sparse autoencoder at one site.

    With x in model units, s the site's scale, and W_enc [d_in, d_sae], W_dec [d_sae, d_in]:

        z = s x - b_dec, or s x (`config.subtracts_b_dec`);  pre = z W_enc + b_enc

        relu:       a = max(0, pre)                                          (Templeton et al. 2024)
        topk:       a = max(0, TopK_k(pre))                                  (Gao et al. 2024)
        jumprelu:   a = max(0, pre) where pre > threshold, else 0            (Rajamanoharan et al. 2024)
        batchtopk:  the same at inference, one threshold for all             (Bussmann et al. 2024)
        gated:      a = max(0, exp(r_mag) z W_enc + b_mag) where z W_enc + b_gate > 0   (Rajamanoharan et al. 2024)
        all:        x_hat = (a W_dec + b_dec) / s

    So `encode` takes model units, activations `a` are in SAE units, and `decode` gives model units back. Under an input
    normalization, s and an offset differ from vector to vector: `decode` and `decode_sparse` then need x as well. A
    transcoder (`config.d_out`; Dunefsky et al. 2024) predicts the activations y [..., d_out] of another site from x:
    W_dec is [d_sae, d_out], nothing is subtracted from s x, and y_hat = (a W_dec + b_dec) / s_out is what `decode`
    gives. With `config.skip` y_hat = (a W_dec + b_dec + s x W_skip) / s_out (Paulo et al. 2025), and `decode` needs x.
    Random initial weights come from `config.seed`, in float32 whatever torch's default is; the global random state is
    not touched.

    Example:
        >>> sae = SAE(SAEConfig(d_in=8, d_sae=32, architecture="topk", k=3))
        >>> int((sae.encode(torch.ones(5, 8)) > 0).sum(-1).max()) <= 3
        True
    """

    W_enc: Tensor  # [d_in, d_sae]
    b_enc: Tensor  # [d_sae]; not of a gated SAE
    W_dec: Tensor  # [d_sae, d_in]; of a transcoder [d_sae, d_out]
    b_dec: Tensor  # [d_in]; of a transcoder [d_out]
    threshold: Tensor  # [d_sae], of jumprelu and batchtopk, in SAE units
    b_gate: Tensor  # [d_sae], of gated
    b_mag: Tensor  # [d_sae], of gated
    r_mag: Tensor  # [d_sae], of gated: the logarithm of W_mag's scale
    W_skip: Tensor  # [d_in, d_out], of a transcoder with a skip connection

    def __init__(self, config: SAEConfig, *, name: str = "") -> None:
        expect(config, SAEConfig, "config", "SAE")
        super().__init__()
        self.config = config
        self.name = name
        generator = torch.Generator().manual_seed(config.seed)
        april_2024 = config.architecture == "relu" and not config.subtracts_b_dec
        norm = RELU_INIT_NORM if april_2024 else 1.0
        W_dec = norm * F.normalize(
            torch.randn(config.d_sae, config.output_width, generator=generator, dtype=torch.float32), dim=-1
        )
        W_enc = W_dec.T.contiguous()
        if config.is_transcoder:  # its encoder and decoder live in different spaces
            W_enc = norm * F.normalize(
                torch.randn(config.d_in, config.d_sae, generator=generator, dtype=torch.float32), dim=0
            )
        fresh = {"W_enc": W_enc, "W_dec": W_dec}
        self._hold(
            {
                name: fresh[name] if name in fresh else torch.zeros(s, dtype=torch.float32)
                for name, s in shapes(config).items()
            }
        )
        if config.architecture == "jumprelu":
            nn.init.constant_(self.threshold, JUMPRELU_INIT_THRESHOLD)

    def __getattr__(self, name: str) -> Any:
        """Only for what is not there: a name of SAELens's is told what it is called here."""
        if name in ELSEWHERE:
            raise AttributeError(instead("an SAE", name, ELSEWHERE), name=name, obj=self)
        return super().__getattr__(name)  # weights and buffers

    @classmethod
    def from_pretrained(cls, *given: Any, **options: Any) -> SAE:
        """SAEs are opened by `load_sae`. Raises TypeError that says what to type."""
        name = "/".join(str(part) for part in (*given, *options.values())) or "release/sae_id"
        raise TypeError(f"an SAE is opened with sw.load_sae({name!r}), by its release and id, a folder or a file")

    @classmethod
    def from_weights(cls, config: SAEConfig, weights: Mapping[str, Tensor], *, name: str = "") -> SAE:
        """An SAE that holds these tensors, float32, themselves. Raises ValueError unless they are what `shapes` lists.

        Example:
            >>> config = SAEConfig(d_in=4, d_sae=8)
            >>> zeros = {name: torch.zeros(shape) for name, shape in shapes(config).items()}
            >>> SAE.from_weights(config, zeros).encode(torch.ones(4)).sum().item()
            0.0
        """
        wanted = shapes(config)
        found = {weight: tuple(tensor.shape) for weight, tensor in weights.items()}
        if found != wanted:
            raise ValueError(f"a {config.architecture} SAE has the weights {wanted}, not {found}")
        sae = cls.__new__(cls)
        nn.Module.__init__(sae)
        sae.config, sae.name = config, name
        sae._hold({weight: weights[weight].float().contiguous() for weight in wanted})
        return sae

    def _hold(self, weights: Mapping[str, Tensor]) -> None:
        """Keep weights: as parameters, but for BatchTopK's threshold, which is measured and not learned."""
        for name, tensor in weights.items():
            if name == "threshold" and self.config.architecture == "batchtopk":
                self.register_buffer(name, tensor)
            else:
                self.register_parameter(name, nn.Parameter(tensor))

    @property
    def weights(self) -> dict[str, Tensor]:
        """All of its weights by name, in the order of its files."""
        return {name: getattr(self, name) for name in shapes(self.config)}

    @property
    def digest(self) -> str:
        """SHA-256 of the weights and their names, 64 hexadecimal digits: two SAEs of one digest have the same features.

        It is of float32 values, whichever file and number format they came from. Computed anew each time, as weights
        change in training.

        Example:
            >>> SAE(SAEConfig(d_in=4, d_sae=8, seed=1)).digest == SAE(SAEConfig(d_in=4, d_sae=8, seed=1)).digest
            True
        """
        total = hashlib.sha256()
        for name, tensor in self.weights.items():
            total.update(f"{name} {tuple(tensor.shape)}\n".encode())
            total.update(tensor.detach().float().cpu().contiguous().numpy().data)
        return total.hexdigest()

    @property
    def scale(self) -> float:
        """SAE units per model unit: inputs are multiplied by it, reconstructions divided. 1 under a normalization."""
        return self.config.site.scale if self.config.site is not None else 1.0

    @property
    def out_scale(self) -> float:
        """SAE units per model unit of what it gives: `scale`, but for a transcoder that of its `out_site`."""
        if not self.config.is_transcoder:
            return self.scale
        return self.config.out_site.scale if self.config.out_site is not None else 1.0

    def units(self, x: Tensor) -> Tensor:
        """Model units per SAE unit at each vector of x [..., d_in]: [..., 1].

        One unit of activation adds units * W_dec[feature] to x_hat there.
        """
        if self.config.input_normalization == "layer_norm":
            return x.to(self.W_dec.dtype).std(-1, keepdim=True)
        if self.config.input_normalization == "unit_norm":
            value: Tensor = x.to(self.W_dec.dtype).norm(dim=-1, keepdim=True) / self.config.d_in**0.5
            return value
        return torch.full((*x.shape[:-1], 1), 1 / self.out_scale, dtype=self.W_dec.dtype, device=x.device)

    @property
    def decoder_directions(self) -> Tensor:
        """[d_sae, d_in]: what one unit of each feature's activation adds to x_hat, in model units.

        Under an input normalization this is per `units` of the vector at hand, which is left out here.
        """
        return self.W_dec.detach() / self.out_scale

    def decoder_rows(self, features: Sequence[int] | Tensor) -> Tensor:
        """float32 [..., d_in]: `decoder_directions` of some features, without the others; features: a list or int64
        [...].
        """
        index = torch.as_tensor(features, dtype=torch.long, device=self.W_dec.device)
        return (self.W_dec.detach()[index] / self.out_scale).float()

    def spread(self, x: Tensor) -> Tensor:
        """What `decoder_directions` are to be multiplied by at each vector of x [..., d_in]: 1, or `units` [..., 1]
        under an input normalization.
        """
        if self.config.input_normalization == "none":
            return torch.ones((), device=x.device, dtype=torch.float32)
        return self.units(x.float()).detach().float()

    def directions_at(self, x: Tensor, features: Sequence[int] | Tensor) -> Tensor:
        """float32 [..., d_in]: what one unit of a feature's activation adds to x_hat at x, in model units.

        It is the vector by which a clamp moves x there: from activation a to value v, x' = x + (v - a) directions_at(x,
        feature). x [..., d_in] and features [...] are broadcast against each other, so x [pos, d_in] with features [n,
        1] gives [n, pos, d_in].

        Example:
            >>> sae = SAE(SAEConfig(d_in=2, d_sae=3, input_normalization="unit_norm"))
            >>> x = torch.tensor([[3.0, 4.0]])
            >>> bool(torch.allclose(sae.directions_at(x, [1]), sae.W_dec[1] * 5 / 2**0.5))
            True
        """
        return self.decoder_rows(features) * self.spread(x.to(self.W_dec.device))

    def pre_activations(self, x: Tensor) -> Tensor:
        """[..., d_in] in model units -> [..., d_sae], before the ReLU, TopK or threshold. Of a gated SAE: the gate's."""
        bias = getattr(self, ARCHITECTURES[self.config.architecture].pre_bias)
        return pre_activations(self._encoder_input(x), self.W_enc, bias)

    def encode(self, x: Tensor) -> Tensor:
        """[..., d_in] in model units -> activations [..., d_sae]. Raises ValueError on another width."""
        if self.config.architecture != "topk":
            return ARCHITECTURES[self.config.architecture].encode(self._encoder_input(x), self.encoder())
        pre = self.pre_activations(x)
        values, indices = top_k(pre, self.config.k)
        return torch.zeros_like(pre).scatter(-1, indices, values.relu())

    def encode_sparse(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """[..., d_in] in model units -> (indices [..., k] int64, values [..., k] >= 0), in no stated order.

        TopK only: raises ValueError for another architecture, where the number of active features varies.
        A value of 0 says that fewer than k features are active.
        """
        if self.config.architecture != "topk":
            raise ValueError(f"encode_sparse needs a topk SAE; this one is {self.config.architecture}: use encode")
        values, indices = top_k(self.pre_activations(x), self.config.k)
        return indices, values.relu()

    def decode(self, activations: Tensor, x: Tensor | None = None) -> Tensor:
        """[..., d_sae] -> x_hat [..., d_in] in model units. Raises ValueError on another width.

        x is what was encoded; only an SAE with an input normalization or a skip connection needs it, and raises
        ValueError without.
        """
        self._check(activations, self.config.d_sae, "d_sae")
        return self._to_model_units(activations @ self.W_dec + self.b_dec, x)

    def decode_sparse(self, indices: Tensor, values: Tensor, x: Tensor | None = None) -> Tensor:
        """The inverse of `encode_sparse`: (indices, values) [..., k] -> x_hat [..., d_in] in model units.

        Reads the k decoder rows that are needed and no others. For x see `decode`.
        """
        k = indices.shape[-1]
        indices, values, shape = indices.reshape(-1, k), values.reshape(-1, k), indices.shape[:-1]
        total = F.embedding_bag(indices, self.W_dec, per_sample_weights=values, mode="sum")
        return self._to_model_units(total.reshape(*shape, self.config.output_width) + self.b_dec, x)

    def activations_of(self, x: Tensor, features: Sequence[int]) -> Tensor:
        """[..., d_in] in model units -> activations of some features, [..., len(features)].

        Reads those features' encoder columns only; a TopK SAE needs them all to know which features are on.
        Raises IndexError, with the valid range, on a feature that does not exist.
        """
        features = require_features(features, self.config.d_sae)
        index = torch.as_tensor(features, dtype=torch.long, device=self.W_enc.device)
        if self.config.architecture == "topk":
            return self.encode(x)[..., index]
        return ARCHITECTURES[self.config.architecture].encode(self._encoder_input(x), self.encoder(index))

    def forward(self, x: Tensor) -> Tensor:
        """x -> x_hat, both [..., d_in] in model units."""
        if self.config.architecture == "topk":
            return self.decode_sparse(*self.encode_sparse(x), x)
        return self.decode(self.encode(x), x)

    @torch.no_grad()
    def fold_W_dec_norm(self) -> SAE:
        """A copy whose decoder rows have norm 1 and whose activations are a_i |W_dec_i|; x_hat is the same.

        Biases and thresholds are scaled with the encoder's columns; r_mag is a ratio and stays.
        Raises ValueError for a TopK SAE with other norms: folding it would change which features survive.
        """
        norm = self.W_dec.norm(dim=-1)
        if self.config.architecture == "topk" and not torch.allclose(norm, torch.ones_like(norm), atol=1e-2):
            raise ValueError("folding decoder norms into a TopK SAE would change which features are on")
        weights = {name: weight.detach().clone() for name, weight in self.weights.items()}
        fold_decoder_norms(self.config.architecture, weights)
        return SAE.from_weights(self.config, weights, name=self.name)

    @torch.no_grad()
    def fold_scale(self) -> SAE:
        """A copy of scale 1, for tools that multiply activations by nothing; features and x_hat are the same.

            s x W_enc = x (s W_enc),   s x - b_dec = s (x - b_dec / s),   x_hat = (a W_dec + b_dec) / s

        Of a transcoder, W_dec and b_dec are divided by the scale of what it predicts, and W_skip by it and multiplied
        by s.
        """
        weights = {name: weight.clone() for name, weight in self.weights.items()}
        weights["W_enc"] *= self.scale
        weights["W_dec"] /= self.out_scale
        weights["b_dec"] /= self.out_scale
        if self.config.skip:
            weights["W_skip"] *= self.scale / self.out_scale
        site, out_site = (one and replace(one, scale=1.0) for one in (self.config.site, self.config.out_site))
        return SAE.from_weights(replace(self.config, site=site, out_site=out_site), weights, name=self.name)

    def rounded(self, dtype: str) -> SAE:
        """A copy with the weights that a file of this dtype gives back: "float32", "float16" or "int8", see `save`.

        Example:
            >>> sae = SAE(SAEConfig(d_in=4, d_sae=8))
            >>> float((sae.rounded("int8").W_dec - sae.W_dec).abs().max() / sae.W_dec.abs().max()) < 0.5 / 126
            True
        """
        return self._from(pack(self.weights, dtype))

    def _from(self, packed: Packed) -> SAE:
        weights = unpack(self.name, self.config, packed.arrays, packed.dtype)
        return SAE.from_weights(self.config, weights, name=self.name)

    @torch.no_grad()
    def fvu(self, x: Tensor, batch_size: int = 1024) -> float:
        """Fraction of the variance of x [n, d_in], in model units, that is not in x_hat: 0 for a perfect SAE, 1 for one
        that gives the mean. nan where the vectors do not vary. Raises ValueError for a transcoder.
        """
        if self.config.is_transcoder:
            raise ValueError("fvu compares x_hat with x, and a transcoder predicts other activations than it reads")
        mean = x.double().mean(0)
        error = variance = 0.0
        for part in x.split(batch_size):
            error += float((self(part).double() - part.double()).square().sum())
            variance += float((part.double() - mean).square().sum())
        return unexplained(error, variance, len(x) * float(mean.square().sum()))

    def storage_error(self, x: Tensor, dtype: str = "int8") -> dict[str, Any]:
        """What a file of this dtype costs: `fvu` of x [n, d_in], in model units, with the SAE as it is, `fvu_stored`
        as the file gives it back, and `relative_error`, {weight: |stored - own| / |own|}.

        Example:
            >>> error = SAE(SAEConfig(d_in=4, d_sae=8, architecture="topk", k=2)).storage_error(torch.randn(50, 4))
            >>> abs(error["fvu_stored"] - error["fvu"]) < 0.05
            True
        """
        return self._error(x, pack(self.weights, dtype))

    def _error(self, x: Tensor, packed: Packed) -> dict[str, Any]:
        own = {"relative_error": packed.relative_error}
        return {"fvu": self.fvu(x), "fvu_stored": self._from(packed).fvu(x), "n_vectors": len(x), **own}

    def save(self, folder: str | os.PathLike[str], dtype: str = "float32", *, sample: Tensor | None = None) -> None:
        """Write `config.json` and `weights.safetensors` into `folder`, as one: after a crash at any moment, the SAE
        that was there before loads, or this one.

        dtype "float16" halves the file. "int8" makes it a quarter: each feature's row of W_enc and W_dec becomes whole
        numbers from -127 to 127 times one scale, and `config.json` says under "stored" how far the rounded weights are
        from these (`storage_error`), with `fvu` before and after where a `sample` [n, d_in] of activations is given.
        The loaded SAE works in float32 all the same. Raises ValueError, and writes nothing, if a weight is not finite
        (or would not be, in that dtype); OSError, and the old SAE stands, if the disk refuses or a file is read-only.
        """
        packed = pack(self.weights, dtype)
        config = self.config.to_dict()
        config = {"format": config.pop("format"), "name": self.name, **config}
        if dtype == "int8":
            error = {"relative_error": packed.relative_error} if sample is None else self._error(sample, packed)
            config |= {"format": INT8_FORMAT, "stored": {"dtype": dtype, **error}}
        write_pair(Path(folder) / "config.json", config, Path(folder) / "weights.safetensors", packed.arrays)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> SAE:
        """Read what `save` wrote, into float32 on the CPU; `.to(torch.bfloat16)` makes another type of it.

        Raises LoadError, and nothing else, on a folder that does not hold a sound SAE. Where the two files belong to
        different SAEs, the config that the weights carry is taken, with a warning.

        Example:
            >>> import tempfile
            >>> sae = SAE(SAEConfig(d_in=4, d_sae=8))
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     sae.save(folder)
            ...     bool(torch.equal(SAE.load(folder).W_enc, sae.W_enc))
            True
        """
        path = Path(folder) / "weights.safetensors"
        data, arrays = read_pair(Path(folder) / "config.json", path, max_bytes=MAX_BYTES)
        config = config_from(Path(folder) / "config.json", data)
        weights = unpack(path, config, arrays, stored_dtype(Path(folder) / "config.json", data))
        return cls.from_weights(config, weights, name=str(data.get("name", "")))

    def extra_repr(self) -> str:
        """What `repr` shows between the brackets."""
        c = self.config
        sparsity = {"topk": f", k={c.k}", "batchtopk": f", k={c.k}", "relu": f", l1_coefficient={c.l1_coefficient:g}"}
        where = f", {c.site.model_name} {c.site.hook_name}, scale={c.site.scale:.4g}" if c.site else ""
        predicts = f" -> {c.d_out}" if c.is_transcoder else ""
        normalized = f", {c.input_normalization}" if c.input_normalization != "none" else ""
        return f"{c.architecture}, d_in={c.d_in}{predicts}, d_sae={c.d_sae}{sparsity.get(c.architecture, '')}{normalized}{where}"

    def _check(self, x: Tensor, width: int, name: str) -> None:
        if x.shape[-1:] != (width,):
            raise ValueError(f"expected [..., {name} = {width}], not {list(x.shape)}")

    def encoder(self, index: Tensor | None = None) -> dict[str, Tensor]:
        """The encoder's weights by name, of all features or of some, as `ARCHITECTURES` takes them."""
        names = ("W_enc", *ARCHITECTURES[self.config.architecture].weights)
        return {name: getattr(self, name) if index is None else getattr(self, name)[..., index] for name in names}

    def to_sae_units(self, x: Tensor) -> Tensor:
        """[..., d_in] in model units -> the same scaled or normalized: what the SAE reconstructs, and where losses are."""
        self._check(x, self.config.d_in, "d_in")
        x = x.to(self.W_enc.dtype)
        if self.config.input_normalization == "layer_norm":
            return (x - x.mean(-1, keepdim=True)) / (x.std(-1, keepdim=True) + LAYER_NORM_EPS)
        if self.config.input_normalization == "unit_norm":
            return x / self.units(x).clamp_min(torch.finfo(x.dtype).tiny)
        return self.scale * x

    def encoder_input(self, x: Tensor) -> Tensor:
        """x [..., d_in] in SAE units -> z, what the encoder multiplies."""
        return x - self.b_dec if self.config.subtracts_b_dec else x

    def _encoder_input(self, x: Tensor) -> Tensor:
        """z of x in model units."""
        return self.encoder_input(self.to_sae_units(x))

    def _to_model_units(self, x_hat: Tensor, x: Tensor | None) -> Tensor:
        if self.config.skip:
            if x is None:
                raise ValueError("a transcoder with a skip connection decodes with its input: decode(a, x)")
            x_hat = x_hat + self.to_sae_units(x) @ self.W_skip
        if self.config.input_normalization == "none":
            return x_hat / self.out_scale
        if x is None:
            raise ValueError(f"an SAE with {self.config.input_normalization} decodes with its input: decode(a, x)")
        self._check(x, self.config.d_in, "d_in")
        x = x.to(self.W_dec.dtype)
        x_hat = x_hat * self.units(x)
        return x_hat + x.mean(-1, keepdim=True) if self.config.input_normalization == "layer_norm" else x_hat


def bundled_names() -> list[str]:
    """The SAEs that come with the package: of the bundled model, and of a chat model that is fetched."""
    return sorted(_bundled())


def load_bundled(name: str) -> SAE:
    """One of `bundled_names()`. Raises ValueError, with the nearest names, on another."""
    found = _bundled()
    if name not in found:
        raise ValueError(unknown("bundled SAE", name, found))
    sae = SAE.load(found[name])
    sae.name = name
    return sae


def _bundled() -> dict[str, Path]:
    folders = (SAES_FOLDER, CHAT_SAES_FOLDER)
    return {p.parent.name: p.parent for folder in folders for p in folder.glob("*/config.json")}
