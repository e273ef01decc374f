"""Names that people bring from TransformerLens, SAELens and older versions, and what they are called here; and PyTorch,
which a viewer's install leaves out: what to type where it is wanted.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

# A name typed on the package itself, `sw.NAME` -> what to type.
PACKAGE = {
    "HookedTransformer": 'sw.load_model("gpt2"), or give a HookedTransformer of your own wherever a model is asked for',
    "HookedSAETransformer": "sw.load_model(name) and sw.load_sae(name): the clamp of sw.Steerer(model, sae) takes the place of spliced SAEs",
    "TransformerBridge": 'sw.load_model("gpt2", backend="bridge"), or give a bridge of your own wherever a model is asked for',
    "from_pretrained": 'sw.load_model("gpt2") for a model, sw.load_sae("release/sae_id") for an SAE',
    "ActivationsStore": "sw.ActivationStore(model, site, corpus)",
    "ActivationCache": "model.read(tokens, hook_names), a dict of tensors",
    "evaluate": "sw.quality(model, sae, corpus)",
    "run_evals": "sw.quality(model, sae, corpus)",
    "ablate": "sw.Steerer(model, sae).generate(prompt, [sw.Clamp(feature, 0.0)])",
    "steer": "sw.Steerer(model, sae).generate(prompt, [sw.Clamp(feature, value)])",
    "generate": "sw.Steerer(model, sae).generate(prompt), or model.generate(prompt)",
    "probe": "sw.prober(model, sae) reads texts; sw.FeatureProbe(sw.prober(model, sae)) shows them",
    "dashboard": "sw.FeatureDashboard(sw.dashboard_data(model, sae, acts)), or sw.explore(model, sae)",
    "viz": "sw.explore(model, sae)",
    "feature_dashboard": "sw.FeatureDashboard(sw.dashboard_data(model, sae, acts))",
    "LanguageModelSAERunnerConfig": "sw.SAEConfig(...) and sw.TrainConfig(steps=...), then sw.train(sae, store, config)",
    "SAETrainingRunner": "sw.train(sae, sw.ActivationStore(model, site, corpus), sw.TrainConfig(steps=...))",
    "get_pretrained_saes_directory": "sw.formats.releases()",
    "utils": "model.display(tokens) for token texts, model.hook_names for hook points",
}
PACKAGE |= {
    name: f'sw.SAE(sw.SAEConfig(d_in, d_sae, architecture="{architecture}"))'
    for name, architecture in {
        "TopKSAE": "topk",
        "BatchTopKSAE": "batchtopk",
        "JumpReLUSAE": "jumprelu",
        "GatedSAE": "gated",
        "StandardSAE": "relu",
        "TrainingSAE": "topk",
    }.items()
}

# An attribute of a `Model`.
MODEL = {
    "run_with_cache": "model.read(tokens, hook_names) gives {name: tensor}; model.hooked.run_with_cache is TransformerLens's own",
    "run_with_hooks": "model.logits(tokens, sw.Edit(hook_name, function)); model.hooked.run_with_hooks is TransformerLens's own",
    "run_with_saes": "sw.Steerer(model, sae) clamps features; sw.quality(model, sae, corpus) splices the reconstruction in",
    "to_tokens": "model.tokens(text)",
    "to_str_tokens": "model.display(tokens)",
    "to_string": "model.written(tokens)",
    "to_single_token": "model.one_token(text)",
    "cfg": "model.n_layers, model.d_model, model.d_vocab and model.n_ctx; model.hooked.cfg is TransformerLens's own",
    "hook_dict": "model.hook_names",
    "add_hook": "model.hooked.add_hook",
    "hooks": "model.hooked.hooks",
    "reset_hooks": "model.hooked.reset_hooks",
    "tokenizer": "model.tokens(text) and model.display(tokens); model.hooked.tokenizer is transformers' own",
    "forward": "model.logits(tokens)",
    "blocks": "model.hooked.blocks",
    "parameters": "model.hooked.parameters()",
    "to": 'sw.load_model(name, device="cuda")',
    "W_U": "model.direction_logits(directions), or model.hooked.W_U",
    "W_E": "model.hooked.W_E",
    "from_pretrained": 'sw.load_model("gpt2")',
}

# An attribute of an `SAE`.
SAE = {
    "from_pretrained": 'sw.load_sae("release/sae_id"), such as sw.load_sae("gpt2-small-res-jb/blocks.8.hook_resid_pre")',
    "load_from_pretrained": "sw.load_sae(folder)",
    "load_from_disk": "sw.load_sae(folder)",
    "save_model": 'sw.save_sae(sae, folder, "saelens")',
    "cfg": "sae.config; the hook point is sae.config.site.hook_name",
    "hook_name": "sae.config.site.hook_name",
    "d_sae": "sae.config.d_sae",
    "d_in": "sae.config.d_in",
    "process_sae_in": "sae.encode(x)",
    "run_time_activation_norm_fn_in": "sae.to_sae_units(x)",
    "get_sparsity": "sw.feature_activations(model, sae, corpus).density",
    "fold_activation_norm_scaling_factor": "sae.fold_scale()",
    "generate": "sw.Steerer(model, sae).generate(prompt)",
}


def instead(kind: str, name: str, table: dict[str, str]) -> str:
    """The sentence for a name that is called otherwise here; "" where the table does not have it.

    Example:
        >>> instead("an SAE", "cfg", SAE)
        "an SAE has no 'cfg' here; type sae.config; the hook point is sae.config.site.hook_name"
    """
    return f"{kind} has no {name!r} here; type {table[name]}" if name in table else ""


@contextmanager
def torch_for(what: str, how: str = "") -> Iterator[None]:
    """Around an import that needs PyTorch, where it may be missing: says so, and what to type.

    Args:
        what: that is being imported.
        how: what to install; both extras by default.

    Raises:
        ModuleNotFoundError: where an import inside found no PyTorch. Other modules that are missing pass as they are.

    Example:
        >>> with torch_for("sw.SAE"):
        ...     raise ModuleNotFoundError("No module named 'torch'", name="torch")
        Traceback (most recent call last):
        ModuleNotFoundError: sw.SAE needs PyTorch, which is not installed: pip install "saewidgets[models]", or "saewidgets[torch]" where no language model is run
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        how = how or 'pip install "saewidgets[models]", or "saewidgets[torch]" where no language model is run'
        raise ModuleNotFoundError(f"{what} needs PyTorch, which is not installed: {how}", name="torch") from None
