//! `ftpmon doctor`: whether `ftpmon run` with the same options would work here, and what keeps it from seeing or delivering
//! everything.
//!
//! Nothing is attached, and no file is made. The kernel programs are loaded into the kernel and dropped again.
//!
//! | file | what is examined |
//! |---|---|
//! | `machine` | kernel, rights, namespaces, clocks, memory |
//! | `interfaces` | the watched interfaces and their hooks |
//! | `places` | outputs, spool, and other files and directories |
//! | `report` | the findings, as text and JSON |

mod interfaces;
mod machine;
mod places;
mod report;

pub use report::Report;

use crate::config::Config;
use crate::kernel::{KernelVersion, preflight};
use crate::netns::NetworkNamespace;
use crate::sandbox::Account;
use report::Finding;

/// Examines this machine for a run with `config`.
pub fn examine(config: &Config) -> Report {
    let mut report = Report::default();
    let ready = preflight(config.live.promiscuous);
    report.extend(machine::kernel(&ready));
    report.extend([account(config)]);
    report.extend(machine::namespaces(config.live.owners));
    report.extend(on_interfaces(config, ready.ok()));
    report.extend(machine::clocks());
    report.extend(machine::memory(config));
    report.extend(places::examine(config));
    report
}

/// The interfaces, in the network namespace that they are in.
fn on_interfaces(config: &Config, kernel: Option<KernelVersion>) -> Vec<Finding> {
    let examine = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::io::Result::Ok(runtime.block_on(interfaces::examine(config, kernel)))
    };
    let examined = match &config.live.netns {
        None => examine().map_err(|error| error.to_string()),
        Some(path) => NetworkNamespace::open(path)
            .and_then(|netns| netns.run(examine))
            .map_err(|error| error.to_string())
            .and_then(|examined| examined.map_err(|error| error.to_string())),
    };
    examined.unwrap_or_else(|error| vec![Finding::from_error("interfaces", &error)])
}

/// The user that ftpmon becomes.
fn account(config: &Config) -> Finding {
    if !config.live.sandbox {
        return Finding::warning(
            "user",
            "--no-sandbox: what peers send is parsed with all rights",
            "leave out --no-sandbox",
        );
    }
    match Account::find(config.live.user.as_deref()) {
        Ok(account) => Finding::ok("user", account.to_string()),
        Err(error) => Finding::from_error("user", &error.to_string()),
    }
}
