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


def blank_upstream(directory, *, strip_default_attrs, seed):
    """Export a decoder whose result the signature is fed, so that a request does not run it."""
    return _ctc(directory, strip_default_attrs, blank_index=0, fed_behind=True)


def resource_variable(directory, *, strip_default_attrs, seed):
    """Export y = w * x with a resource variable, whose ``debug_name`` came with 2.15 and is never its default."""
    return _scaled(directory, strip_default_attrs, use_resource=True)


def reference_variable(directory, *, strip_default_attrs, seed):
    """Export the same with a reference variable, which has no such attr."""
    return _scaled(directory, strip_default_attrs, use_resource=False)


def _scaled(directory, strip_default_attrs, use_resource):
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None], name="x")
        weight = v1.get_variable("weight", initializer=np.float32(3), use_resource=use_resource)
        fed = np.arange(4, dtype=np.float32)
        return _saved(
            session,
            directory,
            strip_default_attrs,
            inputs={"x": x},
            outputs={"y": weight * x},
            fed=fed,
        )


def _ctc(directory, strip_default_attrs, blank_index, reached=True, fed_behind=False):
    with tf.Graph().as_default(), v1.Session() as session:
        logits = v1.placeholder(tf.float32, [None, None, 4], name="logits")
        lengths = v1.fill([v1.shape(logits)[1]], v1.shape(logits)[0])
        decoded = tf.raw_ops.CTCGreedyDecoder(
            inputs=logits, sequence_length=lengths, merge_repeated=True, blank_index=blank_index
        )
        output = tf.identity(decoded.decoded_values if reached else logits, name="output")
        inputs, fed = {"logits": logits}, _LOGITS
        if fed_behind:
            values = tf.identity(decoded.decoded_values, name="values")
            output = tf.identity(values, name="behind")
            inputs, fed = {"values": values}, np.arange(3, dtype=np.int64)
        return _saved(
            session,
            directory,
            strip_default_attrs,
            inputs=inputs,
            outputs={"values": output},
            fed=fed,
        )


def _saved(session, directory, strip_default_attrs, *, inputs, outputs, fed):
    session.run(v1.global_variables_initializer())
    signature = v1.saved_model.signature_def_utils.predict_signature_def(inputs, outputs)
    builder = v1.saved_model.builder.SavedModelBuilder(directory)
    builder.add_meta_graph_and_variables(
        session,
        ["serve"],
        signature_def_map={"serving_default": signature},
        strip_default_attrs=strip_default_attrs,
    )
    builder.save()
    [(alias, tensor)] = inputs.items()
    answers = session.run(outputs, {tensor: fed})
    return {"serving_default": {"inputs": {alias: fed}, "outputs": answers}}
