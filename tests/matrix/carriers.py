"""Exporters for tests: attrs that older consumers do not know, with and without their default values. Runs inside producers."""

import numpy as np
import tensorflow as tf

v1 = tf.compat.v1
_LOGITS = np.random.RandomState(3).standard_normal((6, 2, 4)).astype(np.float32)


def blank_first(directory, *, strip_default_attrs, seed):
    """Export a CTC decoder whose blank is class 0: ``blank_index`` came with 2.6 and its default is -1."""
    return _ctc(directory, strip_default_attrs, blank_index=0)


def blank_last(directory, *, strip_default_attrs, seed):
    """Export the same decoder with the default."""
    return _ctc(directory, strip_default_attrs, blank_index=-1)


def blank_nowhere(directory, *, strip_default_attrs, seed):
    """Export a model whose signature does not reach its decoder."""
    return _ctc(directory, strip_default_attrs, blank_index=0, reached=False)


def _ctc(directory, strip_default_attrs, blank_index, reached=True):
    with tf.Graph().as_default(), v1.Session() as session:
        logits = v1.placeholder(tf.float32, [None, None, 4], name="logits")
        lengths = v1.fill([v1.shape(logits)[1]], v1.shape(logits)[0])
        decoded = tf.raw_ops.CTCGreedyDecoder(
            inputs=logits, sequence_length=lengths, merge_repeated=True, blank_index=blank_index
        )
        output = tf.identity(decoded.decoded_values if reached else logits, name="output")
        signature = v1.saved_model.signature_def_utils.predict_signature_def(
            {"logits": logits}, {"values": output}
        )
        builder = v1.saved_model.builder.SavedModelBuilder(directory)
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            signature_def_map={"serving_default": signature},
            strip_default_attrs=strip_default_attrs,
        )
        builder.save()
        values = session.run(output, {logits: _LOGITS})
    return {"serving_default": {"inputs": {"logits": _LOGITS}, "outputs": {"values": values}}}
