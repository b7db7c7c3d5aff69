//! The reason in the verifier's log for which it refused a program.

/// Lines of a reason that are shown.
const LINES_MAX: usize = 3;

/// The reason that a verifier's log ends with, without the instructions before it and the statistics after it.
pub(super) fn reason(log: &str) -> Option<String> {
    let mut lines: Vec<&str> = log
        .lines()
        .rev()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .skip_while(|line| is_statistics(line))
        .take_while(|line| !is_trace(line))
        .take(LINES_MAX)
        .collect();
    lines.reverse();
    (!lines.is_empty()).then(|| lines.join("; "))
}

/// A line of the statistics at the end of a log.
fn is_statistics(line: &str) -> bool {
    ["processed ", "verification time ", "stack depth "].iter().any(|start| line.starts_with(start))
}

/// A line of the walk through the program: an instruction (`1271: (69) r6 = ...`), the state at one, or a source line.
fn is_trace(line: &str) -> bool {
    let after_number = line.trim_start_matches(|c: char| c.is_ascii_digit());
    (after_number.len() < line.len() && after_number.starts_with(": ")) || line.starts_with(';')
}

#[cfg(test)]
mod tests {
    use super::reason;

    #[test]
    fn the_reason_stands_between_the_last_instruction_and_the_statistics() {
        let log = "; let x = y;\n1270: (79) r6 = *(u64 *)(r10 -80)     ; R6_w=pkt(off=0,r=0,imm=0)\n\
                   1271: (69) r6 = *(u16 *)(r6 +14)\n\
                   invalid access to packet, off=14 size=2, R6(id=0,off=14,r=0)\n\
                   R6 offset is outside of the packet\n\
                   verification time 25688 usec\nstack depth 200+0+0\n\
                   processed 362 insns (limit 1000000) max_states_per_insn 2 total_states 26\n\n";
        assert_eq!(
            reason(log).as_deref(),
            Some(
                "invalid access to packet, off=14 size=2, R6(id=0,off=14,r=0); R6 offset is outside of the packet"
            )
        );
    }

    #[test]
    fn a_program_that_is_too_large_is_named_so() {
        let log = "5068: (79) r1 = *(u64 *)(r2 +344)\nBPF program is too large. Processed 1000001 insn\n\
                   verification time 27703649 usec\nprocessed 1000001 insns (limit 1000000)\n";
        assert_eq!(reason(log).as_deref(), Some("BPF program is too large. Processed 1000001 insn"));
    }

    #[test]
    fn a_log_without_a_reason_gives_none() {
        assert_eq!(reason(""), None);
        assert_eq!(reason("0: (b7) r0 = 0\n1: (95) exit\nprocessed 2 insns (limit 1000000)\n"), None);
    }
}
