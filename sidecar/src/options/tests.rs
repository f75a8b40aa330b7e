//! Command lines that users write, and those that they should not.
use super::*;

fn read(arguments: &[&str]) -> Result<Options, Failure> {
    let mut all = vec!["--app-id".to_owned(), "app".to_owned()];
    all.extend(arguments.iter().map(|argument| (*argument).to_owned()));
    match Command::read(&all, Environment::default())? {
        Command::Run(options) => Ok(*options),
        other => panic!("{other:?}"),
    }
}

#[test]
fn defaults_are_those_of_dapr() {
    let options = read(&[]).unwrap();
    assert_eq!((options.listen.http_port, options.listen.grpc_port), (3500, 50001));
    assert_eq!((options.max_body_size, options.read_buffer_size), (4 << 20, 4 << 10));
    assert_eq!((options.app.port, options.app.protocol), (None, Protocol::Http));
    assert_eq!((options.grace, options.block_shutdown, options.api_logging), (DEFAULT_GRACE, None, None));
    assert_eq!(options.listen.addresses, [""]);
    assert!(options.app.ask_config && options.app.ask_subscriptions && options.warnings.is_empty());
}

const DEFAULT_GRACE: Duration = Duration::from_secs(5);

#[test]
fn all_spellings_of_flags_are_understood() {
    let options = read(&[
        "-app-port=8080",
        "--app-protocol",
        "GRPC",
        "--enable-app-health-check",
        "--enable-api-logging=false",
        "--resources-path=a,b",
        "--resources-path",
        "c",
        "--max-body-size",
        "1Ki",
        "--disable-init-endpoints=config, subscribe",
    ]);
    let options = options.unwrap();
    assert_eq!((options.app.port, options.app.protocol), (Some(8080), Protocol::Grpc));
    assert_eq!((options.api_logging, options.max_body_size), (Some(false), 1024));
    assert_eq!(options.resources, ["a", "b", "c"].map(PathBuf::from));
    assert!(options.app.health.is_some() && !options.app.ask_config && !options.app.ask_subscriptions);
}

#[test]
fn zeros_of_health_checks_stand_for_defaults() {
    let zeros = ["--enable-app-health-check=true", "--app-health-probe-interval=0", "--app-health-threshold=0"];
    assert_eq!(read(&zeros).unwrap().app.health, Some(HealthOptions::default()));
}

#[test]
fn wrong_command_lines_say_what_is_wrong() {
    for (arguments, text) in [
        (&["--nothing"][..], "unknown flag: --nothing"),
        (&["--app-port"], "flag needs an argument: --app-port"),
        (&["--enable-mtls=maybe"], "invalid argument \"maybe\" for \"--enable-mtls\" flag: use true or false"),
        (&["--mode", "cluster"], "invalid mode: cluster"),
        (&["--app-id", "a.b"], "parameter app-id cannot contain dots"),
        (&["--app-id", ""], "parameter app-id cannot be empty"),
        (&["--app-port", "3500"], "the 'dapr-http-port' argument value 3500 conflicts with 'app-port'"),
        (
            &["--max-body-size", "huge"],
            "invalid value for 'max-body-size' option: quantities look like 4Mi, not \"huge\"",
        ),
    ] {
        assert_eq!(read(arguments).unwrap_err().to_string(), text);
    }
    assert!(matches!(read(&["--nothing"]), Err(Failure::Misuse(_))));
    assert!(matches!(read(&["--mode", "x"]), Err(Failure::Invalid { .. })));
}

#[test]
fn flags_of_absent_parts_are_named_once() {
    let options = read(&[
        "--placement-host-address=\"\"",
        "--enable-mtls=false",
        "--control-plane-address=a",
        "--scheduler-host-address=a:1,b:2",
    ]);
    let options = options.unwrap();
    assert_eq!(options.warnings, ["Kubernetes mode: not in this build yet; --control-plane-address ignored"]);
    assert_eq!((options.scheduler.addresses, options.scheduler.streams), (vec!["a:1".to_owned(), "b:2".to_owned()], 3));
}

#[test]
fn sentry_is_asked_for_tokens_beside_certificates() {
    let options = read(&["--enable-mtls", "--sentry-request-jwt-audiences=a,b", "--sentry-request-jwt-audiences", "c"]);
    let options = options.unwrap();
    assert!(options.warnings.is_empty());
    assert_eq!(options.mtls.unwrap().jwt_audiences, ["a", "b", "c"]);
}

#[test]
fn a_command_line_may_ask_for_other_things() {
    let read = |argument: &str| Command::read(&[argument.to_owned()], Environment::default()).unwrap();
    assert!(matches!(read("--version"), Command::Print(text) if text == "1.18.3\n"));
    assert!(matches!(read("-h"), Command::Print(text) if text.contains("--app-id string")));
    assert!(matches!(read("--wait"), Command::Wait(port) if port == "3500"));
}
