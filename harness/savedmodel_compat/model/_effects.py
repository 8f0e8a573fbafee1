"""What the ops of TensorFlow do to what outlives a call, by their names.

Their definitions say only that an op is stateful, or takes a reference; what it does to a variable, a table, a queue or
a generator is said by its kernel in ``core/kernels``.
"""

from __future__ import annotations

import re

_DATASETS = (
    r"Range|Tensor|TensorSlice|SparseTensorSlice|TFRecord|TextLine|FixedLengthRecord|CSV|LMDB|Sql|MatchingFiles"
    r"|GroupByReducer|ThreadPool|Cache|Generator|List|ListSnapshotChunks|Load|Reduce|SequenceFile|SetStatsAggregator"
)

WRITES = (
    r"Assign(Add|Sub)?(VariableOp|VariableXlaConcatND)?",
    r"(Resource)?(Sparse)?Apply\w+",
    r"(Resource)?Scatter(Nd)?(Add|Sub|Mul|Div|Min|Max|Update)",
    r"(Resource)?StridedSliceAssign|ScatterAddNdim|Zero(Var)?Initializer|SdcaShrinkL1|NegTrain",
    r"(Resource)?CountUpTo",
    r"LookupTable(Insert|Remove|Import)(V2)?",
    r"InitializeTable(FromTextFile|FromDataset)?(V2)?",
    r"Queue(Enqueue|EnqueueMany|Dequeue|DequeueMany|DequeueUpTo|Close)(V2)?|EnqueueInQueueDataset",
    r"Barrier(InsertMany|TakeMany|Close)",
    r"(OrderedMap|Map)(Stage|Unstage|UnstageNoKey|Clear)|Stage|Unstage|StageClear",
    r"IteratorGetNext(AsOptional|Sync)?|MakeIterator|MultiDeviceIteratorGetNextFromShard|RestoreIterator",
    r"Reader(Read|ReadUpTo|Reset|RestoreState)(V2)?",
    r"Rng(Skip|ReadAndSkip)|RngReadAndSkip",
    r"(Resource|Sparse)?Accumulator(ApplyGradient|TakeGradient|SetGlobalStep)",
    r"TensorForestTree\w*|BoostedTreesUpdate\w+|BoostedTrees(Create|Deserialize)Ensemble|BoostedTreesCenterBias",
    r"BoostedTrees(CreateQuantileStreamResource|FlushQuantileSummaries)",
    r"BoostedTreesQuantileStreamResource(AddSummaries|Deserialize|Flush)",
    r"(AddMany|TakeMany|Add)Sparse(To|From)TensorsMap|DestroyResourceOp",
    r"WriteFile|Save(V2|Slices)?|MergeV2Checkpoints|DistributedSave|Save(Dataset|DatasetV2|Iterator)|SnapshotDataset(V2)?",
    r"(Experimental)?DatasetToTFRecord|DumpTensor|TPUExecuteAndUpdateVariables",
)
"""Ops that write what a later call may read."""

DRAWS = (
    r"Random(Uniform|UniformInt|StandardNormal|Gamma|Poisson|PoissonV2|Shuffle|Crop)|RiscRandomUniform",
    r"(Parameterized)?TruncatedNormal|Multinomial",
    r"Stateful(Uniform\w*|StandardNormal(V2)?|TruncatedNormal|RandomBinomial)",
    r"\w*CandidateSampler|SampleDistortedBoundingBox(V2)?|Skipgram|SkipGramGenerateCandidates",
    r"(Experimental)?RandomDataset(V2)?|Shuffle(AndRepeat)?Dataset(V2|V3)?|(Experimental)?SamplingDataset|GlobalShuffleDataset",
    r"NonDeterministicInts|Timestamp|(Anonymous|Dummy)?(Random)?SeedGenerator",
    r"Fractional(Max|Avg)Pool|KMC2ChainInitialization|KmeansPlusPlusInitialization|RecordInput",
    r"StochasticHardRoutingFunction|CudnnRNN(V2|V3)?",
)
"""Ops that draw at random, or by the clock, or in an order that nobody fixes."""

