//! The HTML of `report` and `explain` in Chromium: it asks nobody for anything, nothing fails, the table can be searched, and
//! pictures of it, light and dark, are in `target/views`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use ftpmon_tests::agent::binary;
use ftpmon_tests::bed::{Need, Scratch, plain_test};
use ftpmon_tests::machine::target;
use ftpmon_tests::process::run_ok;
use ftpmon_tests::script;
use serde_json::{Value, json};

use super::devtools::Browser;

const NEEDS: [Need; 2] = [Need::Agent, Need::Browser];
/// The size of pictures, pixels.
const PICTURE: [u32; 2] = [1_100, 1_400];

/// The signature of a PNG file.
const PNG: [u8; 8] = [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a];

fn events(scratch: &Path) -> Result<PathBuf> {
    let (capture, events) = (scratch.join("hostile.pcap"), scratch.join("events.jsonl"));
    fs::write(&capture, script::capture(&super::day::script())?)?;
    fs::write(&events, run_ok(Command::new(binary()?).arg("read").arg(&capture))?)?;
    Ok(events)
}

#[test]
fn the_report_asks_nobody_and_its_table_can_be_searched() {
    plain_test("the_report_asks_nobody_and_its_table_can_be_searched", &NEEDS, || {
        let scratch = Scratch::new("browser-report")?;
        let page = scratch.path().join("report.html");
        let mut report = Command::new(binary()?);
        run_ok(report.arg("report").arg("--html").arg(&page).arg(events(scratch.path())?))?;
        let mut browser = Browser::start(&scratch.path().join("profile"))?;
        browser.open(&page, "")?;
        let all = rows(&mut browser)?;
        ensure!(all >= 20, "{all} rows");
        browser.evaluate("document.getElementById('search').focus()")?;
        browser.call("Input.insertText", json!({ "text": "ALICE download" }))?;
        let found = rows(&mut browser)?;
        ensure!(found > 0 && found < all, "{found} of {all} rows");
        let wrong = "[...document.querySelectorAll('#rows tr')].filter(row => !(row.textContent.includes('alice') \
                     && row.textContent.includes('download'))).length";
        ensure!(browser.evaluate(wrong)? == 0, "a row has not what was searched");
        let told = browser.evaluate("document.getElementById('found').textContent")?;
        ensure!(told.as_str().is_some_and(|told| told.starts_with(&format!("{found} of {all}"))), "{told}");
        // A link that leads to what was searched.
        browser.open(Path::new("/dev/null"), "")?;
        browser.open(&page, "#alice%20download")?;
        ensure!(rows(&mut browser)? == found, "the fragment searches otherwise");
        // What a peer named is text, and no element.
        let elements =
            browser.evaluate("document.querySelectorAll('img, iframe, object, a, link').length")?;
        ensure!(elements == 0, "{elements} elements that load something");
        ensure!(browser.evaluate("document.querySelectorAll('script').length")? == 2, "a script more");
        browser.open(Path::new("/dev/null"), "")?;
        browser.open(&page, "")?;
        pictures(&mut browser, "report")?;
        prints_light(&mut browser)?;
        asked_nobody(&browser)
    });
}

#[test]
fn the_explained_session_asks_nobody_in_both_languages() {
    plain_test("the_explained_session_asks_nobody_in_both_languages", &NEEDS, || {
        let scratch = Scratch::new("browser-explain")?;
        let capture = scratch.path().join("textbook.pcap");
        let text = Path::new(env!("CARGO_MANIFEST_DIR")).join("explain/textbook/script.ftp");
        fs::write(&capture, script::capture(&fs::read_to_string(text)?)?)?;
        let mut browser = Browser::start(&scratch.path().join("profile"))?;
        for language in ["en", "zh"] {
            let page = scratch.path().join(format!("explain-{language}.html"));
            let mut explain = Command::new(binary()?);
            run_ok(explain.args(["explain", "--lang", language, "--html"]).arg(&page).arg(&capture))?;
            browser.open(&page, "")?;
            let text = browser.evaluate("document.body.innerText")?;
            ensure!(text.as_str().is_some_and(|text| text.contains("26758")), "the sum is missing: {text}");
            ensure!(browser.evaluate("document.querySelectorAll('script').length")? == 0, "it has a script");
            goes_by_keyboard(&mut browser)?;
            pictures(&mut browser, &format!("explain-{language}"))?;
            prints_light(&mut browser)?;
        }
        asked_nobody(&browser)
    });
}

