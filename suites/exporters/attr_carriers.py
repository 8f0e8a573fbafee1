"""One op with one attr that came after TensorFlow 1.4: for each a model with the attr at its default, and one with it set.

The exporters are `<name>_default` and `<name>_set` for every name of the table. Those in which the attr changes the answer
show what a release makes of an attr that it does not know.

Not in the table: NonMaxSuppressionV3.T_threshold, as up to 2.4 the CPU reads a threshold as float32 whatever its type is,
so that what it answers is chance; the ops of gradients, such as SparseSegmentMeanGrad, which no request runs.
"""

import shutil
from typing import Any, Callable, Dict, NamedTuple, Optional, Tuple

import numpy as np
import tensorflow as tf

import _carriers
import _image_carriers
from _carriers import Attrs, Built
from _meta_graphs import MetaGraph, Recordings, predict, save_meta_graphs
from _raw_ops import has_attr


class Carrier(NamedTuple):
    """One attr and what carries it.

    Args:
        name: of its exporters, without what tells the two apart.
        op: the op that has it.
        attr: its name.
        since: the first release that has it.
        build: makes the graph with the attrs that it is given.
        attrs: what is set: the attr, and what it needs beside it.
        computed_since: the first release whose CPU kernel does what the attr says; None if that is the one that has it.
    """

    name: str
    op: str
    attr: str
    since: str
    build: Callable[[Attrs, np.random.RandomState], Built]
    attrs: Dict[str, Any]
    computed_since: Optional[Tuple[int, int]] = None


_PADS = [0, 0, 2, 1, 0, 1, 0, 0]

CARRIERS = (
    Carrier(
        "conv2d_dilations",
        "Conv2D",
        "dilations",
        "1.5",
        _image_carriers.conv2d,
        {"dilations": [1, 2, 2, 1]},
    ),
    Carrier(
        "conv3d_dilations",
        "Conv3D",
        "dilations",
        "1.5",
        _image_carriers.conv3d,
        {"dilations": [1, 2, 2, 2, 1]},
        computed_since=(2, 9),
    ),
    Carrier(
        "depthwise_conv2d_dilations",
        "DepthwiseConv2dNative",
        "dilations",
        "1.5",
        _image_carriers.depthwise_conv2d,
        {"dilations": [1, 2, 2, 1]},
        computed_since=(2, 9),
    ),
    Carrier("cast_truncate", "Cast", "Truncate", "1.11", _carriers.cast, {"Truncate": True}),
    Carrier(
        "conv2d_explicit_paddings",
        "Conv2D",
        "explicit_paddings",
        "1.14",
        _image_carriers.conv2d,
        {"padding": "EXPLICIT", "explicit_paddings": _PADS},
    ),
    Carrier(
        "resize_bilinear_half_pixel_centers",
        "ResizeBilinear",
        "half_pixel_centers",
        "1.14",
        _image_carriers.resize_bilinear,
        {"half_pixel_centers": True},
    ),
    Carrier(
        "resize_bicubic_half_pixel_centers",
        "ResizeBicubic",
        "half_pixel_centers",
        "1.14",
        _image_carriers.resize_bicubic,
        {"half_pixel_centers": True},
    ),
    Carrier(
        "resize_nearest_half_pixel_centers",
        "ResizeNearestNeighbor",
        "half_pixel_centers",
        "1.14",
        _image_carriers.resize_nearest,
        {"half_pixel_centers": True},
    ),
    Carrier(
        "gather_batch_dims", "GatherV2", "batch_dims", "1.14", _carriers.gather, {"batch_dims": 1}
    ),
    Carrier(
        "list_concat_element_shape",
        "TensorListConcat",
        "element_shape",
        "1.14",
        _carriers.list_concat,
        {"element_shape": [None, 3]},
    ),
    Carrier(
        "equal_incompatible_shape_error",
        "Equal",
        "incompatible_shape_error",
        "2.0",
        _carriers.equal,
        {"incompatible_shape_error": False},
    ),
    Carrier(
        "not_equal_incompatible_shape_error",
        "NotEqual",
        "incompatible_shape_error",
        "2.0",
        _carriers.not_equal,
        {"incompatible_shape_error": False},
    ),
    Carrier(
        "batch_norm_exponential_avg_factor",
        "FusedBatchNormV3",
        "exponential_avg_factor",
        "2.2",
        _image_carriers.batch_norm,
        {"exponential_avg_factor": 0.5},
    ),
    Carrier(
        "var_handle_allowed_devices",
        "VarHandleOp",
        "allowed_devices",
        "2.3",
        _carriers.var_handle,
        {"allowed_devices": ["/job:localhost/replica:0/task:0/device:CPU:0"]},
    ),
    Carrier(
        "depthwise_conv2d_explicit_paddings",
        "DepthwiseConv2dNative",
        "explicit_paddings",
        "2.3",
        _image_carriers.depthwise_conv2d,
        {"padding": "EXPLICIT", "explicit_paddings": _PADS},
    ),
    Carrier(
        "max_pool_explicit_paddings",
        "MaxPool",
        "explicit_paddings",
        "2.4",
        _image_carriers.max_pool,
        {"padding": "EXPLICIT", "explicit_paddings": [0, 0, 1, 1, 0, 1, 0, 0]},
    ),
    Carrier(
        "table_from_text_offset",
        "InitializeTableFromTextFileV2",
        "offset",
        "2.5",
        _carriers.table_from_text,
        {"offset": 1},
    ),
    Carrier(
        "ctc_greedy_decoder_blank_index",
        "CTCGreedyDecoder",
        "blank_index",
        "2.6",
        _carriers.ctc_greedy_decoder,
        {"blank_index": 0},
    ),
    Carrier(
        "range_dataset_metadata",
        "RangeDataset",
        "metadata",
        "2.7",
        _carriers.range_dataset,
        {"metadata": b"\n\x05range"},
    ),
    Carrier(
        "assign_variable_validate_shape",
        "AssignVariableOp",
        "validate_shape",
        "2.8",
        _carriers.assign_variable,
        {"validate_shape": True},
    ),
    Carrier(
        "top_k_index_type",
        "TopKV2",
        "index_type",
        "2.13",
        _carriers.top_k,
        {"index_type": tf.int64},
    ),
    Carrier(
        "list_set_item_resize",
        "TensorListSetItem",
        "resize_if_index_out_of_bounds",
        "2.13",
        _carriers.list_set_item,
        {"resize_if_index_out_of_bounds": True},
    ),
    Carrier(
        "var_handle_debug_name",
        "VarHandleOp",
        "debug_name",
        "2.15",
        _carriers.var_handle,
        {"debug_name": "weight/"},
    ),
    Carrier(
        "sparse_segment_sum_sparse_gradient",
        "SparseSegmentSum",
        "sparse_gradient",
        "2.15",
        _carriers.sparse_segment_sum,
        {"sparse_gradient": True},
    ),
    Carrier("mat_mul_grad_a", "MatMul", "grad_a", "2.16", _carriers.mat_mul, {"grad_a": True}),
    Carrier("mat_mul_grad_b", "MatMul", "grad_b", "2.16", _carriers.mat_mul, {"grad_b": True}),
    Carrier(
        "batch_mat_mul_grad_x",
        "BatchMatMulV2",
        "grad_x",
        "2.16",
        _carriers.batch_mat_mul,
        {"grad_x": True},
    ),
    Carrier(
        "batch_mat_mul_grad_y",
        "BatchMatMulV2",
        "grad_y",
        "2.16",
        _carriers.batch_mat_mul,
        {"grad_y": True},
    ),
    Carrier(
        "gather_nd_bad_indices_policy",
        "GatherNd",
        "bad_indices_policy",
        "2.18",
        _carriers.gather_nd,
        {"bad_indices_policy": "IGNORE"},
    ),
    Carrier(
        "scatter_nd_bad_indices_policy",
        "ScatterNd",
        "bad_indices_policy",
        "2.18",
        _carriers.scatter_nd,
        {"bad_indices_policy": "IGNORE"},
    ),
    Carrier(
        "list_get_item_tshape",
        "TensorListGetItem",
        "Tshape",
        "2.21",
        _carriers.list_get_item,
        {"Tshape": tf.int64},
    ),
)