PASSES = (
    # Handles of variables, and what they hold.
    r"(_XlaAotOnly)?VarHandleOp|_VarHandlesOp|Variable(V2)?|(Destroy)?TemporaryVariable",
    r"ReadVariableOp|ReadVariableXlaSplitND|_ReadVariablesOp|ResourceGather(Nd)?|VariableShape",
    r"IsVariableInitialized|VarIsInitializedOp|DisableCopyOnRead|MakeWeakResourceHandle|IsResourceHandleRefCounting",
    r"Restore(V2|Slice)?|LoadAndRemapMatrix|GuaranteeConst|DeepCopy",
    # Their bodies are walked, and what is in them is judged.
    r"_?(If|While)|Case|(Stateful)?PartitionedCall|RemoteCall|RiscWhile|Xla(If|While|Launch|CallModule)|_XlaCompile|_XlaRun",
    # Tables, queues and their like: they are made, and looked at.
    r"(Anonymous)?(Mutable|MutableDense)?HashTable(OfTensors)?(V2)?",
    r"LookupTable(Find|Size|Export)(V2)?",
    r"(FIFO|PaddingFIFO|Priority|RandomShuffle)Queue(V2)?|Queue(IsClosed|Size)(V2)?|FakeQueue",
    r"Barrier((Incomplete|Ready)Size)?|(Ordered)?Map(Peek|Size|IncompleteSize)|Stage(Peek|Size)",
    r"(Resource|Sparse)?ConditionalAccumulator|(Resource)?AccumulatorNumAccumulated",
    r"(FixedLengthRecord|Identity|LMDB|TFRecord|TextLine|WholeFile)Reader(V2)?",
    r"Reader(NumRecordsProduced|NumWorkUnitsCompleted|SerializeState)(V2)?",
    r"MutexV2|MutexLock|ConsumeMutexLock",
    # Datasets, and iterators that nothing is taken from.
    rf"(Experimental)?({_DATASETS})Dataset(V2)?|DatasetToSingleElement|(Experimental)?ThreadPoolHandle",
    r"(Anonymous)?(OneShot|MultiDevice)?Iterator(V2|V3)?|Iterator(FromStringHandle(V2)?|ToStringHandle)",
    r"MultiDeviceIterator(FromStringHandle|ToStringHandle|Init)|(Des|S)erializeIterator|(Experimental)?IteratorGetDevice",
    r"(Anonymous|Dummy)MemoryCache|IteratorGetModelProto|IteratorSetStatsAggregator|DummyIterationCounter",
    r"Delete(Iterator|MemoryCache|MultiDeviceIterator|SeedGenerator|RandomSeedGenerator)",
    # What lives no longer than a call.
    r"TensorArray\w*|Stack(V2|(Push|Pop|Close)(V2)?)?|_ScopedAllocator(Concat|Split)?|_ParallelConcatStart",
    # References, arguments and tensors that are passed on, between devices too.
    r"Ref(Enter|Exit|Identity|Merge|NextIteration|Select|Switch)|_(Arg|Retval|DeviceArg|DeviceRetval)|DeviceIndex",
    r"_?(Host)?(Send|Recv)|Xla(Send|Recv)(ToHost|FromHost)?|_Xla(RecvAtHost|SendFromHost)(V2)?",
    r"Collective\w+|_?Nccl\w+|CrossReplicaSum|AllToAll",
    r"_?TPUReplicate|_?TPUCompile\w*|TPUExecute|TPU(OrdinalSelector|RoundRobin|DummyInput)|TPUCopyWithDynamicShape",
    r"TPUAnnotateTensorsWithDynamicShape|_XlaCompileMlirPlaceholderProgramKey",
    # What is said of a call, which no call reads.
    r"Assert|Print(V2)?|CheckNumerics(V2)?|Debug(GradientRefIdentity|Identity(V2|V3))",
    r"(Experimental)?StatsAggregator(Handle(V2)?|Summary|SetSummaryWriter)",
    r"SummaryWriter|CreateSummary(Db|File)Writer|(Flush|Close)SummaryWriter|Write(\w+)?Summary|ImportEvent",
    # What reads a machine that stays as it is, and functions of their inputs that are called stateful all the same.
    r"StatelessRandomGetAlg|IsTensorFloat32Enabled|GraphDefVersion|BipartiteMatch|SyncDevice",
    # Forests of trees, as served: their handles, and what they predict.
    r"BoostedTrees(Predict|TrainingPredict|SerializeEnsemble|GetEnsembleStates|ExampleDebugOutputs)",
    r"BoostedTrees(Ensemble|QuantileStream)ResourceHandleOp|BoostedTreesQuantileStreamResourceGetBucketBoundaries",
    r"IsBoostedTrees(Ensemble|QuantileStreamResource)Initialized|(DecisionTree(Ensemble)?|FertileStats)ResourceHandleOp",
    r"GradientTrees(Prediction(Verbose)?|PartitionExamples)|TreeEnsemble(IsInitializedOp|Serialize|StampToken|UsedHandlers)",
    r"Tree(PredictionsV4|Size|Serialize|IsInitializedOp)|TraverseTreeV4|FeatureUsageCounts",
)
"""Ops that are stateful by their definition, or take a reference, and only create, read or pass on."""

WRITING = re.compile("|".join(WRITES))
DRAWING = re.compile("|".join(DRAWS))
# For these, no pattern of those above needs to be compiled, which takes longer than reading most models does.
_USUAL = frozenset(
    [
        "VarHandleOp",
        "VariableV2",
        "Variable",
        "ReadVariableOp",
        "VarIsInitializedOp",
        "IsVariableInitialized",
        "ResourceGather",
        "RestoreV2",
        "StatefulPartitionedCall",
        "PartitionedCall",
        "If",
        "While",
        "HashTableV2",
        "LookupTableFindV2",
        "LookupTableExportV2",
        "Assert",
        "DisableCopyOnRead",
        "MutableHashTableV2",
        "XlaCallModule",
    ]
)


def passes(op: str) -> bool:
    """Return whether an op that is stateful only creates, reads or passes on."""
    return op in _USUAL or any(re.fullmatch(pattern, op) for pattern in PASSES)
