"""Silent bugs that this package had itself, or could have again."""

from __future__ import annotations

from planted.kinds import Bug, plant

SAE, PAIRS, PASSES = "sae/autoencoder.py", "files/pairs.py", "models/passes.py"

BUGS = (
    Bug(
        23,
        "an effect without the token's own unit",
        (
            plant(
                "sae/test_units.py::test_an_ablation_is_a_clamp_to_0",
                (
                    SAE,
                    "return self.decoder_rows(features) * self.spread(x.to(self.W_dec.device))",
                    "return self.decoder_rows(features)",
                ),
            ),
            plant(
                "sae/test_units.py::test_parts_add_up_and_are_what_a_clamp_to_0_takes_away",
                (
                    "analysis/prompts/parts.py",
                    "sae.spread(x).expand(len(x), 1)",
                    "sae.spread(x.mean(0)).expand(len(x), 1)",
                ),
            ),
        ),
    ),
    Bug(
        24,
        "logits that are not finite end a text as if it were complete",
        (
            plant(
                "steering/test_not_finite.py::test_a_generation_says_why_it_stopped_and_a_file_keeps_it",
                ("models/writing.py", "        if not bool(finite(edited)):", "        if False:"),
            ),
        ),
    ),
    Bug(
        25,
        'the scope "token -1" is token 1',
        (
            plant(
                "house/test_given.py::test_token_minus_1_is_the_last_of_the_prompt",
                ("records/steering.py", "only += n_prompt if only < 0 else 0", "only = abs(only)"),
            ),
        ),
    ),
    Bug(
        26,
        "a tokenizer cuts texts as its file says",
        (
            plant(
                "models/test_tokenizers.py::test_what_others_set_on_their_tokenizer_changes_no_text",
                ("models/tokenizers.py", "    copy.no_truncation()", "    pass"),
            ),
        ),
    ),
    Bug(
        27,
        "the pieces of a long text begin without the beginning-of-text token",
        (
            plant(
                "activations/test_corpora.py::test_a_long_text_is_split_by_hand",
                (
                    "models/corpora.py",
                    "np.concatenate([begin, body[i : i + room]])",
                    "body[i : i + room]",
                ),
            ),
        ),
    ),
    Bug(
        28,
        "the first written word loses its space",
        (
            plant(
                "models/test_tokenizers.py::test_the_first_written_word_keeps_its_space",
                ("models/vocabulary.py", "        ids = self._tail(before)", "        ids = self._tail([])"),
            ),
        ),
    ),
    Bug(
        29,
        "an SAE of new weights and an old config",
        (
            plant(
                "files/test_pairs.py::test_a_save_that_fails_at_any_call_leaves_the_old_or_the_new",
                (
                    PAIRS,
                    "between = before is not None and BEFORE not in before and _alone(before) != config",
                    "between = False",
                ),
            ),
            plant(
                "files/test_pairs.py::test_a_mix_made_by_hand_is_the_sae_of_the_weights_and_told",
                (
                    PAIRS,
                    "if config is not None and config.get(IN_CONFIG) == metadata.get(digest.KEY):",
                    "if config is not None and not replacing:",
                ),
            ),
        ),
    ),
    Bug(
        30,
        "a digest that leaves out the metadata",
        (
            plant(
                "files/test_pairs.py::test_the_digest_is_over_metadata_names_and_types_too",
                (
                    "files/digest.py",
                    "rest = {name: value for name, value in metadata.items() if name != KEY}",
                    "rest: dict[str, str] = {}",
                ),
            ),
        ),
    ),
    Bug(
        31,
        "an SAE on its module's input placed at the output",
        (
            plant(
                "formats/test_producers_configs.py::test_an_sae_on_its_modules_input_is_not_placed_at_its_output",
                (
                    "formats/dictionary_learning.py",
                    '    side = buffer.get("io", "out") if isinstance(buffer, dict) else "out"',
                    '    side = "out"',
                ),
            ),
        ),
    ),
    Bug(
        32,
        "a flag that is null is false",
        (
            plant(
                "formats/test_producers_configs.py::test_null_flags_mean_what_is_left_out",
                (
                    "formats/saelens.py",
                    "    if found is None:  # null as well: not said\n        return default",
                    "    if found is None:\n        return False",
                ),
            ),
        ),
    ),
    Bug(
        33,
        "infinities beyond the first million numbers are taken",
        (
            plant(
                "files/test_file_bounds.py::test_finite_is_seen_in_every_piece_and_order",
                (
                    "files/reading.py",
                    "for i in range(0, flat.size, _PIECE))",
                    "for i in range(0, min(flat.size, _PIECE), _PIECE))",
                ),
            ),
        ),
    ),
    Bug(
        34,
        "a record's columns of other lengths, or true for a number",
        (
            plant(
                "records/test_typed.py::test_columns_of_one_axis_are_as_long_as_one_another",
                ("records/marks.py", "if n != expected + more:", "if n > expected + more:"),
            ),
            plant(
                "records/test_typed.py::test_a_wrong_value_is_refused_with_its_place_and_what_stands_there",
                (
                    "records/readers.py",
                    "if type(given) is int and -MOST <= given <= MOST:",
                    "if isinstance(given, int) and -MOST <= given <= MOST:",
                ),
            ),
        ),
    ),
    Bug(
        35,
        "a feature that stands twice in a record is dropped",
        (
            plant(
                "records/test_wrong_values.py::test_what_is_refused_says_where_and_what",
                ("records/dashboards.py", "            if n > 1:", "            if n > 2:"),
            ),
        ),
    ),
    Bug(
        36,
        "an untrained SAE is told where it belongs",
        (
            plant(
                "doctor/test_doctor.py::test_an_untrained_sae_is_not_told_where_it_belongs",
                ("doctor/search.py", "(EXPLAINS if lost else USELESS)", "USELESS"),
            ),
        ),
    ),
    Bug(
        37,
        "an error over the rounding of a mean",
        (
            plant(
                "training/test_training.py::test_equal_rows_have_no_variance_to_explain",
                ("sae/variance.py", "variance > ROUNDING * squared_mean else", "variance > 0 else"),
            ),
        ),
    ),
    Bug(
        38,
        "the advice repeats the model's own setting",
        (
            plant(
                "doctor/test_doctor.py::test_a_setting_that_differs_is_what_is_advised",
                (
                    "models/belonging.py",
                    'f"{begin}model.prepend_bos = {recorded.prepend_bos}"',
                    'f"{begin}model.prepend_bos = {model.prepend_bos}"',
                ),
            ),
        ),
    ),
    Bug(
        39,
        "another thread's hooks act in a text",
        (
            plant(
                "models/test_threads.py::test_hooks_act_in_their_own_thread_and_the_others_wait_for_their_end",
                ("models/gate.py", "owner is not threading.current_thread() and owner.is_alive()", "False"),
            ),
        ),
    ),
    Bug(
        40,
        "weights that changed places are taken for unchanged",
        (
            plant(
                "decoder/test_stamp.py::test_any_one_number_and_any_two_that_change_places_are_seen",
                (
                    "decoder/stamp.py",
                    "weighted_sums(raw[:whole].view(np.int64), _WEIGHTS)",
                    "raw[:whole].view(np.int64).reshape(-1, ROW).sum(1)",
                ),
            ),
        ),
    ),
    Bug(
        41,
        "a clamp acts in what a hook asks of the model",
        (
            plant(
                "models/test_threads.py::test_a_users_hook_that_asks_the_model_does_not_meet_the_clamp",
                (
                    PASSES,
                    "gate.depth <= depth and threading.get_ident() == owner",
                    "threading.get_ident() == owner",
                ),
            ),
        ),
    ),
    Bug(
        42,
        "a published layout read by another one's formula",
        (
            plant(
                "formats/test_published_layouts.py::test_a_layout_is_read_as_its_producer_computes_it",
                ("formats/llama_scope.py", "np.full(d_sae, scale * number(", "np.full(d_sae, number("),
            ),
            plant(
                "formats/test_published_layouts.py::test_a_layout_is_read_as_its_producer_computes_it",
                ("formats/single_files.py", "k=k, apply_b_dec_to_input=False", "k=k"),
            ),
        ),
    ),
    Bug(
        43,
        "a hook point taken for its neighbor",
        (
            plant(
                "formats/test_published_layouts.py::test_the_modules_that_gemma_scope_2_names_are_these_hook_points",
                (
                    "formats/gemma_scope.py",
                    '"post_feedforward_layernorm.output": "hook_mlp_out",',
                    '"post_feedforward_layernorm.output": "mlp.hook_out",',
                ),
            ),
        ),
    ),
    Bug(
        44,
        "pieces of a long text taken for texts",
        (
            plant(
                "analysis/test_search.py::test_by_prompts_reads_every_piece_of_a_long_text",
                (
                    "analysis/search/ways.py",
                    "    text = acts.text_of_context",
                    "    text = np.arange(len(acts.tokens))",
                ),
            ),
        ),
    ),
    Bug(
        45,
        "a control vector is written one layer late",
        (
            plant(
                "share/test_control_vector.py::test_added_as_llama_cpp_adds_it_the_file_is_our_steer",
                (
                    "share/control_vector.py",
                    'layer = int(found[1]) - (found[2] == "pre")',
                    'layer = int(found[1]) + (found[2] == "post")',
                ),
            ),
        ),
    ),
    Bug(
        46,
        "a preset's clamp keeps its multiple where the maximum is another",
        (
            plant(
                "widgets/test_presets.py::test_a_clamp_keeps_its_value_where_the_maximum_is_another",
                ("widgets/_presets.py", "multiples[feature] = value / maxima[feature]", "multiples[feature] = before"),
            ),
        ),
    ),
    Bug(
        47,
        "a live page draws its noise from other bits",
        (
            plant(
                "frontend/test_engine.py::test_random_numbers_are_torch_s",
                ("frontend/engine/random.js", "const high = next() & 0x1fffff;", "const high = next() & 0xfffff;"),
            ),
        ),
    ),
    Bug(
        48,
        "a swap counts as isolating what it should move",
        (
            plant(
                "analysis/test_swaps.py::test_features_that_take_attributes_apart_have_both_scores",
                (
                    "analysis/quality/swaps.py",
                    "wanted = telling[:, 1] if read == swapped else telling[:, 0]",
                    "wanted = telling[:, 1]",
                ),
            ),
        ),
    ),
    Bug(
        49,
        "a comparison of equal strength is never searched",
        (
            plant(
                "steering/test_few_shot.py::test_the_scale_is_the_tenth_nearest_to_the_strength_of_the_clamp",
                (
                    "steering/few_shot.py",
                    "low, high = (low, middle) if at(middle) >= wanted else (middle, high)",
                    "low, high = low, middle",
                ),
            ),
        ),
    ),
    Bug(
        50,
        "a row is bent further than its bound",
        (
            plant(
                "pretrain/test_chat_bend.py::test_what_is_within_the_cone_stays",
                ("pretrain/chat/bend.py", "(1 - cosine**2) ** 0.5", "(1 - cosine) ** 0.5"),
            ),
        ),
    ),
    Bug(
        51,
        "kappa with other judges shows before a person is done",
        (
            plant(
                "widgets/test_grading.py::test_kappa_with_the_others_is_shown_at_the_end_and_is_theirs",
                ("frontend/payloads/grading.py", "if data is None or not sheet.done:", "if data is None:"),
            ),
        ),
    ),
    Bug(
        52,
        "a text is lost where ranks go on",
        (
            plant(
                "activations/test_streamed.py::test_rows_are_those_of_a_corpus_in_memory_from_any_row_on",
                (
                    "models/streams.py",
                    "(text.number + self.ranks, 0) if last",
                    "(text.number + self.ranks + 1, 0) if last",
                ),
            ),
        ),
    ),
    Bug(
        53,
        "a rank's part of a batch overlaps the next",
        (
            plant(
                "activations/test_harvest.py::test_ranks_share_batches_that_do_not_depend_on_their_number",
                ("activations/harvested.py", "last = first + each + (self.rank < more)", "last = first + each + 1"),
            ),
        ),
    ),
    Bug(
        54,
        "groups miss the numbers beside them",
        (
            plant(
                "kernels/test_bags.py::test_the_k_largest_by_groups_are_those_of_a_sort",
                ("kernels/selection.py", "    if whole < n:  # the numbers", "    if whole > n:  # the numbers"),
            ),
        ),
    ),
    Bug(
        55,
        "only a right answer is noted",
        (
            plant(
                "course/test_workshop.py::test_each_try_is_one_line_and_a_table_sums_them_up",
                (
                    "course/checking.py",
                    "progress.note(asked.key, passed, said.text)",
                    "passed and progress.note(asked.key, passed, said.text)",
                ),
            ),
        ),
    ),
    Bug(
        56,
        "an instrument speaks another language when one is chosen",
        (
            plant(
                "languages/test_languages.py::test_a_refusal_is_said_in_the_language_of_the_instrument",
                ("widgets/_base.py", "with self._guard, spoken(self._language):", "with self._guard:"),
            ),
        ),
    ),
    Bug(
        57,
        "an interrupted run is told at the step of its curve",
        (
            plant(
                "widgets/test_training_monitor.py::test_an_interrupted_cell_is_told_where_the_run_is_also_after_steps_beside_the_monitor",
                ("widgets/_tracks.py", "return max(shown, own) if isinstance(own, int) else shown", "return shown"),
            ),
        ),
    ),
)
