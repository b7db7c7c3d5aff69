//! Verbs of FTP and its extensions, with their properties.

use core::fmt;

use smol_str::SmolStr;

use crate::event::FileDirection;

/// The document that defines a verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rfc {
    /// An RFC by number, the newest that defines the verb.
    Number(u16),
    /// An Internet-Draft or another document, by name.
    Other(&'static str),
    /// No document; servers implement it.
    None,
}

/// The longest verb that is known, bytes.
const LONGEST: usize = 7;

/// A name in upper case as a number, so that finding a verb takes few comparisons. None if it is too long.
const fn key(name: &[u8]) -> Option<u64> {
    if name.len() > LONGEST {
        return None;
    }
    // The leading 1 distinguishes names that differ in leading zeros.
    let (mut key, mut rest) = (1, name);
    while let [byte, after @ ..] = rest {
        key = key << 8 | byte.to_ascii_uppercase() as u64;
        rest = after;
    }
    Some(key)
}

macro_rules! verbs {
    ($($variant:ident $name:literal $rfc:expr, $summary:literal;)*) => {
        mod keys {
            #![allow(non_upper_case_globals, reason = "each has its variant's name")]
            $(pub(super) const $variant: u64 = match super::key($name.as_bytes()) {
                Some(key) => key,
                None => 0,
            };)*
        }

        /// A verb. Unknown ones are [`Verb::Other`]: their name is with the command.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Verb {
            $(#[doc = concat!("`", $name, "`: ", $summary, ".")] $variant,)*
            /// Any other.
            Other,
        }

        impl Verb {
            /// Every known verb.
            pub const KNOWN: &'static [Self] = &[$(Self::$variant),*];

            /// The verb of this name, whatever its case.
            pub fn from_name(name: &[u8]) -> Self {
                let Some(key) = key(name) else { return Self::Other };
                match key {
                    $(keys::$variant => Self::$variant,)*
                    _ => Self::Other,
                }
            }

            /// Its name in upper case; none for [`Verb::Other`].
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$variant => Some($name),)*
                    Self::Other => None,
                }
            }

            /// The document that defines it.
            pub const fn rfc(self) -> Rfc {
                match self {
                    $(Self::$variant => $rfc,)*
                    Self::Other => Rfc::None,
                }
            }
        }
    };
}

const MFXX: Rfc = Rfc::Other("draft-somers-ftp-mfxx");
const HASHES: Rfc = Rfc::Other("draft-bryan-ftpext-hash");
const GRIDFTP: Rfc = Rfc::Other("GFD.020");

