//! Builds what is run, as cargo would for a release.

use anyhow::{Context, ensure};
use serde_json::Value;
use std::{
    collections::HashMap,
    path::PathBuf,
    process::{Command, Stdio},
};

const HERE: &str = env!("CARGO_MANIFEST_DIR");

/// The benchmark's own programs.
pub(crate) struct Tools {
    pub(crate) upstream: PathBuf,
    pub(crate) floor: PathBuf,
    pub(crate) load: PathBuf,
}

/// Builds the programs beside this one, which `cargo run` leaves out.
pub(crate) fn tools() -> anyhow::Result<Tools> {
    let mut built = release(&format!("{HERE}/Cargo.toml"))?;
    let mut take = |name: &str| {
        built
            .remove(name)
            .with_context(|| format!("cargo built no {name}"))
    };
    Ok(Tools {
        upstream: take("upstream")?,
        floor: take("floor")?,
        load: take("load")?,
    })
}

/// Builds Weir.
pub(crate) fn weir() -> anyhow::Result<PathBuf> {
    eprintln!("building Weir; cold, this takes minutes");
    release(&format!("{HERE}/../Cargo.toml"))?
        .remove("weir")
        .context("cargo built no weir")
}

/// The binaries of a package, wherever cargo puts them.
fn release(manifest: &str) -> anyhow::Result<HashMap<String, PathBuf>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "build",
            "--release",
            "--bins",
            "--message-format",
            "json-render-diagnostics",
        ])
        .args(["--manifest-path", manifest])
        .stderr(Stdio::inherit())
        .output()
        .context("cargo cannot be run")?;
    ensure!(output.status.success(), "cargo could not build {manifest}");
    let artifacts = String::from_utf8(output.stdout)?;
    Ok(artifacts
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter_map(|artifact| {
            let path = artifact["executable"].as_str()?;
            Some((artifact["target"]["name"].as_str()?.to_owned(), path.into()))
        })
        .collect())
}
