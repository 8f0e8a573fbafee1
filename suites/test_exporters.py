"""What each exporter gives in each producer of ``smoke``: whether it is refused or derived, and how its signatures are served.

``NotImplementedError`` means that a release has not what an exporter needs, and then the harness makes a leg from the other
one. Raised by accident it would make a suite test less without a word; so who refuses what stands here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from suites.test_scenarios import SCENARIOS

from savedmodel_compat.matrix.ready import is_unsupported
from savedmodel_compat.runtimes import pins, specs

if TYPE_CHECKING:
    from savedmodel_compat.matrix.runner import Runner
    from savedmodel_compat.matrix.session import Exported

TIER = "smoke"
EXPORTERS = [name for names in SCENARIOS.values() for name in names]
_REFUSED_BY = {
    # TensorFlow 2 has them, or the attr that they carry came with it.
    ("1.15.5",): (
        "mnist_cnn_module",
        "polymorphic_module",
        "defaults_module",
        "half_plus_two_module",
        "functions_module",
        "keras_functional",
        "keras_custom_layer",
        "keras_custom_layer_unregistered",
        "keras_training",
        "keras_lstm",
        "keras_gru",
        "keras_mobilenet",
        "reusable_module",
        "static_hash_table_module",
        "static_vocabulary_table_module",
        "tf_example_ragged",
        "tf_example_single",
        "composites_module",
        "control_flow_module",
        "counter_module",
        "generator_module",
        "batch_norm_exponential_avg_factor_set",
        "var_handle_allowed_devices_set",
        "depthwise_conv2d_explicit_paddings_set",
        "max_pool_explicit_paddings_set",
        "keras_sequential",
        "keras_subclassed",
    ),
    # They came between 2.4 and 2.11.
    ("1.15.5", "2.4.4"): (
        "mutable_hash_table_module",
        "ctc_greedy_decoder",
        "conv3d_dilations_set",
        "depthwise_conv2d_dilations_set",
        "table_from_text_offset_set",
        "ctc_greedy_decoder_blank_index_set",
        "range_dataset_metadata_set",
        "assign_variable_validate_shape_set",
    ),
    # They came between 2.11 and 2.21: Keras 3 among them.
    ("1.15.5", "2.4.4", "2.11.1"): (
        "keras_sequential_export",
        "keras_functional_export",
        "keras_subclassed_export",
        "keras_training_export",
        "keras_lstm_export",
        "keras_tfsm_layer",
        "top_k_index_type_set",
        "list_set_item_resize_set",
        "var_handle_debug_name_set",
        "sparse_segment_sum_sparse_gradient_set",
        "mat_mul_grad_a_set",
        "mat_mul_grad_b_set",
        "batch_mat_mul_grad_x_set",
        "batch_mat_mul_grad_y_set",
        "gather_nd_bad_indices_policy_set",
        "scatter_nd_bad_indices_policy_set",
        "list_get_item_tshape_set",
    ),
    # Estimators went with 2.16.
    ("2.21.0",): (
        "estimator_predict",
        "estimator_classify",
        "estimator_regress",
        "estimator_multi_head",
        "estimator_canned",
    ),
    # `tf.contrib` went with 2.0.
    ("2.4.4", "2.11.1", "2.21.0"): (
        "contrib_learn_scalars",
        "contrib_learn_regress",
    ),
    # Keras 2 alone writes it.
    ("1.15.5", "2.21.0"): ("keras_reusable",),
}
REFUSED = {name: releases for releases, names in _REFUSED_BY.items() for name in names}
"""The producers that have not what an exporter needs, for either leg; those of attr carriers by the function's name."""

