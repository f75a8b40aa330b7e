//! The command line: global flags, the list of commands, and flags as Go programs take them.
use crate::commands::absent::Absent;
use crate::commands::build_info::BuildInfo;
use crate::commands::completion::Completion;
use crate::commands::components::Components;
use crate::commands::configurations::Configurations;
use crate::commands::init::Init;
use crate::commands::invoke::Invoke;
use crate::commands::list::List;
use crate::commands::mcpservers::McpServers;
use crate::commands::mtls::Mtls;
use crate::commands::publish::Publish;
use crate::commands::run::Run;
use crate::commands::scheduler::Scheduler;
use crate::commands::stop::Stop;
use crate::commands::uninstall::Uninstall;
use crate::commands::version::Version;
use crate::console::Console;
use crate::context::{Context, Environment};
use clap::builder::BoolishValueParser;
use clap::{Arg, ArgAction, Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

const KUBERNETES: &str = "Kubernetes";

/// Dapr CLI: runs your apps side by side with the Distributed Application Runtime
#[derive(Parser, Debug)]
#[command(name = "dapr", max_term_width = 120)]
struct CommandLine {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Global options")]
struct Global {
    /// Print the version of Dapr
    #[arg(long, short = 'v')]
    version: bool,
    /// Log output in JSON format
    #[arg(long, global = true)]
    log_as_json: bool,
    /// The path to the Dapr runtime installation folder [default: the home folder]
    #[arg(long, global = true)]
    runtime_path: Option<PathBuf>,
}

#[derive(Subcommand, Debug)]
enum Command {
    Init(Box<Init>),
    Uninstall(Uninstall),
    Run(Box<Run>),
    List(List),
    Stop(Stop),
    Invoke(Invoke),
    Publish(Publish),
    Components(Components),
    Configurations(Configurations),
    #[command(name = "mcpservers")]
    McpServers(McpServers),
    Mtls(Mtls),
    #[command(visible_alias = "sched")]
    Scheduler(Scheduler),
    Version(Version),
    BuildInfo(BuildInfo),
    Completion(Completion),
    #[command(hide = true)]
    Annotate(Absent),
    #[command(hide = true)]
    Logs(Absent),
    #[command(hide = true)]
    Status(Absent),
    #[command(hide = true)]
    Upgrade(Absent),
    #[command(hide = true, alias = "wf")]
    Workflow(Absent),
}

/// Runs `dapr` with a command line (without the name of the program).
pub fn main(arguments: &[String]) -> ExitCode {
    let words = std::iter::once("dapr").chain(arguments.iter().map(String::as_str));
    let read = go_flags(CommandLine::command()).try_get_matches_from(words);
    match read.and_then(|matches| CommandLine::from_arg_matches(&matches)) {
        Ok(line) => in_runtime(line),
        Err(error) => {
            error.print().ok();
            ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(1))
        }
    }
}

fn in_runtime(line: CommandLine) -> ExitCode {
    let environment = Environment::of_process();
    let console = Console::new(line.global.log_as_json, environment.has("NO_COLOR"));
    let context = Context { console, environment, runtime_path: line.global.runtime_path };
    let command = match line.command {
        Some(command) => command,
        None if line.global.version => Command::Version(Version::default()),
        None => return help(console),
    };
    let ended = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(anyhow::Error::from);
    let ended = ended.and_then(|runtime| runtime.block_on(dispatch(command, &context)));
    ended.unwrap_or_else(|error| {
        console.failure(format!("{error:#}"));
        ExitCode::FAILURE
    })
}

fn help(console: Console) -> ExitCode {
    console.print(&CommandLine::command().render_help().to_string());
    ExitCode::SUCCESS
}

async fn dispatch(command: Command, context: &Context) -> anyhow::Result<ExitCode> {
    match command {
        Command::Init(init) => init.run(context),
        Command::Uninstall(uninstall) => uninstall.run(context),
        Command::Run(run) => run.run(context).await,
        Command::List(list) => list.run(context).await,
        Command::Stop(stop) => stop.run(context).await,
        Command::Invoke(invoke) => invoke.run(context).await,
        Command::Publish(publish) => publish.run(context).await,
        Command::Components(components) => components.run(context),
        Command::Configurations(configurations) => configurations.run(context),
        Command::McpServers(mcp_servers) => mcp_servers.run(context),
        Command::Mtls(mtls) => mtls.run(context),
        Command::Scheduler(scheduler) => scheduler.run(context).await,
        Command::Version(version) => version.run(context),
        Command::BuildInfo(build_info) => build_info.run(context),
        Command::Completion(completion) => Ok(completion.run(&mut CommandLine::command())),
        Command::Annotate(absent) => absent.run("annotate", KUBERNETES),
        Command::Logs(absent) => absent.run("logs", KUBERNETES),
        Command::Status(absent) => absent.run("status", KUBERNETES),
        Command::Upgrade(absent) => absent.run("upgrade", KUBERNETES),
        Command::Workflow(absent) => absent.run("workflow", "the workflow engine"),
    }
}

/// Go's flags: booleans take `--flag=false`, and every other flag takes the next word, even if it begins with a dash.
fn go_flags(command: clap::Command) -> clap::Command {
    command.mut_args(go_flag).mut_subcommands(go_flags)
}

fn go_flag(arg: Arg) -> Arg {
    match arg.get_action() {
        ArgAction::SetTrue => boolean(arg),
        ArgAction::Set | ArgAction::Append if arg.get_long().is_some() && !arg.is_require_equals_set() => {
            arg.allow_hyphen_values(true)
        }
        _ => arg,
    }
}

fn boolean(arg: Arg) -> Arg {
    arg.action(ArgAction::Set)
        .num_args(0..=1)
        .require_equals(true)
        .default_value("false")
        .default_missing_value("true")
        .value_parser(BoolishValueParser::new())
        .value_name("true|false")
        .hide_default_value(true)
        .hide_possible_values(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<CommandLine, clap::Error> {
        let words = std::iter::once("dapr").chain(line.split_whitespace());
        let matches = go_flags(CommandLine::command()).try_get_matches_from(words)?;
        CommandLine::from_arg_matches(&matches)
    }

    #[test]
    fn the_command_line_is_sound() {
        go_flags(CommandLine::command()).debug_assert();
    }

    #[test]
    fn flags_are_those_of_go() {
        let line =
            read("run -a x -p -1 --enable-profiling=false --enable-api-logging -k=false -- node --x=1 -p").unwrap();
        let Some(Command::Run(run)) = line.command else { panic!("no run") };
        let settings = run.settings;
        assert_eq!((settings.app_id.as_deref(), settings.app_port), (Some("x"), Some(-1)));
        assert_eq!((settings.enable_profiling, settings.enable_api_logging), (Some(false), Some(true)));
        assert_eq!(settings.command, ["node", "--x=1", "-p"]);
    }

    #[test]
    fn flags_may_follow_the_command() {
        let line = read("run node app.js --app-id x --resources-path a,b --resources-path c").unwrap();
        let Some(Command::Run(run)) = line.command else { panic!("no run") };
        assert_eq!(run.settings.command, ["node", "app.js"]);
        assert_eq!(run.settings.resources_paths.len(), 3);
    }

    #[test]
    fn global_flags_go_anywhere() {
        assert!(read("list --log-as-json").unwrap().global.log_as_json);
        assert!(!read("--log-as-json=false list").unwrap().global.log_as_json);
        assert!(read("--version").unwrap().global.version);
        assert!(read("list --nonsense").is_err());
    }
}
