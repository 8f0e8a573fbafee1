"""Whose an op is: names that were read from the libraries, and TensorFlow's own."""

from __future__ import annotations

import pytest

from savedmodel_compat.registry import snapshots
from savedmodel_compat.registry.op_libraries import EXAMPLES, library_of

# Read from the op libraries of each package with TF_LoadLibrary and TF_GetOpList, in releases that they are built for;
# those of Addons with CUDA, and of TFRA's HKV tables, from the strings in them.
MEASURED = {
    "tensorflow_text": "CaseFoldUTF8 ConstrainedSequence FastBertNormalize FastWordpieceTokenizeWithOffsets "
    "FindSourceOffsets MaxSpanningTree NormalizeUTF8 NormalizeUTF8WithOffsetsMap PhraseTokenize "
    "RegexSplitWithOffsets RougeL SentenceFragments SentenceFragmentsV2 SentencepieceDetokenizeOp "
    "SentencepieceIdToStringOp SentencepieceOp SentencepieceStringToIdOp SentencepieceTokenizeOp "
    "SentencepieceTokenizeWithOffsetsOp SentencepieceVocabSizeOp SplitMergeTokenizeWithOffsets "
    "TFText>BoiseTagsToOffsets TFText>ByteSplitWithOffsets TFText>FastSentencepieceTokenize "
    "TFText>FastWordpieceDetokenize TFText>NgramsStringJoin TFText>RoundRobinTrim TFText>Utf8Binarize "
    "TFText>WhitespaceTokenizeWithOffsetsV2 TokenizerFromLogits UnicodeScriptTokenizeWithOffsets "
    "WhitespaceTokenizeWithOffsets WordpieceTokenizeWithOffsets",
    "TensorFlow Decision Forests": "SimpleMLCreateModelResource SimpleMLInferenceOp SimpleMLInferenceOpWithHandle "
    "SimpleMLInferenceLeafIndexOpWithHandle SimpleMLLoadModelFromPath SimpleMLLoadModelFromPathWithHandle "
    "SimpleMLModelTrainer SimpleMLFileModelLoader YggdrasilDecisionForestsSetLoggingLevel",
    "TensorFlow Addons": "Addons>AdjustHsvInYiq Addons>CorrelationCost Addons>EmbeddingBag Addons>Gelu "
    "Addons>GatherTree Addons>ImageProjectiveTransformV2 Addons>ParseTime Addons>Resampler "
    "Addons>SkipGramGenerateCandidates",
    "TensorFlow Recommenders Addons": "EVGather EVHandleOp EVIsInitializedOp EVSparseApplyAdam InitializeEVOp "
    "TFRA>CuckooHashTableFind TFRA>CuckooHashTableOfTensors TFRA>HkvHashTableFind TFRA>RedisTableFind",
    "tensorflow_io": "IO>ArrowFeatherDataset IO>AudioDecodeMP3 IO>DecodeJSON IO>DecodeWebP IO>KafkaDataset "
    "IO>FileSystemSetConfiguration BigtableDataset BigtableEmptyRowSet BigtableRowSetIntersect "
    "BigtableTimestampRangeFilter BigtablePrefixRowRange",
    "tf_sentencepiece": "SentencepieceDecode SentencepieceEncodeDense SentencepieceEncodeSparse "
    "SentencepieceGetPieceSize SentencepieceGetPieceType SentencepieceIdToPiece SentencepiecePieceToId",
    "struct2tensor": "DecodeProtoMap DecodeProtoMapV2 DecodeProtoSparseV2 DecodeProtoSparseV4 EquiJoinAnyIndices "
    "EquiJoinIndices ParquetDataset RunLengthBefore",
    "TensorFlow Compression": "CreateRangeDecoder EntropyDecodeFinalize EntropyEncodeChannel RunLengthGammaDecode "
    "RunLengthEncode StochasticRound UnboundedIndexRangeDecode Y4MDataset",
    "TensorFlow Quantum": "TfqAdjointGradient TfqSimulateState",
    "ScaNN": "Scann>ScannSearch Scann>TensorsToScann",
    "TensorFlow NUFFT": "Interp NUFFT Spread",
    "Reverb": "ReverbClient ReverbTimestepDataset",
    "Lingvo": "BeamSearchStepV2 GenericInputV2GetNext PackSequences VocabIdToToken StaticMapStringInt",
}
NEEDY = {
    "EagerPyFunc": "tf.py_function and tf.numpy_function",
    "PyFunc": "tf.py_function and tf.numpy_function",
    "PyFuncStateless": "tf.py_function and tf.numpy_function",
    "InfeedEnqueueTuple": "TPU support",
    "TPUReplicatedInput": "TPU support",
    "ConfigureDistributedTPU": "TPU support",
    "TPUEmbeddingActivations": "TPU support",
    "CudnnRNNV3": "cuDNN",
    "NcclAllReduce": "training on several devices",
    "CollectiveReduceV2": "training on several devices",
    "_FusedMatMul": "an optimised graph",
    "_MklConv2D": "an optimised graph",
    "XlaCallModule": "jax2tf",
}


