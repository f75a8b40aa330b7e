//! What is installed below `~/.dapr`: its places, what is written there at first, and which `daprd` is run.
use crate::context::{Context, Environment};
use anyhow::Context as _;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const FOLDER: &str = ".dapr";
/// What is linked into `bin`.
const PROGRAMS: [&str; 2] = ["dapr", "daprd"];
const STATE_STORE: &str = "statestore.yaml";
const PUBSUB: &str = "pubsub.yaml";
const CONFIGURATION: &str = "apiVersion: dapr.io/v1alpha1
kind: Configuration
metadata:
  name: daprConfig
spec: {}
";

/// The folder `.dapr`.
#[derive(Clone, Debug)]
pub(crate) struct Install {
    pub(crate) root: PathBuf,
}

/// A program, and the name that it is called by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Daprd {
    pub(crate) path: PathBuf,
}

impl Install {
    /// Of `--runtime-path`, else of `DAPR_RUNTIME_PATH`, else of the home folder.
    ///
    /// # Errors
    /// There is no home folder.
    pub(crate) fn of(context: &Context) -> anyhow::Result<Self> {
        Self::at(context.runtime_path.as_deref(), &context.environment)
    }

    /// Like [`Install::of`], for one app of a run template.
    ///
    /// # Errors
    /// There is no home folder.
    pub(crate) fn at(runtime_path: Option<&Path>, environment: &Environment) -> anyhow::Result<Self> {
        let given = runtime_path.or_else(|| environment.get("DAPR_RUNTIME_PATH").map(Path::new));
        let parent = given.map_or_else(|| environment.home(), Ok)?;
        Ok(Self { root: std::path::absolute(parent)?.join(FOLDER) })
    }

    pub(crate) fn bin(&self) -> PathBuf {
        self.root.join("bin")
    }

    pub(crate) fn components(&self) -> PathBuf {
        self.root.join("components")
    }

    pub(crate) fn configuration(&self) -> PathBuf {
        self.root.join("config.yaml")
    }

    /// Where the credentials of sentry are, for this machine alone.
    pub(crate) fn certificates(&self) -> PathBuf {
        self.root.join("certs")
    }

    /// Where placement and scheduler of this user are, and their jobs.
    pub(crate) fn control_plane(&self) -> PathBuf {
        self.root.join("control-plane")
    }

    /// The same for runs with mTLS.
    pub(crate) fn secure_control_plane(&self) -> PathBuf {
        self.root.join("control-plane-mtls")
    }

    fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    /// The installed `daprd`, else this very program under that name.
    ///
    /// # Errors
    /// There is neither.
    pub(crate) fn daprd(&self) -> anyhow::Result<Daprd> {
        let installed = self.bin().join("daprd");
        if installed.exists() {
            return Ok(Daprd { path: installed });
        }
        let path = std::env::current_exe().context("cannot find this program to run it as daprd; run `dapr init`")?;
        Ok(Daprd { path })
    }