/// A reader without a mouse comes to every row of the ladder in turn, and sees which one it is.
fn goes_by_keyboard(browser: &mut Browser) -> Result<()> {
    let rows = browser.evaluate("document.querySelectorAll('.row[tabindex=\"0\"]').length")?;
    let rows = rows.as_u64().filter(|rows| *rows > 20).with_context(|| format!("{rows} rows"))?;
    for row in 0..rows {
        for kind in ["keyDown", "keyUp"] {
            let tab = json!({ "type": kind, "key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9 });
            browser.call("Input.dispatchKeyEvent", tab)?;
        }
        let at = browser
            .evaluate("[...document.querySelectorAll('.row[tabindex]')].indexOf(document.activeElement)")?;
        ensure!(at == row, "after {} keys the reader is at row {at}", row + 1);
    }
    let outline = browser.evaluate("getComputedStyle(document.activeElement).outlineStyle")?;
    ensure!(outline == "solid", "the row has the outline {outline}");
    Ok(())
}

/// On paper the page is light whatever the screen is, and it becomes pages.
fn prints_light(browser: &mut Browser) -> Result<()> {
    let dark = json!([{ "name": "prefers-color-scheme", "value": "dark" }]);
    browser.call("Emulation.setEmulatedMedia", json!({ "media": "print", "features": dark }))?;
    let colours = "getComputedStyle(document.body).backgroundColor + getComputedStyle(document.body).color";
    let colours = browser.evaluate(colours)?;
    ensure!(colours == "rgb(255, 255, 255)rgb(0, 0, 0)", "on paper it has {colours}");
    let printed = browser.call("Page.printToPDF", json!({}))?;
    let document = printed["data"].as_str().context("the document")?;
    // %PDF in base64.
    ensure!(document.starts_with("JVBER") && document.len() > 10_000, "{} characters", document.len());
    browser.call("Emulation.setEmulatedMedia", json!({ "media": "", "features": [] }))?;
    Ok(())
}

fn rows(browser: &mut Browser) -> Result<u64> {
    let count = browser.evaluate("document.querySelectorAll('#rows tr').length")?;
    count.as_u64().context("a number of rows")
}

/// Pictures of the page for readers of both kinds, which are not the same.
fn pictures(browser: &mut Browser, name: &str) -> Result<()> {
    let folder = target()?.join("views");
    fs::create_dir_all(&folder)?;
    let mut taken = Vec::new();
    for scheme in ["light", "dark"] {
        browser.look(scheme, PICTURE[0])?;
        let picture = browser.picture(PICTURE[0], PICTURE[1])?;
        ensure!(picture.starts_with(&PNG), "it is no PNG");
        fs::write(folder.join(format!("{name}-{scheme}.png")), &picture)?;
        let background = "getComputedStyle(document.body).backgroundColor";
        taken.push((browser.evaluate(background)?, picture));
    }
    ensure!(taken[0] != taken[1], "light and dark look the same");
    ensure!(taken[0].0 != taken[1].0, "the background is {} in both", taken[0].0);
    Ok(())
}

/// No request but that of the page itself, no error on the console, no violation of the page's policy.
fn asked_nobody(browser: &Browser) -> Result<()> {
    let url = |event: &&Value| event["params"]["request"]["url"].as_str().unwrap_or_default().to_owned();
    let asked: Vec<String> = browser.named("Network.requestWillBeSent").iter().map(url).collect();
    let strange: Vec<&String> = asked.iter().filter(|url| !url.starts_with("file:///")).collect();
    ensure!(!asked.is_empty() && strange.is_empty(), "it asked for {strange:?}");
    for wrong in
        ["Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded", "Audits.issueAdded"]
    {
        let events = browser.named(wrong);
        ensure!(events.is_empty(), "{wrong}: {events:?}");
    }
    Ok(())
}
