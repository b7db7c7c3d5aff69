//! Lines and endpoints as FTP writes them.

use std::io::{self, BufRead};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The longest line that either end takes: far more than any test says.
const MAX_LINE: usize = 64 * 1024;

/// Reads a line without its line end; none at the end of the stream. Telnet's interrupt sequence before ABOR is dropped.
pub(super) fn read_line(from: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    while line.last() != Some(&b'\n') {
        let available = from.fill_buf()?;
        if available.is_empty() {
            break;
        }
        let n = available.iter().position(|byte| *byte == b'\n').map_or(available.len(), |at| at + 1);
        line.extend_from_slice(available.get(..n).unwrap_or_default());
        from.consume(n);
        if line.len() > MAX_LINE {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a line without an end"));
        }
    }
    if line.is_empty() {
        return Ok(None);
    }
    let text = line.strip_suffix(b"\n").unwrap_or(&line);
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    // IAC IP and IAC DM (RFC 959 section 4.1.3): all their bytes are above 0xf0, which no text here uses.
    let text: Vec<u8> = text.iter().copied().filter(|byte| *byte < 0xf0).collect();
    Ok(Some(String::from_utf8_lossy(&text).into_owned()))
}

/// `h1,h2,h3,h4,p1,p2` of PORT and 227.
pub(crate) fn host_port(ip: Ipv4Addr, port: u16) -> String {
    let [a, b, c, d] = ip.octets();
    let [high, low] = port.to_be_bytes();
    format!("{a},{b},{c},{d},{high},{low}")
}

/// Reads `h1,h2,h3,h4,p1,p2`, wherever it stands in a text.
pub(crate) fn parse_host_port(text: &str) -> Option<SocketAddr> {
    let from = text.find(|c: char| c.is_ascii_digit())?;
    let text = text.get(from..)?;
    let end = text.find(|c: char| !c.is_ascii_digit() && c != ',').unwrap_or(text.len());
    let numbers: Vec<u8> = text.get(..end)?.split(',').map(str::parse).collect::<Result<_, _>>().ok()?;
    let [a, b, c, d, high, low] = numbers[..] else {
        return None;
    };
    Some(SocketAddr::new(Ipv4Addr::new(a, b, c, d).into(), u16::from_be_bytes([high, low])))
}

/// Reads `h1,h2,h3,h4,p1,p2)` or `IPv6 address,p1,p2)`, of which the port. ProFTPD cuts the address, which is no endpoint.
pub(crate) fn parse_last_port(text: &str) -> Option<u16> {
    let text = text.split_once(')')?.0;
    if !text.contains(':') && text.matches(',').count() != 5 {
        return None;
    }
    let mut numbers = text.rsplit(',');
    let (low, high) = (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
    Some(u16::from_be_bytes([high, low]))
}

/// `|1|ip|port|` of EPRT (RFC 2428).
pub(crate) fn extended(address: SocketAddr) -> String {
    let family = if address.is_ipv4() { 1 } else { 2 };
    format!("|{family}|{}|{}|", address.ip(), address.port())
}

/// Another port of the same address: a link-local one keeps its interface.
pub(super) fn with_port(mut address: SocketAddr, port: u16) -> SocketAddr {
    address.set_port(port);
    address
}

/// Reads `|1|ip|port|`.
pub(super) fn parse_extended(text: &str) -> Option<SocketAddr> {
    let mut fields = text.split('|').skip(2);
    let ip: IpAddr = fields.next()?.parse().ok()?;
    Some(SocketAddr::new(ip, fields.next()?.parse().ok()?))
}

/// Reads the port of `229 … (|||port|)`.
pub(crate) fn parse_extended_port(text: &str) -> Option<u16> {
    text.split_once("|||")?.1.split('|').next()?.parse().ok()
}

/// The path that `argument` names, seen from `directory`; always absolute, `..` never leaves the root.
pub(crate) fn resolve(directory: &str, argument: &str) -> String {
    let whole =
        if argument.starts_with('/') { argument.to_owned() } else { format!("{directory}/{argument}") };
    let mut parts: Vec<&str> = Vec::new();
    for part in whole.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_with_crlf_or_lf_and_lose_telnet() {
        let mut wire: &[u8] = b"USER a\r\nPASS b\n\xff\xf4\xff\xf2ABOR\r\nrest";
        let lines: Vec<_> = std::iter::from_fn(|| read_line(&mut wire).unwrap()).collect();
        assert_eq!(lines, ["USER a", "PASS b", "ABOR", "rest"]);
    }

    #[test]
    fn endpoints_there_and_back() {
        let at: SocketAddr = "192.168.1.109:26758".parse().unwrap();
        assert_eq!(host_port(Ipv4Addr::new(192, 168, 1, 109), 26758), "192,168,1,109,104,134");
        assert_eq!(parse_host_port("Entering Passive Mode (192,168,1,109,104,134)."), Some(at));
        assert_eq!(parse_extended(&extended(at)), Some(at));
        let six: SocketAddr = "[fd77::2]:1025".parse().unwrap();
        assert_eq!(parse_extended(&extended(six)), Some(six));
        assert_eq!(parse_extended_port("Entering Extended Passive Mode (|||5000|)"), Some(5000));
        assert_eq!(parse_host_port("1,2,3"), None);
    }

    #[test]
    fn paths_stay_below_the_root() {
        assert_eq!(resolve("/pub", "a.txt"), "/pub/a.txt");
        assert_eq!(resolve("/pub", "../../etc"), "/etc");
        assert_eq!(resolve("/", "/x//y/."), "/x/y");
    }
}
