//! The descriptors carry Dapr's names, as reflection shows them.
use crate::FILE_DESCRIPTOR_SET;
use prost::Message;
use prost_types::{FileDescriptorProto, FileDescriptorSet};

fn file(name: &str) -> FileDescriptorProto {
    let set = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap();
    set.file.into_iter().find(|file| file.name() == name).unwrap()
}

#[test]
fn services_are_complete() {
    let dapr = file("dapr/proto/runtime/v1/dapr.proto");
    assert_eq!(dapr.package(), "dapr.proto.runtime.v1");
    assert_eq!(dapr.service[0].name(), "Dapr");
    assert_eq!(dapr.service[0].method.len(), 72);
    let callbacks = file("dapr/proto/runtime/v1/appcallback.proto");
    let names: Vec<_> = callbacks.service.iter().map(|service| service.name()).collect();
    assert_eq!(names, ["AppCallback", "AppCallbackHealthCheck", "AppCallbackAlpha"]);
}

#[test]
fn enums_are_nested() {
    let common = file("dapr/proto/common/v1/common.proto");
    let extension = common.message_type.iter().find(|message| message.name() == "HTTPExtension").unwrap();
    assert_eq!(extension.enum_type[0].name(), "Verb");
}

#[test]
fn imports_are_included() {
    let set = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap();
    let names: Vec<_> = set.file.iter().map(|file| file.name()).collect();
    let missing = |file: &FileDescriptorProto| file.dependency.iter().any(|name| !names.contains(&name.as_str()));
    assert!(!set.file.iter().any(missing));
}
