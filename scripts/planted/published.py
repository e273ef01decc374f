"""Silent bugs that published tools have had."""

from __future__ import annotations

from planted.kinds import Bug, plant

MEASURE, DETECT, RUN = "analysis/quality/measure.py", "doctor/examination.py", "training/run.py"
CORPORA = "models/corpora.py"
SAE, PASSES, TRAINING = "sae/autoencoder.py", "models/passes.py", "training.py"
ROWS, STORE = "activations/rows.py", "activations/store.py"

BUGS = (
    Bug(
        1,
        "scale estimated from a few rows only",
        (
            plant(
                "activations/test_store.py::test_the_scale_makes_the_mean_squared_norm_equal_to_the_width",
                (STORE, "rows = self._fill(docs)[: n_tokens - seen]", "rows = self._fill(docs)[:1]"),
            ),
            plant(
                "activations/test_store.py::test_the_scale_makes_the_mean_squared_norm_equal_to_the_width",
                (
                    "activations/measured.py",
                    "total += float(rows.square().sum(dtype=torch.float64))",
                    "total += float(len(rows) * rows.norm(dim=-1).mean() ** 2)",
                ),
            ),
        ),
    ),
    Bug(
        2,
        "scale folded into one weight and not another",
        (
            plant(
                "sae/test_sae.py::test_the_scale_is_in_the_equations_once",
                (SAE, "            return x_hat / self.scale", "            return x_hat"),
                (SAE, "            return x_hat / self.out_scale", "            return x_hat"),
            ),
            plant(
                "formats/test_formats.py::test_the_scale_is_folded_into_what_saelens_reads",
                (SAE, '        weights["W_dec"] /= self.out_scale\n', ""),
            ),
            plant(
                "formats/test_formats.py::test_the_scale_is_folded_into_what_saelens_reads",
                (SAE, '        weights["b_dec"] /= self.out_scale\n', ""),
            ),
        ),
    ),
    Bug(
        3,
        "normalization not applied in evaluation",
        (
            plant(
                "analysis/test_quality_measures.py::test_scaling_activations_and_the_sites_scale_changes_no_ratio",
                (
                    MEASURE,
                    "            a = sae.encode(x)\n            x_hat",
                    "            a = sae.encode(x / sae.scale)\n            x_hat",
                ),
            ),
        ),
    ),
    Bug(
        4,
        "explained variance about zero, not the mean",
        (
            plant(
                "analysis/test_quality.py::test_a_high_mean_does_not_flatter "
                "analysis/test_quality.py::test_an_sae_that_always_gives_the_mean_explains_nothing",
                (
                    MEASURE,
                    "variance = squared - float(total.square().sum()) / n",
                    "variance = squared + 2 * float((total * shift).sum()) + n * float(shift.double().square().sum())",
                ),
            ),
            plant(
                "training/test_training.py::test_a_step_reports_the_batch_as_it_was_before_the_update",
                (RUN, "variance = (y - y.mean(0)).square().sum()", "variance = y.square().sum()"),
                (
                    TRAINING,
                    "(self.sae.scale * (batch - batch.mean(0))).square().sum()",
                    "(self.sae.scale * batch).square().sum()",
                ),
            ),
        ),
    ),
    Bug(
        5,
        "<bos> in the middle of a row is counted",
        (
            plant(
                "activations/test_store.py::test_the_beginning_token_does_not_count_wherever_it_stands",
                (
                    CORPORA,
                    "real & ~np.isin(rows, list(special)) if special else real",
                    "real & (np.arange(rows.shape[1]) > 0) if special else real",
                ),
            ),
        ),
    ),
    Bug(
        6,
        "right padding assumed, rows padded on the left",
        (
            plant(
                "activations/test_store.py::test_a_corpus_that_cannot_be_is_refused",
                (CORPORA, "if (real[:, 1:] & ~real[:, :-1]).any():", "if False:"),
            ),
        ),
    ),
    Bug(
        7,
        "pad tokens attended: a batch is not its rows",
        (
            plant(
                "house/test_silent_bugs.py::test_each_activation_is_that_of_the_last_position_of_its_prefix",
                (
                    ROWS,
                    "        acts = quick_activations(model, torch.from_numpy(block.astype(np.int64)), hook_name)  # [batch, pos, d_in]\n",
                    "        tokens = torch.from_numpy(block.astype(np.int64))\n"
                    "        pads = (tokens < 0).sum(1).tolist()\n"
                    "        tokens = torch.stack([t.roll(n) for t, n in zip(tokens, pads, strict=True)])\n"
                    "        acts = model.activations(tokens, hook_name)\n"
                    "        acts = torch.stack([a.roll(-n, 0) for a, n in zip(acts, pads, strict=True)])\n",
                ),
            ),
        ),
    ),
    Bug(
        8,
        "first real token dropped where there is no BOS; off by one",
        (
            plant(
                "house/test_silent_bugs.py::test_each_activation_is_that_of_the_last_position_of_its_prefix",
                (
                    CORPORA,
                    "list(special)) if special else real",
                    "list(special)) if special else real & (np.arange(rows.shape[1]) > 0)",
                ),
            ),
            plant(
                "house/test_silent_bugs.py::test_each_activation_is_that_of_the_last_position_of_its_prefix",
                (
                    ROWS,
                    "picked = acts[torch.from_numpy(row).to(acts.device), torch.from_numpy(position).to(acts.device)]",
                    "picked = acts[torch.from_numpy(row).to(acts.device), torch.from_numpy(position).to(acts.device) - 1]",
                ),
            ),
        ),
    ),
    Bug(
        9,
        "padding side silently reset",
        (
            plant(
                "house/test_silent_bugs.py::test_a_users_padding_side_survives_and_changes_nothing",
                (
                    "models/backends.py",
                    "        if cache is None:\n            options =",
                    '        self.hooked.tokenizer.padding_side = "right"\n'
                    "        if cache is None:\n            options =",
                ),
            ),
            plant(
                "house/test_silent_bugs.py::test_padding_is_on_the_right_as_loaded",
                ("models/bridged.py", 'padding_side="right"', 'padding_side="left"'),
            ),
        ),
    ),
    Bug(
        10,
        'the output of a layer for its input (io="in")',
        (
            plant(
                "house/test_silent_bugs.py::test_a_site_holds_what_pytorchs_own_hook_sees_there",
                (
                    PASSES,
                    "self._points[hook_name] = points[hook_name]",
                    'self._points[hook_name] = points[hook_name.replace("resid_pre", "resid_post")]',
                ),
            ),
        ),
    ),
    Bug(
        11,
        "hooks left after an exception",
        (
            plant(
                "models/test_models.py::test_no_hook_survives_an_error_and_a_users_own_stays",
                (
                    PASSES,
                    "            try:\n                yield ours\n            finally:\n                handle.remove()",
                    "            yield ours\n            handle.remove()",
                ),
            ),
        ),
    ),
    Bug(
        12,
        "the user's own hooks removed",
        (
            plant(
                "models/test_models.py::test_no_hook_survives_an_error_and_a_users_own_stays",
                (
                    PASSES,
                    "                yield ours\n            finally:\n                handle.remove()",
                    "                yield ours\n            finally:\n                self.point(edit.hook_name)._forward_hooks.clear()",
                ),
            ),
        ),
    ),
    Bug(
        13,
        "the SAE changed for good by what only looks at it",
        (
            plant(
                "house/test_silent_bugs.py::test_folding_leaves_the_sae_that_was_folded",
                (SAE, "{name: weight.detach().clone() for", "{name: weight.detach() for"),
            ),
            plant(
                "steering/test_steering.py::test_the_sae_and_the_model_are_as_before",
                (
                    SAE,
                    "        return self.decoder_rows(features) * self.spread",
                    "        self.W_dec.data /= self.scale\n        return self.decoder_rows(features) * self.spread",
                ),
            ),
        ),
    ),
    Bug(
        14,
        "a device asked for activations moves the model",
        (
            plant(
                "house/test_silent_bugs.py::test_a_stream_on_another_device_leaves_the_model_where_it_is",
                (
                    STORE,
                    "        self._given_site = site\n",
                    "        self._given_site = site\n        model.hooked.to(dtype=torch.float64)\n",
                ),
            ),
            plant(
                "house/test_silent_bugs.py::test_a_stream_on_another_device_leaves_the_model_where_it_is",
                (
                    STORE,
                    "        self._given_site = site\n",
                    "        self._given_site = site\n        model.hooked.to(self.device)\n",
                ),
            ),
        ),
    ),
    Bug(
        15,
        "a device that is silently wrong",
        (
            plant(
                "house/test_silent_bugs.py::test_a_device_that_computes_something_else_is_noticed",
                (DETECT, "    if apart <= DEVICE_ERROR:", "    if True:"),
            ),
            plant(
                "house/test_silent_bugs.py::test_a_device_that_computes_something_else_is_noticed",
                (DETECT, 'if model.device.type == "cpu":', 'if model.device.type != "cuda":'),
            ),
        ),
    ),
    Bug(
        16,
        "TopK read as ReLU",
        (
            plant(
                "formats/test_formats.py::test_each_is_read_as_what_it_is",
                ("formats/saelens.py", '    "topk": "topk",', '    "topk": "relu",'),
            ),
            plant(
                "formats/test_formats.py::test_each_is_read_as_what_it_is",
                (
                    "formats/saelens.py",
                    'if found == "standard" and activation == "topk":',
                    'if found == "standard" and activation == "never":',
                ),
            ),
        ),
    ),
    Bug(
        17,
        "decoder norm not folded into the threshold; TopK folded",
        (
            plant(
                "sae/test_sae.py::test_folding_norms_leaves_the_reconstruction",
                ("sae/architectures.py", 'if name != "r_mag":', 'if name not in ("r_mag", "threshold"):'),
            ),
            plant(
                "sae/test_sae.py::test_folding_norms_leaves_the_reconstruction",
                (SAE, "torch.ones_like(norm), atol=1e-2", "torch.ones_like(norm), atol=1e9"),
            ),
        ),
    ),
    Bug(
        18,
        "used on a model with other weight processing",
        (
            plant(
                "house/test_silent_bugs.py::test_other_weight_processing_is_refused_before_any_number "
                "steering/test_steering.py::test_an_sae_from_elsewhere_is_refused",
                ("models/belonging.py", "    if matters:\n", "    if False:\n"),
            ),
            plant(
                "doctor/test_doctor.py::test_another_revision_of_the_model",
                (DETECT, "if apart is not None and apart <= ROUNDING:", "if apart is not None and apart <= 9:"),
            ),
        ),
    ),
    Bug(
        19,
        "heads reshaped into one vector in another order",
        (
            plant(
                "house/test_silent_bugs.py::test_a_site_with_a_vector_a_head_is_flat_head_after_head",
                (
                    PASSES,
                    "return activation.flatten(2) if per_head",
                    "return activation.transpose(2, 3).flatten(2) if per_head",
                ),
            ),
            plant(
                "house/test_silent_bugs.py::test_heads_that_are_no_vector_of_a_token_are_refused",
                (PASSES, "            if activation.ndim != 3:", "            if False:"),
            ),
        ),
    ),
    Bug(
        20,
        "error term computed with the intervention",
        (
            plant(
                "steering/test_steering.py::test_the_equation_in_float64 "
                "steering/test_steering.py::test_a_clamped_relu_feature_reads_as_its_value_where_directions_are_apart",
                (
                    "steering/edits.py",
                    "change = target.to(own.device) - own.float()",
                    "change = (target.to(own.device) - own.float()) * 0",
                ),
            ),
            plant(
                "steering/test_steering.py::test_no_change_keeps_every_bit_in_every_architecture "
                "steering/test_steering.py::test_clamping_to_its_own_value_changes_no_bit",
                (
                    "steering/edits.py",
                    "change = target.to(own.device) - own.float()",
                    "change = target.to(own.device) + 0 * own.float()",
                ),
            ),
        ),
    ),
    Bug(
        21,
        "auxiliary loss not detached, wrong k; decoder normalized along the wrong axis",
        (
            plant(
                "training/test_training.py::test_the_auxiliary_loss_moves_dead_features_only "
                "kernels/test_sparse.py::test_loops_and_bags_are_the_definition",
                (
                    "kernels/sparse.py",
                    "            total.index_add_(0, aux.dead, extra)\n",
                    "            total.index_add_(0, aux.dead, extra)\n"
                    "        g = 2 * aux.coefficient / len(z) * error.expand(g.shape)\n"
                    "        dW_dec += _weight_gradients(active, slopes, g, part, z, len(W_dec))[0]\n",
                ),
            ),
            plant(
                "training/test_training.py::test_fast_gradients_equal_dense_autograd "
                "kernels/test_sparse.py::test_loops_and_bags_are_the_definition",
                ("kernels/sparse.py", "min(aux.k, len(aux.dead))", "len(aux.dead)"),
            ),
            plant(
                "training/test_training.py::test_topk_starts_at_the_mean_and_keeps_unit_rows",
                (
                    "training/objectives/base.py",
                    "W_dec.div_(self.sae.W_dec.norm(dim=-1, keepdim=True))",
                    "W_dec.div_(self.sae.W_dec.norm(dim=0, keepdim=True))",
                ),
                (
                    TRAINING,
                    "W_dec.div_(self.sae.W_dec.norm(dim=-1, keepdim=True))",
                    "W_dec.div_(self.sae.W_dec.norm(dim=0, keepdim=True))",
                ),
            ),
        ),
    ),
    Bug(
        22,
        "learning rate not scheduled; thresholds that do not move",
        (
            plant(
                "house/test_silent_bugs.py::test_the_optimizer_moves_by_the_scheduled_rate",
                (RUN, '            group["lr"] = lr\n', "            pass\n"),
                (TRAINING, '            group["lr"] = lr\n', "            pass\n"),
            ),
            plant(
                "training/test_objectives.py::test_jumprelu_thresholds_really_move "
                "training/test_objectives.py::test_thresholds_move_by_the_written_pseudo_derivative",
                (
                    "kernels/pseudo.py",
                    "-(theta / ctx.eps) * (near * g).sum(0), None",
                    "0 * theta, None",
                ),
                optional=True,
            ),
        ),
    ),
)
