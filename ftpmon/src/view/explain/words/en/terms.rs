//! Terms of English: digits and codes of replies, verbs.

use ftpmon_core::ftp::Verb;
use ftpmon_event::{Category, ReplyClass};

use crate::view::explain::words::sentence::{Argument, Format};

/// The meaning of a reply code's first digit.
pub(super) fn class(class: ReplyClass) -> &'static str {
    match class {
        ReplyClass::Preliminary => "begun, another reply follows",
        ReplyClass::Completion => "done",
        ReplyClass::Intermediate => "accepted, another command is needed",
        ReplyClass::TransientError => "not done, may be tried again",
        ReplyClass::PermanentError => "not done, and will not be",
        ReplyClass::Protected => "a protected reply",
    }
}

/// The meaning of its second digit.
pub(super) fn category(category: Category) -> &'static str {
    match category {
        Category::Syntax => "syntax",
        Category::Information => "information",
        Category::Connection => "connections",
        Category::Authentication => "login and accounting",
        Category::Unspecified => "unspecified",
        Category::Filesystem => "file system",
    }
}

/// The meaning of a reply code; none for one that no RFC defines.
pub(super) fn code(code: u16) -> Option<&'static str> {
    Some(match code {
        110 => "restart marker",
        120 => "ready in some minutes",
        125 => "the data connection is open, the transfer begins",
        150 => "file status okay, the data connection is about to open",
        200 => "command okay",
        202 => "not implemented, and not needed here",
        211 => "system status, or list of features",
        212 => "status of a directory",
        213 => "status of a file",
        214 => "help",
        215 => "type of the system",
        220 => "ready for a new user",
        221 => "the server closes the control connection",
        225 => "the data connection is open, nothing is transferred",
        226 => "the transfer is done, the data connection closes",
        227 => "entering passive mode",
        228 => "entering long passive mode",
        229 => "entering extended passive mode",
        230 => "logged in",
        232 => "logged in by the security exchange",
        234 => "security mechanism accepted, its exchange begins",
        235 => "security data accepted",
        250 => "the file action is done",
        257 => "path name",
        331 => "user name okay, password needed",
        332 => "account needed for the login",
        334 => "security mechanism accepted, data needed",
        335 => "security data accepted, more needed",
        336 => "user name okay, password needed, challenge attached",
        350 => "waits for the command that completes this one",
        421 => "the service is not available, the control connection closes",
        425 => "cannot open the data connection",
        426 => "the connection closed, the transfer was aborted",
        430 => "user name or password is wrong",
        431 => "a needed resource for security is not available",
        434 => "the requested host is not available",
        450 => "the file is not available, perhaps busy",
        451 => "aborted by an error on the server",
        452 => "not enough space",
        500 => "syntax error, command not recognized",
        501 => "syntax error in the arguments",
        502 => "command not implemented",
        503 => "wrong order of commands",
        504 => "not implemented for this argument",
        522 => "address family not supported",
        530 => "not logged in",
        532 => "account needed to store files",
        533 => "this protection level is denied",
        534 => "refused for reasons of policy",
        535 => "the security check failed",
        536 => "the mechanism does not support this protection level",
        550 => "the file is not available: not there, or no access",
        551 => "page type unknown",
        552 => "beyond the storage allotted",
        553 => "file name not allowed",
        631 => "integrity protected reply",
        632 => "confidential, integrity protected reply",
        633 => "confidential reply",
        _ => return None,
    })
}

/// An argument of TYPE, MODE, STRU or EPSV.
pub(super) fn argument(argument: Argument) -> String {
    let format = |format: Format| match format {
        Format::NonPrint => "",
        Format::Telnet => ", with Telnet's characters for lines and pages",
        Format::Carriage => ", with a carriage control character (ASA) before each line",
    };
    let text = match argument {
        Argument::Ascii(of) => return format!("A is text in ASCII, lines end with CR LF{}.", format(of)),
        Argument::Ebcdic(of) => return format!("E is text in EBCDIC, lines end with NL{}.", format(of)),
        Argument::Local(bits) => return format!("L is bytes of a size that is given: {bits} bits."),
        Argument::Image => "I (image) is bytes as they are.",
        Argument::Stream => "S (stream): the bytes as they are; the end of the connection ends the file.",
        Argument::Block => "B (block): blocks, each with a header that has its length.",
        Argument::Compressed => {
            "C (compressed): runs of the same byte are shortened (RFC 959 section 3.4.3)."
        }
        Argument::Deflate => "Z: the data is compressed by deflate; no RFC defines it.",
        Argument::File => "F (file): the file is a sequence of bytes without records.",
        Argument::Record => "R (record): the file is made of records.",
        Argument::Page => "P (page): the file is made of indexed pages.",
        Argument::EpsvAll => {
            "EPSV ALL: from here on EPSV alone may set up data connections, the server refuses PORT, PASV and the like \
             (RFC 2428 section 4). It asks for no endpoint yet."
        }
        Argument::EpsvFamily(1) => "1 asks for IPv4 (RFC 2428 section 3).",
        Argument::EpsvFamily(_) => "2 asks for IPv6 (RFC 2428 section 3).",
        Argument::Undefined => "The argument is none that an RFC defines.",
    };
    text.to_owned()
}

/// The nature of an argument that a security mechanism made (RFC 2228).
pub(super) const fn protected(verb: Verb) -> &'static str {
    match verb {
        Verb::Adat => "The argument is data of the security exchange, in base 64 (RFC 2228).",
        Verb::Mic => {
            "The argument is a command under integrity protection (RFC 2228): it cannot be altered unnoticed, but it is \
             not made unreadable."
        }
        _ => {
            "The argument is a command that the security mechanism encrypted (RFC 2228): it did not cross the network in \
             clear text."
        }
    }
}

