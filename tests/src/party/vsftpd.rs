//! vsftpd: its configuration, and its protocol log.

use std::process::Command;

use anyhow::Result;

use super::setting::{Security, Setting};
use super::{PAM_MODULE, PASSWORD_HASH, Party, USER, folder};
use crate::ftp::Transcript;

/// Bytes a second: the process that holds a data connection lives for a tenth of a second, as on a network. On one machine it would be
/// gone before anybody could ask whose it is.
const RATE: u32 = 3_000_000;

/// vsftpd asks PAM. Its PAM file and users are the test's own, laid over the system's in a mount namespace that only
/// this vsftpd sees, so that no user has to be made on the machine.
pub(super) fn command(setting: &Setting<'_>) -> Result<Command> {
    let Setting { namespace, ip, scratch, root, log, xferlog, security, pem } = setting;
    let users = scratch.write("users", format!("{USER}:{PASSWORD_HASH}\n"))?;
    let pam = scratch.write(
        "pam",
        format!(
            "auth required {module} pwdfile {users}\naccount required pam_permit.so\n\
             session required pam_permit.so\n",
            module = folder()?.join(PAM_MODULE).display(),
            users = users.display(),
        ),
    )?;
    let empty = scratch.path().join("empty");
    std::fs::create_dir_all(&empty)?;
    let (listen, address) =
        if ip.is_ipv4() { ("listen", "listen_address") } else { ("listen_ipv6", "listen_address6") };
    let tls = match security {
        Security::Clear => String::new(),
        _ => format!(
            "ssl_enable=YES\nrsa_cert_file={pem}\nallow_anon_ssl=YES\nforce_local_data_ssl=NO\n\
             force_local_logins_ssl=NO\nrequire_ssl_reuse=NO\nssl_ciphers=HIGH\nlisten_port={}\nimplicit_ssl={}\n\
             pasv_min_port=30000\npasv_max_port=60000\n",
            security.port(),
            if *security == Security::Implicit { "YES" } else { "NO" },
        ),
    };
    let other = if ip.is_ipv4() { "listen_ipv6" } else { "listen" };
    let configuration = scratch.write(
        "vsftpd.conf",
        format!(
            "{listen}=YES\n{address}={ip}\n{other}=NO\nbackground=NO\nseccomp_sandbox=NO\n\
             anonymous_enable=YES\nno_anon_password=NO\nanon_root={root}\nlocal_enable=YES\nguest_enable=YES\n\
             guest_username=ftp\nvirtual_use_local_privs=YES\nlocal_root={root}\nuser_config_dir=/nonexistent\n\
             chroot_local_user=YES\npam_service_name=vsftpd\nsecure_chroot_dir={empty}\n\
             write_enable=YES\nasync_abor_enable=YES\ndelay_failed_login=0\ndelay_successful_login=0\n\
             xferlog_enable=YES\nxferlog_std_format=NO\nvsftpd_log_file={log}\nlog_ftp_protocol=YES\n\
             dual_log_enable=YES\nxferlog_file={xferlog}\n\
             connect_from_port_20=YES\nlocal_max_rate={RATE}\nanon_max_rate={RATE}\n{tls}",
            empty = empty.display(),
        ),
    )?;
    let mut command = namespace.command("unshare");
    command.args(["--mount", "sh", "-c", "mount --bind \"$0\" /etc/pam.d/vsftpd && exec \"$1\" \"$2\""]);
    command.arg(pam).arg(Party::Vsftpd.program()?).arg(configuration);
    Ok(command)
}

/// Lines such as `… [pid 7] [alice] FTP command: Client "10.0.0.1", "SIZE a"`; a session begins with `CONNECT:`.
pub(super) fn transcripts(log: &str) -> Vec<Transcript> {
    let mut sessions: Vec<Vec<(bool, &str)>> = Vec::new();
    for line in log.lines() {
        if line.contains("] CONNECT: Client ") {
            sessions.push(Vec::new());
        }
        let is_command = line.contains("FTP command: Client ");
        if !is_command && !line.contains("FTP response: Client ") {
            continue;
        }
        let said = line.split_once("\", \"").and_then(|(_, said)| said.strip_suffix('"'));
        if let (Some(said), Some(session)) = (said, sessions.last_mut()) {
            session.push((is_command, said));
        }
    }
    sessions.into_iter().map(Transcript::from_lines).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocol_log_is_split_into_sessions() {
        let log = "\
Sun Nov 22 12:00:00 2026 [pid 2] CONNECT: Client \"10.77.0.1\"
Sun Nov 22 12:00:00 2026 [pid 2] FTP response: Client \"10.77.0.1\", \"220 (vsFTPd 3.0.3)\"
Sun Nov 22 12:00:00 2026 [pid 2] FTP command: Client \"10.77.0.1\", \"USER alice\"
Sun Nov 22 12:00:01 2026 [pid 3] CONNECT: Client \"10.77.0.1\"
Sun Nov 22 12:00:01 2026 [pid 3] FTP response: Client \"10.77.0.1\", \"220 (vsFTPd 3.0.3)\"
";
        let sessions = transcripts(log);
        assert_eq!(sessions.len(), 2);
        assert_eq!(sessions[0].commands(), ["USER alice"]);
        assert_eq!(sessions[0].replies()[0].text(), "(vsFTPd 3.0.3)");
    }
}
