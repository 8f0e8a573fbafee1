"""A model that is loaded and saved again, by the loader and the saver of either API."""

import tensorflow as tf

_RELEASE = tuple(int(part) for part in tf.__version__.split(".")[:2])
v1 = tf.compat.v1 if _RELEASE >= (1, 13) else tf


def save_again(model, tags, loader, directory):
    """Load the MetaGraph with these tags and save it as a new model; return nothing by name."""
    if loader == "v2":
        loaded = tf.saved_model.load(model, tags=tags)
        tf.saved_model.save(loaded, directory, signatures=dict(loaded.signatures))
        return {}
    with v1.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        loading = v1.saved_model.load if _RELEASE >= (1, 13) else v1.saved_model.loader.load
        meta_graph = loading(session, tags, model)
        # What runs after restoring is in a collection of the graph already, and goes along with it.
        builder = v1.saved_model.builder.SavedModelBuilder(directory)
        builder.add_meta_graph_and_variables(
            session,
            tags,
            {
                key: definition
                for key, definition in meta_graph.signature_def.items()
                if not key.startswith("__saved_model_")
            },
            assets_collection=v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS),
            clear_devices=False,
        )
        builder.save()
    return {}