/// The purpose of a verb.
pub(super) fn purpose(verb: Verb) -> &'static str {
    match verb {
        Verb::User => "names the user who logs in",
        Verb::Pass => "gives the password",
        Verb::Acct => "gives the account",
        Verb::Cwd | Verb::Xcwd => "changes the working directory",
        Verb::Cdup | Verb::Xcup => "changes to the parent directory",
        Verb::Smnt => "mounts another file system",
        Verb::Rein => "logs out and keeps the connection",
        Verb::Quit => "logs out",
        Verb::Port => "tells where the client listens for the data connection",
        Verb::Eprt => "tells where the client listens, over IPv4 or IPv6",
        Verb::Lprt => "tells where the client listens, for any address family",
        Verb::Spor => "tells where the client listens, an endpoint for each stripe",
        Verb::Pasv => "asks the server to listen for the data connection",
        Verb::Epsv => "asks the server to listen, over IPv4 or IPv6",
        Verb::Lpsv => "asks the server to listen, for any address family",
        Verb::Spas => "asks the server to listen, an endpoint for each stripe",
        Verb::Cpsv => "asks the server to listen and to be the TLS client",
        Verb::Type => "sets the type of transfers",
        Verb::Stru => "sets the structure of files",
        Verb::Mode => "sets the mode of transfers",
        Verb::Retr => "downloads a file",
        Verb::Stor => "uploads a file",
        Verb::Stou => "uploads a file under a name that the server chooses",
        Verb::Appe => "uploads to the end of a file",
        Verb::Allo => "announces the size of an upload",
        Verb::Rest => "sets the byte at which the next transfer starts",
        Verb::Rnfr => "names the file to rename",
        Verb::Rnto => "gives the new name",
        Verb::Abor => "aborts the transfer",
        Verb::Dele => "deletes a file",
        Verb::Rmd | Verb::Xrmd => "removes a directory",
        Verb::Rmda => "removes a directory with all that is in it",
        Verb::Mkd | Verb::Xmkd => "makes a directory",
        Verb::Pwd | Verb::Xpwd => "asks for the working directory",
        Verb::List => "lists a directory",
        Verb::Nlst => "lists the names in a directory",
        Verb::Mlsd => "lists a directory in a form for programs",
        Verb::Mlst => "asks for the facts of one file",
        Verb::Site => "a command of this server's own",
        Verb::Syst => "asks for the type of the system",
        Verb::Stat => "asks for the status, or for a listing in the reply",
        Verb::Help => "asks for help",
        Verb::Noop => "does nothing but get a reply",
        Verb::Xsen | Verb::Xsem | Verb::Xmas | Verb::Msnd | Verb::Msom | Verb::Msam => {
            "sends a message to a terminal or mailbox"
        }
        Verb::Xrsq | Verb::Mrsq => "sets how recipients of mail are given",
        Verb::Xrcp | Verb::Mrcp => "names a recipient of mail",
        Verb::Mail => "sends mail over the control connection",
        Verb::Mlfl => "sends mail over the data connection",
        Verb::Auth => "asks for a security mechanism, such as TLS",
        Verb::Adat => "gives data of the security mechanism",
        Verb::Pbsz => "sets the size of the protection buffer; 0 for TLS",
        Verb::Prot => "sets the protection of data connections: P is private, C is clear",
        Verb::Ccc => "turns the control connection back to clear text",
        Verb::Mic => "carries a command with integrity protection",
        Verb::Conf => "carries a confidential command",
        Verb::Enc => "carries a command with both protections",
        Verb::Feat => "asks for the extensions that the server has",
        Verb::Opts => "sets options of a command",
        Verb::Lang => "sets the language of replies",
        Verb::Mdtm => "asks for the modification time of a file",
        Verb::Size => "asks for the size of a file",
        Verb::Host => "names the virtual host",
        Verb::Mfmt => "sets the modification time of a file",
        Verb::Mfct => "sets the creation time of a file",
        Verb::Mff => "sets facts of a file",
        Verb::Hash | Verb::Cksm => "asks for a hash of a file",
        Verb::Md5 | Verb::Mmd5 | Verb::Xmd5 => "asks for the MD5 hash of a file",
        Verb::Xcrc => "asks for the CRC-32 of a file",
        Verb::Xsha | Verb::Xsha1 => "asks for the SHA-1 hash of a file",
        Verb::Xsha224 => "asks for the SHA-224 hash of a file",
        Verb::Xsha256 => "asks for the SHA-256 hash of a file",
        Verb::Xsha384 => "asks for the SHA-384 hash of a file",
        Verb::Xsha512 => "asks for the SHA-512 hash of a file",
        Verb::Rang => "sets the range of bytes of the next transfer",
        Verb::Clnt | Verb::Csid => "names the client program",
        Verb::Avbl => "asks for the space that is left",
        Verb::Comb => "joins files",
        Verb::Dsiz => "asks for the size of a directory",
        Verb::Thmb => "downloads a thumbnail",
        Verb::Pret => "tells which transfer the next PASV is for",
        Verb::Sscn => "makes the server the TLS client of data connections",
        Verb::Esta => "establishes an active data connection",
        Verb::Estp => "establishes a passive data connection",
        Verb::Macb => "sets MacBinary transfers",
        Verb::Eret => "downloads a file through a module of the server",
        Verb::Esto => "uploads a file through a module of the server",
        Verb::Sbuf | Verb::Abuf => "sets the size of TCP buffers",
        Verb::Dcau => "sets the authentication of data connections",
        Verb::Scks => "gives the checksum that an upload must have",
        _ => "a command that ftpmon does not know",
    }
}