def _exporter(carrier: Carrier, attrs: Attrs) -> Callable[..., Recordings]:
    """Return the exporter of a carrier with its attr set, or without attrs at its default."""

    def export(directory: str, *, strip_default_attrs: bool, seed: int) -> Recordings:
        if attrs:
            _require(carrier)
        graph = tf.Graph()
        with graph.as_default():
            built = carrier.build(attrs, np.random.RandomState(seed))
            signature = predict(built.inputs, built.outputs, built.feed)
        meta_graph = MetaGraph(graph, {"serving_default": signature}, main_op=built.main_op)
        try:
            return save_meta_graphs(
                [meta_graph], directory, strip_default_attrs=strip_default_attrs
            )
        finally:
            if built.folder is not None:
                shutil.rmtree(built.folder)

    return export


def _require(carrier: Carrier) -> None:
    if not has_attr(carrier.op, carrier.attr):
        raise NotImplementedError(
            "{}.{} came with TensorFlow {}; this is {}.".format(
                carrier.op, carrier.attr, carrier.since, tf.__version__
            )
        )
    computed = carrier.computed_since
    if computed is not None and tuple(map(int, tf.__version__.split(".")[:2])) < computed:
        raise NotImplementedError(
            "the CPU kernel of {} does what {} says from TensorFlow {}.{} on; this is {}.".format(
                carrier.op, carrier.attr, computed[0], computed[1], tf.__version__
            )
        )


for _carrier in CARRIERS:
    globals()[_carrier.name + "_default"] = _exporter(_carrier, {})
    globals()[_carrier.name + "_set"] = _exporter(_carrier, _carrier.attrs)
