"""Keras detectors as one ONNX graph: an image in, P(fake) by each of them and by their ensemble out."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from deepfake_ensemble.evaluation.weighting import ENSEMBLE
from deepfake_ensemble.models import saved
from deepfake_ensemble.portable.feature_distance import FeatureDistribution
from deepfake_ensemble.portable.graph_digest import PROPERTY, graph_digest
from deepfake_ensemble.portable.metadata import DISTANCE, ModelMetadata, to_properties

if TYPE_CHECKING:
    import keras
    import onnx

OPSET = 18
INPUT = "image"
FEATURES = "features"
"""What the graph calls the members' penultimate features, one after the other; no output of the file."""
_IMAGES = "n"  # what the graph calls the number of images
_FEW = 1_024  # constants of fewer numbers stay as they are: they take no space
_CATCH_ERRORS = "TF2ONNX_CATCH_ERRORS"


def join(
    members: "Mapping[str, onnx.GraphProto]", weights: Mapping[str, float], size: int
) -> "onnx.ModelProto":
    """Return a model (n, size, size, 3) of RGB, uint8, 0-255 → P(fake) (n,) of each member and the ensemble.

    Args:
        members: the detectors by name, as `convert` returns them, all of the same input shape.
        weights: of the same names.
        size: width and height of an image, in pixels.
    """
    import onnx
    from onnx import TensorProto, helper

    image = helper.make_tensor_value_info(INPUT, TensorProto.UINT8, [_IMAGES, size, size, 3])
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [_IMAGES]) for name in (*members, ENSEMBLE)
    ]
    nodes, constants = [], []
    for name, member in members.items():
        nodes += member.node
        constants += member.initializer
        weight, share = f"{ENSEMBLE}/{name}/weight", f"{ENSEMBLE}/{name}/share"
        constants.append(_scalar(weight, weights[name]))
        nodes.append(helper.make_node("Mul", [name, weight], [share], name=share))
    for bound, value in (("least", 0.0), ("most", 1.0)):
        constants.append(_scalar(f"{ENSEMBLE}/{bound}", value))
    total, shares = f"{ENSEMBLE}/total", [f"{ENSEMBLE}/{name}/share" for name in members]
    nodes.append(helper.make_node("Sum", shares, [total], name=total))
    # Weights may sum to a last bit more than 1.
    clipped = [total, f"{ENSEMBLE}/least", f"{ENSEMBLE}/most"]
    nodes.append(helper.make_node("Clip", clipped, [ENSEMBLE], name=ENSEMBLE))
    features = [_penultimate(member) for member in members.values()]
    nodes.append(helper.make_node("Concat", features, [FEATURES], name=FEATURES, axis=1))

    whole = helper.make_model(
        helper.make_graph(nodes, "deepfake_ensemble", [image], outputs, constants),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=8,
        producer_name="deepfake-ensemble",
    )
    onnx.checker.check_model(whole)
    return whole


def _penultimate(member: "onnx.GraphProto") -> str:
    """Return what the last layer of a detector multiplies its weights with."""
    maker = {edge: node for node in member.node for edge in node.output}
    node = maker[member.node[-1].output[0]]
    while node.op_type not in ("MatMul", "Gemm"):
        node = maker[node.input[0]]
    return node.input[0]


def showing_features(network: "onnx.ModelProto") -> "onnx.ModelProto":
    """Return a model that gives the members' penultimate features (n, d), and nothing else."""
    from onnx import ModelProto, TensorProto, helper

    shown = ModelProto()
    shown.CopyFrom(network)
    del shown.graph.output[:]
    shown.graph.output.append(helper.make_tensor_value_info(FEATURES, TensorProto.FLOAT, [_IMAGES, None]))
    return shown


def add_distance(network: "onnx.ModelProto", usual: FeatureDistribution) -> None:
    """Let a model give as well how far an image's features lie from `usual`: `feature_distance.distances`."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    def part(name: str) -> str:
        return f"{DISTANCE}/{name}"

    for name, values in {
        "mean": usual.mean,
        "scale": usual.scale,
        "axes": usual.axes,
        "variances": usual.variances,
        "rest": np.array(usual.rest),
    }.items():
        network.graph.initializer.append(numpy_helper.from_array(values.astype(np.float32), part(name)))
    network.graph.initializer.append(numpy_helper.from_array(np.array([1]), part("columns")))
    steps = (
        ("Sub", [FEATURES, part("mean")], "apart"),
        ("Div", [part("apart"), part("scale")], "scaled"),
        ("MatMul", [part("scaled"), part("axes")], "projected"),
        ("Mul", [part("projected"), part("projected")], "along"),
        ("Div", [part("along"), part("variances")], "weighted"),
        ("ReduceSumSquare", [part("scaled"), part("columns")], "whole"),
        ("ReduceSum", [part("along"), part("columns")], "in_axes"),
        ("Sub", [part("whole"), part("in_axes")], "difference"),
        ("Relu", [part("difference")], "beside"),
        ("Div", [part("beside"), part("rest")], "weighted_beside"),
        ("ReduceSum", [part("weighted"), part("columns")], "weighted_along"),
        ("Add", [part("weighted_along"), part("weighted_beside")], "squared"),
    )
    for operation, inputs, name in steps:
        node = helper.make_node(operation, inputs, [part(name)], name=part(name))
        if operation.startswith("Reduce"):
            node.attribute.append(helper.make_attribute("keepdims", 0))
        network.graph.node.append(node)
    network.graph.node.append(helper.make_node("Sqrt", [part("squared")], [DISTANCE], name=DISTANCE))
    network.graph.output.append(helper.make_tensor_value_info(DISTANCE, TensorProto.FLOAT, [_IMAGES]))
    onnx.checker.check_model(network)


def halve_weights(network: "onnx.ModelProto") -> None:
    """Keep a model's weights as float16 numbers, half the bytes; it computes with float32 as before."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for constant in network.graph.initializer:
        values = numpy_helper.to_array(constant)
        if (
            values.dtype != np.float32
            or values.size < _FEW
            or np.abs(values).max() > np.finfo(np.float16).max
        ):
            continue
        name, kept = constant.name, f"{constant.name}/half"
        constant.CopyFrom(numpy_helper.from_array(values.astype(np.float16), kept))
        casts.append(helper.make_node("Cast", [kept], [name], name=kept, to=TensorProto.FLOAT))
    nodes = [*casts, *network.graph.node]
    del network.graph.node[:]
    network.graph.node.extend(nodes)


