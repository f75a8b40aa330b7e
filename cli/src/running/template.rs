//! Run templates, `dapr.yaml`: several apps in one file (surface.md 7.1).
use crate::running::settings::Settings;
use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};

const FILE_NAME: &str = "dapr.yaml";

/// A run template whose apps have all they take from its common section, with absolute paths.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Template {
    version: i64,
    pub(crate) name: String,
    common: Settings,
    pub(crate) apps: Vec<Settings>,
    /// Paths of keys that nobody reads, such as `apps.0.appport`.
    #[serde(skip)]
    pub(crate) unknown: Vec<String>,
}

/// The file that `--run-file` means: itself, `dapr.yaml` in a folder, or `-` for standard input.
///
/// # Errors
/// There is no such file, or it is no YAML.
pub(crate) fn template_path(given: &Path) -> anyhow::Result<PathBuf> {
    if given == Path::new("-") {
        return Ok(given.to_owned());
    }
    let file = if given.is_dir() { given.join(FILE_NAME) } else { given.to_owned() };
    ensure!(file.exists(), "there is no file {}; check --run-file", file.display());
    let yaml = file.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
    ensure!(yaml, "file {} is not a YAML file; it must end in .yaml or .yml", file.display());
    Ok(file)
}

impl Template {
    /// Reads a template; `home` is what `~/` stands for.
    ///
    /// # Errors
    /// It cannot be read, a required field is missing, a path is not there, or two apps have one id.
    pub(crate) fn load(path: &Path, home: Option<&Path>) -> anyhow::Result<Self> {
        let text = read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let template = Self::parse(&text).with_context(|| format!("cannot understand {}", path.display()))?;
        let folder = std::path::absolute(path)?.parent().map(Path::to_owned).unwrap_or_default();
        template.resolved(&Paths { folder, home: home.map(Path::to_owned) })
    }

    /// Keys that are none of a run template are passed over, as Dapr does, but remembered.
    fn parse(text: &str) -> Result<Self, serde_saphyr::Error> {
        let mut unknown = Vec::new();
        let template = serde_saphyr::with_deserializer_from_str(text, |deserializer| {
            serde_ignored::deserialize(deserializer, |path| unknown.push(path.to_string()))
        });
        template.map(|template: Self| Self { unknown, ..template })
    }

    fn resolved(mut self, paths: &Paths) -> anyhow::Result<Self> {
        ensure!(self.version != 0, "required field 'version' not found in the run template");
        ensure!(!self.apps.is_empty(), "no apps to run: the run template has no 'apps'");
        paths.resolve(&mut self.common)?;
        let common = std::mem::take(&mut self.common);
        let apps = std::mem::take(&mut self.apps);
        self.apps = apps.into_iter().map(|app| resolved_app(app, &common, paths)).collect::<anyhow::Result<_>>()?;
        let mut ids = BTreeSet::new();
        match self.apps.iter().find(|app| !ids.insert(&app.app_id)) {
            Some(twice) => bail!("two apps have the appID {}", twice.app_id.as_deref().unwrap_or_default()),
            None => Ok(self),
        }
    }
}

fn read(path: &Path) -> std::io::Result<String> {
    if path == Path::new("-") {
        let mut text = String::new();
        return std::io::stdin().read_to_string(&mut text).map(|_| text);
    }
    std::fs::read_to_string(path)
}

/// Its own resources and configuration win over those in its folder, and these over the common ones.
fn resolved_app(mut app: Settings, common: &Settings, paths: &Paths) -> anyhow::Result<Settings> {
    let Some(folder) = &app.app_dir_path else { bail!("required field 'appDirPath' not found in an app") };
    let folder = paths.existing(folder)?;
    Paths { folder: folder.clone(), home: paths.home.clone() }.resolve(&mut app)?;
    let beside = folder.join(".dapr");
    let present = |path: PathBuf| Some(path).filter(|path| path.exists());
    if app.resources_paths.is_empty() {
        let own = present(beside.join("resources"));
        app.resources_paths = own.map_or_else(|| common.resources_paths.clone(), |own| vec![own]);
    }
    app.config = app.config.or_else(|| present(beside.join("config.yaml")));
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned());
    app.app_id = app.app_id.or(name);
    app.app_dir_path = Some(folder);
    Ok(app.or(common))
}

/// How paths of a section are read.
struct Paths {
    /// What relative ones start from.
    folder: PathBuf,
    home: Option<PathBuf>,
}

impl Paths {
    /// Makes paths absolute, and the two fields for resources one.
    fn resolve(&self, settings: &mut Settings) -> anyhow::Result<()> {
        settings.resources_paths.extend(settings.resources_path.take());
        for path in &mut settings.resources_paths {
            *path = self.existing(path)?;
        }
        for path in [&mut settings.config, &mut settings.runtime_path].into_iter().flatten() {
            *path = self.existing(path)?;
        }
        Ok(())
    }

