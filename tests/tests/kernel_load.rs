//! The kernel object loads, and stays within what the verifier is asked to walk.

use ftpmon_tests::kernel::{Bench, Hooked, Settings, privileged};

/// Instructions that the verifier may walk for one program; the kernel's own limit is a million.
const BUDGET: u32 = 150_000;

#[test]
fn every_program_loads_within_its_budget() -> anyhow::Result<()> {
    if !privileged("every_program_loads_within_its_budget") {
        return Ok(());
    }
    for payload in [false, true] {
        let bench = Bench::load(Settings { payload, programs: &Hooked::ALL, ..Settings::default() })?;
        for hooked in Hooked::ALL {
            let walked = bench.verified_instructions(hooked)?;
            println!("{} payload={payload}: {walked} instructions", hooked.name());
            assert!(walked <= BUDGET, "{}: {walked} instructions", hooked.name());
        }
    }
    Ok(())
}
