//! Policies, callers and paths.
use super::*;
use foundation_resources::Operation;
use http::HeaderName;
use proptest::prelude::*;

fn operation(name: &str, verbs: &[&str], action: &str) -> Operation {
    let http_verb = verbs.iter().map(|verb| (*verb).to_owned()).collect();
    Operation { name: name.to_owned(), http_verb, action: action.to_owned() }
}

fn policy(default_action: &str, operations: Vec<Operation>) -> AppPolicy {
    let text = str::to_owned;
    AppPolicy {
        app_id: text("caller"),
        default_action: text(default_action),
        trust_domain: text("public"),
        namespace: text("ns"),
        operations,
    }
}

fn control(default_action: &str, policies: Vec<AppPolicy>) -> AccessControl {
    AccessControl { default_action: default_action.to_owned(), trust_domain: "public".to_owned(), policies }
}

fn access(control: &AccessControl, http: bool) -> Access {
    Access::new(Some(control), http, Metrics::disabled())
}

#[test]
fn rules_that_refuse_nothing_are_open() {
    assert!(Access::new(None, true, Metrics::disabled()).is_open());
    assert!(access(&control("allow", Vec::new()), false).is_open());
    assert!(!access(&control("deny", Vec::new()), false).is_open());
    assert!(!access(&control("allow", vec![policy("allow", Vec::new())]), false).is_open());
}

fn allows(access: &Access, caller: &str, operation: &str, verb: Option<Method>) -> bool {
    let caller = caller.parse::<SpiffeId>().ok();
    access.check(Call { caller: caller.as_ref(), operation, verb: verb.as_ref() }).is_ok()
}

const CALLER: &str = "spiffe://public/ns/ns/caller";

/// Whether a GET is allowed by an app policy of one rule that allows, over a default that denies.
fn fits(rule: &str, path: &str) -> bool {
    let policy = policy("deny", vec![operation(rule, &["GET"], "allow")]);
    allows(&access(&control("deny", vec![policy]), true), CALLER, path, Some(Method::GET))
}

#[test]
fn paths_fit_rules() {
    for (rule, path, expected) in [
        ("/a", "a", true),
        ("a", "/a", true),
        ("/A", "a", true),
        ("/a", "A", true),
        ("/a", "b", false),
        ("/a", "ab", false),
        // A rule is also one for all below.
        ("/a", "a/b/c", true),
        ("/a/b", "a", false),
        ("/a/*", "a/b", true),
        ("/a/*", "a", true),
        ("/a/*", "a/b/c", false),
        ("/a/**", "a/b/c", true),
        ("/a/**", "a", true),
        ("/**", "anything/at/all", true),
        ("/*", "one", true),
        ("/*", "one/two", false),
        ("/a*", "abc", true),
        ("/a*c", "abbc", true),
        ("/a*c", "abbd", false),
        ("/a*/b", "ax/b", true),
        ("/*a*b*", "xaxbx", true),
        ("/*a*b*", "xbxax", false),
        ("/a/*/c", "a/b/c", false),
        ("/a/**/c", "a/b/c", true),
        ("/a/**/c", "a/b/d", false),
        ("/a/**/c", "a/b/b/c", false),
    ] {
        assert_eq!(fits(rule, path), expected, "{rule} {path}");
    }
}

/// An app resolves escapes before it looks for what was meant.
#[test]
fn escapes_are_no_way_around_a_rule() {
    let forbidden = || vec![policy("allow", vec![operation("/secret/**", &["*"], "deny")])];
    let http = access(&control("deny", forbidden()), true);
    for path in
        ["secret/a", "%73ecret/a", "secret%2Fa", "SECRET%2fa", "x/%2E%2e/secret/a", "x/..%2Fsecret/a", "%2Fsecret/a"]
    {
        assert!(!allows(&http, CALLER, path, Some(Method::GET)), "{path}");
    }
    // Escapes are resolved once: this one is read as `%73ecret`.
    for path in ["open%2Fa", "100%", "%2573ecret/a", "%ff"] {
        assert!(allows(&http, CALLER, path, Some(Method::GET)), "{path}");
    }
    // What is not allowed as it is written is not allowed for being read otherwise.
    assert!(!fits("/a b", "a%20b") && !fits("/a%20b", "a%20b"));
    let grpc = access(&control("deny", forbidden()), false);
    assert!(allows(&grpc, CALLER, "%73ecret/a", None));
}

#[test]
fn the_first_rule_that_fits_counts() {
    let rules = vec![
        operation("/a/b*", &["*"], "deny"),
        operation("/a/bc", &["*"], "allow"),
        operation("/x", &["*"], "allow"),
        operation("/x", &["*"], "deny"),
    ];
    let access = access(&control("deny", vec![policy("deny", rules)]), true);
    assert!(!allows(&access, CALLER, "a/bc", Some(Method::GET)));
    assert!(allows(&access, CALLER, "x", Some(Method::GET)));
}