    /// The folder of default components, written first if there is none. Several processes may do so at the same time.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn ensure_components(&self) -> anyhow::Result<PathBuf> {
        let folder = self.components();
        if folder.exists() {
            return Ok(folder);
        }
        let draft = self.root.join(format!("components.{}", std::process::id()));
        self.write_components_to(&draft)?;
        match fs::rename(&draft, &folder) {
            Err(_) if folder.exists() => fs::remove_dir_all(&draft)?,
            renamed => renamed.with_context(|| format!("cannot make {}", folder.display()))?,
        }
        Ok(folder)
    }

    /// Makes the folder of components without default ones.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) fn make_components_folder(&self) -> anyhow::Result<()> {
        make_folder(&self.components())
    }

    /// Writes the default components, except those that are there. Returns their files, and which are new.
    ///
    /// # Errors
    /// They cannot be written.
    pub(crate) fn write_components(&self) -> anyhow::Result<[(PathBuf, bool); 2]> {
        self.write_components_to(&self.components())
    }

    /// Writes the default configuration, unless there is one.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn write_configuration(&self) -> anyhow::Result<()> {
        make_folder(&self.root)?;
        write_new(&self.configuration(), CONFIGURATION).map(drop)
    }

    /// Links this program into `bin` under the names that it answers to. Returns where programs of others, which were there, are now.
    ///
    /// # Errors
    /// A link cannot be made.
    pub(crate) fn link_programs(&self) -> anyhow::Result<Vec<PathBuf>> {
        let program = std::env::current_exe().context("cannot find this program to link to it")?;
        make_folder(&self.bin())?;
        let replaced = PROGRAMS.iter().filter_map(|name| self.put_aside(name).transpose());
        let replaced = replaced.collect::<anyhow::Result<_>>()?;
        PROGRAMS.iter().try_for_each(|name| self.link(&program, name))?;
        Ok(replaced)
    }

    /// Takes the links away; programs of others, which were there before, come back. Returns those.
    ///
    /// # Errors
    /// A link cannot be removed, or a program cannot be moved.
    pub(crate) fn unlink_programs(&self) -> anyhow::Result<Vec<PathBuf>> {
        let restored = PROGRAMS.iter().filter_map(|name| self.unlink(name).transpose());
        restored.collect()
    }

    fn unlink(&self, name: &str) -> anyhow::Result<Option<PathBuf>> {
        let (program, aside) = (self.bin().join(name), self.aside(name));
        if aside.exists() {
            fs::rename(&aside, &program).with_context(|| format!("cannot restore {}", program.display()))?;
            return Ok(Some(program));
        }
        match fs::remove_file(&program) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", program.display()))
            }
            _ => Ok(None),
        }
    }

    fn aside(&self, name: &str) -> PathBuf {
        self.bin().join(format!("{name}.before"))
    }

    /// A program that is no link of ours may be wanted back.
    fn put_aside(&self, name: &str) -> anyhow::Result<Option<PathBuf>> {
        let (program, aside) = (self.bin().join(name), self.aside(name));
        if !program.symlink_metadata().is_ok_and(|found| found.is_file()) {
            return Ok(None);
        }
        fs::rename(&program, &aside).with_context(|| format!("cannot move {}", program.display()))?;
        Ok(Some(aside))
    }

    fn link(&self, program: &Path, name: &str) -> anyhow::Result<()> {
        let (bin, link) = (self.bin(), self.bin().join(name));
        let draft = bin.join(format!("{name}.{}", std::process::id()));
        let linked = std::os::unix::fs::symlink(program, &draft).and_then(|()| fs::rename(&draft, &link));
        linked.with_context(|| format!("cannot link {}", link.display()))
    }

    fn write_components_to(&self, folder: &Path) -> anyhow::Result<[(PathBuf, bool); 2]> {
        make_folder(folder)?;
        make_folder(&self.data())?;
        let (state_store, pubsub) = (folder.join(STATE_STORE), folder.join(PUBSUB));
        let new = [write_new(&state_store, &self.state_store())?, write_new(&pubsub, &self.pubsub())?];
        Ok([(state_store, new[0]), (pubsub, new[1])])
    }

    fn state_store(&self) -> String {
        let more = "  - name: actorStateStore\n    value: \"true\"\n";
        component("statestore", "state.sqlite", &self.data().join("state.db")) + more
    }

    fn pubsub(&self) -> String {
        component("pubsub", "pubsub.sqlite", &self.data().join("pubsub.db"))
    }
}

impl Daprd {
    /// The command that runs it. The name counts: it tells this program what it is.
    pub(crate) fn command(&self) -> Command {
        use std::os::unix::process::CommandExt;
        let mut command = Command::new(&self.path);
        command.arg0("daprd");
        command
    }