@pytest.mark.parametrize(
    ("op", "name"), [(op, name) for name, ops in MEASURED.items() for op in ops.split()]
)
def test_an_op_of_a_package(op: str, name: str) -> None:
    """Each op that a package was seen to register is the package's."""
    library = library_of(op)
    assert library is not None
    assert library.name == name
    assert library.package


@pytest.mark.parametrize(
    ("op", "name", "package"),
    [
        ("Resampler", "tf.contrib.resampler", None),
        ("AudioMicrofrontend", "tf.lite.experimental.microfrontend", "tensorflow"),
        ("TPUReplicate", "TPU support and tf.contrib.tpu", None),
        ("RangeEncode", "TensorFlow Compression and tf.contrib.coder", "tensorflow-compression"),
        ("BigtableClient", "tensorflow_io and tf.contrib.bigtable", "tensorflow-io"),
        ("Company>Op", "an op library that calls its ops Company>…", None),
        ("TRTEngineOp", "TF-TRT", None),
        ("HorovodAllreduce", "Horovod", "horovod"),
        ("TFLite_Detection_PostProcess", "TensorFlow Lite", None),
    ],
)
def test_an_op_of_somebody_else(op: str, name: str, package: str | None) -> None:
    """Op libraries in TensorFlow's own package, those that took them over, and what is in no package at all."""
    library = library_of(op)
    assert library is not None
    assert (library.name, library.package) == (name, package)


@pytest.mark.parametrize(
    "op", ["MatMul", "Conv2D", "", "NoSuchOp", "DisableCopyOnRead", "Rpc", "a>"]
)
def test_an_op_of_nobody(op: str) -> None:
    """TensorFlow's own ops, and what nobody here knows, are of no library."""
    assert library_of(op) is None


def test_which_of_tensorflows_own_ops_need_more() -> None:
    """Of all that the pinned releases register, only those are answered for that need what few builds and machines have."""
    own = {
        op
        for release in snapshots.releases()
        if (snapshot := snapshots.get(release)) is not None
        for op in snapshot.ops
    }
    named = {op: library.name for op in own if (library := library_of(op)) is not None}
    # TensorFlow registers one op with a namespace, for its own tests.
    assert set(named.values()) <= {*NEEDY.values(), "an op library that calls its ops Namespace>…"}
    assert {op: named[op] for op in NEEDY if op in own} == {
        op: NEEDY[op] for op in NEEDY if op in own
    }


def test_the_examples_have_each_library_once() -> None:
    """The documentation shows every library, and tensorflow_text's sentencepiece beside the older one."""
    names = [library.name for op in EXAMPLES if (library := library_of(op)) is not None]
    assert len(names) == len(EXAMPLES)
    assert sorted({name for name in names if names.count(name) > 1}) == ["tensorflow_text"]
    assert set(MEASURED) <= set(names)


@pytest.mark.parametrize("op", EXAMPLES)
def test_advice_reads_on(op: str) -> None:
    """Advice is a sentence without its head and its full stop: it stands behind a colon."""
    library = library_of(op)
    assert library is not None
    assert library.advice[0].islower() or library.advice.startswith("TensorFlow")
    assert not library.advice.endswith(".")
