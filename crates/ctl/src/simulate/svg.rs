//! The forecast as an SVG picture: capacity of each location over time above, nodes upgraded below. Colours follow the
//! viewer's light or dark scheme. The figures come from crate `sim`.

use std::fmt::Write as _;

use fleet::time::Span;
use sim::forecast::{Band, Forecast, Plan};

use super::moments::{clock, distance, length};
use super::table::samples;

/// Width and height.
const SIZE: [u32; 2] = [1_000, 700];

/// Left and right edge of both plots.
const SIDES: [f64; 2] = [80.0, 970.0];

/// Upper and lower edge of the plot of capacity and of that of progress.
const PLOTS: [[f64; 2]; 2] = [[110.0, 360.0], [430.0, 625.0]];

/// Most marks below the time axis.
const MOST_MARKS: u64 = 12;

/// Colours for locations; they repeat for more locations.
const COLOURS: usize = 6;

/// How many locations the legend shows, and the width of each.
const IN_A_LINE: usize = 5;
const LEGEND_WIDTH: f64 = 178.0;

/// Most letters of a name in the legend.
const MOST_LETTERS: usize = 20;

/// Parts of the vertical axis.
const PARTS: u32 = 4;

const STYLE: &str = "\
svg{--back:#fff;--ink:#1c2430;--quiet:#5b6675;--grid:#dfe4ea;--c0:#0b63c4;--c1:#c2410c;--c2:#15803d;--c3:#9333ea;\
--c4:#b4236f;--c5:#0e7490;background:var(--back);font:13px system-ui,sans-serif}
@media(prefers-color-scheme:dark){svg{--back:#12161c;--ink:#e8edf3;--quiet:#9aa7b6;--grid:#2b333e;--c0:#6db3ff;\
--c1:#fb923c;--c2:#4ade80;--c3:#c084fc;--c4:#f472b6;--c5:#22d3ee}}
.back{fill:var(--back)}text{fill:var(--ink)}.quiet{fill:var(--quiet)}.title{font-size:17px;font-weight:600}
.grid{stroke:var(--grid)}.line{fill:none;stroke-width:2;stroke-linejoin:round}.band{opacity:.2}";

/// A plot: its position, and the values at its edges.
#[derive(Clone, Copy, Debug)]
struct Plot {
    edges: [f64; 2],
    from: f64,
    to: f64,
    points: usize,
}

impl Plot {
    fn x(self, point: usize) -> f64 {
        let part = point as f64 / self.points.saturating_sub(1).max(1) as f64;
        SIDES[0] + part * (SIDES[1] - SIDES[0])
    }

    fn y(self, value: f64) -> f64 {
        let [upper, lower] = self.edges;
        lower - (value - self.from) / (self.to - self.from) * (lower - upper)
    }

    /// One edge of a curve, `x,y` by `x,y`; points within a straight line are left out.
    fn path(self, values: &[f64]) -> Vec<String> {
        let last = values.len().saturating_sub(1);
        let bends =
            |at: usize| at == 0 || at == last || values[at] != values[at - 1] || values[at] != values[at + 1];
        let kept = (0..values.len()).filter(|at| bends(*at));
        kept.map(|at| format!("{:.1},{:.1}", self.x(at), self.y(values[at]))).collect()
    }
}

/// The picture.
pub(crate) fn picture(plan: &Plan, foreseen: &Forecast) -> String {
    let [width, height] = SIZE;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\">\n\
         <title>How an upgrade of {} nodes would go</title>\n<style>{STYLE}</style>\n\
         <rect class=\"back\" width=\"{width}\" height=\"{height}\"/>\n",
        foreseen.nodes
    );
    let title = format!("How an upgrade of {} nodes would go", foreseen.nodes);
    text(&mut svg, [SIDES[0], 32.0], "title", &title);
    let rests = format!(
        "{} at once, started at {}; lines are the median of {}, bands reach from 5 to 95 in a hundred.",
        plan.policy.nodes_at_once,
        clock(plan.start, Span::ZERO),
        samples(foreseen.samples)
    );
    text(&mut svg, [SIDES[0], 54.0], "quiet", &rests);
    capacity(&mut svg, plan, foreseen);
    progress(&mut svg, plan, foreseen);
    svg.push_str("</svg>\n");
    svg
}

fn capacity(svg: &mut String, plan: &Plan, foreseen: &Forecast) {
    let percent = |nodes: u32, value: u32| 100.0 * f64::from(value) / f64::from(nodes.max(1));
    let least = foreseen
        .locations
        .iter()
        .flat_map(|location| location.in_service.iter().map(|band| percent(location.nodes, band.p5)));
    // The axis begins at a multiple of twenty: from zero, a small reduction would hardly be visible.
    let from = (least.fold(100.0, f64::min) / 20.0 - 0.01).floor().max(0.0) * 20.0;
    let plot = Plot { edges: PLOTS[0], from, to: 100.0, points: foreseen.upgraded.len() };
    axes(svg, plot, plan, foreseen, "Nodes in service, percent of the location");
    for (nth, location) in foreseen.locations.iter().enumerate() {
        curve(svg, plot, nth % COLOURS, &location.in_service, |value| percent(location.nodes, value));
        legend(svg, nth, &format!("{} ({})", location.name, location.nodes));
    }
}

fn progress(svg: &mut String, plan: &Plan, foreseen: &Forecast) {
    let to = f64::from(foreseen.nodes);
    let plot = Plot { edges: PLOTS[1], from: 0.0, to, points: foreseen.upgraded.len() };
    axes(svg, plot, plan, foreseen, "Nodes upgraded");
    curve(svg, plot, 2, &foreseen.upgraded, f64::from);
    let below = [(SIDES[0] + SIDES[1]) / 2.0 - 90.0, PLOTS[1][1] + 56.0];
    text(svg, below, "quiet", "hours after Start, and the time in UTC");
}

/// The frame of a plot: lines across with their values, and the time below.
fn axes(svg: &mut String, plot: Plot, plan: &Plan, foreseen: &Forecast, what: &str) {
    let [upper, lower] = plot.edges;
    text(svg, [SIDES[0], upper - 12.0], "", what);
    for part in 0..=PARTS {
        let value = plot.from + (plot.to - plot.from) * f64::from(part) / f64::from(PARTS);
        let y = plot.y(value);
        line(svg, [SIDES[0], y], [SIDES[1], y]);
        right_text(svg, [SIDES[0] - 8.0, y + 4.0], &short(value));
    }
    let whole = length(foreseen);
    let step = distance(whole, MOST_MARKS);
    for nth in 0..=whole.0 / step.0 {
        let after = Span(nth * step.0);
        let x = SIDES[0] + (SIDES[1] - SIDES[0]) * after.0 as f64 / whole.0.max(1) as f64;
        line(svg, [x, upper], [x, lower]);
        middle_text(svg, [x, lower + 18.0], &format!("{} h", short(after.0 as f64 / 3_600_000.0)));
        middle_text(svg, [x, lower + 34.0], &clock(plan.start, after));
    }
}

/// The band and the median of a curve.
fn curve(svg: &mut String, plot: Plot, colour: usize, bands: &[Band], value: impl Fn(u32) -> f64) {
    let edge =
        |edge: fn(&Band) -> u32| plot.path(&bands.iter().map(|band| value(edge(band))).collect::<Vec<_>>());
    let (lower, median, mut upper) = (edge(|band| band.p5), edge(|band| band.median), edge(|band| band.p95));
    upper.reverse();
    let area = [lower, upper].concat().join(" ");
    put(svg, format_args!("<polygon class=\"band\" fill=\"var(--c{colour})\" points=\"{area}\"/>\n"));
    let median = median.join(" ");
    put(svg, format_args!("<polyline class=\"line\" stroke=\"var(--c{colour})\" points=\"{median}\"/>\n"));
}

/// The name of a location beside its colour; locations beyond the width of the legend have none.
fn legend(svg: &mut String, nth: usize, name: &str) {
    if nth >= IN_A_LINE {
        return;
    }
    let name: String = name.chars().take(MOST_LETTERS).collect();
    let x = SIDES[0] + nth as f64 * LEGEND_WIDTH;
    let y = 76.0;
    let colour = nth % COLOURS;
    put(
        svg,
        format_args!(
            "<rect x=\"{x}\" y=\"{}\" width=\"14\" height=\"4\" fill=\"var(--c{colour})\"/>\n",
            y - 6.0
        ),
    );
    text(svg, [x + 20.0, y], "", &name);
}

fn text(svg: &mut String, [x, y]: [f64; 2], class: &str, words: &str) {
    put(svg, format_args!("<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"{class}\">{}</text>\n", escaped(words)));
}

fn right_text(svg: &mut String, at: [f64; 2], words: &str) {
    anchored(svg, at, "end", words);
}

fn middle_text(svg: &mut String, at: [f64; 2], words: &str) {
    anchored(svg, at, "middle", words);
}

fn anchored(svg: &mut String, [x, y]: [f64; 2], anchor: &str, words: &str) {
    put(
        svg,
        format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"quiet\" text-anchor=\"{anchor}\">{words}</text>\n"
        ),
    );
}

fn line(svg: &mut String, [x1, y1]: [f64; 2], [x2, y2]: [f64; 2]) {
    put(
        svg,
        format_args!("<line class=\"grid\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>\n"),
    );
}

fn put(svg: &mut String, element: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = svg.write_fmt(element);
}

/// A number with two decimal places at most.
fn short(value: f64) -> String {
    let rounded = (value * 100.0).round() / 100.0;
    rounded.to_string()
}

/// Text within XML. Control characters, which XML may not hold, become visible.
fn escaped(words: &str) -> String {
    crate::text::sanitized(words)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
