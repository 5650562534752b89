"""Keras detectors as one ONNX graph: an image in, P(fake) by each of them and by their ensemble out."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from deepfake_ensemble.evaluation.weighting import ENSEMBLE
from deepfake_ensemble.models import saved
from deepfake_ensemble.portable.graph_digest import PROPERTY, graph_digest
from deepfake_ensemble.portable.metadata import ModelMetadata, to_properties

if TYPE_CHECKING:
    import keras
    import onnx

OPSET = 18
INPUT = "image"
_IMAGES = "n"  # what the graph calls the number of images
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

    whole = helper.make_model(
        helper.make_graph(nodes, "deepfake_ensemble", [image], outputs, constants),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=8,
        producer_name="deepfake-ensemble",
    )
    onnx.checker.check_model(whole)
    return whole


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