verbs! {
    User "USER" Rfc::Number(959), "user name";
    Pass "PASS" Rfc::Number(959), "password";
    Acct "ACCT" Rfc::Number(959), "account";
    Cwd "CWD" Rfc::Number(959), "change the working directory";
    Cdup "CDUP" Rfc::Number(959), "change to the parent directory";
    Smnt "SMNT" Rfc::Number(959), "mount another file system";
    Rein "REIN" Rfc::Number(959), "log out, keep the connection";
    Quit "QUIT" Rfc::Number(959), "log out";
    Port "PORT" Rfc::Number(959), "active data endpoint";
    Pasv "PASV" Rfc::Number(959), "ask for a passive data endpoint";
    Type "TYPE" Rfc::Number(959), "representation type";
    Stru "STRU" Rfc::Number(959), "file structure";
    Mode "MODE" Rfc::Number(959), "transfer mode";
    Retr "RETR" Rfc::Number(959), "download a file";
    Stor "STOR" Rfc::Number(959), "upload a file";
    Stou "STOU" Rfc::Number(959), "upload a file under a name that the server chooses";
    Appe "APPE" Rfc::Number(959), "upload to the end of a file";
    Allo "ALLO" Rfc::Number(959), "announce an upload's size";
    Rest "REST" Rfc::Number(3659), "where the next transfer starts";
    Rnfr "RNFR" Rfc::Number(959), "name before renaming";
    Rnto "RNTO" Rfc::Number(959), "name after renaming";
    Abor "ABOR" Rfc::Number(959), "abort the transfer";
    Dele "DELE" Rfc::Number(959), "delete a file";
    Rmd "RMD" Rfc::Number(959), "remove a directory";
    Mkd "MKD" Rfc::Number(959), "make a directory";
    Pwd "PWD" Rfc::Number(959), "print the working directory";
    List "LIST" Rfc::Number(959), "list a directory";
    Nlst "NLST" Rfc::Number(959), "list the names in a directory";
    Site "SITE" Rfc::Number(959), "command of this server's own";
    Syst "SYST" Rfc::Number(959), "operating system";
    Stat "STAT" Rfc::Number(959), "status, or a listing in the reply";
    Help "HELP" Rfc::Number(959), "help";
    Noop "NOOP" Rfc::Number(959), "nothing";
    Xcwd "XCWD" Rfc::Number(1123), "CWD";
    Xcup "XCUP" Rfc::Number(1123), "CDUP";
    Xmkd "XMKD" Rfc::Number(1123), "MKD";
    Xrmd "XRMD" Rfc::Number(1123), "RMD";
    Xpwd "XPWD" Rfc::Number(1123), "PWD";
    Xsen "XSEN" Rfc::Number(737), "send to a terminal";
    Xsem "XSEM" Rfc::Number(737), "send to a terminal, or mail";
    Xmas "XMAS" Rfc::Number(737), "send to a terminal and mail";
    Xrsq "XRSQ" Rfc::Number(743), "recipient scheme of mail";
    Xrcp "XRCP" Rfc::Number(743), "recipient of mail";
    Mail "MAIL" Rfc::Number(765), "mail over the control connection";
    Mlfl "MLFL" Rfc::Number(765), "mail over the data connection";
    Msnd "MSND" Rfc::Number(765), "send to a terminal";
    Msom "MSOM" Rfc::Number(765), "send to a terminal, or mail";
    Msam "MSAM" Rfc::Number(765), "send to a terminal and mail";
    Mrsq "MRSQ" Rfc::Number(765), "recipient scheme of mail";
    Mrcp "MRCP" Rfc::Number(765), "recipient of mail";
    Lprt "LPRT" Rfc::Number(1639), "active data endpoint, any address family";
    Lpsv "LPSV" Rfc::Number(1639), "ask for a passive data endpoint, any address family";
    Auth "AUTH" Rfc::Number(4217), "security mechanism";
    Adat "ADAT" Rfc::Number(2228), "data of the security mechanism";
    Pbsz "PBSZ" Rfc::Number(4217), "size of the protection buffer";
    Prot "PROT" Rfc::Number(4217), "protection of data connections";
    Ccc "CCC" Rfc::Number(4217), "back to a clear control connection";
    Mic "MIC" Rfc::Number(2228), "integrity-protected command";
    Conf "CONF" Rfc::Number(2228), "confidential command";
    Enc "ENC" Rfc::Number(2228), "private command";
    Feat "FEAT" Rfc::Number(2389), "features";
    Opts "OPTS" Rfc::Number(2389), "options of a command";
    Eprt "EPRT" Rfc::Number(2428), "active data endpoint, IPv4 or IPv6";
    Epsv "EPSV" Rfc::Number(2428), "ask for a passive data port";
    Lang "LANG" Rfc::Number(2640), "language of the replies";
    Mdtm "MDTM" Rfc::Number(3659), "modification time";
    Size "SIZE" Rfc::Number(3659), "size of a file";
    Mlst "MLST" Rfc::Number(3659), "facts of a file in the reply";
    Mlsd "MLSD" Rfc::Number(3659), "facts of a directory's files";
    Host "HOST" Rfc::Number(7151), "virtual host";
    Mfmt "MFMT" MFXX, "set the modification time";
    Mfct "MFCT" MFXX, "set the creation time";
    Mff "MFF" MFXX, "set facts of a file";
    Hash "HASH" HASHES, "hash of a file";
    Rang "RANG" Rfc::Other("draft-bryan-ftp-range"), "byte range of the next transfer";
    Md5 "MD5" Rfc::Other("draft-twine-ftpmd5"), "MD5 of a file";
    Mmd5 "MMD5" Rfc::Other("draft-twine-ftpmd5"), "MD5 of several files";
    Xcrc "XCRC" HASHES, "CRC-32 of a file";
    Xmd5 "XMD5" HASHES, "MD5 of a file";
    Xsha "XSHA" HASHES, "SHA-1 of a file";
    Xsha1 "XSHA1" HASHES, "SHA-1 of a file";
    Xsha224 "XSHA224" Rfc::None, "SHA-224 of a file";
    Xsha256 "XSHA256" HASHES, "SHA-256 of a file";
    Xsha384 "XSHA384" Rfc::None, "SHA-384 of a file";
    Xsha512 "XSHA512" HASHES, "SHA-512 of a file";
    Clnt "CLNT" Rfc::None, "the client's name";
    Csid "CSID" Rfc::Other("draft-peterson-streamlined-ftp-command-extensions"), "names of client and server";
    Avbl "AVBL" Rfc::Other("draft-peterson-streamlined-ftp-command-extensions"), "space left for uploads";
    Comb "COMB" Rfc::Other("draft-peterson-streamlined-ftp-command-extensions"), "join files";
    Dsiz "DSIZ" Rfc::Other("draft-peterson-streamlined-ftp-command-extensions"), "size of a directory";
    Rmda "RMDA" Rfc::Other("draft-peterson-streamlined-ftp-command-extensions"), "remove a directory with all in it";
    Thmb "THMB" Rfc::Other("draft-peterson-streamlined-ftp-command-extensions"), "download a thumbnail";
    Pret "PRET" Rfc::None, "the command that the next PASV is for";
    Cpsv "CPSV" Rfc::None, "PASV whose server will be the TLS client";
    Sscn "SSCN" Rfc::None, "make the server the TLS client of data connections";
    Esta "ESTA" Rfc::Number(5797), "establish an active data connection";
    Estp "ESTP" Rfc::Number(5797), "establish a passive data connection";
    Macb "MACB" Rfc::None, "MacBinary transfers";
    Spas "SPAS" GRIDFTP, "ask for passive data endpoints, one a stripe";
    Spor "SPOR" GRIDFTP, "active data endpoints, one a stripe";
    Eret "ERET" GRIDFTP, "download processed by a module";
    Esto "ESTO" GRIDFTP, "upload processed by a module";
    Sbuf "SBUF" GRIDFTP, "TCP buffer size";
    Abuf "ABUF" GRIDFTP, "automatic TCP buffer size";
    Dcau "DCAU" GRIDFTP, "authentication of data connections";
    Cksm "CKSM" Rfc::Other("GFD.047"), "checksum of a file";
    Scks "SCKS" Rfc::Other("GFD.047"), "checksum that an upload must have";
}