def to_bytes(network: "onnx.ModelProto", metadata: ModelMetadata) -> bytes:
    """Return the bytes of the model file; the same network and metadata give the same."""
    del network.metadata_props[:]
    digest = graph_digest(network.SerializeToString(deterministic=True))
    for name, text in (to_properties(metadata) | {PROPERTY: digest}).items():
        network.metadata_props.add(key=name, value=text)
    return network.SerializeToString(deterministic=True)


def _scalar(name: str, value: float) -> "onnx.TensorProto":
    import numpy as np
    from onnx import numpy_helper

    return numpy_helper.from_array(np.array(value, np.float32), name)


def convert(files: Mapping[str, Path], advance: Callable[[int], None]) -> "dict[str, onnx.GraphProto]":
    """Convert saved detectors, one after the other; see `convert_detector`.

    tf2onnx takes many times longer for all in one graph.

    Args:
        files: `.keras` files by the detectors' names.
        advance: called with 1 after each detector.

    Raises:
        UserError: if a file is missing, damaged, or holds code.
    """
    done = {}
    for name, file in files.items():
        done[name] = convert_detector(name, saved.load(file))
        advance(1)
    return done


def convert_detector(name: str, member: "keras.Model") -> "onnx.GraphProto":
    """Convert one detector: INPUT in, its own name out, and its name in front of all that is between.

    Args:
        name: what the detector is called in the whole.
        member: as `models.detector` builds it.
    """
    import tensorflow as tf
    import tf2onnx

    specification = tf.TensorSpec((None, *member.input_shape[1:]), tf.uint8, name=INPUT)

    def p_fake(image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {name: member(tf.cast(image, tf.float32), training=False)[:, 0]}

    run = tf.function(p_fake, input_signature=[specification], autograph=False)
    with _repeatable_and_sooner():
        found, _ = tf2onnx.convert.from_function(run, input_signature=[specification], opset=OPSET)
    return canonical(found.graph, name)


@contextmanager
def _repeatable_and_sooner() -> Iterator[None]:
    """Let tf2onnx convert the same way in every process, and copy no weights between its passes."""
    from tf2onnx.graph import Node

    by_address, update_proto = Node.__hash__, Node.update_proto

    def update_unless_constant(node: Node, *arguments: object) -> None:
        if not node.is_const():
            update_proto(node, *arguments)

    # Its passes go through sets of nodes in the order of their hashes, by default those of their addresses in
    # memory: what it leaves out would vary from run to run.
    Node.__hash__ = lambda node: hash(node.name)
    # After each of its three dozen passes it copies all constants into messages that it never reads: the
    # graph that it returns takes them from where they are.
    Node.update_proto = update_unless_constant
    before = os.environ.get(_CATCH_ERRORS)
    # An error in one of its passes ends it; to go on in spite of it, it would copy the graph before each.
    os.environ[_CATCH_ERRORS] = "FALSE"
    try:
        yield
    finally:
        Node.__hash__, Node.update_proto = by_address, update_proto
        del os.environ[_CATCH_ERRORS]
        if before is not None:
            os.environ[_CATCH_ERRORS] = before


def canonical(found: "onnx.GraphProto", name: str) -> "onnx.GraphProto":
    """Return a graph with one output in an order, and with names, that follow from what it computes alone.

    tf2onnx numbers what it adds as Python's sets hand it out, which is another order in another process. Here
    nodes stand in the order in which the output needs them, and all is called after `name` and its number.
    The output is called `name`, and what comes from outside keeps its name.
    """
    from onnx import GraphProto

    maker = {edge: node for node in found.node for edge in node.output}
    constants = {constant.name: constant for constant in found.initializer}
    called = {"": ""}  # an optional input that is left out
    graph = GraphProto()
    stack = [(maker[found.output[0].name], False)]
    while stack:
        node, ready = stack.pop()
        if node.output[0] in called:
            continue
        if not ready:
            stack.append((node, True))
            stack += [(maker[edge], False) for edge in reversed(node.input) if edge in maker]
            continue
        number = f"{name}/{len(graph.node):04}"
        for i, edge in enumerate(node.input):
            if edge in constants and edge not in called:
                called[edge] = f"{number}/{i}"
                graph.initializer.add().CopyFrom(constants[edge])
                graph.initializer[-1].name = called[edge]
        called |= {edge: f"{number}.{i}" for i, edge in enumerate(node.output) if edge}
        if node.output[0] == found.output[0].name:
            called[node.output[0]] = name
        made = graph.node.add()
        made.CopyFrom(node)
        made.name = f"{number}/{node.op_type}"
        made.input[:] = [called.get(edge, edge) for edge in node.input]
        made.output[:] = [called[edge] for edge in node.output]
    return graph
