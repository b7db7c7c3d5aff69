//! The log of moved files that servers have in common since wu-ftpd: a line for each file.

/// A file that a server says it moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// The client sent it.
    pub upload: bool,
    /// Its path below the server's root.
    pub path: String,
    /// Bytes of this transfer as the server counts them: those that it wrote to its socket, or read from it.
    pub bytes: u64,
    /// The transfer was in image type: bytes of the file and of the connection are the same ones.
    pub image: bool,
    /// Whether the whole file was moved; none where the server does not say.
    pub complete: Option<bool>,
}

/// The home of Debian's user `ftp`, where the same files stand for Pure-FTPd's anonymous user.
const ANONYMOUS: &str = "/srv/ftp";
/// Fields in front of the file's name: five of the date, the seconds, the host and the size.
const BEFORE: usize = 8;
/// Fields behind it, from the type to the status.
const BEHIND: usize = 9;

/// Lines such as `Thu Nov 26 09:52:00 2026 1 10.77.0.1 1234 /pub/a.bin b _ o r alice ftp 0 * c`. A blank in a name may stand for itself, so
/// fields are counted from both ends.
pub(super) fn parse(log: &str, root: &str) -> Vec<Logged> {
    log.lines().filter_map(|line| entry(line, root)).collect()
}

fn entry(line: &str, root: &str) -> Option<Logged> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let behind = fields.len().checked_sub(BEHIND).filter(|behind| *behind > BEFORE)?;
    let name = fields.get(BEFORE..behind)?.join(" ");
    let path = name.strip_prefix(root).or_else(|| name.strip_prefix(ANONYMOUS)).unwrap_or(&name);
    let direction = *fields.get(behind + 2)?;
    Some(Logged {
        upload: match direction {
            "i" => true,
            "o" => false,
            // A file that was deleted is logged too.
            _ => return None,
        },
        path: format!("/{}", path.trim_start_matches('/')),
        bytes: fields.get(BEFORE - 1)?.parse().ok()?,
        image: *fields.get(behind)? == "b",
        complete: Some(*fields.last()? == "c"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_three_servers() {
        let log = "\
Thu Nov 26 09:52:00 2026 1 10.77.0.1 1234 /pub/a.bin b _ o r alice ftp 0 * c
Thu Nov 26 09:52:01 2026 0 ::ffff:10.77.0.1 7 /srv/files/up/two words b _ i g ? ftp 0 * i
Thu Nov 26 09:52:01 2026 0 10.77.0.1 9 /up/gone b _ d r alice ftp 0 * c
half a line";
        let [down, up] = parse(log, "/srv/files").try_into().unwrap();
        assert_eq!(
            down,
            Logged {
                upload: false,
                path: "/pub/a.bin".into(),
                bytes: 1234,
                image: true,
                complete: Some(true)
            }
        );
        assert_eq!(
            up,
            Logged {
                upload: true,
                path: "/up/two words".into(),
                bytes: 7,
                image: true,
                complete: Some(false)
            }
        );
    }
}
