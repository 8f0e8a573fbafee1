"""Texts about files, object graphs and initialisation: what each release's loaders said when it was wrong."""

from __future__ import annotations

from tests.matrix.said import IN_KERAS, LOADING, OLDER, said

from savedmodel_compat.matrix.cells import Stage

RUN = Stage.RUN

FILES = [
    said(
        "tags-not-found",
        "Could not find meta graph def matching supplied tags: { serve }. To inspect available "
        "tag-sets in the SavedModel, please use the SavedModel CLI: `saved_model_cli`",
    ),
    said(
        "tags-not-found",
        "RuntimeError: MetaGraphDef associated with tags 'serve' could not be found in SavedModel, "
        "with available tags '[{'train'}]'.",
    ),
    said(
        "tags-not-found",
        "ValueError: Got an incompatible argument to `tags`: ['serve']. The SavedModel at /m has one MetaGraph with tags "
        "['train']. You may omit the argument, pass 'None', or pass matching tags.",
    ),
    said(
        "tags-not-found",
        "ValueError: The SavedModel at /m has one MetaGraph with tags ['train'], but got an incompatible argument "
        "tags=['serve'] to tf.saved_model.load. You may omit it, pass 'None', or pass matching tags.",
    ),
    said(
        "variable-missing",
        "Key dense/kernel not found in checkpoint\n\t [[{{node save/RestoreV2}}]]",
        node="dense/kernel",
    ),
    said(
        "variable-missing",
        "Attempting to use uninitialized value b\n\t [[{{node b/read}}]]",
        stage=RUN,
        node="b",
    ),
    said(
        "variable-missing",
        "Error while reading resource variable dense_bias from Container: localhost. This could mean "
        "that the variable was uninitialized.",
        stage=RUN,
        node="dense_bias",
    ),
    said(
        "variable-missing",
        "Could not find variable dense_bias. This could mean that the variable has been deleted.\n"
        "\t [[{{function_node __inference_serve_51}}{{node BiasAdd_2/ReadVariableOp}}]]",
        stage=RUN,
        node="dense_bias",
        function="__inference_serve_51",
    ),
    said(
        "variable-missing",
        'Tensor name "w" not found in checkpoint files /m/variables/variables',
        node="w",
    ),
    said(
        "asset-missing",
        "/m/assets/static_hashtable_asset.txt; No such file or directory\n"
        "\t [[{{node text_file_init/InitializeTableFromTextFileV2}}]]",
        node="text_file_init/InitializeTableFromTextFileV2",
    ),
    said(
        "asset-missing",
        "/home/train/vocab/dictionary/vocab_dict.txt; No such file or directory\n"
        "\t [[{{node InitializeTableFromTextFileV2}}]]",
        node="InitializeTableFromTextFileV2",
    ),
    said(
        "file-missing",
        "/srv/assets/m/variables/variables.data-00000-of-00001; No such file or directory\n"
        "\t [[{{node save/RestoreV2}}]]",
        node="save/RestoreV2",
    ),
    said(
        "file-missing",
        "Could not find SavedModel .pb or .pbtxt at supplied export directory path: /m. Check that "
        "the directory exists and that you have the right permissions for accessing it.",
    ),
    said(
        "file-missing",
        "OSError: SavedModel file does not exist at: /m/{saved_model.pbtxt|saved_model.pb}",
    ),
    said("file-missing", "SavedModel not found in export directory: /m"),
    said(
        "file-missing",
        "ValueError: The passed save_path is not a valid checkpoint: /m/variables/variables",
    ),
    said(
        "file-missing",
        "Unsuccessful TensorSliceReader constructor: Failed to find any matching files for "
        "/m/variables/variables\n You may be trying to load on a different device",
    ),
    said("file-missing", "/m/variables; No such file or directory"),
    said(
        "file-damaged",
        "Unable to read file (/m/variables/variables.index). Perhaps the file is corrupt or was "
        "produced by a newer version of TensorFlow with format changes (failed to seek to header "
        "entry): corrupted compressed block contents",
    ),
    said("file-damaged", "Can't parse /m/saved_model.pb as binary proto"),
    said(
        "file-damaged",
        "Cannot parse file b'/m/saved_model.pb': Error parsing message with type "
        "'tensorflow.SavedModel'.",
    ),
    said(
        "file-damaged",
        "TensorBundle at /m/variables/variables shard 0 (4 bytes): Checksum does not match: stored "
        "647446098 vs. calculated on the restored bytes 3079804410\n\t [[{{node save/RestoreV2}}]]",
        node="save/RestoreV2",
    ),
    said("file-damaged", "DataLossError: corrupted record at 0"),
    said(
        "file-damaged",
        "file is too short to be an sstable\n\t [[{{node save/RestoreV2}}]]",
        node="save/RestoreV2",
    ),
    said("file-damaged", "block checksum mismatch"),
    said(
        "file-damaged", "Error parsing text-format tensorflow.SavedModel: 1:9: Expected identifier"
    ),
    said(
        "file-damaged",
        "OUT_OF_RANGE: Read less bytes than requested\n\t [[{{node save/RestoreV2}}]]",
        node="save/RestoreV2",
    ),
    said("file-damaged", OLDER.format("2 nodes in a cycle")),
    said("file-damaged", "Node 'Mul' is not unique", node="Mul"),
    said("file-damaged", "Node '?? bad': Node name contains invalid characters"),
    said(
        "keras-rejected",
        "ValueError: File format not supported: filepath=my_model. Keras 3 only supports V3 `.keras` "
        "files and legacy H5 format files (`.h5` extension).",
    ),
    said(
        "keras-rejected",
        "ValueError: Unable to create a Keras model from SavedModel at /m. This SavedModel was "
        "exported with `tf.saved_model.save`, and lacks the Keras metadata file.",
    ),
    said("keras-rejected", "ValueError: Unknown layer: Custom>TFBertMainLayer"),
    said(
        "object-graph-rejected",
        "AttributeError: '_UserObject' object has no attribute 'add_slot'",
    ),
    said(
        "object-graph-rejected",
        "AssertionError: Unresolved object in checkpoint (root).w: attributes { }",
    ),
    said(
        "object-graph-rejected",
        "ValueError: A SavedModel signature needs an input for each placeholder the signature's "
        "outputs use. Unable to lift tensor <tf.Tensor 'y:0' shape=(None, 1) dtype=float32>",
    ),
    said(
        "init-failed",
        "HashTable has different value for same key. Key emerson has 1 and trying to add value 2\n"
        "\t [[{{node key_value_init}}]]",
        node="key_value_init",
    ),
    said("init-failed", "Table was already initialized with different data."),
    said(
        "init-failed",
        "UNIMPLEMENTED: ImportValues not supported by InitializableLookupTable implementations\n\t [[Node: import = LookupTableImportV2]]",
        by="1.7.1 c",
        node="import",
    ),
    said(
        "init-failed",
        "FAILED_PRECONDITION: Table not initialized.\n\t [[{{node hash_table_Lookup_1}}]]",
        stage=RUN,
        node="hash_table_Lookup_1",
    ),
    said("init-failed", "PruneForTargets: Some target nodes not found: nowhere ", node="nowhere"),
    said(
        "init-failed",
        "KeyError: \"The name 'nowhere' refers to an Operation not in the graph.\"",
        node="nowhere",
    ),
    said(
        "init-failed",
        "assertion failed: [seeded refusal]\n\t [[{{node Assert/Assert}}]]",
        node="Assert/Assert",
    ),
    said(
        "not-a-savedmodel",
        "MetaGraphDef associated with tags 'serve' could not be found in SavedModel. To inspect "
        "available tag-sets in the SavedModel, please use the SavedModel CLI: `saved_model_cli`\n"
        "available_tags: []",
        by="2.4.4 v2",
    ),
    said(
        "not-a-savedmodel",
        "MetaGraphDef associated with tags 'serve' could not be found in SavedModel, with available "
        "tags '[]'. To inspect available tag-sets",
        by="2.21.0 v1",
    ),
    said(
        "tags-not-found",
        "MetaGraphDef associated with tags 'serve' could not be found in SavedModel, with available "
        "tags '[set()]'. To inspect available tag-sets",
        by="2.21.0 v1",
    ),
    said(
        "tags-not-found",
        "ValueError: Importing a SavedModel with `tf.saved_model.load` requires a `tags=` argument if "
        "there is more than one MetaGraph.",
    ),
    said(
        "variable-missing",
        "INVALID_ARGUMENT: tensor_name = a; expected dtype float does not equal original dtype int32\n"
        "tensor_name = b; expected dtype float does not equal original dtype int32\n"
        "\t [[{{node save/RestoreV2}}]]",
        by="2.21.0 c",
        node="a",
    ),
    said(
        "variable-missing",
        "Assign requires shapes of both tensors to match. lhs shape= [5] rhs shape= [3]\n"
        "\t [[{{node save/Assign}}]]",
        node="save/Assign",
    ),
    said(
        "variable-missing",
        "tensor shape [5] does not match the shape stored in checkpoint: [3]\n\t [[{{node r}}]]",
        node="r",
    ),
    said(
        "variable-missing",
        "ValueError: Received incompatible tensor with shape (3,) when attempting to restore variable "
        "with shape (5,) and name b/.ATTRIBUTES/VARIABLE_VALUE.",
        by="2.11.1 v2",
        node="b/.ATTRIBUTES/VARIABLE_VALUE",
    ),
    said(
        "variable-missing",
        "ValueError: Shapes (5,) and (3,) are incompatible",
        by="2.4.4 v2",
        trace='File "resource_variable_ops.py", line 307, in shape_safe_assign_variable_handle\n',
    ),
    said(
        "variable-missing",
        "NOT_FOUND: Container localhost does not exist. (Could not find resource: localhost/v)\n"
        "\t [[{{node r}}]]",
        by="2.21.0 c",
        stage=RUN,
        node="v",
    ),
    said(
        "variable-missing",
        "Not found: Resource localhost/embedding/N10tensorflow3VarE does not exist.",
        stage=RUN,
        node="embedding",
    ),
    said(
        "asset-missing",
        "FAILED_PRECONDITION: /m/assets/words.txt; Is a directory\n"
        "\t [[{{function_node __inference__initializer_104}}{{node text_file_init/Initialize}}]]",
        by="2.21.0 c",
        node="text_file_init/Initialize",
        function="__inference__initializer_104",
    ),
    said(
        "asset-missing",
        "NOT_FOUND: /home/train/vocab.txt; No such file or directory\n\t [[{{node init}}]]",
        by="2.4.4 c",
        node="init",
    ),
    said(
        "asset-missing",
        "NotFoundError:  /home/train/vocab.txt; No such file or directory\n\t [[node init (defined at "
        "lib/ops.py:1751) ]] [Op:__inference_pruned_17]\n\nFunction call stack:\npruned\n",
        by="2.0.4 v2",
        node="init",
    ),
    said(
        "file-missing",
        "FAILED_PRECONDITION: /m/variables/variables.data-00000-of-00001; Is a directory\n"
        "\t [[{{node RestoreV2}}]]",
        by="2.21.0 c",
        node="RestoreV2",
    ),
    said(
        "file-missing",
        "FailedPreconditionError: /m/saved_model.pb; Is a directory",
        by="2.4.4 v2",
    ),
    said(
        "file-missing",
        "UNIMPLEMENTED: File system scheme 's3' not implemented (file: 's3://bucket/vocab.txt')\n"
        "\t [[{{node init}}]]",
        by="2.21.0 c",
        node="init",
    ),
    said(
        "file-missing",
        "File system scheme nosuch not implemented\n\t [[Node: rf = ReadFile[](fn)]]",
        by="1.4.1 c",
        stage=RUN,
        node="rf",
    ),
    said(
        "file-missing",
        "No versions of servable half found under base path /models/half. Did you forget to name it",
    ),
    said(
        "file-missing",
        "Could not find base path /models/half for servable half with error NOT_FOUND",
    ),
    said("variable-missing", "ValueError: No variables to save", by="2.11.1 v1"),
    said(
        "file-missing",
        "InvalidArgumentError: Input 1 (tensor_name) must be a string scalar; got a tensor of 2elements\n"
        "\t [[Node: save/RestoreV2 = RestoreV2[dtypes=[DT_FLOAT, DT_FLOAT]](_arg_save/Const_0_0)]]",
        by="1.4.1 v1",
        node="save/RestoreV2",
    ),
    said("file-missing", "Servable not found for request: Latest(half)"),
    said(
        "file-missing",
        "ValueError: Trying to load a model of incompatible/unknown type. '/cache/4e2a' contains "
        "neither 'saved_model.pb' nor 'saved_model.pbtxt'.",
    ),
    said(
        "file-damaged",
        "OpError: The length checksum does not match: expected 2542998322 but actual is 1048886936",
        by="2.4.4 v2",
    ),
    said(
        "file-damaged",
        "OUT_OF_RANGE: Read less bytes than requested\n"
        "\t [[{{node text_file_init/InitializeTableFromTextFileV2}}]]",
        by="2.21.0 c",
        node="text_file_init/InitializeTableFromTextFileV2",
    ),
    said(
        "file-damaged",
        "Cannot parse tensor from proto: dtype: DT_FLOAT\ntensor_shape {\n  dim {\n    size: 3\n  }\n}\n"
        'tensor_content: "\\000\\000"\n\n\t [[{{node b}}]]',
        by="2.11.1 c",
        stage=RUN,
        node="b",
    ),
    said(
        "file-damaged",
        "UNIMPLEMENTED: Reading a bundle with different endianness from the reader\n"
        "\t [[{{node save/RestoreV2}}]]",
        by="1.13.2 c",
        node="save/RestoreV2",
    ),
    said("file-damaged", "ValueError: Duplicate name 'mul' in GraphDef.", by="1.4.1 v1"),
    said("file-damaged", "ValueError: 'a b!' is not a valid node name", by="1.4.1 v1"),
    said(
        "file-damaged",
        "Cannot add function 'inner' because a different function with the same name already exists.",
        by="2.21.0 c",
        function="inner",
    ),
    said(
        "file-damaged", "Duplicated ret name: body:z\n\tIn {{node body}}", by="2.4.4 c", node="body"
    ),
    said(
        "file-damaged",
        "Node 'mul' expects to be colocated with unknown node 'nowhere'",
        by="2.21.0 c",
        node="mul",
    ),
    said(
        "file-damaged",
        "ValueError: Specified colocation to an op that does not exist during import: nowhere in mul",
        by="1.4.1 v1",
        node="mul",
    ),
    said(
        "file-damaged",
        "{{node s}} has inputs from different frames. The input {{node e2}} is in frame 'f2'.",
        by="2.21.0 c",
        stage=RUN,
        node="s",
    ),
    said(
        "file-damaged",
        'Invalid loop structure: Loop "map/while/while_context" has more than one LoopCond node',
    ),
    said(
        "keras-rejected",
        "ValueError: Unable to restore custom object of type _tf_keras_rnn_layer currently.",
    ),
    said("keras-rejected", "RuntimeError: Unable to restore a layer of class Mine."),
    said("keras-rejected", "SavedModel saved prior to TF 2.5 detected when loading Keras model."),
    said("keras-rejected", "TypeError: ('Keyword argument not understood:', 'groups')"),
    said(
        "keras-rejected",
        "TypeError: Value passed to parameter 'values' has DataType int64 not in list of allowed "
        "values: float32",
    ),
    said("keras-rejected", "ValueError: bad marshal data (unknown type code)"),
    said(
        "keras-rejected",
        "TypeError: tf.keras.models.load_model gives a _UserObject, which is no Keras model",
        by="2.15.1 keras",
    ),
    said(
        "keras-rejected",
        "ValueError: Unknown loss function: 'my_loss'. Please ensure you are using a "
        "`keras.utils.custom_object_scope` and that this object is included in the scope.",
        by="2.11.1 keras",
    ),
    said(
        "keras-rejected",
        "JSONDecodeError: Expecting value: line 1 column 1 (char 0)",
        by="2.4.4 keras",
    ),
    said(
        "keras-rejected",
        "IndexError: list index (0) out of range",
        by="2.11.1 keras",
        trace=IN_KERAS,
    ),
    said(
        "keras-rejected",
        "ValueError: Error converting shape to a TensorShape: invalid literal for int() with base 10: 'class_name'.",
        by="2.0.4 keras",
        trace=LOADING + IN_KERAS,
    ),
    said(
        "object-graph-rejected",
        "AttributeError: 'NoneType' object has no attribute 'name'",
        trace=IN_KERAS + LOADING,
    ),
    said(
        "object-graph-rejected",
        "TypeError: argument of type '_UserObject' is not iterable",
        stage=RUN,
    ),
    said(
        "object-graph-rejected",
        "AttributeError: 'TPUMirroredVariable' object has no attribute '_constraint'",
    ),
    said(
        "object-graph-rejected",
        "AssertionError: Some Python objects were not bound to checkpointed values, likely due to "
        "changes in the Python program: [<tf.Variable 'a/m:0' shape=()>]",
        by="2.4.4 v2",
    ),
    said(
        "object-graph-rejected",
        "AssertionError: Found 1 Python objects that were not bound to checkpointed values, likely due "
        "to changes in the Python program.",
        by="2.11.1 v2",
    ),
    said(
        "object-graph-rejected",
        "ValueError: Unknown SavedObject type: None",
        by="2.11.1 v2",
    ),
    said(
        "object-graph-rejected",
        "ValueError: Arguments and signature arguments do not match. got: 0, expected: 2 ",
        by="2.4.4 v2",
    ),
    said(
        "object-graph-rejected",
        "ValueError: Signature specifies 2 arguments, got: 0.",
        by="2.11.1 v2",
    ),
    said(
        "object-graph-rejected",
        "ValueError: Found values in the dependency map which are not keys: {9999}",
        by="2.11.1 v2",
        trace=LOADING,
    ),
    said("object-graph-rejected", "KeyError: 9999", by="2.0.4 v2", trace=LOADING),
    said(
        "object-graph-rejected",
        "IndexError: list index (7) out of range",
        by="2.11.1 v2",
        trace=LOADING,
    ),
    said(
        "object-graph-rejected",
        "ValueError: Trying to load a model of incompatible/unknown type.",
    ),
    said(
        "init-failed",
        "RuntimeError: RuntimeError",
        by="2.4.4 v2",
        trace=LOADING + 'File "load.py", line 642, in _initialize\n    raise RuntimeError()\n',
    ),
    said(
        "init-failed",
        "Invalid number of columns in /m/assets/words.txt line 0 (one) : expected at least 6 got 1\n"
        "\t [[{{node text_file_init/InitializeTableFromTextFileV2}}]]",
        by="2.21.0 c",
        node="text_file_init/InitializeTableFromTextFileV2",
    ),
    said(
        "init-failed",
        "Invalid vocab_size in /m/assets/words.txt: expected 500 but got 3\n\t [[{{node init}}]]",
        by="2.21.0 c",
        node="init",
    ),
    said(
        "init-failed",
        "FAILED_PRECONDITION: GetNext() failed because the iterator has not been initialized. Ensure\n"
        "\t [[{{node nx}}]]",
        by="2.21.0 c",
        stage=RUN,
        node="nx",
    ),
    said("init-failed", "Expected exactly one main op in : /m", by="2.21.0 c"),
    said(
        "init-failed",
        "RuntimeError: Expected exactly one SavedModel init op. Found: ['i1', 'i2']",
        by="2.4.4 v1",
    ),
    said("init-failed", "RuntimeError: Expected exactly one SavedModel main op.", by="1.4.1 v1"),
    said("init-failed", "Could not find output __saved_model_init_op", by="2.21.0 c"),
    said(
        "init-failed",
        'NotFoundError: The key "__saved_model_init_op" could not be found in the graph. Please make',
        by="2.11.1 v1",
    ),
    said(
        "init-failed",
        "Tensor gone:0, specified in either feed_devices or fetch_devices was not found in the Graph",
        by="2.21.0 c",
        node="gone:0",
    ),
    said(
        "init-failed",
        "TypeError: Cannot interpret feed_dict key as Tensor: The name 'gone:0' refers to a Tensor "
        "which does not exist. The operation, 'gone', does not exist in the graph.",
        by="1.15.5 v1",
        node="gone",
    ),
    said(
        "init-failed",
        "KeyError: \"The name 'nowhere:0' refers to a Tensor which does not exist.\"",
        by="2.11.1 v2",
        trace='File "load_v1_in_v2.py", line 1, in _extract_saver_restore\n',
        node="nowhere",
    ),
    said(
        "init-failed",
        'INVALID_ARGUMENT: Endpoint "vocabulary:0" fed more than once.',
        by="2.21.0 c",
        node="vocabulary:0",
    ),
    said("init-failed", "Number of warmup records exceeds the maximum (1000)"),
]
