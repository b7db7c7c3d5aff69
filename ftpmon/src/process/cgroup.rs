//! Container ids from the paths of cgroups.
//!
//! Every runtime names a container's cgroup after its id; what stands around the id differs. The innermost name counts: a
//! container may run in another.

/// Shortest container id that is taken for one where no runtime's prefix stands before it: a full SHA-256 in hexadecimal.
const ID_LEN: usize = 64;
/// Longest name that is taken for a container's.
const NAME_MAX: usize = 128;
/// Prefixes that runtimes write before the id: `docker-ID.scope`, `cri-containerd-ID.scope`, `crio-ID`, `libpod-ID.scope`.
const PREFIXES: [&str; 4] = ["docker-", "cri-containerd-", "crio-", "libpod-"];
/// Prefixes that LXC writes before a container's name.
const LXC_PREFIXES: [&str; 2] = ["lxc.payload.", "lxc.monitor."];

/// The container that the cgroup `path` belongs to.
pub(super) fn container_id(path: &str) -> Option<&str> {
    let mut parts: Vec<&str> = path.split('/').collect();
    while let Some(part) = parts.pop() {
        let id = id_of(part).or_else(|| parts.last().filter(|&&parent| parent == "lxc").and(named(part)));
        if id.is_some() {
            return id;
        }
    }
    None
}

/// The id in one name of a path.
fn id_of(part: &str) -> Option<&str> {
    if let Some(name) = LXC_PREFIXES.iter().find_map(|prefix| part.strip_prefix(prefix)) {
        return named(name);
    }
    let inner = part.strip_suffix(".scope").unwrap_or(part);
    // containerd with systemd's driver: `kubepods-…slice:cri-containerd:ID`.
    let inner = inner.rsplit(':').next().unwrap_or(inner);
    // CRI-O and Podman have a monitor beside each container: it is no part of it.
    if inner.contains("conmon") {
        return None;
    }
    let id = PREFIXES.iter().find_map(|prefix| inner.strip_prefix(prefix)).unwrap_or(inner);
    (id.len() == ID_LEN && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(id)
}

/// A container's name, where it may be one.
fn named(name: &str) -> Option<&str> {
    let name = name.split(':').next().unwrap_or(name);
    (1..=NAME_MAX).contains(&name.len()).then_some(name)
}

/// The path that tells most among the lines of `/proc/PID/cgroup`, given as controllers and path: the first that names
/// a container, else that of version 2 (no controllers), else that of systemd's hierarchy.
pub(super) fn best<'a>(lines: impl Iterator<Item = (&'a [String], &'a str)>) -> Option<&'a str> {
    let rank = |controllers: &[String], path: &str| {
        let unified = controllers.iter().all(String::is_empty);
        let systemd = controllers.iter().any(|name| name == "name=systemd");
        (container_id(path).is_some(), unified, systemd)
    };
    lines
        .filter(|(_, path)| path.starts_with('/'))
        .map(|(controllers, path)| (rank(controllers, path), path))
        .filter(|&(rank, _)| rank != (false, false, false))
        .reduce(|best, next| if next.0 > best.0 { next } else { best })
        .map(|(_, path)| path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn every_runtime_has_its_own_way() {
        for path in [
            "/docker/ID",
            "/system.slice/docker-ID.scope",
            "/user.slice/user-1000.slice/user@1000.service/user.slice/docker-ID.scope",
            "/kubepods/burstable/pod2d1c6b0e-7f0a-4a0b-9c58-7d2a1b1e0a11/ID",
            "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod2d1c.slice/cri-containerd-ID.scope",
            "/kubepods.slice/kubepods-pod2d1c.slice/crio-ID.scope",
            "/kubepods-besteffort-pod2d1c.slice:cri-containerd:ID",
            "/system.slice/containerd.service/kubepods-pod2d1c.slice:cri-containerd:ID",
            "/machine.slice/libpod-ID.scope",
            "/machine.slice/libpod-ID.scope/container",
            "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope/container/init.scope",
            "/libpod_parent/libpod-ID",
            "/default/ID",
        ] {
            assert_eq!(container_id(&path.replace("ID", ID)), Some(ID), "{path}");
        }
        for path in [
            "/lxc/web1",
            "/lxc.payload.web1",
            "/lxc.payload.web1/system.slice/vsftpd.service",
            "/lxc/web1/init.scope",
        ] {
            assert_eq!(container_id(path), Some("web1"), "{path}");
        }
    }

    #[test]
    fn the_innermost_container_counts() {
        let inner = "f".repeat(64);
        let path = format!("/docker/{ID}/system.slice/docker-{inner}.scope");
        assert_eq!(container_id(&path), Some(&*inner));
    }

    #[test]
    fn a_service_is_no_container() {
        for path in [
            "/",
            "",
            "/system.slice/vsftpd.service",
            "/user.slice/user-1000.slice/session-3.scope",
            "/init.scope",
            "/system.slice/docker.service",
            "/docker/short",
            "/lxc",
            "/../../..",
            "/system.slice/docker-0123.scope",
            "/machine.slice/libpod-conmon-ID.scope",
            "/kubepods.slice/crio-conmon-ID.scope",
        ] {
            assert_eq!(container_id(&path.replace("ID", ID)), None, "{path}");
        }
    }

    fn chosen(lines: &[(&str, &str)]) -> Option<String> {
        let lines: Vec<(Vec<String>, &str)> = lines
            .iter()
            .map(|(controllers, path)| (controllers.split(',').map(str::to_owned).collect(), *path))
            .collect();
        best(lines.iter().map(|(controllers, path)| (&controllers[..], *path))).map(str::to_owned)
    }

    #[test]
    fn both_versions_of_the_hierarchy_are_read() {
        let unified = "/system.slice/vsftpd.service";
        assert_eq!(chosen(&[("", unified)]).as_deref(), Some(unified));
        // Version 1, and both at once, where version 2 has nothing but its root.
        let v1 = [("cpu,cpuacct", "/a"), ("name=systemd", "/system.slice/b.service"), ("memory", "/c")];
        assert_eq!(chosen(&v1).as_deref(), Some("/system.slice/b.service"));
        let docker = format!("/docker/{ID}");
        assert_eq!(chosen(&[("", "/"), ("memory", &docker)]).as_deref(), Some(&*docker));
        assert_eq!(chosen(&[("memory", "/c")]), None);
        assert_eq!(chosen(&[]), None);
    }
}
