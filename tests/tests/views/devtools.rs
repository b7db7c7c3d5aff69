//! A Chromium without a window, led through the DevTools protocol by a pair of pipes.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use ftpmon_tests::oracle::browser;
use ftpmon_tests::poll;
use serde_json::{Value, json};

/// The longest wait for an answer: a browser starts slowly on a busy machine.
const SOON: Duration = Duration::from_secs(60);
/// Options that keep it from talking to anybody by itself, and from needing a display, a sandbox of its own (tests run as root) or much
/// of /dev/shm.
const OPTIONS: [&str; 13] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
    "--lang=en",
];

/// A browser with one page.
pub(crate) struct Browser {
    child: Child,
    commands: ChildStdin,
    messages: Receiver<Value>,
    /// The page's events, in their order.
    events: Vec<Value>,
    session: Option<String>,
    number: u64,
}

impl Browser {
    /// Starts it with a profile of its own, which has no page yet.
    pub(crate) fn start(profile: &Path) -> Result<Self> {
        let program = browser().context("there is no Chromium")?;
        // It reads commands from file 3 and answers on file 4.
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null", "sh"]).arg(program).args(OPTIONS);
        command.arg(format!("--user-data-dir={}", profile.display())).env("HOME", profile);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().context("cannot start the browser")?;
        let commands = child.stdin.take().context("its commands")?;
        let answers = BufReader::new(child.stdout.take().context("its answers")?);
        let (told, messages) = mpsc::channel();
        thread::spawn(move || {
            for message in answers.split(0).map_while(Result::ok) {
                let Ok(message) = serde_json::from_slice(&message) else { break };
                if told.send(message).is_err() {
                    break;
                }
            }
        });
        let mut browser = Self { child, commands, messages, events: Vec::new(), session: None, number: 0 };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" }))?;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = browser.call("Target.attachToTarget", attach)?;
        browser.session = Some(attached["sessionId"].as_str().context("a session")?.to_owned());
        for domain in ["Network", "Runtime", "Log", "Page", "Audits"] {
            browser.call(&format!("{domain}.enable"), json!({}))?;
        }
        Ok(browser)
    }

    /// Runs a method and gives its result.
    pub(crate) fn call(&mut self, method: &str, params: Value) -> Result<Value> {
        self.number += 1;
        let mut message = json!({ "id": self.number, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.commands.write_all(format!("{message}\0").as_bytes())?;
        let until = Instant::now() + SOON;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let message =
                self.messages.recv_timeout(left).with_context(|| format!("no answer to {method}"))?;
            if message["id"] != self.number {
                self.events.push(message);
            } else if message["error"].is_null() {
                return Ok(message["result"].clone());
            } else {
                bail!("{method}: {}", message["error"]);
            }
        }
    }

    /// Opens a file and waits until all of it is there.
    pub(crate) fn open(&mut self, file: &Path, fragment: &str) -> Result<()> {
        let before = self.named("Page.loadEventFired").len();
        self.call("Page.navigate", json!({ "url": format!("file://{}{fragment}", file.display()) }))?;
        poll::until("the page is loaded", SOON, || {
            self.evaluate("1")?;
            Ok((self.named("Page.loadEventFired").len() > before).then_some(()))
        })
    }

    /// The value of an expression in the page.
    pub(crate) fn evaluate(&mut self, expression: &str) -> Result<Value> {
        let params = json!({ "expression": expression, "returnByValue": true });
        let result = self.call("Runtime.evaluate", params)?;
        if !result["exceptionDetails"].is_null() {
            bail!("{expression}: {}", result["exceptionDetails"]);
        }
        Ok(result["result"]["value"].clone())
    }

    /// The events of a name so far.
    pub(crate) fn named(&self, method: &str) -> Vec<&Value> {
        self.events.iter().filter(|event| event["method"] == method).collect()
    }

    /// Makes the page believe in a reader who wants it light or dark, of a screen so wide.
    pub(crate) fn look(&mut self, scheme: &str, width: u32) -> Result<()> {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.call("Emulation.setEmulatedMedia", json!({ "media": "screen", "features": features }))?;
        let size = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", size)?;
        Ok(())
    }

    /// A picture of the first so many pixels of the page, as PNG.
    pub(crate) fn picture(&mut self, width: u32, height: u32) -> Result<Vec<u8>> {
        let clip = json!({ "x": 0, "y": 0, "width": width, "height": height, "scale": 1 });
        let params = json!({ "format": "png", "captureBeyondViewport": true, "clip": clip });
        let picture = self.call("Page.captureScreenshot", params)?;
        base64(picture["data"].as_str().context("a picture")?).context("it is no base64")
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.session = None;
        // It ends its own children; where it does not answer it is killed.
        let _ = self.call("Browser.close", json!({}));
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The bytes of a text in base64 (RFC 4648 section 4).
fn base64(text: &str) -> Option<Vec<u8>> {
    let value = |symbol: u8| -> Option<u32> {
        Some(u32::from(match symbol {
            b'A'..=b'Z' => symbol - b'A',
            b'a'..=b'z' => symbol - b'a' + 26,
            b'0'..=b'9' => symbol - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        }))
    };
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for group in text.trim_end_matches('=').as_bytes().chunks(4) {
        let mut bits = 0;
        for symbol in group {
            bits = bits << 6 | value(*symbol)?;
        }
        bits <<= 6 * (4 - group.len());
        bytes.extend_from_slice(bits.to_be_bytes().get(1..group.len())?);
    }
    Some(bytes)
}
