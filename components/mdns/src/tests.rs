//! Records as Go's library writes and reads them, hostile bytes, and two resolvers on the real network.
use crate::Mdns;
use crate::message::{Data, Message, PTR, Question, Record};
use crate::records::{Found, Service, found};
use component_api::Kind;
use component_api::naming::{Registration, Resolver, Target};
use proptest::prelude::*;

fn service() -> Service {
    Service {
        app_id: "myapp".to_owned(),
        instance: "box:42".to_owned(),
        host_name: "box".to_owned(),
        address: "192.0.2.7:50002".parse().unwrap(),
    }
}

#[test]
fn the_records_are_those_of_dapr() {
    let message = Message::decode(&service().announcement().encode().unwrap()).unwrap();
    let expected = [
        ("myapp.local.", 3200, Data::Pointer("box:42.myapp.local.".to_owned())),
        ("box:42.myapp.local.", 3200, Data::Service { port: 50002, host: "box.local.".to_owned() }),
        ("box:42.myapp.local.", 3200, Data::Text(vec![b"myapp".to_vec()])),
        ("box.local.", 120, Data::Address("192.0.2.7".parse().unwrap())),
    ];
    let expected = expected.map(|(name, ttl, data)| Record { name: name.to_owned(), ttl, data });
    assert!(message.response);
    assert_eq!(message.records, expected);
}

#[test]
fn an_announcement_is_found_and_a_goodbye_is_gone() {
    let expected = |gone| vec![Found { app_id: "myapp".to_owned(), address: service().address, gone }];
    assert_eq!(found(&service().announcement()), expected(false));
    assert_eq!(found(&service().goodbye()), expected(true));
}

#[test]
fn questions_for_the_app_are_answered() {
    let question = |name: &str, kind| Question { name: name.to_owned(), kind, unicast: false };
    assert!(service().answers(&question("myapp.local.", PTR)));
    assert!(service().answers(&question("box:42.myapp.local.", 33)));
    assert!(!service().answers(&question("other-myapp.local.", PTR)));
}

#[test]
fn compressed_names_are_read() {
    let mut bytes = vec![0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0];
    bytes.extend_from_slice(b"\x05myapp\x05local\0\0\x0c\0\x01\0\0\x0c\x80\0\x05\x02me\xc0\x0c");
    let message = Message::decode(&bytes).unwrap();
    let pointer = Data::Pointer("me.myapp.local.".to_owned());
    assert_eq!(message.records, [Record { name: "myapp.local.".to_owned(), ttl: 3200, data: pointer }]);
}

#[test]
fn a_name_that_points_at_itself_is_malformed() {
    let bytes = [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 12, 0, 12, 0, 1];
    assert_eq!(Message::decode(&bytes), None);
}

proptest! {
    #[test]
    fn hostile_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Some(message) = Message::decode(&bytes) {
            found(&message);
        }
    }
}

/// Needs an interface that takes part in multicast; loopback does on Linux.
#[tokio::test]
async fn two_resolvers_find_each_other() {
    let (one, other) = (Mdns::new(), Mdns::new());
    let app_id = format!("trilby-test-{}", std::process::id());
    let own = Registration {
        app_id: app_id.clone(),
        namespace: String::new(),
        address: "127.0.0.1".to_owned(),
        port: 50002,
        http_port: 3500,
    };
    let target = Target { app_id, namespace: String::new(), default_port: 0 };
    let Ok(()) = one.register(own).await else { return };
    assert_eq!(other.resolve(&target).await.unwrap(), ["127.0.0.1:50002"]);
    one.close().await.unwrap();
    let nobody = Target { app_id: "trilby-nobody".to_owned(), ..target };
    assert_eq!(other.resolve(&nobody).await.unwrap_err().kind(), Kind::NotFound);
}
