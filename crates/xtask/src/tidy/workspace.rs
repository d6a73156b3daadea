//! Rules that look at manifests: floors, licences, descriptions.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{Rule, Violation, licence};

/// Dependencies that only some crates may have, by the start of their name, with the reason.
const RESERVED: &[(&str, &[&str], &str)] = &[
    ("anyhow", &["kaizen-cli", "kaizen-xtask"], "libraries have typed errors"),
    ("arrow-", &["kaizen-data"], "everything below would have to build arrow"),
    ("clap", &["kaizen-cli"], "only the command line has arguments"),
    ("indicatif", &["kaizen-cli"], "only the command line draws"),
    ("parquet", &["kaizen-data"], "everything below would have to build arrow"),
    ("p256", &["kaizen-artifact"], "keys and signatures have one home"),
    ("zip", &["kaizen-artifact"], "the format has one home"),
];

/// The page with the table of floors.
const MAP: &str = "ARCHITECTURE.md";

/// What the rules need to know of a package.
#[derive(Debug, PartialEq, Eq)]
struct Package {
    name: String,
    /// Its manifest, relative to the root where it lies below it.
    manifest: String,
    is_member: bool,
    description: String,
    licence: Option<String>,
    floor: Option<u64>,
    /// Names of dependencies that are not for development only.
    dependencies: Vec<String>,
}

/// All rules for the workspace at `root`.
pub(crate) fn check(root: &Path) -> Result<Vec<Violation>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1"])
        .current_dir(root)
        .output()
        .context("cargo cannot be started")?;
    ensure!(output.status.success(), "cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).context("cargo metadata wrote no JSON")?;
    let packages = parse(&metadata).context("cargo metadata has another form than expected")?;
    ensure!(packages.iter().any(|package| package.is_member), "cargo metadata names no member");
    let map = std::fs::read_to_string(root.join(MAP)).with_context(|| format!("{MAP} cannot be read"))?;
    let mut violations = check_packages(&packages);
    violations.extend(check_map(&packages, &map));
    Ok(violations)
}

/// Compares the table of floors in the map with the manifests.
fn check_map(packages: &[Package], map: &str) -> Vec<Violation> {
    let mut violations = Vec::new();
    for package in packages.iter().filter(|package| package.is_member) {
        let Some(floor) = package.floor else { continue };
        let row = format!("| {floor} | `{}` |", package.name.trim_start_matches("kaizen-"));
        if !map.lines().any(|line| line.starts_with(&row)) {
            let message = format!("the table of floors has no row `{row} …`");
            violations.push(Violation::new(Rule::Floor, MAP, 0, message));
        }
    }
    violations
}

fn parse(metadata: &Value) -> Option<Vec<Package>> {
    let root = metadata["workspace_root"].as_str()?;
    let members = metadata["workspace_members"].as_array()?;
    metadata["packages"].as_array()?.iter().map(|package| parse_package(package, root, members)).collect()
}

fn parse_package(package: &Value, root: &str, members: &[Value]) -> Option<Package> {
    let manifest = package["manifest_path"].as_str()?;
    let dependencies = package["dependencies"].as_array()?.iter();
    let dependencies = dependencies
        .filter(|dependency| dependency["kind"] != "dev")
        .map(|dependency| Some(dependency["name"].as_str()?.to_owned()))
        .collect::<Option<Vec<String>>>()?;
    Some(Package {
        name: package["name"].as_str()?.to_owned(),
        manifest: manifest.strip_prefix(root).unwrap_or(manifest).trim_start_matches('/').to_owned(),
        is_member: members.contains(&package["id"]),
        description: package["description"].as_str().unwrap_or_default().to_owned(),
        licence: package["license"].as_str().map(str::to_owned),
        floor: package["metadata"]["floor"].as_u64(),
        dependencies,
    })
}

fn check_packages(packages: &[Package]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for package in packages {
        violations.extend(check_licence(package));
        if package.is_member {
            violations.extend(check_description(package));
            violations.extend(check_floors(package, packages));
            violations.extend(check_reserved(package));
        }
    }
    violations
}

fn check_licence(package: &Package) -> Option<Violation> {
    let message = match &package.licence {
        None => format!("`{}` names no licence", package.name),
        Some(expression) if licence::is_allowed(expression) => return None,
        Some(expression) => format!("`{}` is under `{expression}`, which is not on the list", package.name),
    };
    // Paths of the registry belong to one machine; the workspace's own manifest is where the choice was made.
    let path = if package.is_member { &package.manifest } else { "Cargo.toml" };
    Some(Violation::new(Rule::Licence, path, 0, message))
}

