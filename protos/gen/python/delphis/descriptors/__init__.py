"""The contract's descriptors with their comments, which generated code leaves out.

Written by protos/generate.py.
"""

from importlib.resources import files


def load() -> bytes:
    """A serialised google.protobuf.FileDescriptorSet of all files under delphis/, source comments included.

    Files of google/ that they import are not in it; they are in the runtime's default pool.
    """
    return files(__name__).joinpath("descriptors.binpb").read_bytes()
