"""How the Keras of a release loads a SavedModel folder, and calls it.

Up to 2.15 that is ``tf.keras.models.load_model`` and a call of the model that it makes, whose layers Keras builds anew where it can.
Keras 3, in 2.16 and later, refuses a folder there and has ``keras.layers.TFSMLayer``, which wraps one endpoint.
"""

import inspect

import _python
import tensorflow

# The function that Keras 2 traces a model's call into (keras/saving/legacy/saved_model/save_impl.py).
_TRACED_CALL = "_wrapped_model_"


def load(path, tags, place, signature):
    """Return the model of a folder, loaded the way that this release has; Keras takes no tags.

    Args:
        path: the folder.
        tags: of the MetaGraph, which has to be the only one.
        place: what the request wishes; see ``_devices``.
        signature: its key; None loads only.
    """
    if _python._RELEASE < (2, 16):
        return _Keras2(path, tags, place)
    return _Keras3(path, tags, place, signature)


class _Keras2(_python._V2):
    """``tf.keras.models.load_model``, and a call of the model.

    A signature is the model's call where Keras made it: it then calls the function that the call was traced into. Any other, which
    somebody gave to ``model.save``, runs through ``model.signatures``, and a note says so.
    """

    def _load(self, path, tags):
        model = tensorflow.keras.models.load_model(path)
        # A layer is revived as one where the model's own class cannot be made.
        if not isinstance(model, (tensorflow.keras.layers.Layer, tensorflow.keras.models.Model)):
            raise TypeError(
                "tf.keras.models.load_model gives a %s, which is no Keras model"
                % type(model).__name__
            )
        return model

    def _bound(self, request, tensors):
        by_signature = super(_Keras2, self)._bound(request, tensors)
        order = _order_of_inputs(self._signature(request["signature"]))
        if order is None:
            self._note_signature(request, "it is not the call of the Keras model")
            return by_signature
        inputs = self._constants(tensors, order)
        arguments, named = self._arguments([inputs[alias] for alias in order])

        def call():
            results = self._loaded(*arguments, **named)
            by_alias = self._by_alias(results, [alias for alias, _ in request["outputs"]])
            if by_alias is None:
                self._note_signature(request, "Keras does not say which of its outputs is which")
                return by_signature()
            self.notes.append("loaded by tf.keras.models.load_model; the Keras model was called")
            return by_alias

        return call

    def _note_signature(self, request, why):
        self.notes.append(
            "loaded by tf.keras.models.load_model; signature '%s' ran through its `signatures`: %s"
            % (request["signature"], why)
        )

    def _arguments(self, values):
        """Return flat values as positional arguments and keywords of the model's call, in the structures that it takes."""
        arguments, named = next(
            taken for taken in self._structures(len(values)) if _count(taken) == len(values)
        )
        left = iter(values)
        leaves = [None if leaf is None else next(left) for leaf in _flat([arguments, named])]
        arguments, named = tensorflow.nest.pack_sequence_as(
            [arguments, named], leaves, expand_composites=True
        )
        while arguments and arguments[-1] is None:
            arguments.pop()
        if self._takes_training(len(arguments)):
            named["training"] = False
        return arguments, named

    def _structures(self, count):
        """Yield what the call may take: as it was saved, as the network has it, and last a tensor or a list of so many."""
        model = self._loaded
        saved = model.save_spec() if hasattr(model, "save_spec") else None
        if saved is not None:
            yield [list(saved[0]), dict(saved[1])]
        for name in ("_saved_model_inputs_spec", "inputs"):
            taken = getattr(model, name, None)
            if taken is not None:
                # A model lists its only input, too, and is called with it alone.
                alone = name == "inputs" and isinstance(taken, list) and len(taken) == 1
                yield [[taken[0] if alone else taken], {}]
        yield [[0 if count == 1 else list(range(count))], {}]

    def _takes_training(self, given):
        parameters = list(inspect.signature(self._loaded.call).parameters.values())
        if any(each.kind is each.VAR_KEYWORD for each in parameters):
            return True
        return "training" in [each.name for each in parameters[given:]]

    def _by_alias(self, results, aliases):
        """Return a call's results by the aliases that the signature has for them; None if nothing tells which is which."""
        if isinstance(results, dict) and sorted(results) == sorted(aliases):
            return results
        flat = tensorflow.nest.flatten(results)
        if len(flat) == len(aliases) == 1:
            return {aliases[0]: flat[0]}
        network = getattr(self._loaded, "_config", None) or {}
        known = (
            getattr(self._loaded, "output_names", None) or [],
            _layers(network.get("output_layers") or []),
            ["output_%d" % (position + 1) for position in range(len(flat))],
        )
        for names in known:
            if sorted(names) == sorted(aliases):
                return dict(zip(names, flat))
        return None


