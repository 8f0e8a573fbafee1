"""Causes that lie in the files of a model, in its object graph, and in what a load runs."""

from __future__ import annotations

from savedmodel_compat.matrix._cause import Cause, Sign, signs
from savedmodel_compat.matrix.cells import Stage

_NOT_THERE = r"; (?:No such file or directory|Is a directory)"
# Bounded, so that no text is gone through again and again.
_THEN = r".{0,4000}?"
_PATH = r"[^;\n]{0,1000}"
_COPY = "copy the whole model folder; variables/ needs its index and every shard"

FILE_CAUSES: tuple[Cause, ...] = (
    Cause(
        id="not-a-savedmodel",
        stage=Stage.LOAD,
        meaning="The file is no SavedModel, whatever its name.",
        fix="`savedmodel-compat inspect` says what it is",
        signs=signs(
            rf"could not be found in SavedModel{_THEN}available[ _]tags:? '?\[\](?:'|\s|\Z)"
        ),
    ),
    Cause(
        id="tags-not-found",
        stage=Stage.LOAD,
        meaning="No MetaGraph has exactly this tag set.",
        fix="name the tags with --tags; `savedmodel-compat inspect` lists them",
        signs=signs(
            r"Could not find meta graph def matching supplied tags",
            rf"MetaGraphDef associated with tags {_THEN} could not be found",
            r"requires a [`']tags=[`'] argument if there is more than one MetaGraph",
            r"[Gg]ot an incompatible argument (?:to `tags`|tags=)",
        ),
    ),
    Cause(
        id="variable-missing",
        stage=Stage.LOAD,
        meaning="The checkpoint lacks a variable that the graph restores, holds another in its place, or was never restored.",
        fix="export again, and copy the whole variables/ folder",
        signs=(
            *signs(
                r"Key (?P<node>\S+) not found in checkpoint",
                r"Attempting to use uninitialized value (?P<node>\S+)",
                r"Error while reading resource variable (?P<node>\S+)",
                r"Could not find variable (?P<node>\S+?)\.? This could mean",
                r"Tensor name \"(?P<node>[^\"]+)\" not found in checkpoint",
                r"tensor_name = (?P<node>[^;\s]+); (?:expected dtype|shape in shape_and_slice)",
                r"Assign requires shapes of both tensors to match",
                r"does not match the shape stored in checkpoint",
                r"when attempting to restore variable with shape \([^)]*\) and name (?P<node>\S+?)\.?(?:\s|\Z)",
                r"Could not find resource: [^/\s]+/(?P<node>[^\s)]+)",
                r"Resource [^/\s]+/(?P<node>[^/\s]+)(?:/\S+)? does not exist",
            ),
            # What Saver.restore says once the checkpoint has none of what it asks for.
            *signs(r"ValueError: No variables to save", stage=Stage.LOAD),
        ),
    ),
    Cause(
        id="asset-missing",
        stage=Stage.LOAD,
        meaning="A file under assets/, or another that the model reads when it is loaded, is not there.",
        fix="copy the whole model folder, assets/ included; a path of the machine that exported it was not made an asset: "
        "export again with tf.saved_model.Asset, or the collection ASSET_FILEPATHS",
        signs=(
            *signs(
                rf"/assets/(?!{_PATH}/variables/){_PATH}{_NOT_THERE}",
                rf"{_NOT_THERE}{_THEN}InitializeTable",
            ),
            # What reads a file while a model is loaded, and is not the restore op, is the init op.
            *signs(
                rf"^(?![^\n]*/variables[/.;])[^\n]*{_NOT_THERE}\s*\[\[",
                stage=Stage.LOAD,
            ),
        ),
    ),
    Cause(
        id="file-missing",
        stage=Stage.LOAD,
        meaning="A file of the model is not there, or lies where this build cannot read.",
        fix=_COPY,
        signs=(
            *signs(
                r"Could not find SavedModel \.pb",
                r"SavedModel file does not exist at",
                r"SavedModel not found in export directory",
                r"is not a valid checkpoint",
                rf"variables\.(?:data|index)[^\s;]*{_NOT_THERE}",
                r"Failed to find any matching files for",
                r"Input 1 \(tensor_name\) must be a string scalar",
                r"contains neither '?saved_model\.pb'? nor '?saved_model\.pbtxt",
            ),
            *signs(_NOT_THERE, stage=Stage.LOAD),
            *signs(
                r"File system scheme '?[\w+.-]+'? not implemented",
                fix="copy the model to a disk of this machine; from 2.6 on, s3 and hdfs need the plug-ins of tensorflow_io",
            ),
            *signs(
                r"No versions of servable \S+ found under base path",
                r"Could not find base path \S+ for servable",
                r"Servable not found for request: ",
                fix="the base folder needs a folder named by a number with the model in it, and one that loads: "
                "`savedmodel-compat check --serving` says what TensorFlow Serving finds",
            ),
        ),
    ),
    Cause(
        id="file-damaged",
        stage=Stage.LOAD,
        meaning="A file of the model is cut short, altered, or of a format that this release cannot read; or its graph contradicts "
        "itself.",
        fix="if other releases read it, this one is too old for the file's format; else copy the model again and compare "
        "digests (`savedmodel-compat inspect --digest`), and see what `savedmodel-compat check` finds",
        signs=signs(
            r"Perhaps the file is corrupt or was produced by a newer version of TensorFlow",
            r"Can't parse \S+ as binary proto",
            r"Cannot parse file",
            r"[Cc]hecksum does not match",
            r"[Dd]ata ?loss|DataLossError",
            r"(?:not|to be) an sstable|block checksum mismatch|truncated block",
            r"Error parsing (?:text-format|message)",
            r"Read less bytes than requested",
            r"Reading a bundle with different endianness",
            r"Cannot parse tensor from proto",
            r"\d+ nodes in a cycle",
            r"(?:Node '(?P<node>[^']+)' is not unique|Duplicate name '[^']+' in GraphDef)",
            r"Node name contains invalid characters|is not a valid node name",
            r"Cannot add function '(?P<function>[^']+)' because",
            r"Duplicated ret name: ",
            r"Node '(?P<node>[^']+)' expects to be colocated with unknown node",
            r"Specified colocation to an op that does not exist during import: \S+ in (?P<node>\S+)",
            r"Invalid loop structure|has inputs from different frames|Mismatched parent frames",
        ),
    ),
    Cause(
        id="keras-rejected",
        stage=Stage.LOAD,
        meaning="This Keras does not read this model.",
        fix="load it with tf.saved_model.load or keras.layers.TFSMLayer, or save it again as .keras",
        signs=(
            Sign(
                pattern=r"load_model gives an? \w+, which is no Keras model",
                fix="load it with tf.saved_model.load: nothing in the folder says what Keras would build, as of tf.saved_model.save and "
                "Keras 3's model.export; for Keras 2, save it with model.save",
            ),
            Sign(
                pattern=r"^JSONDecodeError: Expecting value: line 1 column 1",
                stage=Stage.LOAD,
                fix="from 2.5 on Keras saves what it builds a model from in keras_metadata.pb, which older ones do not read: upgrade the "
                "consumer, or load it with tf.saved_model.load",
            ),
            Sign(
                pattern=r"Unknown (?:loss function|metric function|optimizer)",
                fix="what it was compiled with is not known there: load it with compile=False, or give custom_objects",
            ),
            *signs(
                r"Keras (?:3|Core) only supports",
                r"Unable to create a (?:TF-)?Keras model from",
                r"SavedModel saved prior to TF 2\.5 detected|Cannot parse keras metadata",
                r"Unknown (?:layer|object|activation function)",
                r"Unable to restore (?:custom )?object of (?:type|class)|Unable to restore a layer of class",
                r"Keyword argument not understood|A total of \d+ objects could not be loaded",
                r"Value passed to parameter '\w+' has DataType \w+ not in list of allowed values",
                r"bad marshal data|XXX lineno: \d+, opcode",
            ),
        ),
    ),
    Cause(
        id="object-graph-rejected",
        stage=Stage.LOAD,
        meaning="tf.saved_model.load cannot rebuild the object graph, though the graph itself may be fine.",
        fix="load it with the v1 or the C++ loader, or with the producer's release",
        signs=signs(
            r"'_?(?:UserObject|AutoTrackable|WrappedFunction|TPUMirroredVariable)' (?:object has no attribute|is not iterable)",
            r"objects (?:had attributes which were not restored|(?:that )?were not bound to checkpointed values)",
            r"Unresolved object in checkpoint",
            r"Unknown SavedObject type",
            r"Arguments and signature arguments do not match|Signature specifies \d+ arguments, got: ",
            r"Trying to load a model of incompatible/unknown type",
            r"Unable to lift tensor",
        ),
    ),
    Cause(
        id="init-failed",
        stage=Stage.LOAD,
        meaning="The graph was built, and the initialisation that the model asks for failed.",
        fix="look at the message: tables and assets are filled there",
        signs=(
            *signs(
                r"HashTable has different value",
                r"Table was already initialized with different data",
                r"Table not initialized",
                r"not supported by InitializableLookupTable",
                r"iterator has not been initialized",
                r"Invalid (?:number of columns|vocab_size) in ",
                r"PruneForTargets: Some target nodes not found: (?P<node>\S+)",
                r"Expected exactly one (?:SavedModel )?(?:main|init|legacy init) op",
                r"Could not find output __saved_model_init_op",
                r"__saved_model_init_op\"? could not be found in the graph",
            ),
            *signs(
                r"The name '(?P<node>[^']*)' refers to an Operation not in the graph",
                stage=Stage.LOAD,
            ),
            # At load only the checkpoint's name and the assets are fed.
            *signs(
                r"Endpoint \"(?P<node>[^\"\n]{1,1000})\" fed more than once",
                stage=Stage.LOAD,
                fix="two assets are fed to the tensor '{node}', which the Python loaders let pass: export again with a tensor for each, "
                "such as the path, in words, given to each table; rule M20 of `savedmodel-compat check` finds it",
            ),
            *signs(
                r"Tensor (?P<node>\S+), specified in either feed_devices or fetch_devices was not found",
                r"Cannot interpret feed_dict key as Tensor: The name '(?P<node>[^':]+)",
                stage=Stage.LOAD,
                fix="export again: the saver or an asset names a tensor that the graph does not have",
            ),
            *signs(
                r"Number of warmup records exceeds the maximum|Failed to parse warmup record",
                fix="write assets.extra/tf_serving_warmup_requests anew: `savedmodel-compat check` says which record is wrong",
            ),
        ),
    ),
)