impl Verb {
    /// Direction of its data transfer; none if it uses no data connection.
    pub const fn transfer(self) -> Option<FileDirection> {
        match self {
            Self::Retr | Self::Eret | Self::Thmb => Some(FileDirection::Download),
            Self::Stor | Self::Stou | Self::Appe | Self::Esto | Self::Mlfl => Some(FileDirection::Upload),
            Self::List | Self::Nlst | Self::Mlsd => Some(FileDirection::Listing),
            _ => None,
        }
    }

    /// It is part of the login sequence: USER, PASS, ACCT (RFC 959 section 5.4), and ADAT, which can take the place of PASS
    /// (RFC 2228 section 3).
    pub const fn is_login(self) -> bool {
        matches!(self, Self::User | Self::Pass | Self::Acct | Self::Adat)
    }

    /// Its argument is a secret, shown as `--secrets` says.
    pub const fn has_secret_argument(self) -> bool {
        matches!(self, Self::Pass | Self::Acct | Self::Adat | Self::Mic | Self::Conf | Self::Enc)
    }

    /// A 1yz reply may come before the final one (RFC 959 section 5.4).
    pub const fn may_have_preliminary_reply(self) -> bool {
        self.transfer().is_some() || matches!(self, Self::Rein)
    }

    /// The reply carries an endpoint where the server listens.
    pub const fn asks_for_endpoint(self) -> bool {
        matches!(self, Self::Pasv | Self::Epsv | Self::Lpsv | Self::Cpsv | Self::Spas)
    }

