//! `ftpmon top` on a terminal, for the documentation: the text of the picture is in `target/views`.

use std::fs;
use std::process::Command;

use anyhow::ensure;
use ftpmon_tests::agent::binary;
use ftpmon_tests::bed::{Need, Scratch, plain_test};
use ftpmon_tests::machine::target;
use ftpmon_tests::process::run_ok;
use ftpmon_tests::script;
use ftpmon_tests::terminal::Screen;

/// Two users: one downloads, one uploads, for a minute each.
const BUSY: &str = "
host server 192.0.2.21
host one 192.0.2.10
host two 192.0.2.11
open a one:40000 server:21
S: 220 ready
C: USER alice
S: 331 word
C: PASS secret
S: 230 in
C: PASV
S: 227 Entering Passive Mode (192,0,2,21,4,1)
open d one:40001 server:1025
C: RETR /pub/January.pdf
S: 150 Opening BINARY mode data connection for /pub/January.pdf (48000 bytes).
send d < bytes 24000
open b two:40000 server:21
use b
S: 220 ready
C: USER bob\\x1b[2J
S: 331 word
C: PASS secret
S: 230 in
C: PASV
S: 227 Entering Passive Mode (192,0,2,21,4,2)
open e two:40001 server:1026
C: STOR incoming.iso
S: 150 send it
send e > bytes 9000
wait 60s
send d < bytes 24000
close d <
close e >
S: 226 done
use a
S: 226 done
";

#[test]
fn top_has_its_picture() {
    plain_test("top_has_its_picture", &[Need::Agent, Need::Tool("tmux")], || {
        let scratch = Scratch::new("terminal")?;
        let capture = scratch.write("busy.pcap", script::capture(BUSY)?)?;
        let events =
            scratch.write("busy.jsonl", run_ok(Command::new(binary()?).arg("read").arg(&capture))?)?;
        let line = format!(
            "{} top --speed 4 --show transfers --color never {}",
            binary()?.display(),
            events.display()
        );
        let socket = scratch.path().join("tmux");
        let screen = Screen::open(&socket, [100, 14], &line)?;
        let picture = screen.wait("both transfers at work", |picture| {
            let at_work = |user: &str| picture.lines().any(|line| line.contains(user) && line.contains('~'));
            at_work("alice") && at_work("bob")
        })?;
        ensure!(picture.contains("bob\\x1b[2J") && !picture.contains('\x1b'), "{picture}");
        let folder = target()?.join("views");
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("top.txt"), picture)?;
        screen.keys(&["q"])?;
        Ok(())
    });
}
