//! The style of drawings and pages.

/// The Content-Security-Policy of a page: its own style, and nothing from anywhere.
pub(super) const CONTENT_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// The style sheet of tables and charts, which follows [`STYLE`].
pub(super) const REPORT_STYLE: &str = "
h2{font-size:1.15rem;margin:2rem 0 .5rem}h3{font-size:1rem;margin:1.2rem 0 .3rem}
table{border-collapse:collapse;width:100%;font-size:14px}th,td{text-align:left;padding:.25rem .6rem;border-bottom:1px solid var(--line);overflow-wrap:anywhere;vertical-align:top}
th{color:var(--quiet);font-weight:600}.number{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
dl.numbers{display:grid;grid-template-columns:repeat(auto-fill,minmax(11rem,1fr));gap:.75rem;margin:1.5rem 0}
dl.numbers div{border:1px solid var(--line);border-radius:6px;padding:.5rem .75rem}dt{color:var(--quiet);font-size:13px}dd{margin:0;font-size:1.25rem;font-variant-numeric:tabular-nums}
svg.chart{width:100%;height:auto}svg .down{fill:var(--data)}svg .up{fill:var(--good)}
section{break-inside:avoid}
input{font:inherit;color:inherit;background:var(--page);border:1px solid var(--line);border-radius:4px;padding:.25rem .5rem;width:min(30rem,100%)}
table.records{font-size:13px}table.records td:nth-child(5),table.records td:nth-child(9){text-align:right}
";

/// The style sheet, for SVG and for HTML: colours follow the reader's choice of light or dark, print is light.
pub(super) const STYLE: &str = "
:root{--page:#fff;--text:#1c2024;--quiet:#62686f;--line:#b8bec5;--handshake:#8e3a9d;--command:#00697a;--good:#1c7a33;--data:#2356b8;--odd:#8a5a00;--bad:#b3261e}
@media (prefers-color-scheme:dark){:root{--page:#15181b;--text:#e4e7ea;--quiet:#9aa1a9;--line:#4a5158;--handshake:#d78fe3;--command:#5cc6d8;--good:#6ccf83;--data:#8fb3ff;--odd:#e3b45c;--bad:#ff8b82}}
@media print{:root{--page:#fff;--text:#000;--quiet:#444;--line:#888;--handshake:#000;--command:#000;--good:#000;--data:#000;--odd:#000;--bad:#000}.row{break-inside:avoid}}
body{background:var(--page);color:var(--text);font:15px/1.45 system-ui,sans-serif;margin:0}
main{max-width:1280px;margin:0 auto;padding:24px}
h1{font-size:1.4rem;margin:0 0 .5rem}p{margin:.2rem 0}
.ladder{margin:1.5rem 0}
.row{display:grid;grid-template-columns:7.5rem 1fr;gap:0 .75rem}
.ladder.beside .row{grid-template-columns:7.5rem 1fr 1fr}
.row:focus{outline:2px solid var(--command);outline-offset:2px}
.when{color:var(--quiet);font:12px/1.6 ui-monospace,monospace;text-align:right;padding-top:.5rem}
.cell{border:solid var(--line);border-width:0 1px;padding:.4rem .75rem;overflow-wrap:anywhere}
.ladder.beside .beside-it{grid-column:3}
.ends .cell{border-width:0;font-weight:600}.ladder.beside .ends .cell{grid-column:2/4}
.pair{display:flex;justify-content:space-between;gap:1rem}
.message{font-family:ui-monospace,monospace;font-size:13px;position:relative;padding-bottom:.15rem}
.to-server,.to-client{border-bottom:2px solid currentColor;margin:0 -.75rem;padding:0 .9rem .15rem}
.to-client{text-align:right}
.to-server::after,.to-client::after{content:'';position:absolute;bottom:-6px;border:5px solid transparent}
.to-server::after{right:0;border-left-color:currentColor;border-right:0}
.to-client::after{left:0;border-right-color:currentColor;border-left:0}
ul{margin:.4rem 0 0;padding-left:1.1rem;color:var(--quiet);font-size:13px}
.handshake{color:var(--handshake)}.command{color:var(--command)}.good{color:var(--good)}.data{color:var(--data)}.odd{color:var(--odd)}.bad{color:var(--bad)}.quiet{color:var(--quiet)}
svg text{font:12px ui-monospace,Menlo,Consolas,monospace;fill:var(--text)}
svg rect.page{fill:var(--page)}svg line.life{stroke:var(--line)}
svg text.strong{font-weight:600}svg text.quiet{fill:var(--quiet)}
svg text.handshake,svg .tip.handshake{fill:var(--handshake)}svg .arrow.handshake{stroke:var(--handshake)}
svg text.command,svg .tip.command{fill:var(--command)}svg .arrow.command{stroke:var(--command)}
svg text.good,svg .tip.good{fill:var(--good)}svg .arrow.good{stroke:var(--good)}
svg text.data,svg .tip.data{fill:var(--data)}svg .arrow.data{stroke:var(--data)}
svg text.odd,svg .tip.odd{fill:var(--odd)}svg .arrow.odd{stroke:var(--odd)}
svg text.bad,svg .tip.bad{fill:var(--bad)}svg .arrow.bad{stroke:var(--bad)}
";
