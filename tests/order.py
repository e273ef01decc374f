"""The order in which several workers take the files of tests: the longest first, so that all end at about the same time."""

from __future__ import annotations

# Longest first, from 10 s of one core on; the others follow in their own order. test_smollm2.py fetches the model that
# test_smollm2_page.py would wait for, so that one comes much later.
LONGEST = (
    "test_smollm2.py",
    "test_clamp.py",
    "test_dashboard_notebook.py",
    "test_tour.py",
    "test_faults.py",
    "test_jobs.py",
    "test_bundled.py",
    "test_doctor.py",
    "08_a_real_chat_model.ipynb",
    "00_tour.ipynb",
    "02_train_an_sae.ipynb",
    "test_smollm2_page.py",
    "03_feature_dashboard.ipynb",
    "09_scale.ipynb",
    "test_stand_in.py",
    "test_alive.py",
    "test_axe.py",
    "04_find_features.ipynb",
    "06_is_it_real.ipynb",
    "test_threads.py",
    "test_steering.py",
    "test_site.py",
    "test_superposition.py",
    "test_ranks.py",
    "test_no_torch.py",
    "test_sae_recovery.py",
    "test_quickstart.py",
    "test_slow_start.py",
    "test_neurons.py",
    "test_rows.py",
    "test_dashboard_page.py",
    "test_families.py",
    "test_docs.py",
    "test_train_page.py",
    "test_shim.py",
    "test_many.py",
    "test_sweep.py",
    "test_doctests.py",
    "test_bars.py",
    "test_objectives.py",
    "05_clamp.ipynb",
    "01_superposition.ipynb",
    "07_directions.ipynb",
    "test_frontend.py",
    "test_notes.py",
    "test_toy.py",
    "test_probe_page.py",
    "test_map_page.py",
    "test_decoder.py",
    "test_kernel_interrupt.py",
    "test_superposition_lab.py",
    "test_feature_effects.py",
    "test_cli.py",
    "test_models.py",
    "test_sparse.py",
    "test_pairs.py",
    "test_resume.py",
    "test_pretrain.py",
    "test_mutants.py",
)


def longest_first(items: list) -> None:
    """Sort collected tests, in place; those of one file stay together, in their order."""
    rank = {name: i for i, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path.name, len(rank)))
