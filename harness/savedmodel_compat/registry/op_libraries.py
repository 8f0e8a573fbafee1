"""Whose an op is that a plain TensorFlow does not have, or has and cannot run; and what to do about it.

The names were read from the op libraries themselves: those of the packages by loading their shared libraries into the
releases that they are built for, those of ``tf.contrib`` by `registry.known`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from savedmodel_compat.registry import known


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """An op library, or a part of TensorFlow that not every build and machine has.

    Args:
        name: what its users call it.
        package: what to install to have it in Python; None if no package brings it.
        advice: what to do, in words that go on after its name.
    """

    name: str
    package: str | None
    advice: str


def _imported(
    module: str, *, rest: str = "its release must be the one made for TensorFlow's"
) -> str:
    return f"import {module} before loading, or build it into the server; {rest}"


_SAME_MINOR = (
    "its minor must be TensorFlow's, and TensorFlow Serving has the ops of its own build only"
)
_TRAINING = "only training needs it: export the graph that serves"

_TEXT = Library(
    name="tensorflow_text",
    package="tensorflow-text",
    advice=_imported("tensorflow_text", rest=_SAME_MINOR),
)
_FORESTS = Library(
    name="TensorFlow Decision Forests",
    package="tensorflow-decision-forests",
    advice=_imported(
        "tensorflow_decision_forests",
        rest="each release is for one minor of TensorFlow, up to 2.19, and from 2.18 on ydf_tf has the ops that serve",
    ),
)
_ADDONS = Library(
    name="TensorFlow Addons",
    package="tensorflow-addons",
    advice=_imported(
        "tensorflow_addons",
        rest="it ended with TensorFlow 2.15, so export without it for newer ones",
    ),
)
_RECOMMENDERS = Library(
    name="TensorFlow Recommenders Addons",
    package="tensorflow-recommenders-addons",
    advice=_imported("tensorflow_recommenders_addons"),
)
_IO = Library(
    name="tensorflow_io",
    package="tensorflow-io",
    advice="reading belongs into the input pipeline, so export without it; or "
    + _imported("tensorflow_io"),
)
_SENTENCEPIECE = Library(
    name="tf_sentencepiece",
    package="tf-sentencepiece",
    advice="it ended with TensorFlow 2.2: export again with tensorflow_text's SentencepieceTokenizer, or "
    + _imported("tf_sentencepiece"),
)
_STRUCT2TENSOR = Library(
    name="struct2tensor", package="struct2tensor", advice=_imported("struct2tensor")
)
_COMPRESSION = Library(
    name="TensorFlow Compression",
    package="tensorflow-compression",
    advice=_imported("tensorflow_compression", rest="its minor must be TensorFlow's, up to 2.14"),
)
_QUANTUM = Library(
    name="TensorFlow Quantum", package="tensorflow-quantum", advice=_imported("tensorflow_quantum")
)
_SCANN = Library(name="ScaNN", package="scann", advice=_imported("scann"))
_NUFFT = Library(
    name="TensorFlow NUFFT", package="tensorflow-nufft", advice=_imported("tensorflow_nufft")
)
_REVERB = Library(
    name="Reverb",
    package="dm-reverb",
    advice="it feeds training from a server: export the graph that serves",
)
_LINGVO = Library(name="Lingvo", package="lingvo", advice=_imported("lingvo"))
_HOROVOD = Library(name="Horovod", package="horovod", advice=_TRAINING)
_TENSORRT = Library(
    name="TF-TRT",
    package=None,
    advice="only GPU builds up to 2.17 have it, with the TensorRT that they were built for, and its engines are for one "
    "card: serve the model as it was before the conversion, or convert it again where it is served",
)
_TFLITE = Library(
    name="TensorFlow Lite",
    package=None,
    advice="TensorFlow has no such op: export the model without what prepares it for conversion",
)
_PYTHON = Library(
    name="tf.py_function and tf.numpy_function",
    package=None,
    advice="it calls a function of the Python process that exported the model, which no other has: write that step with "
    "TensorFlow's ops, or do it before the model",
)
_TPU = Library(
    name="TPU support",
    package=None,
    advice="only a machine with TPUs runs it: export outside the TPU strategy, or the graph for the CPU",
)
_CUDNN = Library(
    name="cuDNN",
    package=None,
    advice="only a GPU runs it: export with a layer that the CPU has too, such as tf.keras.layers.LSTM",
)
_COLLECTIVE = Library(name="training on several devices", package=None, advice=_TRAINING)
_OPTIMISED = Library(
    name="an optimised graph",
    package=None,
    advice="TensorFlow puts it in while it optimises, for one release and processor: save the graph as it was built",
)
_JAX2TF = Library(
    name="jax2tf",
    package=None,
    advice="TensorFlow has it from 2.10 on, each release up to a version of its own and for the platforms that the export "
    "names: export with native_serialization_platforms for where it is served, or serve with a newer TensorFlow",
)

# Whole names; the first that fits is taken.
_PATTERNS: tuple[tuple[Library, str], ...] = (
    (_TEXT, r"TFText>\w+|CaseFoldUTF8|NormalizeUTF8\w*|RegexSplitWithOffsets|RougeL"),
    (_TEXT, r"ConstrainedSequence|SentenceFragments\w*|MaxSpanningTree|FindSourceOffsets"),
    (_TEXT, r"TokenizerFromLogits|FastBertNormalize|PhraseTokenize|Sentencepiece\w*Op"),
    (_TEXT, r"(?:UnicodeScript|Whitespace|(?:Fast)?Wordpiece|SplitMerge)TokenizeWithOffsets"),
    (_SENTENCEPIECE, r"Sentencepiece(?:Decode|Encode\w+|GetPiece\w+|IdToPiece|PieceToId)"),
    (_FORESTS, r"SimpleML\w+|YggdrasilDecisionForests\w+"),
    (_ADDONS, r"Addons>\w+"),
    (_RECOMMENDERS, r"TFRA>\w+|InitializeEVOp"),
    (
        _RECOMMENDERS,
        r"EV(?:Export|Gather|HandleOp|Import|IsInitializedOp|Shape|SparseApply\w+)",
    ),
    (_IO, r"IO>\w+|Bigtable(?:Client|Dataset|RowSet\w+|\w+RowRange|\w+RowSet|\w+Filter)"),
    (_IO, r"Bigtable(?:RowRange|SplitRowSetEvenly)"),
    (_STRUCT2TENSOR, r"DecodeProto(?:Map|Sparse)\w*|EquiJoin(?:Any)?Indices"),
    (_STRUCT2TENSOR, r"RunLengthBefore|ParquetDataset"),
    (_COMPRESSION, r"CreateRange(?:De|En)coder|Entropy(?:De|En)code\w+|Range(?:De|En)code"),
    (_COMPRESSION, r"RunLength(?:Gamma)?(?:De|En)code|UnboundedIndexRange(?:De|En)code"),
    (_COMPRESSION, r"PmfToQuantizedCdf|StochasticRound|Y4MDataset"),
    (_QUANTUM, r"Tfq\w+"),
    (_SCANN, r"Scann>\w+"),
    (_NUFFT, r"NUFFT|Interp|Spread"),
    (_REVERB, r"Reverb\w+"),
    (
        _LINGVO,
        r"BeamSearchStep\w*|HypsFromBeamSearchOuts|TopK(?:FromBeamSearchOuts|TerminatedHyps)",
    ),
    (_LINGVO, r"UnpackHyp|AsciiToTokenId|IdToAscii|NgramIdToToken|BpeIdsToWords|BpeWordsToIds"),
    (_LINGVO, r"StrToVocabTokens|TokenInVocab|Vocab(?:IdToToken|TokenToId)|GenericInput\w*"),
    (_LINGVO, r"PackSequences|PackSingleSequence|PairwiseIou3D|PointToGrid|AveragePrecision3D"),
    (_LINGVO, r"StaticMap(?:IntInt|IntString|StringInt)|NonMaxSuppression3D|CachedCall"),
    (_LINGVO, r"AssertSameDim0|AssertShapeMatch|MlPerfSubwordIdToString|RandomPermutationSequence"),
    (_HOROVOD, r"Horovod\w+"),
    (_TENSORRT, r"TRTEngineOp|(?:Create|Initialize|Serialize)TRTResource\w*|GetCalibrationDataOp"),
    (_TFLITE, r"TFLite_\w+"),
    (_PYTHON, r"PyFunc|PyFuncStateless|EagerPyFunc"),
    (_TPU, r"_?\w*TPU\w*|_?(?:Infeed|Outfeed)\w+|XRT\w+"),
    (_CUDNN, r"CudnnRNN\w*"),
    (_COLLECTIVE, r"_?Nccl\w+|Collective\w+"),
    (_OPTIMISED, r"_(?:Mkl|Fused|ITEX)\w+"),
    (_JAX2TF, r"XlaCallModule"),
)
EXAMPLES: tuple[str, ...] = (
    "CaseFoldUTF8",
    "SentencepieceOp",
    "SimpleMLInferenceOpWithHandle",
    "Addons>Resampler",
    "TFRA>CuckooHashTableOfTensors",
    "IO>DecodeJSON",
    "SentencepieceEncodeSparse",
    "DecodeProtoSparseV4",
    "EntropyDecodeIndex",
    "TfqSimulateExpectation",
    "Scann>ScannSearch",
    "NUFFT",
    "ReverbClientSample",
    "BeamSearchStep",
    "HorovodAllreduce",
    "TRTEngineOp",
    "TFLite_Detection_PostProcess",
    "EagerPyFunc",
    "TPUOrdinalSelector",
    "CudnnRNNV3",
    "NcclAllReduce",
    "_MklMatMul",
    "XlaCallModule",
    "Resampler",
    "RangeEncode",
    "AudioMicrofrontend",
    "Company>Op",
)
"""Ops of each library, for the documentation."""

_LIBRARIES = tuple((library, re.compile(pattern)) for library, pattern in _PATTERNS)
_NAMESPACED = re.compile(r"(?P<namespace>[\w.]+)>\w[\w>]*")


@lru_cache(maxsize=1024)
def library_of(op: str) -> Library | None:
    """Return whose an op is, if TensorFlow alone does not do.

    TensorFlow's own ops that need what few builds or machines have are answered for too: Python functions, TPUs, cuDNN.

    Args:
        op: its name; None is returned for one of any TensorFlow, and for one that nobody here knows.
    """
    place = known.op_library(op)
    for library, pattern in _LIBRARIES:
        if pattern.fullmatch(op):
            return library if place is None else _of_both(library, place)
    if place is not None:
        return _of_tensorflow(place)
    named = _NAMESPACED.fullmatch(op)
    return None if named is None else _of_namespace(named["namespace"])


def _module(place: str) -> str:
    return f"tf.{place.replace('/', '.')}"


def _of_tensorflow(place: str) -> Library:
    """Return an op library that lies in TensorFlow's own package, such as ``contrib/resampler``."""
    module = _module(place)
    if not place.startswith("contrib/"):
        return Library(
            name=module,
            package="tensorflow",
            advice="its Python package loads it when it is imported; a server must be built with it",
        )
    return Library(
        name=module,
        package=None,
        advice=f"in TensorFlow 1.x, use {module} once before loading, or build it into the server; TensorFlow 2 has no "
        "contrib: export without it",
    )


def _of_both(library: Library, place: str) -> Library:
    """Return a package that took over an op library of TensorFlow's own."""
    return Library(
        name=f"{library.name} and {_module(place)}",
        package=library.package,
        advice=f"in TensorFlow 1.x, use {_module(place)} once before loading; in TensorFlow 2, {library.advice}",
    )


def _of_namespace(namespace: str) -> Library:
    return Library(
        name=f"an op library that calls its ops {namespace}>…",
        package=None,
        advice="load it before the model (import its package, or tf.load_op_library), or build it into the server",
    )
