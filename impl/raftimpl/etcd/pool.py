"""Our own pool of message types.

Protobuf for Python has one pool for the process, in which a name may be defined once. Client libraries of etcd
define `etcdserverpb` there too; with a pool of our own both can live in one process.
"""

from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message_factory import GetMessageClass

POOL = DescriptorPool()


def define(serialized: bytes) -> dict[str, object]:
    """Add a file's types, given as a serialized FileDescriptorProto; return them by name.

    The files that it imports must have been added before.
    """
    file = FileDescriptorProto.FromString(serialized)
    POOL.Add(file)
    descriptor = POOL.FindFileByName(file.name)
    messages = {name: GetMessageClass(message) for name, message in descriptor.message_types_by_name.items()}
    enums = {name: EnumTypeWrapper(enum) for name, enum in descriptor.enum_types_by_name.items()}
    return {"DESCRIPTOR": descriptor, **messages, **enums}
