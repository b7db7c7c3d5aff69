//! The test bed: network namespaces, veth pairs, real FTP servers and clients.
pub mod script;