#[test]
fn verbs_are_matched_for_http_apps_only() {
    let rules = || vec![operation("/a", &["GET"], "deny"), operation("/b", &["POST", "*"], "deny")];
    let http = access(&control("deny", vec![policy("allow", rules())]), true);
    assert!(!allows(&http, CALLER, "a", Some(Method::GET)));
    assert!(allows(&http, CALLER, "a", Some(Method::PUT)));
    assert!(!allows(&http, CALLER, "b", Some(Method::PUT)));
    assert!(allows(&http, CALLER, "a", None));
    let grpc = access(&control("deny", vec![policy("allow", rules())]), false);
    assert!(!allows(&grpc, CALLER, "a", Some(Method::PUT)));
    assert!(allows(&grpc, CALLER, "A", None));
}

#[test]
fn a_verbless_call_needs_the_default_of_its_app() {
    let access = access(&control("allow", vec![policy("", vec![operation("/a", &["*"], "allow")])]), true);
    assert!(!allows(&access, CALLER, "a", None));
    assert!(allows(&access, CALLER, "b", None));
}

/// Without a verb it is a gRPC call, and one of HTTP/2 for an app that does not look closely.
#[test]
fn grpc_is_no_way_around_a_rule_of_an_http_app() {
    let rules =
        ["*", "POST", "GET"].map(|verb| operation(&format!("/{}", verb.replace('*', "all")), &[verb], "deny")).to_vec();
    let access = access(&control("deny", vec![policy("allow", rules)]), true);
    for (path, expected) in [("/all", false), ("/%61ll", false), ("/post", false), ("/get", true), ("/other", true)] {
        assert_eq!(allows(&access, CALLER, path, None), expected, "{path}");
    }
}

#[test]
fn a_caller_is_named_as_it_is_proven() {
    let said = |names: &[&'static str]| {
        let pairs = names.iter().map(|name| (HeaderName::from_static(name), HeaderValue::from_static("admin")));
        pairs.collect::<HeaderMap>()
    };
    let mut headers = said(&[CALLER_ID, CALLER_NAMESPACE]);
    headers.append(CALLER_ID, HeaderValue::from_static("root"));
    name_caller(&Extensions::new(), &mut headers);
    assert_eq!(headers[CALLER_NAMESPACE], "admin");
    let mut proven = Extensions::new();
    proven.insert(PeerId(CALLER.parse().unwrap()));
    name_caller(&proven, &mut headers);
    assert_eq!((&headers[CALLER_ID], &headers[CALLER_NAMESPACE]), (&"caller".parse().unwrap(), &"ns".parse().unwrap()));
    assert_eq!(headers.get_all(CALLER_ID).iter().count(), 1);
    let mut silent = HeaderMap::new();
    name_caller(&proven, &mut silent);
    assert!(silent.is_empty());
}

#[test]
fn callers_are_known_by_their_whole_id() {
    let access = access(&control("deny", vec![policy("allow", Vec::new())]), true);
    for (caller, expected) in [
        (CALLER, true),
        ("spiffe://private/ns/ns/caller", false),
        ("spiffe://public/ns/other/caller", false),
        ("spiffe://public/ns/ns/other", false),
        ("", false),
    ] {
        assert_eq!(allows(&access, caller, "a", Some(Method::GET)), expected, "{caller}");
    }
}

#[test]
fn defaults_are_those_of_dapr() {
    let unsaid = AccessControl::default();
    assert!(allows(&access(&unsaid, true), "", "a", None));
    assert!(allows(&Access::new(None, true, Metrics::disabled()), "", "a", None));
    let trust_domain_only = control("", Vec::new());
    assert!(!allows(&access(&trust_domain_only, true), "", "a", None));
    assert!(allows(&access(&control("Allow", Vec::new()), true), "", "a", None));
    assert!(!allows(&access(&control("perhaps", Vec::new()), true), "", "a", None));
}

#[test]
fn a_denial_tells_what_was_denied() {
    let access = access(&control("deny", Vec::new()), true);
    let caller: SpiffeId = CALLER.parse().unwrap();
    let call = Call { caller: Some(&caller), operation: "a/b", verb: Some(&Method::GET) };
    let status = access.check(call).unwrap_err();
    assert_eq!(status.code(), tonic::Code::PermissionDenied);
    assert_eq!(
        status.message(),
        "access control policy has denied access to id: spiffe://public/ns/ns/caller operation: a/b verb: GET"
    );
}

proptest! {
    #[test]
    fn any_rule_and_any_path_are_decided(rule in "[a/*]{0,8}", path in "[ab/*]{0,8}") {
        fits(&rule, &path);
    }

    #[test]
    fn a_path_without_wildcards_fits_itself(path in "[a-c]{1,3}(/[a-c]{1,3}){0,3}") {
        prop_assert!(fits(&path, &path));
    }
}
