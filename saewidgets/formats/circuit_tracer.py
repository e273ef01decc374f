"""circuit-tracer's transcoders: `layer_n.safetensors`, all layers in one folder beside a `config.yaml` (mwhanna's for
Qwen 3).

    W_enc [d_sae, d_in], W_dec [d_sae, d_out], b_enc, b_dec, perhaps W_skip [d_out, d_in] and threshold [d_sae];
    y_hat = relu(x W_enc^T + b_enc) W_dec + b_dec + x W_skip^T, x what the MLP is given and y what it adds.

They were trained on a model whose norms are not folded. `config.yaml` names the model and its two hook points; where
there is none the folder's name has the model's size.
"""

from __future__ import annotations

import re
from pathlib import Path

from saewidgets.files import LoadError, open_regular, plain, read_tensors
from saewidgets.formats.assemble import assemble, matrix, placed
from saewidgets.records import ActivationSite
from saewidgets.sae import MAX_BYTES, SAE

_FILE = re.compile(r"layer_(\d+)\.safetensors")
_MAX_CONFIG = 1 << 16  # bytes


def recognizes(path: Path) -> bool:
    """Whether a file is called as one of these is."""
    return _FILE.fullmatch(path.name) is not None


def read(path: Path, *, origin: str, site: ActivationSite | None) -> SAE:
    """The transcoder in one file. Raises LoadError."""
    weights = read_tensors(path, max_bytes=MAX_BYTES)
    weights["W_enc"] = matrix(path, weights, "W_enc").T
    d_in, d_out = len(weights["W_enc"]), matrix(path, weights, "W_dec").shape[1]
    if "W_skip" in weights:
        weights["W_skip"] = matrix(path, weights, "W_skip").T
    said = _settings(path.with_name("config.yaml"))
    size = re.search(r"qwen3-(\d+(?:\.\d+)?)b", origin)
    model = said.get("model_name") or (f"Qwen/Qwen3-{size[1]}B" if size else None)
    block = f"blocks.{int(_FILE.fullmatch(path.name)[1])}"  # type: ignore[index]
    first, last = said.get("feature_input_hook", "mlp.hook_in"), said.get("feature_output_hook", "hook_mlp_out")
    if site is None:
        site = placed(model, f"{block}.{first}", d_in)
    out = placed(model, f"{block}.{last}", d_out)
    return assemble(
        path,
        "jumprelu" if "threshold" in weights else "relu",
        weights,
        site=site,
        name=origin,
        d_out=d_out,
        out_site=out,
        skip="W_skip" in weights,
    )


def _settings(path: Path) -> dict[str, str]:
    """The `key: text` lines of a YAML file that are of use here; no more of YAML is read."""
    if not path.is_file():
        return {}
    try:
        with open_regular(path, _MAX_CONFIG) as (file, _):
            text = file.read().decode("utf-8", errors="replace")
    except (OSError, ValueError) as error:
        raise LoadError(path, plain(error)) from error
    keys = "model_name|feature_input_hook|feature_output_hook"
    lines = re.findall(rf"^({keys}):[ \t]*[\"']?([\w./-]{{1,200}})[\"']?[ \t]*(?:#.*)?$", text, re.MULTILINE)
    return dict(lines)