    /// What it prints with a flag such as `--version`.
    ///
    /// # Errors
    /// It cannot be run.
    pub(crate) fn ask(&self, flag: &str) -> anyhow::Result<String> {
        let cannot = || format!("cannot run {}", self.path.display());
        let output = self.command().arg(flag).output().with_context(cannot)?;
        anyhow::ensure!(output.status.success(), "{} {flag} failed: {}", self.path.display(), output.status);
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

fn component(name: &str, kind: &str, database: &Path) -> String {
    let database = serde_json::Value::from(connection_string(database));
    format!(
        "apiVersion: dapr.io/v1alpha1
kind: Component
metadata:
  name: {name}
spec:
  type: {kind}
  version: v1
  metadata:
  - name: connectionString
    value: {database}
"
    )
}

/// The path, as a URI where it has characters that would end the path of one.
fn connection_string(path: &Path) -> String {
    let path = path.to_string_lossy();
    if path.contains(['?', '#', '%']) {
        return format!("file:{}", path.replace('%', "%25").replace('?', "%3f").replace('#', "%23"));
    }
    path.into_owned()
}

/// Makes a folder, and those above it, for this user alone. One that is there stays as it is.
///
/// # Errors
/// It cannot be made.
pub(crate) fn make_private_folder(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn make_folder(folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make folder {}", folder.display()))
}

/// Writes a file, unless it is there: it may have been changed by hand. Returns whether it is new.
fn write_new(path: &Path, text: &str) -> anyhow::Result<bool> {
    use std::io::Write;
    match fs::File::create_new(path).and_then(|mut file| file.write_all(text.as_bytes())) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        written => written.map(|()| true).with_context(|| format!("cannot write {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn install() -> (tempfile::TempDir, Install) {
        let folder = tempfile::tempdir().unwrap();
        let environment = Environment::from([("HOME", folder.path().to_str().unwrap())]);
        let install = Install::at(None, &environment).unwrap();
        (folder, install)
    }

    #[test]
    fn places_in_order_of_precedence() {
        let environment = Environment::from([("HOME", "/home/me"), ("DAPR_RUNTIME_PATH", "/opt")]);
        let root = |runtime_path, environment| Install::at(runtime_path, environment).unwrap().root;
        assert_eq!(root(Some(Path::new("/srv")), &environment), Path::new("/srv/.dapr"));
        assert_eq!(root(None, &environment), Path::new("/opt/.dapr"));
        assert_eq!(root(None, &Environment::from([("HOME", "/home/me")])), Path::new("/home/me/.dapr"));
        let error = Install::at(None, &Environment::from([])).unwrap_err();
        assert!(error.to_string().contains("HOME"), "{error}");
    }

    #[test]
    fn files_changed_by_hand_stay() {
        let (_folder, install) = install();
        install.write_components().unwrap();
        let own = install.components().join(STATE_STORE);
        fs::write(&own, "mine").unwrap();
        install.write_components().unwrap();
        install.ensure_components().unwrap();
        assert_eq!(fs::read_to_string(own).unwrap(), "mine");
    }

    #[test]
    fn a_program_of_others_is_kept() {
        let (_folder, install) = install();
        make_folder(&install.bin()).unwrap();
        fs::write(install.bin().join("daprd"), "theirs").unwrap();
        assert_eq!(install.link_programs().unwrap(), [install.bin().join("daprd.before")]);
        assert_eq!(fs::read_to_string(install.bin().join("daprd.before")).unwrap(), "theirs");
        assert!(install.link_programs().unwrap().is_empty(), "links of our own are replaced");
        assert_eq!(install.unlink_programs().unwrap(), [install.bin().join("daprd")]);
        assert_eq!(fs::read_to_string(install.bin().join("daprd")).unwrap(), "theirs");
    }

    #[test]
    fn components_are_written_where_there_are_none() {
        let (_folder, install) = install();
        let folder = install.ensure_components().unwrap();
        let text = fs::read_to_string(folder.join(PUBSUB)).unwrap();
        let document: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(document["spec"]["type"], "pubsub.sqlite");
        let path = install.data().join("pubsub.db");
        assert_eq!(document["spec"]["metadata"][0]["value"], path.to_str().unwrap());
        assert!(install.data().is_dir());
        assert_eq!(fs::read_dir(&install.root).unwrap().count(), 2, "no drafts are left");
    }

    #[test]
    fn odd_paths_become_uris() {
        assert_eq!(connection_string(Path::new("/a b/c.db")), "/a b/c.db");
        assert_eq!(connection_string(Path::new("/a?b%/c.db")), "file:/a%3fb%25/c.db");
    }
}
