//! `gencap --sessions N OUT`: a capture of N FTP sessions with realistic dialogue, for measuring. `gencap --mixed N OUT`: of N
//! dialogues, among them transfers between servers and connections of strangers. `gencap --script FILE OUT`: of what a script says
//! ([`ftpmon_tests::script`]).

use std::io::{BufWriter, Write as _};

use anyhow::{Context as _, Result, bail};
use ftpmon_tests::script::{self, bulk, mixed};

const USAGE: &str = "usage: gencap --sessions|--mixed N OUT, gencap --script FILE OUT";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [option, sessions, out] = arguments.as_slice() else { bail!(USAGE) };
    if option == "--script" {
        let script = std::fs::read_to_string(sessions).with_context(|| format!("cannot read {sessions}"))?;
        return std::fs::write(out, script::capture(&script)?).with_context(|| format!("cannot write {out}"));
    }
    let sessions = sessions.parse().with_context(|| format!("{sessions:?} is no number of sessions"))?;
    let file = std::fs::File::create(out).with_context(|| format!("cannot create {out}"))?;
    let mut file = BufWriter::with_capacity(1 << 20, file);
    let summary = match option.as_str() {
        "--sessions" => bulk::write(&mut file, sessions)?,
        "--mixed" => mixed::write(&mut file, sessions)?,
        _ => bail!("unknown option {option}; {USAGE}"),
    };
    file.flush().with_context(|| format!("cannot write {out}"))?;
    eprintln!(
        "{out}: {} sessions, {} packets, {} control messages with payload, {} bytes",
        summary.sessions, summary.packets, summary.control_messages, summary.file_bytes
    );
    Ok(())
}