    fn existing(&self, path: &Path) -> anyhow::Result<PathBuf> {
        let expanded = match (path.strip_prefix("~"), &self.home) {
            (Ok(rest), Some(home)) => home.join(rest),
            (Ok(_), None) => bail!("there is no home folder for {}; set HOME", path.display()),
            (Err(_), _) => self.folder.join(path),
        };
        let clean: PathBuf = expanded.components().collect();
        ensure!(clean.exists(), "there is no {}; check the paths of the run template", clean.display());
        Ok(clean)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::running::Target;
    use std::fs;

    const TEMPLATE: &str = "
version: 1
name: shop
common:
  resourcesPath: shared
  logLevel: warn
  appProtocol: grpc
  enableApiLogging: true
  env:
    DEBUG: true
    PORT: 1
apps:
- appDirPath: orders
  appPort: 3000
  daprHTTPPort: 3500
  command: [\"python3\", \"app.py\"]
  env:
    PORT: 3000
  logLevel: debug
- appID: stock
  appDirPath: ./stock/
  resourcesPaths: [own]
  configFilePath: my.yaml
  appLogDestination: console
  daprdLogDestination: fileAndConsole
  unknownKey: 1
";

    fn load(text: &str) -> (tempfile::TempDir, anyhow::Result<Template>) {
        let folder = tempfile::tempdir().unwrap();
        let path = |path: &str| folder.path().join(path);
        for made in ["shared", "orders/.dapr/resources", "stock/own", "stock/.dapr/resources"] {
            fs::create_dir_all(path(made)).unwrap();
        }
        for made in ["orders/.dapr/config.yaml", "stock/.dapr/config.yaml", "stock/my.yaml"] {
            fs::write(path(made), "").unwrap();
        }
        fs::write(path("dapr.yaml"), text).unwrap();
        let template = Template::load(&template_path(folder.path()).unwrap(), None);
        (folder, template)
    }

    #[test]
    fn apps_take_what_they_lack_from_the_common_section() {
        let (_folder, template) = load(TEMPLATE);
        let template = template.unwrap();
        let [orders, stock] = &template.apps[..] else { panic!("two apps") };
        assert_eq!(template.name, "shop");
        assert_eq!((orders.app_id.as_deref(), orders.log_level.as_deref()), (Some("orders"), Some("debug")));
        assert_eq!((orders.app_port, orders.dapr_http_port), (Some(3000), Some(3500)));
        assert_eq!(stock.log_level.as_deref(), Some("warn"));
        assert_eq!((stock.protocol(), stock.enable_api_logging), ("grpc".to_owned(), Some(true)));
        let env = |app: &Settings| app.env.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
        assert_eq!(env(orders), ["DEBUG=true", "PORT=3000"]);
        assert_eq!(env(stock), ["DEBUG=true", "PORT=1"]);
        assert_eq!(stock.app_log_destination, Some(Target::Console));
        assert_eq!(stock.daprd_log_destination, Some(Target::FileAndConsole));
    }

    #[test]
    fn what_is_nearest_to_the_app_wins() {
        let (folder, template) = load(TEMPLATE);
        let template = template.unwrap();
        let path = |path: &str| folder.path().join(path);
        let [orders, stock] = &template.apps[..] else { panic!("two apps") };
        assert_eq!(orders.resources_paths, [path("orders/.dapr/resources")]);
        assert_eq!(orders.config, Some(path("orders/.dapr/config.yaml")));
        assert_eq!(stock.resources_paths, [path("stock/own")]);
        assert_eq!(stock.config, Some(path("stock/my.yaml")));
        assert_eq!(stock.app_dir_path, Some(path("stock")));
    }

    #[test]
    fn keys_that_nobody_reads_are_named() {
        let (_folder, template) = load(TEMPLATE);
        assert_eq!(template.unwrap().unknown, ["apps.1.unknownKey"]);
    }

    #[test]
    fn common_resources_come_last() {
        let text = "{version: 1, common: {resourcesPaths: [shared]}, apps: [{appDirPath: .}]}";
        let (folder, template) = load(text);
        assert_eq!(template.unwrap().apps[0].resources_paths, [folder.path().join("shared")]);
    }

    #[test]
    fn faults_are_named() {
        let fault = |text| format!("{:#}", load(text).1.unwrap_err());
        assert!(fault("{apps: [{appDirPath: .}]}").contains("'version'"));
        assert!(fault("{version: 1}").contains("'apps'"));
        assert!(fault("{version: 1, apps: [{appID: a}]}").contains("'appDirPath'"));
        assert!(fault("{version: 1, apps: [{appDirPath: nowhere}]}").contains("nowhere"));
        let twice = "{version: 1, apps: [{appDirPath: ., appID: a}, {appDirPath: ., appID: a}]}";
        assert!(fault(twice).contains("appID a"));
        assert!(fault("{version: 1, apps: [{appDirPath: ., appPort: x}]}").contains("cannot understand"));
        assert!(template_path(Path::new("/nowhere.yaml")).unwrap_err().to_string().contains("--run-file"));
    }
}
