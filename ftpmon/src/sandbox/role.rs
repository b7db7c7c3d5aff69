//! The roles of threads.

use rustix::thread::CapabilitySet;

/// The work of a thread, which decides its rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Reads packets and makes events of them. It opens nothing.
    Reader,
    /// Opens what the operator names in a configuration that is read again.
    Opener,
    /// Writes events to files and sockets, which it opens again when they fail.
    Output,
    /// Writes events to a file that is to belong to another user (`owner=`, `group=`), also after it was rotated.
    OwnedOutput,
    /// Stores files, and the spool's segments.
    Files,
    /// Serves the state of the agent at a socket that is open.
    Status,
    /// Looks up the processes that own connections.
    Owners,
    /// Attaches the programs to interfaces. It is a process of its own, which gets no packet.
    Attacher {
        /// It pins them.
        pins: bool,
    },
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 8] = [
        Self::Reader,
        Self::Opener,
        Self::Output,
        Self::OwnedOutput,
        Self::Files,
        Self::Status,
        Self::Owners,
        Self::Attacher { pins: true },
    ];

    /// The capabilities that the role needs: each that is missing breaks the work that is named here.
    pub fn capabilities(self) -> CapabilitySet {
        match self {
            // Maps and rings are used through their descriptors.
            Self::Reader | Self::Opener | Self::Output | Self::Files | Self::Status => CapabilitySet::empty(),
            // A new file is given away (CHOWN), and opened again when it is the other user's (DAC_OVERRIDE).
            Self::OwnedOutput => CapabilitySet::CHOWN | CapabilitySet::DAC_OVERRIDE,
            // Links in /proc/PID of other users' processes can be read (SYS_PTRACE), and their folders opened (DAC_READ_SEARCH).
            Self::Owners => CapabilitySet::SYS_PTRACE | CapabilitySet::DAC_READ_SEARCH,
            // Programs are loaded (BPF, PERFMON) and attached (NET_ADMIN) when an interface comes; it becomes promiscuous (NET_RAW).
            // Only root can use the folders above pins (DAC_OVERRIDE).
            Self::Attacher { pins } => {
                let pinning = if pins { CapabilitySet::DAC_OVERRIDE } else { CapabilitySet::empty() };
                CapabilitySet::BPF
                    | CapabilitySet::PERFMON
                    | CapabilitySet::NET_ADMIN
                    | CapabilitySet::NET_RAW
                    | pinning
            }
        }
    }

    /// The capabilities with which the role opens paths of root's as a user that the operator did not choose: nobody made those paths
    /// open to that user.
    pub(super) fn for_paths(self) -> CapabilitySet {
        match self {
            Self::Reader | Self::Status | Self::Owners | Self::Attacher { .. } => CapabilitySet::empty(),
            Self::Files => CapabilitySet::DAC_OVERRIDE,
            // New files are root's, as those are that root opened.
            Self::Opener | Self::Output | Self::OwnedOutput => {
                CapabilitySet::CHOWN | CapabilitySet::DAC_OVERRIDE
            }
        }
    }
}
