//! Country and autonomous system of the ends of sessions, from databases in the MaxMind DB format (`--geo`). All look-ups are in memory: no
//! address leaves the machine.

use std::fs::File;
use std::io::Read as _;
use std::net::IpAddr;
use std::path::PathBuf;

use ftpmon_event::{Event, EventKind, Place, Places};
use maxminddb::Reader;
use serde::Deserialize;
use smol_str::SmolStr;

/// Bytes of a database. Stops a wrong path, such as a device, from filling memory; those of all cities of the world have a quarter of it.
const DATABASE_BYTES_MAX: u64 = 256 << 20;
/// Bytes of a text of a database.
const TEXT_BYTES_MAX: usize = 64;

/// The databases. What the first of them that knows something says counts.
pub(crate) struct PlaceDatabases(Vec<Reader<Vec<u8>>>);

/// The parts of a record that are told, as databases of countries, cities and autonomous systems name them.
#[derive(Deserialize)]
struct Record<'d> {
    #[serde(borrow)]
    country: Option<Country<'d>>,
    #[serde(borrow)]
    registered_country: Option<Country<'d>>,
    autonomous_system_number: Option<u32>,
    autonomous_system_organization: Option<&'d str>,
}

#[derive(Deserialize)]
struct Country<'d> {
    iso_code: Option<&'d str>,
}

/// The head of a text.
fn short(text: &str) -> SmolStr {
    let mut end = text.len().min(TEXT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().into()
}

impl PlaceDatabases {
    /// Reads the databases.
    ///
    /// # Errors
    /// The first that cannot be read, or is none.
    pub(crate) fn read(paths: &[PathBuf]) -> Result<Self, String> {
        let read = |path: &PathBuf| {
            let shown = path.display();
            let unreadable = |error: std::io::Error| format!("cannot read the database {shown}: {error}");
            let mut bytes = Vec::new();
            let file = File::open(path).map_err(unreadable)?;
            file.take(DATABASE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
            if bytes.len() as u64 > DATABASE_BYTES_MAX {
                return Err(format!("the database {shown} has more than {} MiB", DATABASE_BYTES_MAX >> 20));
            }
            Reader::from_source(bytes).map_err(|error| format!("{shown} is no MaxMind DB: {error}"))
        };
        paths.iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// The place of an address, by what they say.
    fn place(&self, ip: IpAddr) -> Option<Place> {
        let mut place = Place::default();
        for database in &self.0 {
            // A record of another kind, or one that is damaged, says nothing.
            let record = database.lookup(ip.to_canonical()).and_then(|found| found.decode::<Record<'_>>());
            let Ok(Some(record)) = record else { continue };
            let country = [record.country, record.registered_country].into_iter().flatten();
            let code = country.filter_map(|country| country.iso_code).map(short).next();
            place.country = place.country.or(code);
            place.asn = place.asn.or(record.autonomous_system_number);
            place.as_org = place.as_org.or_else(|| record.autonomous_system_organization.map(short));
        }
        (place != Place::default()).then_some(place)
    }

    /// Adds the places to an event that tells them, where it has none yet.
    pub(crate) fn add_to(&self, event: &mut Event) {
        let places = match &mut event.kind {
            EventKind::SessionStart(start) => &mut start.geo,
            EventKind::Alert(alert) => &mut alert.alert.geo,
            _ => return,
        };
        let Some(session) = event.session.as_deref().filter(|_| places.is_none()) else { return };
        let found = Places { client: self.place(session.client.ip), server: self.place(session.server.ip) };
        if found != Places::default() {
            *places = Some(Box::new(found));
        }
    }
}
