//! A drawing of counts over time.

use maud::{Markup, html};

use super::timeline::Timeline;
use crate::view::units::minute;

/// The size of the drawing, pixels.
const WIDTH: i64 = 1_000;
const HEIGHT: u64 = 160;

/// Bytes over time as bars: those from servers below, those from clients above.
pub(super) fn bytes(timeline: &Timeline) -> Markup {
    let steps: Vec<_> = timeline.steps().collect();
    let (Some((first, _)), Some((last, _))) = (steps.first(), steps.last()) else {
        return html! { p { "No transfers." } };
    };
    let count = (last.seconds() - first.seconds()) / timeline.step_s() + 1;
    let most = steps.iter().map(|(_, counts)| counts.bytes()).max().unwrap_or(0).max(1);
    let scaled = |bytes: u64| (u128::from(bytes) * u128::from(HEIGHT) / u128::from(most)) as u64;
    let width = (WIDTH / count.max(1)).max(1);
    html! {
        svg.chart viewBox={ "0 0 " (WIDTH) " " (HEIGHT + 20) } role="img" aria-label="Bytes over time" {
            @for (from, counts) in &steps {
                @let x = (from.seconds() - first.seconds()) / timeline.step_s() * WIDTH / count;
                @let (down, up) = (scaled(counts.bytes_down), scaled(counts.bytes_up));
                g {
                    title { (minute(*from)) ": " (counts.count) " transfers, " (counts.bytes_down) " bytes down, "
                        (counts.bytes_up) " bytes up" }
                    rect.down x=(x) y=(HEIGHT - down) width=(width) height=(down) {}
                    rect.up x=(x) y=((HEIGHT - down).saturating_sub(up)) width=(width) height=(up) {}
                }
            }
            text x="0" y=(HEIGHT + 16) { (minute(*first)) }
            text.right x=(WIDTH) y=(HEIGHT + 16) text-anchor="end" { (minute(*last)) }
        }
    }
}
