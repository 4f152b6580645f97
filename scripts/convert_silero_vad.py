"""Takes the numbers out of a Silero VAD ONNX file: convert_silero_vad.py IN.onnx OUT.safetensors.

In:  an ONNX file: one protobuf message. Only what leads to the weights is looked at: ModelProto.graph (field 7),
     GraphProto.initializer (field 5), and of each TensorProto dims (1), data_type (2; 1 is float32), name (8) and raw_data (9),
     little-endian. Field numbers: onnx.proto of the ONNX project.
Out: the same tensors under the same names as safetensors, bit for bit. The graph itself is not translated: the equations are
     in examples/silero_vad.seq.

Whatever else would hold numbers (float_data, external files, other types) is refused rather than left out.
"""

import sys

from checkpoint_files import write_safetensors

FLOAT32 = 1


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def fields(message):
    """The (number, value) pairs of a message: whole numbers, or bytes."""
    at = 0
    while at < len(message):
        key, at = varint(message, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = varint(message, at)
        else:
            if wire == 2:
                size, at = varint(message, at)
            elif wire in (1, 5):
                size = 8 if wire == 1 else 4
            else:
                sys.exit(f"field {number} has the wire type {wire}, which ONNX files do not use")
            value = message[at : at + size]
            at += size
        yield number, value


def whole_numbers(value):
    """A repeated whole number, which stands alone or packed with others."""
    if isinstance(value, int):
        yield value
        return
    at = 0
    while at < len(value):
        number, at = varint(value, at)
        yield number


def tensor(message):
    name, kind, shape, data = "", 0, [], b""
    for number, value in fields(message):
        if number == 1:
            shape += whole_numbers(value)
        elif number == 2:
            kind = value
        elif number == 8:
            name = bytes(value).decode()
        elif number == 9:
            data = bytes(value)
        elif number != 12:  # its documentation
            sys.exit(f"the tensor {name} has the field {number}, which this script does not read")
    if kind != FLOAT32:
        sys.exit(f"the tensor {name} is of data type {kind}, and not of float32")
    return name, "F32", shape, data


if __name__ == "__main__":
    source, target = sys.argv[1:3]
    with open(source, "rb") as file:
        model = memoryview(file.read())
    graphs = [value for number, value in fields(model) if number == 7]
    tensors = [tensor(value) for graph in graphs for number, value in fields(graph) if number == 5]
    if not tensors:
        sys.exit(f"{source} holds no weights")
    write_safetensors(target, tensors)