def _flat(structure):
    return tensorflow.nest.flatten(structure, expand_composites=True)


def _count(structure):
    return sum(leaf is not None for leaf in _flat(structure))


def _layers(places):
    """Return the names of layers in a network's ``output_layers``, in the order of its flattened outputs."""
    if isinstance(places, dict):
        return [name for key in sorted(places) for name in _layers(places[key])]
    if places and isinstance(places[0], str):
        return [places[0]]
    return [name for place in places for name in _layers(place)]


def _order_of_inputs(signature):
    """Return the aliases of a signature's inputs as the traced call of a Keras model takes them; None if it calls none."""
    for node in signature.graph.as_graph_def().node:
        if _TRACED_CALL in node.attr["f"].func.name:
            # What the call captures comes after them, and is no input of the signature.
            aliases = {
                fed.op.name: alias
                for fed, alias in zip(signature.inputs, signature._arg_keywords or ())
            }
            fed = [name.partition(":")[0] for name in node.input]
            return [aliases[name] for name in fed if name in aliases]
    return None


class _Keras3(_python._V2):
    """``keras.layers.TFSMLayer`` around the endpoint that has the signature's name.

    A layer takes one tensor. A signature with several inputs gets them by name, from a subclass of the layer as Keras's documentation
    advises.
    """

    def __init__(self, path, tags, place, signature):
        self._endpoint = signature
        super(_Keras3, self).__init__(path, tags, place)

    def _load(self, path, tags):
        if self._endpoint is None:
            # A layer needs an endpoint; this is what it does before it looks for one (keras/src/export/tfsm_layer.py).
            return tensorflow.saved_model.load(path)
        return _by_name()(path, call_endpoint=self._endpoint)

    def _bound(self, request, tensors):
        names = [tensor.name for tensor in tensors]
        if self._takes_names():
            value = self._constants(tensors, names)
            self.notes.append("loaded by keras.layers.TFSMLayer; the layer was called by name")
        elif len(tensors) == 1:
            [value] = self._constants(tensors, ()).values()
            self.notes.append("loaded by keras.layers.TFSMLayer; the layer was called")
        else:
            value = self._constants(tensors, names)
            self.notes.append(
                "loaded by a subclass of keras.layers.TFSMLayer that gives signature '%s' its %d inputs by name"
                % (request["signature"], len(tensors))
            )
        aliases = [alias for alias, _ in request["outputs"]]
        return lambda: _by_position(self._loaded(value, training=False), aliases)

    def _takes_names(self):
        """Tell whether the endpoint is a function that the model was saved with, and takes a dict; signatures come after it."""
        endpoint = getattr(self._loaded._reloaded_obj, self._endpoint, None)
        functions = getattr(endpoint, "concrete_functions", None)
        if not functions:
            return False
        arguments, _ = functions[0].structured_input_signature
        return len(arguments) > 0 and isinstance(arguments[0], dict)


def _by_name():
    import keras

    class ByName(keras.layers.TFSMLayer):
        """The layer, which hands on inputs that come by name as keywords."""

        def call(self, inputs, training=False):
            is_function = hasattr(self._reloaded_obj, self.call_endpoint)
            if isinstance(inputs, dict) and not is_function:
                return self._reloaded_obj.signatures[self.call_endpoint](**inputs)
            return super(ByName, self).call(inputs, training=training)

    return ByName


def _by_position(results, aliases):
    """Return a layer's results by alias: an attribute's are not named, and its tensors are called as Keras calls them."""
    if isinstance(results, dict):
        return results
    flat = tensorflow.nest.flatten(results)
    if len(flat) == len(aliases) == 1:
        return {aliases[0]: flat[0]}
    return {"output_%d" % position: value for position, value in enumerate(flat)}