    /// The argument carries an endpoint where the client listens.
    pub const fn announces_endpoint(self) -> bool {
        matches!(self, Self::Port | Self::Eprt | Self::Lprt | Self::Spor)
    }

    /// The whole argument is the name of a file or a directory; for listings, after options that begin with `-`.
    pub const fn has_path_argument(self) -> bool {
        matches!(
            self,
            Self::Retr
                | Self::Stor
                | Self::Stou
                | Self::Appe
                | Self::Thmb
                | Self::List
                | Self::Nlst
                | Self::Mlsd
                | Self::Mlst
                | Self::Stat
                | Self::Cwd
                | Self::Xcwd
                | Self::Smnt
                | Self::Mkd
                | Self::Xmkd
                | Self::Rmd
                | Self::Xrmd
                | Self::Rmda
                | Self::Dele
                | Self::Rnfr
                | Self::Rnto
                | Self::Size
                | Self::Dsiz
                | Self::Mdtm
                | Self::Hash
                | Self::Md5
                | Self::Xcrc
                | Self::Xmd5
                | Self::Xsha
                | Self::Xsha1
                | Self::Xsha224
                | Self::Xsha256
                | Self::Xsha384
                | Self::Xsha512
        )
    }

    /// It makes or changes something on the server's disk.
    pub const fn writes(self) -> bool {
        matches!(
            self,
            Self::Stor
                | Self::Stou
                | Self::Appe
                | Self::Esto
                | Self::Dele
                | Self::Rmd
                | Self::Xrmd
                | Self::Rmda
                | Self::Mkd
                | Self::Xmkd
                | Self::Rnfr
                | Self::Rnto
                | Self::Mfmt
                | Self::Mfct
                | Self::Mff
                | Self::Comb
        )
    }

    /// The command that an X-verb of old stands for (RFC 1123 section 4.1.3.1): itself for all others.
    pub const fn canonical(self) -> Self {
        match self {
            Self::Xcwd => Self::Cwd,
            Self::Xcup => Self::Cdup,
            Self::Xmkd => Self::Mkd,
            Self::Xrmd => Self::Rmd,
            Self::Xpwd => Self::Pwd,
            other => other,
        }
    }

    /// The name as events have it: that of a known verb, otherwise `name` in upper case, bytes that are no valid
    /// UTF-8 replaced.
    pub fn spelt(self, name: &[u8]) -> SmolStr {
        match self.name() {
            Some(known) => SmolStr::new_static(known),
            None => SmolStr::from(String::from_utf8_lossy(name).to_ascii_uppercase()),
        }
    }
}

/// The name; `?` for [`Verb::Other`].
impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name().unwrap_or("?"))
    }
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, Verb};

    #[test]
    fn every_name_leads_back_to_its_verb() {
        for &verb in Verb::KNOWN {
            let name = verb.name().unwrap();
            assert_eq!(Verb::from_name(name.as_bytes()), verb);
            assert_eq!(Verb::from_name(name.to_ascii_lowercase().as_bytes()), verb);
            assert!(
                name.len() <= LONGEST && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
            );
        }
    }

    #[test]
    fn what_is_unknown_is_itself() {
        assert_eq!(Verb::from_name(b"XYZZY"), Verb::Other);
        assert_eq!((Verb::from_name(b""), Verb::from_name(b"\0USER")), (Verb::Other, Verb::Other));
        assert_eq!(Verb::from_name(&[b'A'; 100]), Verb::Other);
        assert_eq!(Verb::Other.spelt(b"xyzzy"), "XYZZY");
        assert_eq!(Verb::Retr.spelt(b"rEtR"), "RETR");
    }

    #[test]
    fn a_transfer_may_have_a_preliminary_reply() {
        assert!(Verb::Retr.may_have_preliminary_reply() && !Verb::Size.may_have_preliminary_reply());
    }
}
