"""An exporter for tests: one signature a dtype, each handing back what it is given. Runs inside producers."""

import tensorflow as tf

v1 = tf.compat.v1
_SINCE_1_4 = (
    "float32 float64 int32 uint8 int16 int8 string complex64 int64 bool qint8 quint8 qint32 bfloat16 uint16 complex128 "
    "float16"
).split()
_LATER = "uint32 uint64 float8_e5m2 float8_e4m3fn int4 uint4 int2 uint2 float4_e2m1fn".split()


def export_old(directory, *, strip_default_attrs, seed):
    """Export a placeholder of unknown rank and an Identity for each dtype that TensorFlow 1.4 has."""
    return _export(directory, _SINCE_1_4, strip_default_attrs)


def export_new(directory, *, strip_default_attrs, seed):
    """Export the same for each dtype that came later and that this release has."""
    return _export(directory, _LATER, strip_default_attrs)


def _export(directory, names, strip_default_attrs):
    with tf.Graph().as_default(), v1.Session() as session:
        signatures = {}
        for name in names:
            kind = getattr(tf.dtypes, name, None)
            kind = kind or getattr(getattr(tf.dtypes, "experimental", None), name, None)
            if kind is None:
                continue
            given = v1.placeholder(kind, None, name="in_" + name)
            back = tf.identity(given, name="out_" + name)
            signatures[name] = v1.saved_model.signature_def_utils.predict_signature_def(
                {"x": given}, {"y": back}
            )
        builder = v1.saved_model.builder.SavedModelBuilder(directory)
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            signature_def_map=signatures,
            strip_default_attrs=strip_default_attrs,
        )
        builder.save()
    return {}
