"""What fixes an SAE's shape and meaning, in memory and in `config.json`."""

from __future__ import annotations

import sys
import warnings
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from saewidgets.files import LoadError, short, unknown
from saewidgets.records import ActivationSite
from saewidgets.records.arguments import whole
from saewidgets.sae.architectures import ARCHITECTURES

# Of `SAE.save`. 1: relu and topk as their papers have them. 2: what a reader of 1 would misread. 3: transcoders. 4:
# with a skip. 5: what `SAE.save` writes with dtype "int8", of any of these.
FORMATS = (1, 2, 3, 4, 5)
INT8_FORMAT = 5
INPUT_NORMALIZATIONS = ("none", "layer_norm", "unit_norm")
_SINCE_2 = {"apply_b_dec_to_input": None, "input_normalization": "none"}  # and what files of format 1 mean
_SINCE_3 = {"d_out": None, "out_site": None}
_SINCE_4 = {"skip": False}


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
    architecture: str = "relu"  # "relu", "topk", "jumprelu", "gated" or "batchtopk": see `saewidgets.sae.architectures`
    k: int = 32  # topk: features active a token, at most; batchtopk: on average, in training
    l1_coefficient: float = 5.0  # lambda, the weight of the loss's sparsity term, on inputs with mean |x|^2 = d_in
    site: ActivationSite | None = None  # where it reads, and the scale of its inputs; None: bare vectors, scale 1
    seed: int = 0  # of the random initial weights
    apply_b_dec_to_input: bool | None = None  # whether the encoder reads s x - b_dec; None: as the architecture's paper
    input_normalization: str = "none"  # "layer_norm": (x - mean) / std of each vector; "unit_norm": x sqrt(d_in) / |x|
    # Of a transcoder: the width of the activations that it predicts. None: it reconstructs its input.
    d_out: int | None = None
    out_site: ActivationSite | None = None  # of a transcoder: where those are, and their scale
    skip: bool = False  # of a transcoder: whether s x W_skip is added to what it predicts (Paulo et al. 2025)

    def __post_init__(self) -> None:
        for name in ("d_in", "d_sae", "k", "seed"):
            if isinstance(getattr(self, name), float):  # 4.0 is a size that somebody computed: rather say so
                raise ValueError(f"{name} must be a whole number, not {getattr(self, name)!r}")
            try:
                value = whole(getattr(self, name), name, minimum=0 if name == "seed" else 1)
            except TypeError as error:
                raise ValueError(str(error)) from None
            object.__setattr__(self, name, value)
        if not isinstance(self.architecture, str) or self.architecture not in ARCHITECTURES:
            raise ValueError(unknown("architecture", str(self.architecture), ARCHITECTURES))
        if self.architecture == "topk" and self.k > self.d_sae:
            raise ValueError(f"k = {self.k} active features do not fit in d_sae = {self.d_sae}")
        if not _number(self.l1_coefficient) or self.l1_coefficient < 0:
            raise ValueError(f"l1_coefficient must be a finite number of 0 or more, not {self.l1_coefficient!r}")
        if self.site is not None and self.site.d_in != self.d_in:
            raise ValueError(f"d_in = {self.d_in}, but the site {self.site.hook_name} is {self.site.d_in} wide")
        if self.apply_b_dec_to_input is not None and type(self.apply_b_dec_to_input) is not bool:
            raise ValueError(f"apply_b_dec_to_input must be True, False or None, not {self.apply_b_dec_to_input!r}")
        if self.apply_b_dec_to_input == ARCHITECTURES[self.architecture].subtracts_b_dec:
            object.__setattr__(self, "apply_b_dec_to_input", None)  # so that equal SAEs have equal configs
        self._check_output()
        if self.input_normalization not in INPUT_NORMALIZATIONS:
            raise ValueError(unknown("input_normalization", str(self.input_normalization), INPUT_NORMALIZATIONS))
        if self.input_normalization == "layer_norm" and self.d_in == 1:
            raise ValueError("layer_norm needs d_in = 2 or more: one number has no spread")
        if self.input_normalization != "none" and self.site is not None and self.site.scale != 1.0:
            raise ValueError(f"a scale of {self.site.scale:g} means nothing to inputs under {self.input_normalization}")

    def _check_output(self) -> None:
        """What a transcoder's fields may be."""
        if self.out_site is not None:
            if self.d_out is None:
                object.__setattr__(self, "d_out", self.out_site.d_in)
            if self.out_site.d_in != self.d_out:
                raise ValueError(
                    f"d_out = {self.d_out}, but the site {self.out_site.hook_name} is {self.out_site.d_in} wide"
                )
        if type(self.skip) is not bool or (self.skip and self.d_out is None):
            raise ValueError(f"skip must be True or False, and True only with d_out, not {self.skip!r}")
        if self.d_out is None:
            return
        if type(self.d_out) is not int or self.d_out < 1:
            raise ValueError(f"d_out must be a positive whole number, not {self.d_out!r}")
        if self.apply_b_dec_to_input:
            raise ValueError(
                "apply_b_dec_to_input means nothing to a transcoder: b_dec belongs to its output, not its input"
            )
        object.__setattr__(self, "apply_b_dec_to_input", None)
        if self.input_normalization != "none":
            raise ValueError(
                f"a transcoder takes its inputs as they are: input_normalization={self.input_normalization!r}"
            )

    @property
    def fixes_k(self) -> bool:
        """Whether k says how many features are on, at each token or on average; elsewhere lambda does, by its price."""
        return self.architecture in ("topk", "batchtopk")

    @property
    def facts(self) -> str:
        """An SAE in a few words.

        Example:
            >>> SAEConfig(4, 16, architecture="topk", k=2).facts
            'topk, 16 features, k = 2'
        """
        sparsity = f"k = {self.k}" if self.fixes_k else f"λ = {self.l1_coefficient:g}"
        return f"{self.architecture}, {self.d_sae:,} features, {sparsity}"

    @property
    def is_transcoder(self) -> bool:
        """Whether it predicts the activations of another site than those that it reads."""
        return self.d_out is not None

    @property
    def output_width(self) -> int:
        """Width of what it reconstructs or predicts."""
        return self.d_in if self.d_out is None else self.d_out

    @property
    def subtracts_b_dec(self) -> bool:
        """Whether the encoder reads s x - b_dec."""
        if self.is_transcoder:
            return False
        if self.apply_b_dec_to_input is not None:
            return self.apply_b_dec_to_input
        return ARCHITECTURES[self.architecture].subtracts_b_dec

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON types, without those of a later format where a file of an earlier one can say the same."""
        data = asdict(self)
        if self._format < 4:
            for name in _SINCE_4:
                del data[name]
        if self._format < 3:
            for name in _SINCE_3:
                del data[name]
        if self.site is not None:
            data["site"] = self.site.to_dict()
        if self._format == 1:
            for name in _SINCE_2:
                del data[name]
        return {"format": self._format, **data}

    @property
    def _format(self) -> int:
        if self.is_transcoder:
            return 4 if self.skip else 3
        old = self.architecture in ("relu", "topk") and self.input_normalization == "none"
        return 1 if old and self.subtracts_b_dec == ARCHITECTURES[self.architecture].subtracts_b_dec else 2


def config_from(path: Path, data: dict[str, Any]) -> SAEConfig:
    """The config in a parsed `config.json`; LoadError names the key that is wrong."""
    if type(data.get("format")) is not int or data["format"] not in FORMATS:
        raise LoadError(path, f"SAE format {data.get('format')!r}; this version reads formats 1 to 5")
    known = {f.name for f in fields(SAEConfig)}
    if data["format"] == 1:
        known -= set(_SINCE_2)
    if data["format"] < 3:
        known -= set(_SINCE_3)
    if data["format"] < 4:
        known -= set(_SINCE_4)
    own = {key: value for key, value in data.items() if key in known}
    missing = {"d_in", "d_sae", "architecture"} - set(own)
    if missing:
        raise LoadError(path, f"missing {', '.join(sorted(missing))}")
    strange = sorted(set(data) - known - {"format", "name", *(["stored"] if data["format"] == INT8_FORMAT else [])})
    if strange:
        keys = ", ".join(short(key) for key in strange[:5])
        warnings.warn(str(LoadError(path, f"ignored the unknown keys {keys}")), stacklevel=3)
    try:
        for name in ("site", "out_site"):
            if own.get(name) is not None:
                own[name] = ActivationSite.from_dict(own[name])
        return SAEConfig(**own)
    except (TypeError, ValueError) as error:
        raise LoadError(path, str(error)) from error


def stored_dtype(path: Path, data: dict[str, Any]) -> str:
    """How the weights of such a `config.json` are stored: "int8", or "float32" for floats of any kind; else LoadError."""
    if data["format"] != INT8_FORMAT:
        return "float32"
    stored = data.get("stored")
    if not isinstance(stored, dict) or stored.get("dtype") != "int8":
        found = stored.get("dtype") if isinstance(stored, dict) else stored
        raise LoadError(path, f"stored as {short(found)}; this version reads int8 in format {INT8_FORMAT}")
    return "int8"


def _number(value: Any) -> bool:
    # An integer of 400 digits is no float, and `isfinite` raises on it.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
