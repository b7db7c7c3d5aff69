//! The running kernel's version, and what depends on it.

use core::fmt;

/// The oldest kernel that the kernel object is made for.
pub(super) const OLDEST: KernelVersion = KernelVersion { major: 5, minor: 15 };
/// XDP programs see frames that span several buffers (`xdp.frags`), and may read them with `bpf_xdp_load_bytes`.
const XDP_FRAGS: KernelVersion = KernelVersion { major: 5, minor: 18 };
/// TCX links.
const TCX: KernelVersion = KernelVersion { major: 6, minor: 6 };
/// Descriptors of maps can be used without rights, also where bpf(2) is kept from users (`kernel.unprivileged_bpf_disabled`).
const MAPS_WITHOUT_RIGHTS: KernelVersion = KernelVersion { major: 6, minor: 0 };

/// A kernel's version, as far as features hang on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KernelVersion {
    /// The 6 of 6.18.
    pub major: u32,
    /// The 18 of 6.18.
    pub minor: u32,
}

impl KernelVersion {
    /// From a release as `uname -r` gives it: `6.18.44-cloud-amd64`.
    pub fn parse(release: &str) -> Option<Self> {
        let mut numbers = release.split(|c: char| !c.is_ascii_digit());
        Some(Self { major: numbers.next()?.parse().ok()?, minor: numbers.next()?.parse().ok()? })
    }

    /// It can run the XDP programs.
    pub fn has_xdp_frags(self) -> bool {
        self >= XDP_FRAGS
    }

    /// A process needs CAP_BPF to use maps that it has open.
    pub fn maps_need_rights(self) -> bool {
        self < MAPS_WITHOUT_RIGHTS
    }

    /// It attaches TC programs by TCX; before that clsact stands in.
    pub fn has_tcx(self) -> bool {
        self >= TCX
    }
}

/// The running kernel's release, as `uname -r` gives it.
pub fn running_release() -> String {
    rustix::system::uname().release().to_string_lossy().into_owned()
}

impl fmt::Display for KernelVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::{KernelVersion, running_release};

    #[test]
    fn releases_of_distributions_are_understood() {
        for (release, major, minor) in [
            ("6.18.44-fc-v657", 6, 18),
            ("5.15.0-91-generic", 5, 15),
            ("6.1.0-18-cloud-amd64", 6, 1),
            ("5.14.0-362.el9.x86_64", 5, 14),
            ("6.6-rc1", 6, 6),
        ] {
            assert_eq!(KernelVersion::parse(release), Some(KernelVersion { major, minor }), "{release}");
        }
        assert_eq!(KernelVersion::parse("linux"), None);
        assert!(KernelVersion::parse(&running_release()).is_some());
    }

    #[test]
    fn features_come_with_their_versions() {
        let version = |release| KernelVersion::parse(release).unwrap();
        assert!(!version("5.17.15").has_xdp_frags() && version("5.18.0").has_xdp_frags());
        assert!(!version("6.5.9").has_tcx() && version("6.6.0").has_tcx() && version("7.0.1").has_tcx());
    }
}
