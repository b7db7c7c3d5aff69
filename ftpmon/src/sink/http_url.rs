//! Addresses of HTTP readers.

use core::fmt;

use super::host_port::host_port;

/// `http://HOST[:PORT][/PATH]` or `https://…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpUrl {
    /// It is `https`.
    pub tls: bool,
    /// A name or an address, an IPv6 one without its brackets.
    pub host: String,
    /// The port; 80 or 443 where none is given.
    pub port: u16,
    /// The path with what follows it; empty where there is none.
    pub path: String,
}

impl HttpUrl {
    /// That of a text; none if it is no such address.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (tls, rest) = match text.strip_prefix("https://") {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix("http://")?),
        };
        let at = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(at)?;
        // What follows a `?` or `#` without a path, and names with passwords, are mistakes.
        let visible = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if !visible(rest) || authority.contains(['?', '#', '@']) || path.contains('#') {
            return None;
        }
        let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
        let usual = if tls { 443 } else { 80 };
        let full = if has_port { authority.to_owned() } else { format!("{authority}:{usual}") };
        let (host, port) = host_port(&full)?;
        Some(Self { tls, host, port, path: path.trim_end_matches('/').to_owned() })
    }

    /// Host and port, as the `Host` field has them (RFC 9112 section 3.2).
    pub(super) fn authority(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", if self.tls { "https" } else { "http" }, self.authority(), self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_means_the_same() {
        for (text, tls, host, port, path) in [
            ("http://a", false, "a", 80, ""),
            ("https://a/x/y?z=1", true, "a", 443, "/x/y?z=1"),
            ("http://[::1]/", false, "::1", 80, ""),
            ("https://[::1]:9200/ftp", true, "::1", 9200, "/ftp"),
        ] {
            let url = HttpUrl::parse(text).unwrap();
            assert_eq!(url, HttpUrl { tls, host: host.into(), port, path: path.into() });
            assert_eq!(HttpUrl::parse(&url.to_string()), Some(url));
        }
        for text in
            ["http://", "http://:1", "http://a:0/", "ftp://a", "http://u:p@a/", "http://a/b c", "http://a?x"]
        {
            assert_eq!(HttpUrl::parse(text), None, "{text}");
        }
    }
}
