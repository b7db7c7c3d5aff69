//! The inputs of a kernel object.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

use super::toolchain::Toolchain;

/// The contents of `PROVENANCE.toml`.
#[derive(Debug)]
pub(crate) struct Provenance {
    /// Digest of everything that goes into the object, see [`super::sources::digest`].
    pub(crate) sources_sha256: String,
    /// `rustc --version`.
    pub(crate) rustc: String,
    /// The LLVM that rustc stands on.
    pub(crate) llvm: String,
    /// `bpf-linker --version`.
    pub(crate) bpf_linker: String,
    /// The LLVM that bpf-linker stands on.
    pub(crate) linker_llvm: String,
    /// Digest of the object.
    pub(crate) object_sha256: String,
}

impl Provenance {
    /// Of an object that was just built.
    pub(crate) fn of(toolchain: &Toolchain, sources_sha256: String, object: &[u8]) -> Self {
        Self {
            sources_sha256,
            rustc: toolchain.rustc.clone(),
            llvm: toolchain.llvm.clone(),
            bpf_linker: toolchain.bpf_linker.clone(),
            linker_llvm: toolchain.linker_llvm.clone(),
            object_sha256: sha256(object),
        }
    }

    /// From its file; `None` where there is no file.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let table: toml::Table =
            text.parse().with_context(|| format!("{} is not valid TOML", path.display()))?;
        let value = |key: &str| {
            let text = table.get(key).and_then(toml::Value::as_str);
            text.map(str::to_owned).with_context(|| format!("{}: `{key}` is missing", path.display()))
        };
        Ok(Some(Self {
            sources_sha256: value("sources_sha256")?,
            rustc: value("rustc")?,
            llvm: value("llvm")?,
            bpf_linker: value("bpf_linker")?,
            linker_llvm: value("linker_llvm")?,
            object_sha256: value("object_sha256")?,
        }))
    }

    /// Into its file.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let text = format!(
            "# What ftpmon.bpf.o was made of. Written by `cargo xtask ebpf`, proved by `cargo xtask ebpf --check`.\n\
             sources_sha256 = \"{}\"\n\
             object_sha256 = \"{}\"\n\
             rustc = \"{}\"\n\
             llvm = \"{}\"\n\
             bpf_linker = \"{}\"\n\
             linker_llvm = \"{}\"\n",
            self.sources_sha256, self.object_sha256, self.rustc, self.llvm, self.bpf_linker, self.linker_llvm,
        );
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// The object was built with this very toolchain: the same sources then give the same bytes.
    pub(crate) fn same_toolchain(&self, toolchain: &Toolchain) -> bool {
        self.rustc == toolchain.rustc
            && self.llvm == toolchain.llvm
            && self.bpf_linker == toolchain.bpf_linker
            && self.linker_llvm == toolchain.linker_llvm
    }
}

/// SHA-256 in lower-case hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::{Provenance, sha256};

    #[test]
    fn what_is_written_is_read_again() {
        let path = std::env::temp_dir().join(format!("ftpmon-provenance-{}.toml", std::process::id()));
        let written = Provenance {
            sources_sha256: sha256(b""),
            rustc: "rustc 1.96.0 (ac68faa20 2026-05-25)".to_owned(),
            llvm: "22.1.8".to_owned(),
            bpf_linker: "bpf-linker 0.13.0".to_owned(),
            linker_llvm: "22.1.8".to_owned(),
            object_sha256: sha256(b"object"),
        };
        written.write(&path).unwrap();
        let read = Provenance::read(&path).unwrap().unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(format!("{read:?}"), format!("{written:?}"));
        assert!(Provenance::read(&path).unwrap().is_none());
    }

    #[test]
    fn the_digest_is_sha_256() {
        assert_eq!(sha256(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}