fn check_description(package: &Package) -> Option<Violation> {
    let says_something = package.description.split_whitespace().count() > 2;
    let message = format!("the description is `{}`; say what the crate is for", package.description);
    (!says_something).then(|| Violation::new(Rule::Description, &package.manifest, 0, message))
}

fn check_floors(package: &Package, packages: &[Package]) -> Vec<Violation> {
    let Some(floor) = package.floor else {
        let message = "[package.metadata] has no floor (see ARCHITECTURE.md)";
        return vec![Violation::new(Rule::Floor, &package.manifest, 0, message)];
    };
    let mut violations = Vec::new();
    for name in &package.dependencies {
        let below = packages.iter().find(|other| other.is_member && other.name == *name);
        let Some(other) = below.and_then(|other| other.floor) else { continue };
        if other >= floor {
            let message = format!(
                "`{}` (floor {floor}) depends on `{name}` (floor {other}); a dependency goes down",
                package.name
            );
            violations.push(Violation::new(Rule::Floor, &package.manifest, 0, message));
        }
    }
    violations
}

fn check_reserved(package: &Package) -> Vec<Violation> {
    let mut violations = Vec::new();
    for name in &package.dependencies {
        for (start, owners, reason) in RESERVED {
            if name.starts_with(start) && !owners.contains(&package.name.as_str()) {
                let message = format!("`{name}` belongs to {}: {reason}", owners.join(", "));
                violations.push(Violation::new(Rule::Floor, &package.manifest, 0, message));
            }
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn member(name: &str, floor: Option<u64>, dependencies: &[&str]) -> Package {
        Package {
            name: name.to_owned(),
            manifest: format!("crates/{name}/Cargo.toml"),
            is_member: true,
            description: "something for somebody".to_owned(),
            licence: Some("MIT".to_owned()),
            floor,
            dependencies: dependencies.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    fn rules(packages: &[Package]) -> Vec<Rule> {
        check_packages(packages).iter().map(|violation| violation.rule).collect()
    }

    #[test]
    fn edges_go_down() {
        let below = || member("kaizen-a", Some(1), &["serde"]);
        assert_eq!(rules(&[below(), member("kaizen-b", Some(2), &["kaizen-a"])]), []);
        assert_eq!(rules(&[below(), member("kaizen-b", Some(1), &["kaizen-a"])]), [Rule::Floor]);
        assert_eq!(rules(&[below(), member("kaizen-b", Some(0), &["kaizen-a"])]), [Rule::Floor]);
        assert_eq!(rules(&[member("kaizen-a", None, &[])]), [Rule::Floor]);
    }

    #[test]
    fn the_map_shows_the_floors_as_they_are() {
        let packages = [member("kaizen-a", Some(1), &[])];
        assert!(check_map(&packages, "| floor | crate |\n| 1 | `a` | something |\n").is_empty());
        assert_eq!(check_map(&packages, "| 2 | `a` | something |\n| 1 | `ab` | other |\n").len(), 1);
    }

    #[test]
    fn reserved_dependencies_stay_at_home() {
        assert_eq!(rules(&[member("kaizen-data", Some(1), &["arrow-array"])]), []);
        assert_eq!(rules(&[member("kaizen-a", Some(1), &["arrow-array"])]), [Rule::Floor]);
    }

    #[test]
    fn descriptions_and_licences_are_read() {
        let mut package = member("kaizen-a", Some(1), &[]);
        package.description = "TODO".to_owned();
        assert_eq!(rules(&[package]), [Rule::Description]);
        let mut foreign = member("x", None, &[]);
        foreign.is_member = false;
        foreign.licence = Some("GPL-3.0".to_owned());
        assert_eq!(rules(&[foreign]), [Rule::Licence]);
    }

    #[test]
    fn metadata_is_parsed_without_development_dependencies() {
        let metadata = json!({
            "workspace_root": "/x",
            "workspace_members": ["a 0.1"],
            "packages": [{
                "id": "a 0.1", "name": "a", "manifest_path": "/x/crates/a/Cargo.toml", "description": null,
                "license": "MIT", "metadata": {"floor": 2},
                "dependencies": [{"name": "b", "kind": null}, {"name": "c", "kind": "dev"}, {"name": "d", "kind": "build"}],
            }],
        });
        let packages = parse(&metadata).unwrap();
        assert_eq!(packages[0].dependencies, ["b", "d"]);
        assert_eq!(packages[0].manifest, "crates/a/Cargo.toml");
        assert_eq!(packages[0].floor, Some(2));
        assert!(packages[0].is_member && packages[0].description.is_empty());
        assert_eq!(parse(&json!({"packages": []})), None);
    }
}