ALWAYS_STRIP = frozenset(
    (
        "composites_module",
        "control_flow_module",
        "counter_module",
        "defaults_module",
        "functions_module",
        "generator_module",
        "half_plus_two_module",
        "keras_custom_layer",
        "keras_custom_layer_unregistered",
        "keras_functional",
        "keras_functional_export",
        "keras_gru",
        "keras_lstm",
        "keras_lstm_export",
        "keras_mobilenet",
        "keras_reusable",
        "keras_sequential",
        "keras_sequential_export",
        "keras_subclassed",
        "keras_subclassed_export",
        "keras_tfsm_layer",
        "keras_training",
        "keras_training_export",
        "mnist_cnn_module",
        "mutable_hash_table_module",
        "polymorphic_module",
        "reusable_module",
        "static_hash_table_module",
        "static_vocabulary_table_module",
        "tf_example_ragged",
        "tf_example_single",
    )
)
"""Exporters by a way of saving that always strips: their unstripped leg is derived. The v1 builder has both legs."""

NEVER_STRIP = frozenset(("simple_save",))
"""Exporters by a way of saving that never strips: their stripped leg is derived."""

METHODS = {
    "signature_kinds": {
        "classify": "classify",
        "classify_labels": "classify",
        "classify_scores": "classify",
        "regress": "regress",
        "regress_by_constants": "regress",
    },
    "half_plus_two": {"classify_x_to_y": "classify", "regress_x_to_y": "regress"},
    "estimator_classify": {"serving_default": "classify"},
    "estimator_regress": {"serving_default": "regress"},
    "estimator_multi_head": {"amount": "regress", "kind": "classify"},
    "estimator_canned": {"regression": "regress", "serving_default": "regress"},
    "contrib_learn_regress": {
        "default_input_alternative:area": "regress",
        "serving_default": "regress",
    },
}
"""The signatures that TensorFlow Serving does not serve with ``Predict``, by exporter."""

METHOD = "tensorflow/serving/"
# How a note begins that says so.
DERIVED = ("default-valued attrs were taken out of", "the defaults were put back into")


def exports(runner: Runner, exporter: str, *, strip: bool) -> dict[str, Exported]:
    """Return what becomes of an export, by producer.

    Raises:
        SavedModelCompatError: it failed, rather than that a release has it not.
    """
    found = {}
    for pin in specs.select(TIER, pins.load()):
        made = runner.export_or_say(exporter, producer=pin.release, strip=strip)
        if made.problem is not None and not is_unsupported(made.problem):
            raise made.problem
        found[pin.release] = made
    return found


@pytest.mark.parametrize("strip", [True, False], ids=["stripped", "unstripped"])
@pytest.mark.parametrize("exporter", EXPORTERS)
def test_who_refuses_and_what_is_derived(
    exporter: str, strip: bool, savedmodel_runner: Runner
) -> None:
    """An exporter refuses in the producers that are listed, and writes each leg itself that it can."""
    found = exports(savedmodel_runner, exporter, strip=strip)
    refused = tuple(release for release, made in found.items() if made.problem is not None)
    assert refused == REFUSED.get(exporter.rpartition("::")[2], ())
    derived = {
        release
        for release, made in found.items()
        if any(note.startswith(DERIVED) for model in made.models for note in model.notes)
    }
    by_harness = exporter in (NEVER_STRIP if strip else ALWAYS_STRIP)
    assert derived == (set(found) - set(refused) if by_harness else set())


@pytest.mark.parametrize("exporter", EXPORTERS)
def test_signatures_have_their_methods(exporter: str, savedmodel_runner: Runner) -> None:
    """TensorFlow Serving goes by a signature's method: ``Predict``, but for those that are listed."""
    for release, made in exports(savedmodel_runner, exporter, strip=True).items():
        methods = {
            key: each.method_name
            for model in made.models
            if model.meta_graph is not None
            for key, each in model.meta_graph.signatures.items()
            if not each.is_internal
        }
        others = {key: f"{METHOD}{kind}" for key, kind in METHODS.get(exporter, {}).items()}
        wanted = {key: others.get(key, f"{METHOD}predict") for key in (*methods, *others)}
        assert made.problem is not None or methods == wanted, release
